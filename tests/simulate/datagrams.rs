//! Simulated stations over UDP: what arrives is what the sender says it sent and what the model says was measured.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use std::{fs, str};

use libtest_mimic::Trial;
use monitor::netns::{Netns, Pair, interfaces, private_pair};
use monitor::simulate::{
    Counts, Demo, DemoOptions, Fleet, FleetPlan, Measurement, Plan, Report, ReportingInstant, ReportingRate,
    Sender, Station,
};
use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{
    Command as Asked, ConfigView, Coordinates, DataView, FrameKind, FrameView, HeaderView, IdCode, Layout,
    LayoutBounds, NominalFrequency, PhasorFormat, PmuView, TimeTag, Version,
};

use crate::support::{Need, trial};

const FIRST_STATION: u8 = 11;
const PDC: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PORT: u16 = 4713;
const FLEET: FleetPlan = FleetPlan { seed: 42, pmus: 12, first_idcode: 201, nominal: NominalFrequency::Hz50 };
/// No CFG-2 but those that are asked for: longer than the time tags can count.
const NEVER: NonZeroU32 = NonZeroU32::MAX;
/// Silence after which what was sent has arrived: a veth delivers within the send call or shortly after.
const SILENCE: Duration = Duration::from_millis(200);
const MICROS: u32 = 1_000_000;

pub(crate) fn trials() -> Vec<Trial> {
    let veth = &[Need::Veth];
    vec![
        trial("what_arrives_is_what_was_measured", veth, what_arrives_is_what_was_measured),
        trial("a_thirty_per_second_grid_is_exact", veth, a_thirty_per_second_grid_is_exact),
        trial("commands_are_obeyed_and_counted", veth, commands_are_obeyed_and_counted),
        trial("configurations_are_repeated", veth, configurations_are_repeated),
        trial("what_cannot_be_sent_is_counted", veth, what_cannot_be_sent_is_counted),
        trial("the_demo_counts_alike_on_both_ends", veth, the_demo_counts_alike_on_both_ends),
        trial("the_verb_sends_what_it_says", veth, the_verb_sends_what_it_says),
        trial("the_verb_ends_on_ctrl_c", veth, the_verb_ends_on_ctrl_c),
        trial("a_held_up_sender_leaves_no_gap", veth, a_held_up_sender_leaves_no_gap),
        trial("wrong_usage_is_a_clear_sentence", &[], wrong_usage_is_a_clear_sentence),
        trial("tshark_reads_every_frame", &[Need::Veth, Need::Tshark], tshark_reads_every_frame),
    ]
}

/// A datagram as it arrived.
#[derive(Clone, Debug)]
struct Datagram {
    from: SocketAddr,
    bytes: Vec<u8>,
}

impl Datagram {
    fn frame(&self) -> FrameView<'_> {
        FrameView::new(&self.bytes).unwrap()
    }
}

/// Reads a socket on a thread of its own, so that nothing waits in the kernel's buffer for long.
struct Receiver {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    arriving: mpsc::Receiver<Datagram>,
    taken: Vec<Datagram>,
}

impl Receiver {
    fn open(netns: &Netns, address: SocketAddr) -> Self {
        let socket = netns.run(|| UdpSocket::bind(address).unwrap()).unwrap();
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        let (address, stop) = (socket.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (put, arriving) = mpsc::channel();
        thread::spawn({
            let stop = Arc::clone(&stop);
            move || read(&socket, &put, &stop)
        });
        Self { address, stop, arriving, taken: Vec::new() }
    }

    /// Waits for the next frame of `kind`.
    fn await_one(&mut self, kind: FrameKind) {
        for datagram in &self.arriving {
            let found = datagram.frame().kind() == kind;
            self.taken.push(datagram);
            if found {
                return;
            }
        }
        panic!("the receiver ended before a {kind} frame arrived");
    }

    /// Everything since the beginning, once nothing more comes.
    fn all(mut self) -> Vec<Datagram> {
        self.stop.store(true, Ordering::Relaxed);
        self.taken.extend(self.arriving);
        self.taken
    }
}

/// Hands on what arrives until it is told to end and there is silence.
fn read(socket: &UdpSocket, put: &mpsc::Sender<Datagram>, stop: &AtomicBool) {
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        match receive(socket).map(|datagram| put.send(datagram)) {
            Some(Err(_)) => return,
            None if stopping => return,
            Some(Ok(())) | None => {}
        }
    }
}

