//! Simulated stations as TCP servers: commanded, spontaneous, and with DATA over UDP.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use libtest_mimic::Trial;
use monitor::netns::Netns;
use monitor::simulate::{
    DataTo, Fleet, FleetPlan, Plan, ReportingInstant, ReportingRate, Route, RunningSender, Sender,
};
use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{
    Command as Asked, ConfigView, FrameKind, FrameView, IdCode, NominalFrequency, TimeTag, Version,
};

use crate::support::{Need, trial};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const IDCODE: u16 = 201;
/// What has not come after so long is not going to.
const HANGS: Duration = Duration::from_mins(1);
/// Silence after which nothing more comes.
const SILENCE: Duration = Duration::from_millis(200);

pub(crate) fn trials() -> Vec<Trial> {
    let veth = &[Need::Veth];
    vec![
        trial("a_server_obeys_each_client_by_itself", veth, a_server_obeys_each_client_by_itself),
        trial("a_spontaneous_server_begins_with_its_configuration", veth, spontaneous),
        trial("control_by_tcp_sends_data_by_udp", veth, control_by_tcp_sends_data_by_udp),
        trial("control_by_tcp_sends_data_to_a_group", veth, control_by_tcp_sends_data_to_a_group),
        trial("several_pmus_share_a_stream", veth, several_pmus_share_a_stream),
        trial("a_client_that_talks_nonsense_costs_itself", veth, a_client_that_talks_nonsense_costs_itself),
    ]
}

/// Streams in a namespace of their own, on its loopback interface.
struct World {
    netns: Netns,
    sender: RunningSender,
    addresses: Vec<(IdCode, SocketAddr)>,
}

fn plan(route: Route) -> Plan {
    Plan::over(route, ReportingRate::FIFTY)
}

impl World {
    fn new(pmus: u16, plan: Plan) -> Self {
        let fleet = FleetPlan { seed: 42, pmus, first_idcode: IDCODE, nominal: NominalFrequency::Hz50 };
        let fleet = Fleet::new(&fleet).unwrap();
        let netns = Netns::create().unwrap();
        let open = || Sender::open(fleet, plan, |_| SocketAddr::new(LOOPBACK, 0)).unwrap();
        let sender = netns.run(open).unwrap();
        let addresses = sender.addresses();
        Self { netns, sender: sender.spawn().unwrap(), addresses }
    }

    fn client(&self, place: usize) -> Client {
        let (idcode, address) = self.addresses[place];
        let stream = self.netns.run(|| TcpStream::connect(address).unwrap()).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        Client { stream, idcode, read: Vec::new() }
    }
}

struct Client {
    stream: TcpStream,
    idcode: IdCode,
    read: Vec<u8>,
}

impl Client {
    fn ask(&mut self, command: Asked) {
        self.ask_of(self.idcode, command);
    }

