//! Once the pools are made, nothing is allocated: new streams, new configurations, bad frames, every kind of record,
//! up to the bounds and beyond. Each thread counts its own allocations, so the test's surroundings do not matter.
#![expect(unsafe_code, reason = "an allocator that counts is an implementation of an unsafe trait")]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/packets.rs"]
mod packets;

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::cell::Cell;

use frames::Pmu;
use monitor_core::event::{
    AlignCounts, Class, ConfigNews, ConfigSource, Endpoint, Event, EventKind, Outlet, Wait,
};
use monitor_core::flow::FlowBounds;
use monitor_core::packet::{LinkType, Record, RecordKind, Stamps};
use monitor_core::pipeline::{Bounds, Pipeline, Ports};
use monitor_core::protocol::c37118::FragmentChecks;
use monitor_core::protocol::c37118::encode::{self, ConfigKind, Fragments};
use monitor_core::stream::{Preload, Stations, StreamMatch, StreamRule, StreamRules};
use monitor_core::time::{Clock, Mono, Nanos};
use packets::{PDC, PMU, PORT, record, udp};

/// Few of everything.
const FLOWS: FlowBounds = FlowBounds { flows: 4, fragmented: 2, pool_bytes: 256 << 10, flow_bytes: 96 << 10 };

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same.
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, place: *mut u8, block: Block) {
        // SAFETY: `place` came from the system's allocator, by `alloc` above.
        unsafe { System.dealloc(place, block) }
    }
}

/// Takes every other event, and is never quite done with them.
#[derive(Default)]
struct Lossy {
    offered: u64,
    bytes: u64,
    adopted: u64,
    misfits: u64,
}

impl Outlet for Lossy {
    fn wants(&self, _class: Class) -> bool {
        true
    }

    fn offer(&mut self, _event: &Event, bytes: &[u8]) -> bool {
        self.offered += 1;
        self.bytes += bytes.len() as u64;
        self.offered.is_multiple_of(2)
    }

    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool {
        match event.kind {
            EventKind::Config(ConfigNews::Adopted(_)) => self.adopted += 1,
            EventKind::Config(ConfigNews::Misfit(_)) => self.misfits += 1,
            _ => {}
        }
        self.offer(event, bytes)
    }

    fn taken(&self) -> u64 {
        self.offered / 2
    }

    fn passed(&self) -> u64 {
        (self.offered / 2).saturating_sub(20)
    }
}

struct Live(u64);

impl Clock for Live {
    fn monotonic(&mut self) -> Option<Mono> {
        self.0 += 700;
        Mono::new(self.0)
    }
}

/// Streams, each with configurations that change, DATA in and out of order, and broken frames.
fn payloads() -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for idcode in 1..=12 {
        let mut pmu = Pmu::new(idcode, 50, 3);
        payloads.push(pmu.data(100));
        payloads.push(pmu.config_of(ConfigKind::Config1, 1));
        for phasors in [3, 2, 4, 60] {
            pmu.change(phasors);
            payloads.push([pmu.data(199), vec![0; 5]].concat());
            payloads.push(pmu.config(2));
            payloads.push(pmu.config(3));
            payloads.push(pmu.config3(3, 2.0));
            payloads.extend([200, 201, 204, 203, 203, 90_000_000, 205, 20_000].map(|index| pmu.data(index)));
        }
        let mut broken = pmu.data(206);
        broken[20] ^= 1;
        payloads.push(broken.clone());
        payloads.push([broken, pmu.data(207)].concat());
        let mut contradiction = pmu.config(4);
        contradiction[41] = 200;
        encode::reseal(&mut contradiction);
        payloads.push(contradiction);
        payloads.push(pmu.data(208)[..20].to_vec());
        payloads.push(vec![]);
    }
    // Two streams of the same instants, one later than the wait.
    let pmus = [1, 2].map(|idcode| Pmu::new(idcode, 50, 3));
    payloads.extend(pmus.iter().map(|pmu| pmu.config(5)));
    for index in 1_000..1_040 {
        payloads.push(pmus[0].data(index));
        payloads.extend([const { Vec::new() }; 3]);
        payloads.push(pmus[1].data(index));
    }
    for (idcode, checks) in [(1, FragmentChecks::Each), (2, FragmentChecks::Last)] {
        let whole = Pmu::new(idcode, 50, 3).config3(1, 2.0);
        let mut cut = Fragments::new(&whole, checks);
        let mut out = [0; 48];
        let mut parts = Vec::new();
        while let Some(length) = cut.write_next(48, &mut out) {
            parts.push(out[..length.expect("room")].to_vec());
        }
        payloads.extend(parts.clone());
        // Again without the second one: a series that is lost.
        parts.remove(1);
        payloads.extend(parts);
    }
    // What looks like a frame's beginning at every second byte, each larger than what is left of the budget.
    payloads.push([0xAA, 0x01].repeat(700));
    payloads.push([0xAA, 0x01, 0x01, 0x00].repeat(16_000));
    // A session PDU of IEC 61850-90-5, and its beginning; claims that overlap, each ended by a sound frame.
    let session = [&[0x01, 0x40, 0xA1, 0x18, 0x80, 0x16][..], &[0; 40]].concat();
    payloads.push(session.clone());
    payloads.push(session[..5].to_vec());
    payloads.push([&[0xAA, 0x01, 0x40, 0x00, 0, 7][..], &Pmu::new(3, 50, 3).data(300)].concat().repeat(200));
    payloads.push((0..1_400_u16).map(|n| n.to_be_bytes()[1]).collect());
    payloads
}