fn receive(socket: &UdpSocket) -> Option<Datagram> {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    Some(Datagram { from, bytes: buffer[..length].to_vec() })
}

fn station_address(place: u16) -> SocketAddr {
    let host = FIRST_STATION + u8::try_from(place).unwrap();
    SocketAddr::new(Ipv4Addr::new(192, 0, 2, host).into(), PORT)
}

fn addressed_pair(stations: u16) -> Pair {
    let mut pair = private_pair("stations0", "eth1").unwrap();
    pair.monitor.add_address(PDC, 24).unwrap();
    for place in 0..stations {
        pair.stations.add_address(station_address(place).ip(), 24).unwrap();
    }
    pair
}

fn sender(pair: &Pair, fleet: FleetPlan, plan: Plan) -> Sender {
    let fleet = Fleet::new(&fleet).unwrap();
    pair.stations.run(|| Sender::open(fleet, plan, station_address).unwrap()).unwrap()
}

/// A fleet's whole transmission of so many instants, and what of it arrived.
fn transmission(fleet: FleetPlan, rate: ReportingRate, instants: u64) -> (Report, Vec<Datagram>) {
    let pair = addressed_pair(fleet.pmus);
    let receiver = Receiver::open(pair.monitor.netns(), SocketAddr::new(PDC, PORT));
    let plan = Plan { instants: Some(instants), config_every_s: NEVER, ..Plan::new(receiver.address, rate) };
    let report = sender(&pair, fleet, plan).spawn().unwrap().wait();
    (report, receiver.all())
}

fn of_kind(datagrams: &[Datagram], kind: FrameKind) -> usize {
    datagrams.iter().filter(|datagram| datagram.frame().kind() == kind).count()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}

fn what_arrives_is_what_was_measured() {
    const INSTANTS: u64 = 100;
    let (report, datagrams) = transmission(FLEET, ReportingRate::FIFTY, INSTANTS);
    let fleet = Fleet::new(&FLEET).unwrap();
    assert_eq!((report.instants, report.first_failure.as_ref()), (INSTANTS, None));
    assert_eq!(datagrams.len(), 12 * 101, "12 CFG-2 and 12 DATA at each of 100 instants");
    for (place, (station, said)) in (0..).zip(fleet.stations().iter().zip(&report.streams)) {
        assert_eq!((said.idcode, said.address), (station.idcode(), station_address(place)));
        let sent = Counts {
            instants: INSTANTS,
            data: INSTANTS,
            late: said.counts.late,
            config2: 1,
            ..Counts::default()
        };
        assert_eq!(said.counts, sent);
        let own: Vec<_> = datagrams.iter().filter(|datagram| datagram.from == said.address).collect();
        let (config, data) = own.split_first().unwrap();
        let layout = layout(config, station);
        let mut expected = None;
        for datagram in data {
            let view = DataView::new(datagram.frame().bytes(), &layout).unwrap();
            assert_eq!(view.idcode(), station.idcode());
            let instant = ReportingInstant::of_tag(view.time(), ReportingRate::FIFTY);
            assert_eq!(instant, expected.unwrap_or(instant), "no instant is left out or repeated");
            expected = Some(instant.next());
            assert_eq!(view.time(), instant.time_tag());
            assert_eq!(view.time().fraction() % (MICROS / 50), 0);
            let measured = station.measure(instant, fleet.grid(instant));
            compare(&view.pmus().next().unwrap(), &measured);
        }
    }
}

