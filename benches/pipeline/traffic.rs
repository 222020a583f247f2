//! PMUs that send at 50 frames/s, their packets made beforehand, and a pipeline that takes them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use monitor_core::packet::{Direction, InterfaceId, LinkType, Record, RecordKind, Stamps};
use monitor_core::pipeline::{Bounds, Pipeline, Ports};
use monitor_core::protocol::c37118::encode;
use monitor_core::stream::align::Wait;
use monitor_core::time::{Clock, Mono, Nanos};

use crate::outlet::Rings;

#[path = "../../monitor/core/tests/support/frames.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod frames;
#[path = "../../monitor/core/tests/support/packets.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod packets;

use frames::Pmu;
use packets::{PDC, PORT, udp};

/// Streams of the two cases.
pub(crate) const STREAMS: [usize; 2] = [12, 1_200];
/// Packets of a block: of as many bytes in either case, so that they lie in the same cache.
pub(crate) const PACKETS: usize = 4_800;

/// Packets between two ticks, as the live loop has them at most.
const BATCH: usize = 64;
const RATE: i16 = 50;
const PERIOD_NS: i64 = 20_000_000;
/// When it begins, in Unix seconds.
const BEGIN: u32 = 1_700_000_000;
/// From the time tag to the first stream's arrival, and from one stream's to the next one's.
const DELAY_NS: i64 = 30_000_000;
const SPREAD_NS: i64 = 10_000;
/// Where the frame begins in its packet: Ethernet, IPv4, UDP.
const FRAME: usize = 42;

/// The host's clock, as cheap as a reading can be.
struct Counter(u64);

impl Clock for Counter {
    fn monotonic(&mut self) -> Option<Mono> {
        self.0 += 1;
        Mono::new(self.0)
    }
}

/// A pipeline and the packets that it is given, again and again, with new time tags.
pub(crate) struct Case {
    pipeline: Pipeline,
    out: Rings,
    clock: Counter,
    /// With the arrival after the block's first instant.
    packets: Vec<(Vec<u8>, i64)>,
    streams: usize,
    /// The next block's first instant, in periods since [`BEGIN`].
    instant: i64,
    frames: u64,
}

impl Case {
    pub(crate) fn new(streams: usize, aligned: bool) -> Self {
        let bounds = Bounds::default();
        let mut pipeline = Pipeline::new(Ports::Set(vec![PORT]), &bounds);
        if aligned {
            pipeline = pipeline.with_alignment(Wait::default(), &bounds);
        }
        let pmus: Vec<_> = (1..).take(streams).map(|idcode| Pmu::new(idcode, RATE, 3)).collect();
        let source = |idcode: u16| [10, 0, idcode.to_be_bytes()[0], idcode.to_be_bytes()[1]];
        let packet = |pmu: &Pmu, frame: &[u8]| udp(source(pmu.idcode), PDC, [PORT, 30_000], frame);
        let packets = (0..PACKETS).map(|place| {
            let (instant, number) = (place / streams, place % streams);
            let [instant, number] = [instant, number].map(|wide| i64::try_from(wide).expect("few"));
            let pmu = &pmus[place % streams];
            (packet(pmu, &pmu.data(0)), instant * PERIOD_NS + DELAY_NS + number * SPREAD_NS)
        });
        let mut case = Self {
            packets: packets.collect(),
            pipeline,
            out: Rings::new(),
            clock: Counter(1_000_000),
            streams,
            instant: 0,
            frames: 0,
        };
        for pmu in &pmus {
            let bytes = packet(pmu, &pmu.config(BEGIN));
            let Self { pipeline, out, clock, .. } = &mut case;
            pipeline.push(&record(&bytes, i64::from(BEGIN) * 1_000_000_000), clock, out);
        }
        case
    }

    /// Sends the next frames of all streams; how long the pipeline took over them.
    pub(crate) fn block(&mut self) -> Duration {
        self.stamp();
        let Self { pipeline, out, clock, packets, instant, streams, .. } = self;
        let first = i64::from(BEGIN) * 1_000_000_000 + *instant * PERIOD_NS;
        let begun = Instant::now();
        for batch in packets.chunks(BATCH) {
            let mut now = 0;
            for (bytes, after) in batch {
                now = first + after;
                pipeline.push(&record(black_box(bytes), now), clock, out);
            }
            pipeline.tick(Nanos(now), out);
            pipeline.caught_up(Nanos(now), out);
        }
        let took = begun.elapsed();
        *instant += i64::try_from(PACKETS / *streams).expect("few");
        self.frames += PACKETS as u64;
        took
    }

    /// Writes the time tags of the next block into the packets.
    fn stamp(&mut self) {
        for (place, (bytes, _)) in self.packets.iter_mut().enumerate() {
            let instant = self.instant + i64::try_from(place / self.streams).expect("few");
            let (second, part) = (instant / i64::from(RATE), instant % i64::from(RATE));
            let soc = BEGIN + u32::try_from(second).expect("a day at most");
            let fraction = u32::try_from(part).expect("below the rate") * (1_000_000 / 50);
            let size = usize::from(u16::from_be_bytes([bytes[FRAME + 2], bytes[FRAME + 3]]));
            let frame = &mut bytes[FRAME..FRAME + size];
            frame[6..10].copy_from_slice(&soc.to_be_bytes());
            frame[10..14].copy_from_slice(&fraction.to_be_bytes());
            encode::reseal(frame);
        }
    }

    /// That what was measured is what it says: every frame decoded, none missing, every instant whole.
    pub(crate) fn assert_whole(&self) {
        let counts = self.pipeline.counts();
        assert_eq!(counts.frames.c37118[0], self.frames);
        assert_eq!(counts.frames.undecoded_total() + counts.frames.invalid, 0);
        assert_eq!(self.pipeline.streams().count(), self.streams);
        assert!(self.pipeline.streams().all(|stream| stream.counts.missing == 0));
        assert!(self.out.taken() >= self.frames);
        if let Some(alignment) = self.pipeline.alignment() {
            let counts = alignment.counts;
            assert_eq!((counts.aligned, counts.incomplete), (self.frames, 0), "{counts:?}");
            assert!(counts.complete * self.streams as u64 + 100 * self.streams as u64 >= self.frames);
        }
    }
}

fn record(bytes: &[u8], arrival: i64) -> Record<'_> {
    let stamp = |ns: u64| Mono::new(1_000 + ns);
    Record {
        arrival: Nanos(arrival),
        stamps: Stamps { receive: stamp(0), ring: stamp(300), reader: stamp(900), ..Stamps::default() },
        interface: InterfaceId::default(),
        direction: Direction::default(),
        kind: RecordKind::Packet,
        link: LinkType::Ethernet,
        vlan: None,
        vlan_unknown: false,
        segments: 1,
        segment_size: 0,
        wire_length: u32::try_from(bytes.len()).expect("a packet"),
        bytes,
        records: 1,
    }
}
