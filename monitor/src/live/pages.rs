//! What the real-time thread meets for the first time costs it no page fault: a new stream, its first configuration, a
//! changed one, one in fragments; a new TCP flow, what waits in it; IP fragments.

use std::hint::black_box;

use monitor_core::event::{Class, Event, Outlet};
use monitor_core::packet::{Direction, InterfaceId, LinkType, Record, RecordKind, Stamps};
use monitor_core::pipeline::{Bounds, Pipeline, Ports};
use monitor_core::protocol::c37118::NominalFrequency;
use monitor_core::protocol::c37118::encode::reseal;
use monitor_core::time::{Nanos, NoClock};

use crate::simulate::{Fleet, FleetPlan, Frames, ReportingInstant, ReportingRate};
use crate::sys::usage::ThreadUsage;

/// Streams, each with two configurations.
const STREAMS: u16 = 600;
/// Connections: what waits in them takes most of the pool.
const CONNECTIONS: u16 = 900;
/// Code that runs for the first time, and whatever the allocator has not given back: far fewer than the pages that the
/// memory of so many streams has.
const FAULTS_OF_OTHERS: u64 = 16;

/// Takes all and is done with it at once.
struct Nobody(u64);

impl Outlet for Nobody {
    fn wants(&self, _class: Class) -> bool {
        true
    }

    fn offer(&mut self, _event: &Event, _bytes: &[u8]) -> bool {
        self.0 += 1;
        true
    }

    fn announce(&mut self, _event: &Event, _bytes: &[u8]) -> bool {
        true
    }

    fn taken(&self) -> u64 {
        self.0
    }

    fn passed(&self) -> u64 {
        self.0
    }
}

fn word(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("a packet").to_be_bytes()
}

/// An IPv4 packet, with its identification and its word of flags and fragment offset.
fn ipv4(protocol: u8, identification: u16, fragment: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend(word(20 + body.len()));
    bytes.extend(identification.to_be_bytes());
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9]);
    bytes.extend(body);
    bytes
}

/// A UDP datagram to port 4713.
fn datagram(payload: &[u8]) -> Vec<u8> {
    [&word(40_000)[..], &word(4_713), &word(8 + payload.len()), &[0, 0], payload].concat()
}

/// An IPv4 packet with one.
fn packet(payload: &[u8]) -> Vec<u8> {
    ipv4(17, 0, 0, &datagram(payload))
}

/// An IPv4 packet with a TCP segment from port 4713.
fn segment(port: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let fixed = [0, 0, 0, 1, 0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0];
    let [source, destination] = [4_713, port].map(u16::to_be_bytes);
    let tcp = [&source[..], &destination, &sequence.to_be_bytes(), &fixed, payload].concat();
    ipv4(6, 0, 0, &tcp)
}

fn record(bytes: &[u8]) -> Record<'_> {
    Record {
        arrival: Nanos(1_700_000_000_000_000_000),
        stamps: Stamps::default(),
        interface: InterfaceId::default(),
        direction: Direction::default(),
        kind: RecordKind::default(),
        link: LinkType::Ip,
        vlan: None,
        vlan_unknown: false,
        segments: 1,
        segment_size: 0,
        wire_length: u32::try_from(bytes.len()).expect("a packet"),
        bytes,
        records: 1,
    }
}

/// DATA without a configuration, a configuration, DATA, another one, DATA: of every stream.
fn packets() -> Vec<Vec<u8>> {
    let plan = FleetPlan { seed: 1, pmus: STREAMS, first_idcode: 1, nominal: NominalFrequency::Hz50 };
    let fleet = Fleet::new(&plan).expect("a fleet");
    let first = ReportingInstant::at_or_after(1_700_000_000_000_000_000, ReportingRate::FIFTY);
    let mut packets = Vec::new();
    for station in fleet.stations() {
        let mut frames = Frames::new(station.clone(), ReportingRate::FIFTY).expect("frames");
        let config = frames.config2(first.time_tag()).expect("a configuration").to_vec();
        let mut changed = config.clone();
        changed[20] ^= 1;
        reseal(&mut changed);
        let data = frames.data(first, fleet.grid(first)).expect("DATA").to_vec();
        packets.extend([&data, &config, &data, &changed, &data].map(|payload| packet(payload)));
    }
    packets
}

fn push_all(pipeline: &mut Pipeline, packets: &[Vec<u8>]) {
    let mut out = Nobody(0);
    for bytes in packets {
        pipeline.push(&record(bytes), &mut NoClock, &mut out);
    }
}

fn faults(work: impl FnOnce()) -> u64 {
    let before = ThreadUsage::read().expect("usage").minor_faults;
    work();
    ThreadUsage::read().expect("usage").minor_faults - before
}

#[test]
fn what_is_new_costs_no_page_fault() {
    let packets = packets();
    let mut warm = Pipeline::new(Ports::Set(vec![4_713]), &Bounds::default());
    push_all(&mut warm, &packets[..50]);
    let mut pipeline = Pipeline::new(Ports::Set(vec![4_713]), &Bounds::default());
    let faults = faults(|| push_all(&mut pipeline, &packets));
    let counts = pipeline.counts();
    assert_eq!(pipeline.streams().count(), usize::from(STREAMS));
    assert_eq!((counts.frames.decoded, counts.configs_refused), (4 * u64::from(STREAMS), 0), "{counts:?}");
    assert!(faults < FAULTS_OF_OTHERS, "{faults} page faults for {STREAMS} streams");
    // A quarter of what so many streams have, not touched before: the counter counts.
    let fresh = self::faults(|| drop(black_box(vec![1_u8; 1 << 20])));
    assert!(fresh > FAULTS_OF_OTHERS, "{fresh}");
}

/// Connections, each with the beginning of a frame that waits for the rest, and a segment that waits behind a gap; and
/// datagrams of which half has come.
fn connections() -> Vec<Vec<u8>> {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    const MORE: u16 = 0x2000;
    // Claims more than comes.
    let begun = [&[0xAA, 0x01, 0x0F, 0xFF, 0, 7][..], &[0; 1_000]].concat();
    let mut packets = Vec::new();
    for port in 1..=CONNECTIONS {
        packets.push(segment(port, 0, SYN, &[]));
        packets.push(segment(port, 1, ACK, &begun));
        packets.push(segment(port, 2_000, ACK, &begun[..500]));
    }
    packets.extend((1..=64).map(|number| ipv4(17, number, MORE, &datagram(&begun)[..800])));
    packets
}

#[test]
fn a_new_flow_costs_no_page_fault() {
    let packets = connections();
    let mut warm = Pipeline::new(Ports::Set(vec![4_713]), &Bounds::default());
    push_all(&mut warm, &packets[..50]);
    push_all(&mut warm, &packets[packets.len() - 5..]);
    let mut pipeline = Pipeline::new(Ports::Set(vec![4_713]), &Bounds::default());
    let faults = faults(|| push_all(&mut pipeline, &packets));
    let counts = pipeline.counts();
    assert_eq!(counts.flows.tcp.flows, u64::from(CONNECTIONS));
    assert_eq!((counts.flows.tcp.no_place, counts.flows.fragments.fragments), (0, 64), "{counts:?}");
    assert!(counts.bytes.buffered > 1 << 20, "{counts:?}");
    assert!(faults < FAULTS_OF_OTHERS, "{faults} page faults for {CONNECTIONS} connections");
}