    fn ask_of(&mut self, idcode: IdCode, command: Asked) {
        let mut bytes = [0; 18];
        let preamble = Preamble { version: Version::V2011, idcode, time: TimeTag::default() };
        encode::command(&mut bytes, &preamble, command, &[]).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next frame; none once the connection is closed.
    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(size) = self.read.get(2..4) {
                let size = usize::from(u16::from_be_bytes([size[0], size[1]]));
                if self.read.len() >= size {
                    let rest = self.read.split_off(size);
                    return Some(std::mem::replace(&mut self.read, rest));
                }
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                length => self.read.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// The next frame, which is of `kind`.
    fn expect(&mut self, kind: FrameKind) -> Vec<u8> {
        let bytes = self.next().unwrap();
        let frame = FrameView::new(&bytes).unwrap();
        assert_eq!((frame.kind(), frame.idcode()), (kind, self.idcode));
        bytes
    }

    /// Reads past DATA to a frame of `kind`, and counts them.
    fn until(&mut self, kind: FrameKind) -> u64 {
        let mut data = 0;
        loop {
            let bytes = self.next().unwrap();
            match FrameView::new(&bytes).unwrap().kind() {
                found if found == kind => return data,
                FrameKind::Data => data += 1,
                other => panic!("a {other} frame"),
            }
        }
    }

    /// Everything up to the end, which must be DATA.
    fn data_to_the_end(mut self) -> u64 {
        let mut data = 0;
        while let Some(bytes) = self.next() {
            assert_eq!(FrameView::new(&bytes).unwrap().kind(), FrameKind::Data);
            data += 1;
        }
        data
    }
}

fn index(frame: &[u8]) -> u64 {
    ReportingInstant::of_tag(FrameView::new(frame).unwrap().time(), ReportingRate::FIFTY).index()
}

fn a_server_obeys_each_client_by_itself() {
    let world = World::new(1, plan(Route::Tcp));
    let (mut one, mut other) = (world.client(0), world.client(0));
    for (command, kind) in [
        (Asked::SendConfig1, FrameKind::Config1),
        (Asked::SendConfig2, FrameKind::Config2),
        (Asked::SendHeader, FrameKind::Header),
    ] {
        one.ask(command);
        one.expect(kind);
    }
    one.ask(Asked::TurnOn);
    let first = index(&one.expect(FrameKind::Data));
    for place in 1..10 {
        assert_eq!(index(&one.expect(FrameKind::Data)), first + place);
    }
    // The other one has got nothing so far, and gets its own answers only.
    other.ask(Asked::SendHeader);
    other.expect(FrameKind::Header);
    other.ask(Asked::TurnOn);
    other.expect(FrameKind::Data);
    one.ask(Asked::TurnOff);
    one.ask(Asked::SendHeader);
    let more = one.until(FrameKind::Header);
    other.expect(FrameKind::Data);
    other.expect(FrameKind::Data);
    let report = world.sender.stop();
    assert!(one.next().is_none(), "DATA were off");
    let counts = report.total();
    assert_eq!(counts.data, 10 + more + 3 + other.data_to_the_end());
    assert_eq!((counts.config1, counts.config2, counts.header), (1, 1, 3));
    assert_eq!((counts.connections, counts.commands, counts.unanswered, counts.refused), (2, 8, 0, 0));
    assert_eq!(report.first_failure, None);
}

fn spontaneous() {
    let plan = Plan { spontaneous: true, announced: Plan::ANNOUNCED.to_vec(), ..plan(Route::Tcp) };
    let world = World::new(2, plan);
    let mut second = world.client(1);
    second.expect(FrameKind::Config2);
    let first = index(&second.expect(FrameKind::Data));
    assert_eq!(index(&second.expect(FrameKind::Data)), first + 1);
    let report = world.sender.stop();
    let [one, two] = report.streams.as_slice() else { panic!("{report:?}") };
    assert_eq!((one.idcode, one.counts.data, one.counts.withheld), (IdCode(IDCODE), 0, one.counts.instants));
    assert_eq!(two.counts.data, 2 + second.data_to_the_end());
    assert_eq!(two.counts.instants, two.counts.data + two.counts.withheld);
}

/// DATA that have arrived, by their indices.
fn datagrams(socket: &UdpSocket) -> Vec<u64> {
    let mut buffer = [0; 2048];
    let next = || socket.recv(&mut buffer).ok().map(|length| index(&buffer[..length]));
    std::iter::from_fn(next).collect()
}

fn control_by_tcp_sends_data_by_udp() {
    // Ports of a new namespace are all free.
    const PORT: u16 = 4713;
    let world = World::new(1, plan(Route::Control(DataTo::Client(PORT))));
    let socket = world.netns.run(|| UdpSocket::bind((LOOPBACK, PORT)).unwrap()).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let mut client = world.client(0);
    client.ask(Asked::SendConfig2);
    client.expect(FrameKind::Config2);
    assert!(datagrams(&socket).is_empty(), "nobody has turned DATA on");
    client.ask(Asked::TurnOn);
    let mut buffer = [0; 2048];
    socket.set_read_timeout(Some(HANGS)).unwrap();
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(from, world.addresses[0].1, "DATA come from the address that was asked");
    let first = index(&buffer[..length]);
    client.ask(Asked::TurnOff);
    client.ask(Asked::SendHeader);
    client.expect(FrameKind::Header);
    let rest = datagrams(&socket);
    let report = world.sender.stop();
    assert_eq!(rest, (first + 1..).take(rest.len()).collect::<Vec<_>>());
    assert_eq!(report.total().data, 1 + rest.len() as u64);
    assert!(client.next().is_none(), "no DATA by TCP");
}

fn control_by_tcp_sends_data_to_a_group() {
    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
    const PORT: u16 = 4713;
    let to = SocketAddr::new(GROUP.into(), PORT);
    let world = World::new(1, plan(Route::Control(DataTo::Place(to))));
    let open = || {
        let socket = UdpSocket::bind((GROUP, PORT)).unwrap();
        socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).unwrap();
        socket
    };
    let group = world.netns.run(open).unwrap();
    let mut client = world.client(0);
    client.ask(Asked::TurnOn);
    let mut buffer = [0; 2048];
    let length = group.recv(&mut buffer).unwrap();
    assert_eq!(FrameView::new(&buffer[..length]).unwrap().kind(), FrameKind::Data);
    drop(client);
    group.set_read_timeout(Some(SILENCE)).unwrap();
    let more = datagrams(&group).len() as u64;
    let report = world.sender.stop();
    assert_eq!(report.total().data, 1 + more, "DATA end with the client");
    assert!(datagrams(&group).is_empty());
}

fn several_pmus_share_a_stream() {
    let plan = Plan { per_stream: 4, first_stream_idcode: 60, ..plan(Route::Tcp) };
    let world = World::new(10, plan);
    let idcodes: Vec<_> = world.addresses.iter().map(|(idcode, _)| idcode.0).collect();
    assert_eq!(idcodes, [60, 61, 62]);
    let mut last = world.client(2);
    last.ask(Asked::SendConfig2);
    let bytes = last.expect(FrameKind::Config2);
    let config = ConfigView::new(FrameView::new(&bytes).unwrap()).unwrap();
    let pmus: Vec<_> = config.pmus().map(|pmu| pmu.idcode().0).collect();
    assert_eq!(pmus, [IDCODE + 8, IDCODE + 9], "what is left over");
    last.ask(Asked::TurnOn);
    last.expect(FrameKind::Data);
    assert_eq!(world.sender.stop().first_failure, None);
}

fn a_client_that_talks_nonsense_costs_itself() {
    let world = World::new(1, plan(Route::Tcp));
    let (mut good, mut bad) = (world.client(0), world.client(0));
    good.ask(Asked::TurnOn);
    good.expect(FrameKind::Data);
    bad.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // Answers are in order: the nonsense has been read once this is.
    bad.ask(Asked::SendHeader);
    bad.expect(FrameKind::Header);
    bad.ask_of(IdCode(999), Asked::TurnOn);
    bad.ask(Asked::Other(0x0100));
    bad.ask(Asked::SendHeader);
    bad.expect(FrameKind::Header);
    drop(bad);
    good.expect(FrameKind::Data);
    let report = world.sender.stop();
    let counts = report.total();
    assert_eq!((counts.refused, counts.unanswered, counts.commands), (2, 1, 4));
    assert_eq!(counts.data, 2 + good.data_to_the_end());
}