/// The layout that a CFG-2 gives, which says what the station is.
fn layout(datagram: &Datagram, station: &Station) -> Layout {
    let config = ConfigView::new(datagram.frame()).unwrap();
    assert_eq!(config.kind(), FrameKind::Config2);
    let pmu = config.pmus().next().unwrap();
    assert_eq!((config.idcode(), pmu.idcode()), (station.idcode(), station.idcode()));
    assert_eq!(pmu.station().as_str(), Some(station.name()));
    assert_eq!((pmu.format(), pmu.nominal()), (station.format(), station.nominal()));
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 8, analogs: 2 });
    layout.fill(&config).unwrap();
    layout
}

/// `got` is `measured` to within half a bit of its format, or a float's last place.
fn compare(got: &PmuView<'_>, measured: &Measurement) {
    const FLOAT: f64 = 1e-7;
    let format = got.layout().format();
    assert_eq!(got.stat(), measured.stat);
    assert_eq!(got.phasors().len(), measured.phasors.len());
    let phasors = got.coordinates().zip(got.phasor_scales()).zip(measured.phasors);
    for ((phasor, scale), measured) in phasors {
        let (phasor, measured) = (phasor.unwrap(), measured.unwrap());
        let magnitude = measured.polar().0;
        let bound = match format.phasors() {
            PhasorFormat::IntRectangular => scale.per_bit * 0.5_f64.sqrt(),
            PhasorFormat::IntPolar => (scale.per_bit / 2.0).hypot(magnitude * 0.5e-4),
            PhasorFormat::FloatRectangular | PhasorFormat::FloatPolar => 4.0 * magnitude * FLOAT,
        };
        let off = distance(phasor, measured);
        assert!(off <= bound * 1.001, "{phasor:?} for {measured:?}: {off} above {bound}");
    }
    let (frequency, rocof) = (got.frequency_hz().unwrap(), got.rocof_hz_per_s().unwrap());
    let bounds = if format.frequency_float() { (60.0 * FLOAT, FLOAT) } else { (0.000_501, 0.005_01) };
    assert!((frequency - measured.frequency_hz).abs() <= bounds.0, "{frequency} for {measured:?}");
    assert!((rocof - measured.rocof_hz_per_s).abs() <= bounds.1, "{rocof} for {measured:?}");
    for (analog, measured) in got.analogs().zip(measured.analogs) {
        let (analog, measured) = (analog.unwrap(), measured.unwrap());
        let bound = if format.analogs_float() { measured.abs() * FLOAT } else { 0.501 };
        assert!((analog - measured).abs() <= bound, "{analog} for {measured}");
    }
    assert_eq!(got.digitals().collect::<Vec<_>>(), measured.digitals);
}

fn distance(one: Coordinates, other: Coordinates) -> f64 {
    let ((a, b), (c, d)) = (one.rectangular(), other.rectangular());
    (a - c).hypot(b - d)
}

