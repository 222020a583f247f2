//! The pipeline's use of alignment: packets in, instants out behind their frames.

use monitor_core::event::{Absent, Event, EventKind, InstantEvent};
use monitor_core::pipeline::{Bounds, Pipeline, Ports};
use monitor_core::protocol::c37118::TimeBase;
use monitor_core::stream::align::{End, Wait};
use monitor_core::time::{Nanos, NoClock};

use crate::frames::Pmu;
use crate::outlet::Kept;
use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::{MS, SECOND};

struct Station {
    pipeline: Pipeline,
    out: Kept,
}

impl Station {
    fn new() -> Self {
        let bounds = Bounds::default();
        let pipeline =
            Pipeline::new(Ports::Set(vec![PORT]), &bounds).with_alignment(Wait::default(), &bounds);
        Self { pipeline, out: Kept::default() }
    }

    fn send(&mut self, payload: &[u8], arrival: Nanos) {
        let packet = udp(PMU, PDC, [PORT, 30_000], payload);
        self.pipeline.push(&record(&packet, arrival.0), &mut NoClock, &mut self.out);
    }

    /// The DATA frame `n` since [`SECOND`], 40 ms after its time tag.
    fn data(&mut self, pmu: &Pmu, n: u64) {
        let index = SECOND * u64::from(pmu.rate.word().unsigned_abs()) + n;
        self.send(&pmu.data(index), Nanos(pmu.rate.unix_ns_of_index(index) + 40 * MS));
    }

    fn instants(&self) -> impl Iterator<Item = (&Event, InstantEvent, Vec<u32>)> {
        self.out.data.iter().filter_map(|(event, bytes)| match event.kind {
            EventKind::Instant(instant) => {
                let absent = Absent::new(bytes).streams().flatten().map(|stream| stream.0.get());
                Some((event, instant, absent.collect()))
            }
            _ => None,
        })
    }
}

/// At 50, 25 and 60 frames/s, with both usual values of TIME_BASE.
fn pmus() -> [Pmu; 3] {
    let mut pmus = [Pmu::new(1, 50, 3), Pmu::new(2, 25, 3), Pmu::new(3, 60, 3)];
    pmus[1].time_base = TimeBase::from_word(16_777_215).expect("parts");
    pmus
}

#[test]
fn streams_of_three_rates_are_told_at_the_instants_that_they_share() {
    let (mut station, pmus) = (Station::new(), pmus());
    for pmu in &pmus {
        station.send(&pmu.config(0), Nanos(0));
    }
    // In the order of their instants, for three seconds.
    let mut frames: Vec<(u64, usize, u64)> = Vec::new();
    for (which, word) in [(0, 50), (1, 25), (2, 60)] {
        frames.extend((0..3 * word).map(|n| (n * 300 / word, which, n)));
    }
    frames.sort_unstable();
    for (_, which, n) in &frames {
        station.data(&pmus[*which], *n);
    }
    station.pipeline.finish(&mut station.out);

    let of = |streams: u32| station.instants().filter(|(_, one, _)| one.present == streams).count();
    // 10/s are those of 50 and 60, of which every second is one of 25: 5/s for all three.
    assert_eq!((of(3), of(2), of(1)), (15, 15 + 60, 150 + 75 + 180 - 3 * 15 - 2 * 75));
    assert!(station.instants().all(|(event, instant, absent)| {
        instant.is_complete() && absent.is_empty() && event.stream.is_none()
    }));
    let summary = station.pipeline.alignment().expect("it was asked for");
    assert_eq!((summary.counts.aligned, summary.counts.instants), (3 * 135, 300));
    assert_eq!(summary.skew.map(|skew| skew.count), Some(90));
    assert!(station.pipeline.streams().all(|stream| stream.alignment.is_some_and(|one| one.absent == 0)));
    assert_eq!(station.pipeline.counts().alignment, summary.counts);
}

#[test]
fn an_instant_is_told_behind_the_frame_that_completes_it() {
    let (mut station, pmus) = (Station::new(), [Pmu::new(1, 50, 3), Pmu::new(2, 50, 3)]);
    for pmu in &pmus {
        station.send(&pmu.config(0), Nanos(0));
        station.data(pmu, 0);
    }
    for n in 100..102 {
        for pmu in &pmus {
            station.data(pmu, n);
        }
        let last: Vec<_> = station.out.data.iter().rev().take(2).map(|(event, _)| event).collect();
        let EventKind::Instant(instant) = last[0].kind else { panic!("{last:?}") };
        assert!(matches!(last[1].kind, EventKind::Frame(..)), "{last:?}");
        assert_eq!((instant.present, instant.end), (2, End::Complete));
        assert_eq!((last[0].arrival, last[0].first_arrival), (last[1].arrival, last[1].arrival));
    }
}

#[test]
fn who_was_absent_is_told_and_time_ends_windows_without_packets() {
    let (mut station, pmus) = (Station::new(), [Pmu::new(1, 50, 3), Pmu::new(2, 50, 3), Pmu::new(3, 50, 3)]);
    for pmu in &pmus {
        station.send(&pmu.config(0), Nanos(0));
    }
    for n in 0..100 {
        for pmu in &pmus {
            station.data(pmu, n);
        }
    }
    station.data(&pmus[1], 100);
    let before = station.instants().count();
    let arrival = Nanos(pmus[1].rate.unix_ns_of_index(SECOND * 50 + 100)).plus(40 * MS);
    station.pipeline.caught_up(arrival.plus(99 * MS), &mut station.out);
    assert_eq!(station.instants().count(), before);
    station.pipeline.caught_up(arrival.plus(100 * MS), &mut station.out);
    let (_, instant, absent) = station.instants().last().expect("it is over");
    assert_eq!((instant.expected, instant.present, absent), (3, 1, vec![1, 3]));
    assert_eq!((instant.first.0.get(), instant.last.0.get(), instant.end), (2, 2, End::Window));
    assert_eq!((instant.skew_ns, instant.waited_ns), (0, 100_000_000));
}

#[test]
fn without_alignment_nothing_is_told() {
    let mut station = Station::new();
    station.pipeline = Pipeline::new(Ports::Set(vec![PORT]), &Bounds::default());
    let pmu = Pmu::new(1, 50, 3);
    station.send(&pmu.config(0), Nanos(0));
    (0..200).for_each(|n| station.data(&pmu, n));
    station.pipeline.finish(&mut station.out);
    assert_eq!(station.instants().count(), 0);
    assert!(station.pipeline.alignment().is_none());
    assert!(station.pipeline.streams().all(|stream| stream.alignment.is_none()));
}