/// Each payload in a packet, and the packet changed in ways that make it something else.
fn packets() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for payload in payloads() {
        let plain = udp(PMU, PDC, [PORT, 5_000], &payload);
        let mut tcp = plain.clone();
        (tcp[23], tcp[46]) = (6, 0x50);
        let mut fragment = plain.clone();
        fragment[20] |= 0x20;
        let mut elsewhere = plain.clone();
        (elsewhere[34], elsewhere[35]) = (0, 53);
        let cut = plain[..plain.len() / 2].to_vec();
        packets.extend([plain, tcp, fragment, elsewhere, cut]);
    }
    packets.extend(streams());
    packets
}

/// Connections, more than there are places: out of order, again, with gaps that are never filled, and a datagram in
/// fragments, in order and not.
fn streams() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let stream = payloads().concat();
    for (number, port) in (1_u16..).zip(6_000..6_008_u16) {
        let parts: Vec<_> = stream.chunks(300 + usize::from(number) * 91).enumerate().take(60).collect();
        for at in 0..parts.len() {
            // Turned about in fours; of every nineteen one is lost, of every seven one comes again.
            let (place, part) = parts[(at ^ 3).min(parts.len() - 1)];
            let sequence = (place * parts[0].1.len()).to_be_bytes();
            // A TCP header is 12 bytes longer than UDP's.
            let body = [&[0; 12][..], part].concat();
            let mut tcp = udp(PMU, PDC, [PORT, port], &body);
            (tcp[23], tcp[46], tcp[47]) = (6, 0x50, 0x10);
            tcp[38..42].copy_from_slice(&sequence[4..]);
            let times = if place % 19 == 7 { 0 } else { 1 + usize::from(place % 7 == 3) };
            packets.extend(std::iter::repeat_n(tcp, times));
        }
    }
    let whole = udp(PMU, PDC, [PORT, 5_000], &Pmu::new(1, 50, 60).config(9));
    let body = &whole[34..];
    for order in [[0, 1, 2], [2, 0, 1]] {
        for part in order {
            let bytes = &body[part * 512..body.len().min(part * 512 + 512)];
            let mut fragment = [&whole[..34], bytes].concat();
            let length = u16::try_from(20 + bytes.len()).expect("short").to_be_bytes();
            let word = u16::try_from(part * 64).expect("short") | u16::from(part < 2) << 13;
            fragment[16..18].copy_from_slice(&length);
            fragment[18] = u8::try_from(order[0]).expect("small") + 1;
            fragment[20..22].copy_from_slice(&word.to_be_bytes());
            packets.push(fragment);
        }
    }
    packets
}

/// A configuration of three phasors that did not come over the wire.
fn preload(idcode: u16, from: ConfigSource) -> Preload {
    let address = Endpoint::new(std::net::IpAddr::from(PMU), PORT).address;
    Preload::new(Some(address), from, &Pmu::new(idcode, 50, 3).config(1)).expect("a configuration")
}