fn a_thirty_per_second_grid_is_exact() {
    let rate = ReportingRate::new(30).unwrap();
    let fleet = FleetPlan { pmus: 1, nominal: NominalFrequency::Hz60, ..FLEET };
    let (_, datagrams) = transmission(fleet, rate, 45);
    let data = datagrams.iter().filter(|datagram| datagram.frame().kind() == FrameKind::Data);
    let fractions: Vec<u32> = data.map(|datagram| datagram.frame().time().fraction()).collect();
    assert_eq!(fractions.len(), 45);
    let start = u64::from(fractions[0]) * 30 + 500_000;
    let wanted = (start / 1_000_000..).take(45).map(|frame| (frame % 30 * 1_000_000 + 15) / 30);
    assert_eq!(fractions.into_iter().map(u64::from).collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
}

/// A PDC that looks at one datagram after the other.
struct Asker {
    socket: UdpSocket,
    station: SocketAddr,
    data: Vec<TimeTag>,
}

impl Asker {
    fn send(&self, idcode: IdCode, command: Asked) {
        let mut bytes = [0; 18];
        let preamble = Preamble { version: Version::V2011, idcode, time: TimeTag::default() };
        let size = encode::command(&mut bytes, &preamble, command, &[]).unwrap();
        assert_eq!(self.socket.send_to(&bytes, self.station).unwrap(), size);
    }

    /// Reads up to the next frame of `kind`, and keeps the DATA's time tags.
    fn until(&mut self, kind: FrameKind) -> Datagram {
        loop {
            let datagram = receive(&self.socket).expect("silence where a frame was to come");
            let frame = datagram.frame();
            if frame.kind() == FrameKind::Data {
                self.data.push(frame.time());
            }
            if frame.kind() == kind {
                return datagram;
            }
        }
    }
}

fn commands_are_obeyed_and_counted() {
    const IDCODE: IdCode = IdCode(201);
    let pair = addressed_pair(1);
    let to = SocketAddr::new(PDC, PORT);
    let socket = pair.monitor.run(|| UdpSocket::bind(to).unwrap()).unwrap();
    let plan = Plan { config_every_s: NEVER, ..Plan::new(to, ReportingRate::FIFTY) };
    let sender = sender(&pair, FleetPlan { pmus: 1, ..FLEET }, plan).spawn().unwrap();
    let mut pdc = Asker { socket, station: station_address(0), data: Vec::new() };

    pdc.until(FrameKind::Config2);
    pdc.until(FrameKind::Data);
    pdc.send(IDCODE, Asked::SendConfig2);
    pdc.until(FrameKind::Config2);
    // Commands are answered in order, so what comes behind the HDR is what the station was told before.
    pdc.send(IDCODE, Asked::TurnOff);
    pdc.send(IDCODE, Asked::SendHeader);
    let header = pdc.until(FrameKind::Header);
    let text = HeaderView::new(header.frame()).unwrap().text();
    assert!(text.to_string().starts_with("Aldermere"), "{text}");
    pdc.socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(receive(&pdc.socket).is_none(), "DATA are off");
    pdc.socket.set_read_timeout(None).unwrap();
    pdc.send(IDCODE, Asked::SendConfig1);
    pdc.send(IDCODE, Asked::SendConfig3);
    pdc.send(IdCode(202), Asked::SendHeader);
    pdc.socket.send_to(b"no frame", pdc.station).unwrap();
    pdc.send(IDCODE, Asked::TurnOn);
    pdc.until(FrameKind::Data);
    pdc.until(FrameKind::Data);

    let report = sender.stop();
    let counts = report.total();
    pdc.socket.set_read_timeout(Some(SILENCE)).unwrap();
    while let Some(datagram) = receive(&pdc.socket) {
        assert_eq!(datagram.frame().kind(), FrameKind::Data);
        pdc.data.push(datagram.frame().time());
    }
    let wanted = Counts {
        instants: report.instants,
        data: count(pdc.data.len()),
        late: counts.late,
        withheld: report.instants - count(pdc.data.len()),
        config1: 1,
        config2: 2,
        header: 1,
        commands: 6,
        config3: 1,
        refused: 2,
        ..Counts::default()
    };
    assert_eq!(counts, wanted);
    let index = |tag: &TimeTag| ReportingInstant::of_tag(*tag, ReportingRate::FIFTY).index();
    let span = index(pdc.data.last().unwrap()) - index(&pdc.data[0]) + 1;
    assert_eq!(span, report.instants, "the instants withheld are the only ones that are missing");
    assert!(counts.withheld > 0);
}

fn configurations_are_repeated() {
    let pair = addressed_pair(2);
    let receiver = Receiver::open(pair.monitor.netns(), SocketAddr::new(PDC, PORT));
    let plan = Plan {
        instants: Some(125),
        config_every_s: NonZeroU32::MIN,
        ..Plan::new(receiver.address, ReportingRate::FIFTY)
    };
    let report = sender(&pair, FleetPlan { pmus: 2, ..FLEET }, plan).spawn().unwrap().wait();
    let datagrams = receiver.all();
    assert_eq!(count(of_kind(&datagrams, FrameKind::Data)), report.total().data);
    for station in &report.streams {
        let own: Vec<_> = datagrams.iter().filter(|datagram| datagram.from == station.address).collect();
        let kinds: Vec<_> = own.iter().map(|datagram| datagram.frame().kind()).collect();
        assert_eq!(kinds.first(), Some(&FrameKind::Config2), "at the start");
        let data = own.iter().filter(|datagram| datagram.frame().kind() == FrameKind::Data);
        let seconds = data.skip(1).filter(|datagram| datagram.frame().time().fraction() == 0).count();
        assert!((2..=3).contains(&seconds), "2.5 s have {seconds} beginnings");
        let configs = kinds.iter().filter(|kind| **kind == FrameKind::Config2).count();
        assert_eq!((configs, count(configs)), (1 + seconds, station.counts.config2));
    }
}

fn what_cannot_be_sent_is_counted() {
    let nowhere = Netns::create().unwrap();
    let fleet = FleetPlan { pmus: 3, ..FLEET };
    let from = |_| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let send = |to| {
        let plan = Plan { instants: Some(5), config_every_s: NEVER, ..Plan::new(to, ReportingRate::FIFTY) };
        let open = || Sender::open(Fleet::new(&fleet).unwrap(), plan, from).unwrap();
        nowhere.run(open).unwrap().spawn().unwrap().wait()
    };
    let unreachable = send(SocketAddr::new(PDC, PORT));
    let wanted = Counts { instants: 15, failed_data: 15, failed_other: 3, ..Counts::default() };
    let mut total = unreachable.total();
    total.late = 0;
    assert_eq!((total, unreachable.instants), (wanted, 5));
    let failure = unreachable.first_failure.unwrap();
    assert!(failure.contains("192.0.2.1:4713") && failure.contains("unreachable"), "{failure}");
    // Nobody listens there: the kernel takes the frames all the same, and so they count as sent.
    let unheard = send(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
    let total = unheard.total();
    assert_eq!((total.data, total.config2, unheard.first_failure), (15, 3, None));
}

fn host() -> Vec<(u32, String)> {
    interfaces().unwrap().into_iter().map(|one| (one.index, one.name)).collect()
}

fn the_demo_counts_alike_on_both_ends() {
    const INSTANTS: u64 = 100;
    let before = host();
    let options = DemoOptions { instants: Some(INSTANTS), ..DemoOptions::default() };
    let demo = Demo::prepare(&options).unwrap();
    assert_eq!(demo.monitor_netns().inode(), demo.monitor().netns().inode());
    assert_eq!((demo.monitor().name(), host()), ("eth1", before.clone()));
    let report = demo.begin().unwrap().wait();
    let (sent, received) = (report.sent.total(), report.received);
    for station in &report.sent.streams {
        let Counts { data, withheld, config2, commands, refused, .. } = station.counts;
        assert_eq!((data, withheld, commands, refused), (INSTANTS, 0, 1, 0), "{station:?}");
        // At the start and on request; a third one where a minute began meanwhile.
        assert!((2..=3).contains(&config2), "{station:?}");
    }
    assert_eq!(report.sent.streams.len(), usize::from(Demo::PMUS));
    assert_eq!((received.data, received.config2), (sent.data, sent.config2));
    assert_eq!((received.commands, sent.commands), (12, 12));
    assert_eq!((received.header, received.other, received.invalid, received.failed), (0, 0, 0, 0));
    drop(report);
    assert_eq!(host(), before, "after the demo is gone");
}

fn verb(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pmu-monitor"));
    command.arg("simulate").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A namespace with a receiver on its loopback interface, and the place where that listens.
fn alone() -> (Netns, Receiver, String) {
    let netns = Netns::create().unwrap();
    let receiver = Receiver::open(&netns, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let to = receiver.address.to_string();
    (netns, receiver, to)
}

/// Asserts that the summary's counts are those of what arrived.
fn agree(summary: &str, datagrams: &[Datagram]) {
    let [data, config2] = [FrameKind::Data, FrameKind::Config2].map(|kind| of_kind(datagrams, kind));
    assert!(summary.starts_with(&format!("sent {data} DATA (")), "{data}: {summary}");
    assert!(summary.contains(&format!(", {config2} CFG-2, 0 HDR from ")), "{config2}: {summary}");
    assert!(summary.contains("0 withheld, 0 failed"), "{summary}");
}

fn the_verb_sends_what_it_says() {
    let (netns, receiver, to) = alone();
    let options = ["--to", &to, "--from", "127.0.0.1", "--pmus", "3", "--rate", "60", "--duration", "1s"];
    let more = ["--seed", "7", "--first-idcode", "900"];
    let output: Output = netns.run(|| verb(&[options.as_slice(), &more].concat()).output().unwrap()).unwrap();
    let datagrams = receiver.all();
    let said = str::from_utf8(&output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let (first, summary) = said.split_once('\n').unwrap();
    assert!(first.contains(&to) && first.contains("IDCODE 900 to 902, 60 frames/s"), "{first}");
    agree(summary, &datagrams);
    assert!(summary.contains("at 60 instants"), "{summary}");
    let mut frames: BTreeMap<IdCode, usize> = BTreeMap::new();
    for datagram in datagrams.iter().filter(|datagram| datagram.frame().kind() == FrameKind::Data) {
        *frames.entry(datagram.frame().idcode()).or_default() += 1;
    }
    assert_eq!(frames, BTreeMap::from([900, 901, 902].map(|idcode| (IdCode(idcode), 60))));
    let quiet = netns.run(|| verb(&["--to", &to, "--duration", "1ms", "--quiet"]).output().unwrap()).unwrap();
    assert!(quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{quiet:?}");
}

/// The verb in the background, and what it prints; its first line is read, so its signals are watched.
fn begin(netns: &Netns, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = netns.run(|| verb(arguments).spawn().unwrap()).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    (child, said)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn summary_of(mut child: Child, mut said: BufReader<ChildStdout>) -> String {
    let mut summary = String::new();
    said.read_to_string(&mut summary).unwrap();
    assert!(child.wait().unwrap().success());
    summary
}

fn the_verb_ends_on_ctrl_c() {
    for name in ["-INT", "-TERM"] {
        let (netns, mut receiver, to) = alone();
        let (child, said) = begin(&netns, &["--to", &to]);
        receiver.await_one(FrameKind::Data);
        signal(&child, name);
        let summary = summary_of(child, said);
        let datagrams = receiver.all();
        agree(&summary, &datagrams);
    }
}

fn a_held_up_sender_leaves_no_gap() {
    let (netns, mut receiver, to) = alone();
    let (child, said) = begin(&netns, &["--to", &to, "--duration", "1s"]);
    // From here on the deadlines are fixed.
    receiver.await_one(FrameKind::Data);
    signal(&child, "-STOP");
    thread::sleep(SILENCE);
    signal(&child, "-CONT");
    let summary = summary_of(child, said);
    let datagrams = receiver.all();
    agree(&summary, &datagrams);
    assert!(summary.contains(" late, by "), "the lag is told: {summary}");
    let data = datagrams.iter().map(Datagram::frame).filter(|frame| frame.kind() == FrameKind::Data);
    let indices: Vec<u64> =
        data.map(|frame| ReportingInstant::of_tag(frame.time(), ReportingRate::FIFTY).index()).collect();
    assert_eq!(indices, (indices[0]..).take(50).collect::<Vec<_>>());
}

fn wrong_usage_is_a_clear_sentence() {
    let to = ["--to", "127.0.0.1:4713"];
    let cases: [(&[&str], i32, &str); 10] = [
        (&["--to", "127.0.0.1:0"], 2, "port 0 is no destination"),
        (&["--to", "localhost"], 2, "an address and a port"),
        (&["--pmus", "0"], 2, "0 is not in 1..=1000"),
        (&["--pmus", "1001"], 2, "1001 is not in 1..=1000"),
        (&["--rate", "0"], 2, "from 10 to 240"),
        (&["--rate", "241"], 2, "from 10 to 240"),
        (&["--duration", "10"], 2, "is no span of time; write a number with"),
        (&["--from", "::1"], 1, "one is IPv4 and the other IPv6"),
        (&["--from", "192.0.2.77"], 1, "give an address that an interface of this host has"),
        (&["--first-idcode", "65534", "--pmus", "2"], 1, "begin elsewhere or take fewer"),
    ];
    for (arguments, status, sentence) in cases {
        let to = if arguments[0] == "--to" { [].as_slice() } else { &to };
        let output = verb(&[to, arguments].concat()).output().unwrap();
        let told = str::from_utf8(&output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(told.contains(sentence), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty());
    }
}

fn tshark_reads_every_frame() {
    const FIELDS: [&str; 4] =
        ["synphasor.frtype", "synphasor.idcode_stream_source", "synphasor.checksum.status", "_ws.malformed"];
    /// What tshark calls a check word that fits.
    const GOOD: &str = "1";
    let (_, datagrams) = transmission(FLEET, ReportingRate::FIFTY, 10);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stations.pcap");
    fs::write(&file, pcap(&datagrams)).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).args(["-d", "udp.port==4713,synphasor", "-T", "fields"]);
    let output = tshark.args(FIELDS.iter().flat_map(|field| ["-e", field])).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<&str> = str::from_utf8(&output.stdout).unwrap().lines().collect();
    assert_eq!(lines.len(), datagrams.len());
    for (line, datagram) in lines.iter().zip(&datagrams) {
        let columns: Vec<&str> = line.split('\t').collect();
        let frame = datagram.frame();
        let kind = format!("{:#06x}", frame.kind() as u8);
        let header = frame.header();
        assert_eq!(columns, [kind.as_str(), &frame.idcode().to_string(), GOOD, ""], "{header:?}");
    }
}

/// A capture file of raw IPv4 packets that carry the datagrams.
fn pcap(datagrams: &[Datagram]) -> Vec<u8> {
    const MAGIC_MICROS: u32 = 0xA1B2_C3D4;
    const LINKTYPE_RAW: u32 = 101;
    const SNAPLEN: u32 = 65_535;
    let mut out = Vec::new();
    for word in [MAGIC_MICROS, 2 << 16 | 4, 0, 0, SNAPLEN, LINKTYPE_RAW] {
        out.extend(word.to_be_bytes());
    }
    for datagram in datagrams {
        let packet = packet(datagram);
        let tag = datagram.frame().time();
        let length = u32::try_from(packet.len()).unwrap();
        for word in [tag.soc(), tag.fraction(), length, length] {
            out.extend(word.to_be_bytes());
        }
        out.extend(packet);
    }
    out
}

/// IPv4 and UDP headers without check sums (zero: not computed), and the datagram.
fn packet(datagram: &Datagram) -> Vec<u8> {
    let SocketAddr::V4(from) = datagram.from else { panic!("the stations speak IPv4") };
    let length = |headers: usize| u16::try_from(headers + datagram.bytes.len()).unwrap().to_be_bytes();
    let mut out = vec![0x45, 0];
    out.extend(length(28));
    out.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    out.extend(from.ip().octets());
    out.extend([192, 0, 2, 1]);
    out.extend(from.port().to_be_bytes());
    out.extend(PORT.to_be_bytes());
    out.extend(length(8));
    out.extend([0, 0]);
    out.extend(&datagram.bytes);
    out
}
