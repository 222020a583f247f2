//! Nothing that matches is lost for its size: jumbo frames, fragments, and TCP packets that the kernel has merged.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;

use libtest_mimic::Trial;
use monitor::netns::Pair;

use crate::harness::{Monitor, Report, configuration};
use crate::support::{Need, trial};
use crate::wire::{EPHEMERAL, PDC, PDC_6, PMU, PORT, Pmu, TCP_PORT, addressed_pair, allow_big_packets};

const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];

pub(crate) fn trials() -> Vec<Trial> {
    const BIG: &[Need] = &[Need::Bpf, Need::Veth, Need::Iproute];
    vec![
        trial("a_jumbo_frame_arrives_whole", NEEDS, a_jumbo_frame_arrives_whole),
        trial("fragments_are_counted_to_the_byte", NEEDS, fragments_are_counted_to_the_byte),
        trial("a_merged_tcp_packet_arrives_whole", BIG, a_merged_tcp_packet_arrives_whole),
        trial("a_packet_above_64_kib_arrives_in_parts", BIG, || parts("ring")),
        trial("a_packet_above_64_kib_arrives_in_parts_by_perf", BIG, || parts("perf")),
    ]
}

/// Bytes of IPv4 and UDP headers.
const IPV4_AND_UDP: usize = 28;
const JUMBO_MTU: u32 = 9000;

/// One datagram from the PMU's socket to the PDC's, while a monitor watches.
fn sent(pair: &Pair, payload: &[u8], packets: u64) -> Report {
    let mut running = Monitor::on(pair).start().attached();
    let socket = pair.stations.run(|| UdpSocket::bind((PMU, EPHEMERAL)).unwrap()).unwrap();
    socket.send_to(payload, (PDC, PORT)).unwrap();
    running.counted("packets.submitted", packets);
    running.stop().adds_up()
}

fn a_jumbo_frame_arrives_whole() {
    let mut pair = addressed_pair();
    pair.set_mtu(JUMBO_MTU).unwrap();
    let mut pmu = Pmu::new(7);
    let mut payload = pmu.config();
    let mut data = 0;
    // The largest datagram that the MTU holds, filled by a header frame to the last byte.
    let largest = JUMBO_MTU as usize - IPV4_AND_UDP;
    while payload.len() + 500 < largest {
        payload.extend(pmu.data());
        data += 1;
    }
    payload.extend(pmu.header_of(largest - payload.len()));
    let report = sent(&pair, &payload, 1);
    assert_eq!(report.frames("c37118.data"), data);
    assert_eq!((report.frames("c37118.config"), report.frames("c37118.header")), (1, 1));
    assert_eq!(report.count("bytes.in_frames"), largest as u64);
    assert_eq!(report.stream(7)["missing"], 0);
}

fn fragments_are_counted_to_the_byte() {
    /// The most that a UDP datagram over IPv4 carries.
    const PAYLOAD: usize = 65_507;
    for mtu in [1_500, JUMBO_MTU] {
        let mut pair = addressed_pair();
        pair.set_mtu(mtu).unwrap();
        // Each but the last carries the largest multiple of 8 bytes that fits behind the IPv4 header.
        let fragments = (PAYLOAD + 8).div_ceil((mtu as usize - 20) / 8 * 8) as u64;
        let report = sent(&pair, &vec![0xAA; PAYLOAD], fragments);
        assert_eq!(report.flow("fragments.fragments"), fragments);
        assert_eq!(report.flow("fragments.whole"), 1);
        assert_eq!(report.count("bytes.received"), PAYLOAD as u64);
        assert_eq!(report.count("bytes.skipped"), PAYLOAD as u64, "it begins like a frame, and holds none");
    }
}

/// Lets the stations' end send `bytes` over TCP to `address` while a monitor watches. Gives with its report how many
/// bytes of payload TCP has put on the wire: what it sent a second time, because an acknowledgement took its time on a
/// busy machine, is on the wire twice, and is seen twice.
fn streamed(pair: &Pair, address: IpAddr, bytes: usize, transport: &str) -> (Report, u64) {
    // Room for all of it, though each record takes up to 3.3 times what is in it: what is tested is not the reader's
    // speed.
    let room = 4 * bytes;
    let sizes = configuration(&format!("[bounds]\nring-bytes = {room}\nperf-bytes = {room}\n"));
    let monitor = Monitor::on(pair).configured(&sizes).args(["--transport", transport]);
    let mut running = monitor.start().attached();
    let address = SocketAddr::new(address, TCP_PORT);
    let listener = pair.monitor.run(|| TcpListener::bind(address).unwrap()).unwrap();
    let receiver = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let received = io::copy(&mut (&stream).take(bytes as u64), &mut io::sink()).unwrap();
        stream.write_all(b"!").unwrap();
        received
    });
    let sent = pair.stations.run(|| send(address, bytes)).unwrap();
    assert_eq!(receiver.join().unwrap(), bytes as u64);
    assert!(sent >= bytes as u64, "{sent}");
    running.counted("bytes.received", sent);
    (running.stop().adds_up(), sent)
}

/// Gives how many bytes of payload TCP has sent, those sent again included.
fn send(address: SocketAddr, bytes: usize) -> u64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&vec![0x55; bytes]).unwrap();
    // The other side answers once it has everything, which acknowledges it too: nothing is sent again after that.
    stream.read_exact(&mut [0; 1]).unwrap();
    bytes_sent(&stream)
}

/// `tcpi_bytes_sent` of include/uapi/linux/tcp.h, as ss prints it.
fn bytes_sent(stream: &TcpStream) -> u64 {
    let port = stream.local_addr().unwrap().port();
    let filter = format!("sport = :{port}");
    let told = Command::new("ss").args(["-H", "-t", "-i", "-n", "-a", &filter]).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    let count = text.split_whitespace().find_map(|word| word.strip_prefix("bytes_sent:")?.parse().ok());
    count.unwrap_or_else(|| panic!("no bytes_sent of port {port} in {text:?}"))
}

fn a_merged_tcp_packet_arrives_whole() {
    const BYTES: usize = 4 << 20;
    /// The largest frame of a jumbo network: longer ones have been merged.
    const JUMBO_FRAME: u64 = 9_216;
    let pair = addressed_pair();
    let (report, sent) = streamed(&pair, PDC.into(), BYTES, "ring");
    assert_eq!(report.count("bytes.received"), sent);
    // None of it is a frame, and what TCP sent again is seen again.
    assert_eq!(report.count("bytes.skipped") + report.count("bytes.duplicate"), sent);
    assert_eq!(report.flow("tcp.unframed"), 1);
    let segments = report.count("records.carried");
    assert!(report.count("bytes.received") / segments > JUMBO_FRAME, "{segments} segments: none merged");
}

fn parts(transport: &str) {
    const BYTES: usize = 16 << 20;
    let pair = addressed_pair();
    allow_big_packets(&pair);
    let (report, sent) = streamed(&pair, PDC_6.into(), BYTES, transport);
    assert_eq!(report.count("bytes.received"), sent);
    let (packets, records) = (report.packets("submitted"), report.count("records.submitted"));
    assert!(records > packets, "{packets} packets in {records} records: none in parts");
    assert_eq!(report.count("records.malformed"), 0);
}
