//! TCP segments made by hand and sent raw: out of order, repeated, lost, overlapping, past the end of the sequence
//! numbers, torn off by a reset, with PRP's trailer, split over two interfaces. What the monitor says of them is what was
//! sent, to the byte.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use monitor::sys::packet::FrameSender;
use monitor_core::protocol::c37118::Command;

use crate::copies::trailed;
use crate::endings::second_interface;
use crate::harness::{Monitor, Report};
use crate::support::{Need, trial};
use crate::wire::{EPHEMERAL, Pmu, TCP_PORT, answered, datagram_to, flagged, quiet_pair, segment, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("segments_in_any_disorder_are_put_in_order", NEEDS, || in_disorder("tc")),
        trial("at_xdp_segments_in_any_disorder_are_put_in_order", NEEDS, || in_disorder("xdp")),
        trial("a_flow_split_over_two_interfaces_is_one", NEEDS, split_over_two_interfaces),
        trial("tcp_on_any_port_is_decoded_from_its_first_frame", NEEDS, on_any_port),
    ]
}

/// Flags of a TCP header.
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PUSH: u8 = 0x08;
const ACK: u8 = 0x10;
/// DATA frames of a stream.
const FRAMES: usize = 21;

/// What a PMU sends on one connection.
#[derive(Clone, Copy)]
struct Connection {
    /// The PMU's port and the PDC's.
    ports: [u16; 2],
    /// The sequence number of the first byte.
    first: u32,
}

impl Connection {
    /// To the PDC's port with this number, from the PMU's port by convention.
    fn to(number: u16) -> Self {
        Self { ports: [TCP_PORT, EPHEMERAL + number], first: 1_000_000 * u32::from(number) }
    }

    fn segment(self, at: usize, flags: u8, payload: &[u8]) -> Vec<u8> {
        let sequence = self.first.wrapping_add(u32::try_from(at).unwrap());
        flagged(segment(self.ports, sequence, payload), flags)
    }

    /// Bytes so far behind the first one.
    fn bytes(self, at: usize, payload: &[u8]) -> Vec<u8> {
        self.segment(at, ACK | PUSH, payload)
    }

    fn syn(self) -> Vec<u8> {
        Self { first: self.first.wrapping_sub(1), ..self }.segment(0, SYN | ACK, &[])
    }

    fn reset(self, at: usize, payload: &[u8]) -> Vec<u8> {
        self.segment(at, RST | ACK, payload)
    }
}

/// A stream, and where its parts stand in it.
struct Stream {
    bytes: Vec<u8>,
    /// Begin of each frame, the configuration first, and the end of the last.
    bounds: Vec<usize>,
}

impl Stream {
    fn of(pmu: &mut Pmu, frames: usize) -> Self {
        let mut stream = Self { bytes: pmu.config(), bounds: vec![0] };
        for _ in 0..frames {
            stream.bounds.push(stream.bytes.len());
            stream.bytes.extend(pmu.data());
        }
        stream.bounds.push(stream.bytes.len());
        stream
    }

    /// Segments that bring a range of it, each with the bytes that stand in one.
    fn pieces(&self, connection: Connection, range: std::ops::Range<usize>) -> impl Iterator<Item = Vec<u8>> {
        const PIECE: usize = 1_000;
        let pieces = self.bytes[range.clone()].chunks(PIECE).enumerate();
        pieces.map(move |(n, piece)| connection.bytes(range.start + PIECE * n, piece))
    }

    /// Where the frame at a place lies; 0 is the configuration.
    fn frame(&self, place: usize) -> std::ops::Range<usize> {
        self.bounds[place]..self.bounds[place + 1]
    }

    fn frames(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.bounds.windows(2).map(|pair| pair[0]..pair[1])
    }
}

