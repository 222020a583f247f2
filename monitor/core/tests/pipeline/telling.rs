//! What streams tell once a second, and what is told of stages.

use monitor_core::event::{EventKind, Stage, StreamTiming};
use monitor_core::packet::{Record, Stamps};
use monitor_core::pipeline::{Bounds, Pipeline, Ports, STREAMS_PER_TICK};
use monitor_core::time::{Clock, Mono, Nanos};

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::{Bench, Pmu, SMALL, pmu};

const SECOND: i64 = 1_000_000_000;

fn told(bench: &mut Bench, now: i64) -> Option<StreamTiming> {
    bench.out.data.clear();
    bench.pipeline.tick(Nanos(now), &mut bench.out);
    let kinds: Vec<_> = bench.out.data.iter().map(|(event, _)| event.kind).collect();
    match kinds[..] {
        [] => None,
        [EventKind::StreamCounts(..), EventKind::StreamTiming(timing), EventKind::StreamReport] => {
            Some(timing)
        }
        _ => panic!("{kinds:?}"),
    }
}

#[test]
fn the_rate_is_that_of_the_window() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config(1), 0);
    assert!(told(&mut bench, 0).is_none(), "the first window begins");
    let period = SECOND / 50;
    for n in 1..=50_i64 {
        bench.send(&pmu.data(n.unsigned_abs()), n * period);
        if n < 50 {
            assert!(told(&mut bench, n * period).is_none());
        }
    }
    let timing = told(&mut bench, SECOND + 3_000_000).expect("a window");
    assert!((timing.rate_hz - 50.0).abs() < 0.2, "{timing:?}");
    assert_eq!(timing.frequency_hz, Some(50.25));
    for n in 51..=101_i64 {
        bench.send(&pmu.data(n.unsigned_abs()), n * period);
    }
    let timing = told(&mut bench, 2 * SECOND + 30_000_000).expect("a window");
    assert!((timing.rate_hz - 50.0).abs() < 1e-3, "whole periods: {timing:?}");
    let timing = told(&mut bench, 4 * SECOND).expect("a window");
    assert!(timing.rate_hz < f32::EPSILON, "it stalled: {timing:?}");
    let run = bench.only_stream().timing;
    assert!((run.rate_hz - 50.0).abs() < 1e-3, "{run:?}");
}

#[test]
fn many_streams_share_the_ticks() {
    let bounds = Bounds { streams: 100, configs: 1, ..SMALL };
    let mut bench = Bench::new(Ports::Set(vec![PORT]), &bounds);
    for idcode in 1..=100 {
        bench.send(&Pmu::new(idcode, 50, 1).data(100), 0);
    }
    let mut ticks = |now: i64| {
        bench.out.data.clear();
        for _ in 0..100_usize.div_ceil(STREAMS_PER_TICK) {
            let before = bench.out.data.len();
            bench.pipeline.tick(Nanos(now), &mut bench.out);
            assert!(bench.out.data.len() - before <= 3 * STREAMS_PER_TICK);
        }
        let mut streams: Vec<_> = bench.out.data.iter().filter_map(|(event, _)| event.stream).collect();
        streams.dedup();
        streams.len()
    };
    assert_eq!(ticks(0), 0);
    assert_eq!(ticks(SECOND / 2), 0);
    assert_eq!(ticks(SECOND), 100);
    assert_eq!(ticks(SECOND), 0);
    assert_eq!(ticks(2 * SECOND), 100);
}

/// Says that a frame was decoded a microsecond after the last one was.
struct Script(u64);

impl Clock for Script {
    fn monotonic(&mut self) -> Option<Mono> {
        self.0 += 1_000;
        Mono::new(self.0)
    }
}

#[test]
fn stages_are_recorded_for_frames_that_were_decoded() {
    let (mut out, mut clock) = (crate::Kept::default(), Script(10_000));
    let mut pipeline = Pipeline::new(Ports::Set(vec![PORT]), &crate::SMALL);
    let stamps = Stamps {
        receive: Mono::new(5_000),
        ring: Mono::new(5_500),
        reader: Mono::new(9_000),
        ..Stamps::default()
    };
    let pmu = pmu();
    for payload in [pmu.data(1), pmu.config(1), pmu.data(2)] {
        let bytes = udp(PMU, PDC, [PORT, PORT], &payload);
        pipeline.push(&Record { stamps, ..record(&bytes, 0) }, &mut clock, &mut out);
    }
    let decoded = pipeline.stages().percentiles(Stage::ReceiveToDecoded).expect("two were decoded");
    assert_eq!((decoded.count, decoded.min), (2, 6_000));
    let ring = pipeline.stages().percentiles(Stage::ReceiveToRing).expect("two were decoded");
    assert_eq!((ring.count, ring.min), (2, 500));
    assert_eq!(pipeline.stages().percentiles(Stage::IrqToSoftirq), None);
    // Behind its packet's event.
    let (first, _) = &out.data[1];
    assert_eq!(first.stages.get(Stage::RingToReader), Some(3_500), "an undecoded frame came that far");
    assert_eq!(first.stages.get(Stage::ReaderToDecoded), None);
    let stream = pipeline.streams().next().expect("a stream");
    let [p50, p99, max] = stream.timing.latency_ns.expect("one frame was decoded");
    assert!((6_500..=7_500).contains(&p50) && p50 <= p99 && p99 <= max, "{p50} {p99} {max}");
}
