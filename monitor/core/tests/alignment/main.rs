//! Alignment: frames in, instants out.

mod bounds;
#[path = "../support/frames.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod frames;
mod leaps;
mod model;
#[path = "../support/outlet.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod outlet;
#[path = "../support/packets.rs"]
mod packets;
mod pairs;
mod pipeline;
mod windows;

use std::num::NonZeroU32;

use frames::Pmu;
use monitor_core::event::StreamId;
use monitor_core::protocol::c37118::{
    ConfigView, Coordinates, DataRate, DataView, FrameView, IdCode, Layout, LayoutBounds, Stat,
};
use monitor_core::stream::align::{
    AlignBounds, AlignedInstant, Aligner, End, InstantKey, Offered, StreamAlignment, Verdict, Wait,
};
use monitor_core::time::Nanos;

/// Nanoseconds in a millisecond.
const MS: i64 = 1_000_000;

/// A second in which the tests take place.
const SECOND: u64 = 1_700_000_000;

/// An instant as it was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    key: InstantKey,
    end: End,
    /// Streams that came, in the order of their numbers.
    present: Vec<u32>,
    absent: Vec<u32>,
    over: Nanos,
    skew_ns: i64,
    first: u32,
    last: u32,
}

/// An aligner, a frame that stands for all frames, and what was told.
struct Bench {
    aligner: Aligner,
    bytes: Vec<u8>,
    layout: Layout,
    told: Vec<Told>,
    /// Instants that were told and taken away.
    forgotten: u64,
    /// Whether the values of what is told are looked at.
    check_values: bool,
}

impl Bench {
    fn new(wait: Wait) -> Self {
        Self::with(wait, &AlignBounds { streams: 64, instants: 1_024, pmus: 64 })
    }

    fn with(wait: Wait, bounds: &AlignBounds) -> Self {
        let pmu = Pmu::new(7, 50, 3);
        let config = pmu.config(0);
        let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 4, analogs: 0 });
        let view = ConfigView::new(FrameView::new(&config).expect("a frame")).expect("a configuration");
        layout.fill(&view).expect("place");
        let aligner = Aligner::new(wait, bounds);
        Self { aligner, bytes: pmu.data(0), layout, told: Vec::new(), forgotten: 0, check_values: false }
    }

    /// A frame of stream `number`, from 1, of the frame `index` since [`SECOND`] at `rate`, `delay` after its time tag.
    fn send(&mut self, number: u32, rate: i16, index: u64, delay: i64) -> Verdict {
        let key = key(rate, index);
        self.send_at(number, rate, index, key.time.plus(delay))
    }

    fn send_at(&mut self, number: u32, rate: i16, index: u64, arrival: Nanos) -> Verdict {
        self.offer(number, Some((key(rate, index), self::rate(rate))), arrival)
    }

    fn offer(&mut self, number: u32, instant: Option<(InstantKey, DataRate)>, arrival: Nanos) -> Verdict {
        let stream = StreamId(NonZeroU32::new(number).expect("streams count from 1"));
        let view = DataView::new(&self.bytes, &self.layout).expect("a DATA frame");
        let verdict = self.aligner.take(&Offered { stream, instant, leapt: None, arrival }, &view);
        self.note();
        verdict
    }

    fn advance(&mut self, now: Nanos) {
        self.aligner.advance(now);
        self.note();
    }

    fn finish(&mut self) {
        self.aligner.finish();
        self.note();
    }

    fn stream(&self, number: u32) -> StreamAlignment {
        self.aligner.stream(StreamId(NonZeroU32::new(number).expect("streams count from 1")))
    }

    fn note(&mut self) {
        let Self { aligner, told, forgotten, check_values, .. } = self;
        aligner.tell(|instant| {
            if *check_values {
                assert_values(instant);
            }
            told.push(Told::of(instant));
        });
        let counts = aligner.counts();
        assert_eq!(counts.unaccounted(), 0, "{counts:?}");
        assert_eq!(counts.instants, *forgotten + told.len() as u64);
    }
}

/// Each stream's frame has the values of [`Pmu::data`].
fn assert_values(instant: &AlignedInstant<'_>) {
    for stream in instant.streams() {
        let [pmu] = stream.pmus else { panic!("{stream:?}") };
        assert_eq!((pmu.idcode, pmu.stat), (IdCode(7), Stat::default()));
        assert_eq!((pmu.frequency_hz(), pmu.rocof_hz_per_s()), (Some(50.25), Some(-0.5)));
        assert_eq!(pmu.phasor(), Some(Coordinates::Polar { magnitude: 230.0, angle_rad: 0.5 }));
    }
}

impl Told {
    fn of(instant: &AlignedInstant<'_>) -> Self {
        let mut present: Vec<u32> = instant.streams().map(|stream| stream.stream.0.get()).collect();
        present.sort_unstable();
        let absent: Vec<u32> = instant.absent().map(|stream| stream.0.get()).collect();
        assert_eq!(present.len(), instant.present as usize);
        assert_eq!(present.len() + absent.len(), instant.expected as usize);
        assert_eq!(instant.is_complete(), absent.is_empty());
        Self {
            key: instant.key,
            end: instant.end,
            present,
            absent,
            over: instant.over,
            skew_ns: instant.skew_ns(),
            first: instant.first.0.0.get(),
            last: instant.last.0.0.get(),
        }
    }
}

fn rate(word: i16) -> DataRate {
    DataRate::from_word(word).expect("a rate")
}

/// The frame `index` since [`SECOND`] at a rate of frames per second.
fn key(word: i16, index: u64) -> InstantKey {
    InstantKey::new(SECOND * u64::from(word.unsigned_abs()) + index, rate(word), false)
}