/// What is sent on one connection, and what is to be found of it: by the names of the summary, what is not named is 0.
struct Scene {
    packets: Vec<Vec<u8>>,
    /// Bytes of payload in them.
    sent: u64,
    bytes: Vec<(&'static str, u64)>,
    flows: Vec<(&'static str, u64)>,
    /// The stream, and of its row.
    idcode: u16,
    row: Vec<(&'static str, u64)>,
    truncated: u64,
}

impl Scene {
    /// A stream of which everything arrives, with so many bytes on the wire.
    fn whole(idcode: u16, packets: Vec<Vec<u8>>, stream: &Stream, sent: usize) -> Self {
        let bytes =
            vec![("in_frames", stream.bytes.len() as u64), ("duplicate", (sent - stream.bytes.len()) as u64)];
        let row = vec![("frames", FRAMES as u64)];
        Self { packets, sent: sent as u64, bytes, flows: vec![("flows", 1)], idcode, row, truncated: 0 }
    }

    fn flows(mut self, counts: &[(&'static str, u64)]) -> Self {
        self.flows.extend(counts);
        self
    }
}

/// In groups of three frames, the last one first.
fn shuffled(idcode: u16) -> Scene {
    let (connection, stream) = (Connection::to(idcode), Stream::of(&mut Pmu::new(idcode), FRAMES));
    let mut packets = vec![connection.syn()];
    let frames: Vec<_> = stream.frames().collect();
    let groups = frames[1..].chunks(3).flat_map(|group| group.iter().rev());
    for frame in frames[..1].iter().chain(groups) {
        packets.push(connection.bytes(frame.start, &stream.bytes[frame.clone()]));
    }
    let early = (FRAMES - FRAMES / 3) as u64;
    Scene::whole(idcode, packets, &stream, stream.bytes.len()).flows(&[("out_of_order", early)])
}

/// Every segment twice: sent again by the PMU, or the same packet on its way again.
fn repeated(idcode: u16, by_the_pmu: bool) -> Scene {
    let (connection, stream) = (Connection::to(idcode), Stream::of(&mut Pmu::new(idcode), FRAMES));
    let mut packets = vec![connection.syn()];
    for frame in stream.frames() {
        let bytes = &stream.bytes[frame.clone()];
        let packet = connection.bytes(frame.start, bytes);
        let again = if by_the_pmu { connection.bytes(frame.start, bytes) } else { packet.clone() };
        packets.extend([packet, again]);
    }
    let (count, segments) = (if by_the_pmu { "retransmitted" } else { "copies" }, FRAMES as u64 + 1);
    let mut scene =
        Scene::whole(idcode, packets, &stream, 2 * stream.bytes.len()).flows(&[(count, segments)]);
    // The first copy is the configuration's, before which no DATA has made a stream: a configuration makes one too.
    scene.row.extend((!by_the_pmu).then_some(("copies", segments)));
    scene
}

/// A frame and the second half of another are lost, and a reset says that they will not come again.
fn lost(idcode: u16) -> Scene {
    const LOST: usize = 5;
    const TORN: usize = 9;
    let (connection, stream) = (Connection::to(idcode), Stream::of(&mut Pmu::new(idcode), FRAMES));
    let mut packets = vec![connection.syn()];
    let (size, half) = (stream.frame(LOST).len(), stream.frame(TORN).len() / 2);
    for (place, mut frame) in stream.frames().enumerate() {
        match place {
            LOST => continue,
            TORN => frame.end = frame.start + half,
            _ => {}
        }
        packets.push(connection.bytes(frame.start, &stream.bytes[frame]));
    }
    packets.push(connection.reset(stream.bytes.len(), &[]));
    let gone = size + stream.frame(TORN).len() - half;
    let arrived = (stream.bytes.len() - gone) as u64;
    Scene {
        packets,
        sent: arrived,
        bytes: vec![("in_frames", arrived)],
        flows: vec![
            ("flows", 1),
            ("gaps", 2),
            ("lost_bytes", gone as u64),
            ("out_of_order", (FRAMES - LOST) as u64),
        ],
        idcode,
        row: vec![("frames", FRAMES as u64 - 2), ("missing", 2)],
        truncated: 1,
    }
}

/// Segments of 50 bytes, 30 behind one another, the second of each two first.
fn overlapping(idcode: u16) -> Scene {
    const STEP: usize = 30;
    const LENGTH: usize = 50;
    let (connection, stream) = (Connection::to(idcode), Stream::of(&mut Pmu::new(idcode), FRAMES));
    let starts: Vec<usize> = (0..stream.bytes.len() - (LENGTH - STEP)).step_by(STEP).collect();
    let (mut packets, mut sent) = (vec![connection.syn()], 0);
    for start in starts.chunks(2).flat_map(|two| two.iter().rev()) {
        let bytes = &stream.bytes[*start..stream.bytes.len().min(start + LENGTH)];
        packets.push(connection.bytes(*start, bytes));
        sent += bytes.len();
    }
    // The second of each two comes early, though not before what the two before reach.
    Scene::whole(idcode, packets, &stream, sent).flows(&[("out_of_order", (starts.len() / 2) as u64)])
}

/// Through the end of the sequence numbers, in pieces of 37 bytes.
fn wrapping(idcode: u16) -> Scene {
    let stream = Stream::of(&mut Pmu::new(idcode), FRAMES);
    let connection = Connection { first: u32::MAX - 700, ..Connection::to(idcode) };
    assert!(stream.bytes.len() > 1_400);
    let pieces = stream.bytes.chunks(37).enumerate().map(|(n, piece)| connection.bytes(37 * n, piece));
    let packets = [connection.syn()].into_iter().chain(pieces).collect();
    Scene::whole(idcode, packets, &stream, stream.bytes.len())
}

/// A reset in the middle of a frame, with some words of its own; then the same ports again.
fn reset_and_used_again(idcode: u16) -> Scene {
    const WORDS: &[u8] = b"no room";
    let mut pmu = Pmu::new(idcode);
    let connection = Connection::to(idcode);
    let before = Stream::of(&mut pmu, 10);
    let torn = before.frame(10);
    let kept = torn.start + torn.len() / 2;
    let after = Stream::of(&mut pmu, 10);
    let again = Connection { first: connection.first.wrapping_add(1 << 30), ..connection };
    let packets = [connection.syn()]
        .into_iter()
        .chain(before.pieces(connection, 0..kept))
        .chain([connection.reset(kept, WORDS), again.syn()])
        .chain(after.pieces(again, 0..after.bytes.len()))
        .collect();
    let in_frames = (kept + after.bytes.len()) as u64;
    Scene {
        packets,
        sent: in_frames + WORDS.len() as u64,
        bytes: vec![("in_frames", in_frames), ("dropped", WORDS.len() as u64)],
        // The same addresses and ports are the same flow, whatever connection it belongs to.
        flows: vec![("flows", 1)],
        idcode,
        row: vec![("frames", 19), ("missing", 1)],
        truncated: 1,
    }
}

/// Without its beginning, from the middle of a frame on, and with a segment from far away.
fn joined(idcode: u16) -> Scene {
    const FROM: usize = 20;
    let mut pmu = Pmu::new(idcode);
    let connection = Connection::to(idcode);
    let torn = pmu.data();
    let stream = Stream::of(&mut pmu, FRAMES);
    let (rest, stray) = (&torn[FROM..], &stream.bytes[..100]);
    let behind = Connection { first: connection.first + u32::try_from(rest.len()).unwrap(), ..connection };
    let packets = [connection.bytes(0, rest), connection.bytes(1 << 28, stray)]
        .into_iter()
        .chain(stream.pieces(behind, 0..stream.bytes.len()))
        .collect();
    let mut scene = Scene::whole(idcode, packets, &stream, stream.bytes.len()).flows(&[("stray", 1)]);
    scene.sent += (rest.len() + stray.len()) as u64;
    scene.bytes.extend([("skipped", rest.len() as u64), ("dropped", stray.len() as u64)]);
    scene
}

/// PRP's trailer behind segments so short that Ethernet fills them up, and behind such without payload.
fn with_trailer(idcode: u16) -> Scene {
    let (connection, stream) = (Connection::to(idcode), Stream::of(&mut Pmu::new(idcode), FRAMES));
    let mut packets = vec![connection.syn()];
    for (n, piece) in stream.bytes.chunks(5).enumerate() {
        packets.push(connection.bytes(5 * n, piece));
        packets.extend((n % 10 == 0).then(|| connection.segment(5 * n + piece.len(), ACK, &[])));
    }
    let packets = (0..).zip(packets).map(|(number, packet)| trailed(&packet, number, 0)).collect();
    Scene::whole(idcode, packets, &stream, stream.bytes.len())
}

/// The same stream on two connections of one PMU.
fn twice_connected(idcode: u16) -> Scene {
    let stream = Stream::of(&mut Pmu::new(idcode), FRAMES);
    let mut packets = Vec::new();
    for connection in [Connection::to(idcode), Connection::to(idcode + 1)] {
        packets.push(connection.syn());
        packets.extend(stream.frames().map(|frame| connection.bytes(frame.start, &stream.bytes[frame])));
    }
    // Not copies of one packet: the PMU sends everything twice.
    Scene {
        packets,
        sent: 2 * stream.bytes.len() as u64,
        bytes: vec![("in_frames", 2 * stream.bytes.len() as u64)],
        flows: vec![("flows", 2)],
        idcode,
        row: vec![("frames", 2 * FRAMES as u64), ("duplicate", FRAMES as u64)],
        truncated: 0,
    }
}

/// The packets of all, taken in turn.
fn in_turn(scenes: &[Scene]) -> Vec<&[u8]> {
    let longest = scenes.iter().map(|scene| scene.packets.len()).max().unwrap_or(0);
    let of_turn = |turn| scenes.iter().filter_map(move |scene| scene.packets.get(turn));
    (0..longest).flat_map(of_turn).map(Vec::as_slice).collect()
}

fn sum(scenes: &[Scene], of: impl Fn(&Scene) -> &[(&'static str, u64)]) -> BTreeMap<&'static str, u64> {
    let mut sum = BTreeMap::new();
    for (name, count) in scenes.iter().flat_map(of) {
        *sum.entry(*name).or_insert(0) += count;
    }
    sum
}

fn in_disorder(hook: &str) {
    let scenes = [
        shuffled(20),
        repeated(22, true),
        repeated(24, false),
        lost(26),
        overlapping(28),
        wrapping(30),
        reset_and_used_again(32),
        joined(34),
        with_trailer(36),
        twice_connected(38),
    ];
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).args(["--hook", hook, "--frames"]).start().attached();
    let wire = sender(&mut pair.stations);
    let packets = in_turn(&scenes);
    for packet in &packets {
        wire.send(packet).unwrap();
    }
    running.counted("records.delivered", packets.len() as u64);
    let report = running.stop().adds_up();

    assert_eq!(report.packets("submitted"), packets.len() as u64);
    let sent: u64 = scenes.iter().map(|scene| scene.sent).sum();
    assert_eq!(report.count("bytes.received"), sent);
    let bytes = sum(&scenes, |scene| &scene.bytes);
    for counter in ["in_frames", "skipped", "duplicate", "dropped", "buffered"] {
        let wanted = bytes.get(counter).copied().unwrap_or(0);
        assert_eq!(report.count(&format!("bytes.{counter}")), wanted, "{counter}: {:#}", report.summary());
    }
    assert_eq!(bytes.values().sum::<u64>(), sent, "the scenes add up themselves");
    let flows = sum(&scenes, |scene| &scene.flows);
    for (counter, found) in report.summary()["flows"]["tcp"].as_object().unwrap() {
        let wanted = flows.get(counter.as_str()).copied().unwrap_or(0);
        assert_eq!(*found, wanted, "{counter}: {:#}", report.summary()["flows"]);
    }
    for scene in &scenes {
        let row = report.stream(scene.idcode);
        for column in ["frames", "missing", "duplicate", "copies", "out_of_order", "crc_errors", "undecoded"]
        {
            let wanted = scene.row.iter().find(|(name, _)| *name == column).map_or(0, |(_, wanted)| *wanted);
            assert_eq!(row[column], wanted, "{column}: {row:#}");
        }
        // Bytes that the sequence numbers say were sent, or a connection that was reset within a frame.
        let blame = if scene.flows.iter().any(|(name, _)| *name == "gaps") { "wire" } else { "pmu" };
        let missing = scene.row.iter().find(|(name, _)| *name == "missing").map(|(_, missing)| missing);
        let blamed = missing.map_or(serde_json::json!({}), |missing| serde_json::json!({blame: missing}));
        assert_eq!(row["blamed"], blamed, "{row:#}");
    }
    let invalid: Vec<_> = report.of_kind("c37118.invalid").map(|line| line["error"].clone()).collect();
    assert_eq!(
        invalid,
        vec!["truncated"; usize::try_from(scenes.iter().map(|it| it.truncated).sum::<u64>()).unwrap()]
    );
    named_by_connection(&report, 38);
}

/// Each of two connections has its own frames, each once.
fn named_by_connection(report: &Report, idcode: u16) {
    let mut by_port = BTreeMap::new();
    for line in report.of_kind("c37118.data").filter(|line| line["idcode"] == idcode) {
        let tag = (line["soc"].as_u64().unwrap(), line["fraction"].as_u64().unwrap());
        by_port.entry(line["dst"].as_str().unwrap()).or_insert_with(Vec::new).push(tag);
    }
    let places = [0, 1].map(|number| format!("192.0.2.9:{}", EPHEMERAL + idcode + number));
    assert_eq!(by_port.keys().collect::<Vec<_>>(), [&places[0], &places[1]]);
    let mut frames = by_port.into_values();
    let (one, other) = (frames.next().unwrap(), frames.next().unwrap());
    assert_eq!(one, other);
    assert!(one.len() == FRAMES && one.is_sorted());
}

/// As a TAP shows a connection: its segments in turn on two interfaces, and commands the other way on the second.
fn split_over_two_interfaces() {
    const IDCODE: u16 = 7;
    let mut pair = quiet_pair();
    second_interface(&mut pair, "stations1", "eth2");
    let index = pair.stations.links().interface("stations1").unwrap().index;
    let wires =
        [sender(&mut pair.stations), pair.stations.run(|| FrameSender::open(index).unwrap()).unwrap()];
    let mut running = Monitor::on(&pair).args(["--iface", "eth2", "--frames"]).start().attached();
    let (mut pmu, connection) = (Pmu::new(IDCODE), Connection::to(IDCODE));
    let stream = Stream::of(&mut pmu, FRAMES);
    let command = pmu.command(Command::TurnOn);
    wires[1].send(&answered(connection.bytes(0, &command))).unwrap();
    wires[0].send(&connection.syn()).unwrap();
    let pieces: Vec<_> = stream.bytes.chunks(60).collect();
    for (n, piece) in pieces.iter().enumerate() {
        wires[n % 2].send(&connection.bytes(60 * n, piece)).unwrap();
    }
    running.counted("records.delivered", pieces.len() as u64 + 2);
    let report = running.stop().adds_up();
    assert_eq!(report.flow("tcp.flows"), 2, "one for each direction");
    assert_eq!(report.count("bytes.in_frames"), (stream.bytes.len() + command.len()) as u64);
    for nothing in ["skipped", "duplicate", "dropped", "buffered"] {
        assert_eq!(report.count(&format!("bytes.{nothing}")), 0, "{nothing}");
    }
    assert_eq!((report.flow("tcp.gaps"), report.flow("tcp.copies")), (0, 0));
    let row = report.stream(IDCODE);
    assert_eq!((&row["frames"], &row["missing"]), (&FRAMES.into(), &0.into()), "{row:#}");
    assert_eq!(report.frames("c37118.command"), 1);
    let interfaces: std::collections::BTreeSet<_> =
        report.of_kind("c37118.data").map(|line| line["iface"].as_str().unwrap()).collect();
    assert_eq!(interfaces.len(), 2, "a frame is where its last byte came");
}

/// Nothing is said of the ports: from the first segment on that begins with a frame, all of the connection is decoded.
fn on_any_port() {
    const IDCODE: u16 = 7;
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).args(["--frames", "--port", "any"]).start().attached();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(IDCODE);
    let connection = Connection { ports: [20_000, EPHEMERAL], ..Connection::to(IDCODE) };
    let other = Connection { ports: [80, EPHEMERAL], ..Connection::to(1) };
    let (torn, stream) = (pmu.data(), Stream::of(&mut pmu, FRAMES));
    let command = pmu.command(Command::TurnOff);
    let rest = &torn[20..];
    let nobodys = [
        connection.syn(),
        connection.bytes(0, rest),
        other.syn(),
        other.bytes(0, b"HTTP/1.1 200 OK\r\n\r\n"),
        datagram_to(102, b"no frame either"),
    ];
    let config = stream.frame(0);
    let mut ours = vec![connection.bytes(rest.len(), &stream.bytes[config.clone()])];
    let (pieces, begin) = (stream.bytes[config.end..].chunks(70), rest.len() + config.end);
    let pieces: Vec<_> =
        pieces.enumerate().map(|(n, piece)| connection.bytes(begin + 70 * n, piece)).collect();
    // Each two in the wrong order.
    ours.extend(pieces.chunks(2).flat_map(|two| two.iter().rev().cloned()));
    ours.push(answered(connection.bytes(0, &command)));
    ours.push(connection.reset(rest.len() + stream.bytes.len(), &[]));
    for packet in nobodys.iter().chain(&ours) {
        wire.send(packet).unwrap();
    }
    running.counted("packets.seen", (nobodys.len() + ours.len()) as u64);
    let report = running.stop().adds_up();
    assert_eq!(report.packets("ignored"), nobodys.len() as u64);
    assert_eq!(report.packets("submitted"), ours.len() as u64);
    assert_eq!(report.count("bytes.received"), (stream.bytes.len() + command.len()) as u64);
    assert_eq!(report.count("bytes.in_frames"), report.count("bytes.received"), "{:#}", report.summary());
    assert_eq!(report.flow("tcp.out_of_order"), (pieces.len() / 2) as u64);
    let row = report.stream(IDCODE);
    assert_eq!((&row["frames"], &row["missing"]), (&FRAMES.into(), &0.into()), "{row:#}");
    assert_eq!(report.frames("c37118.command"), 1);
}