fn push_all(pipeline: &mut Pipeline, packets: &[Vec<u8>], out: &mut Lossy) {
    let mut clock = Live(10_000);
    let stamps = Stamps { receive: Mono::new(1_000), reader: Mono::new(2_000), ..Stamps::default() };
    for (number, bytes) in (0_i64..).zip(packets) {
        for kind in [RecordKind::Packet, RecordKind::Candidate] {
            let record = Record { kind, stamps, ..record(bytes, number * 1_000_000) };
            pipeline.push(&record, &mut clock, out);
            pipeline.push(&Record { link: LinkType::Ip, bytes: &bytes[14..], ..record }, &mut clock, out);
            pipeline.push(&Record { link: LinkType::LinuxSll, ..record }, &mut clock, out);
            pipeline.push(&Record { wire_length: 70_000, ..record }, &mut clock, out);
        }
        pipeline.tick(Nanos(number * 100_000_000), out);
        pipeline.caught_up(Nanos(number * 1_000_000), out);
    }
}

/// Rules that a stream fits once its station is known, and until then.
fn rules() -> StreamRules {
    let mut stations = Stations::default();
    let station = stations.number("STATION");
    let named =
        StreamRule { matches: StreamMatch { station, ..StreamMatch::default() }, ..StreamRule::default() };
    StreamRules { rules: vec![named, StreamRule::default()], stations }
}

#[test]
fn nothing_is_allocated_after_the_pools_are_made() {
    let bounds = Bounds {
        streams: 8,
        configs: 3,
        pmus: 3,
        channels: 24,
        pmus_per_config: 1,
        channels_per_config: 8,
        flows: FLOWS,
        config_series: 2,
        config_series_bytes: 1_024,
        instants: 8,
        pmus_per_instant: 16,
    };
    let packets = packets();
    for ports in [Ports::Set(vec![PORT]), Ports::Any] {
        let mut out = Lossy::default();
        let mut pipeline =
            Pipeline::with_rules(ports, &bounds, rules()).with_alignment(Wait::Relative(5_000_000), &bounds);
        pipeline.preload(preload(1, ConfigSource::Cached));
        pipeline.preload(preload(2, ConfigSource::File));
        pipeline.expect_requested(1);
        let (answer, unexpected) = (preload(3, ConfigSource::Requested), preload(4, ConfigSource::Requested));
        let before = ALLOCATIONS.get();
        pipeline.take_requested(answer).expect("a place");
        let unexpected = pipeline.take_requested(unexpected);
        push_all(&mut pipeline, &packets, &mut out);
        pipeline.finish(&mut out);
        let after = ALLOCATIONS.get();
        assert_eq!(after - before, 0, "allocations");
        assert!(before > 0, "the counter counts");

        let counts = pipeline.counts();
        assert_eq!((counts.bytes.unaccounted(), counts.frames.unaccounted()), (0, 0), "{counts:?}");
        // All that should cost nothing did happen.
        let AlignCounts { complete, incomplete, late, duplicate, out_of_step, .. } = counts.alignment;
        assert_eq!(counts.alignment.unaccounted(), 0, "{counts:?}");
        assert!(
            [complete, incomplete, late, duplicate, out_of_step].into_iter().all(|count| count > 0),
            "{counts:?}"
        );
        assert!(counts.config_series_lost > 0, "{counts:?}");
        assert!(unexpected.is_err() && out.adopted > 1 && out.misfits > 0, "{} {}", out.adopted, out.misfits);
        assert_eq!(pipeline.streams().count(), 8);
        assert!(
            pipeline.rules_matched().iter().all(|streams| *streams > 0),
            "{:?}",
            pipeline.rules_matched()
        );
        assert!(
            counts.streams_refused > 0 && counts.configs_refused > 0 && counts.packets_ignored > 0,
            "{counts:?}"
        );
        assert!(counts.frames.undecoded_total() > 0 && counts.frames.crc_errors > 0, "{counts:?}");
        assert!(counts.frames.decoded > 100 && counts.bytes.skipped > 0 && out.offered > 1_000, "{counts:?}");
        assert!(counts.records.malformed > 0 && counts.records.no_payload > 0, "{counts:?}");
        let (tcp, fragments) = (counts.flows.tcp, counts.flows.fragments);
        assert!(tcp.out_of_order > 0 && tcp.retransmitted > 0 && tcp.evicted > 0, "{counts:?}");
        assert!(fragments.whole > 0, "{counts:?}");
        assert!(pipeline.streams().any(|stream| stream.counts.missing > 0 && stream.counts.stale > 0));
    }
}
