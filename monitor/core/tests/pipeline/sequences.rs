//! What is said of loss, duplicates and order equals what was done to the stream.

use std::collections::BTreeSet;

use monitor_core::event::{EventKind, Missing, StreamCounts};
use monitor_core::protocol::c37118::TimeBase;
use proptest::prelude::*;

use crate::{Bench, Pmu, pmu};

/// An index in the present, at 50 frames/s.
const START: u64 = 85_000_000_000;

/// Sends the frames with these indices, each as if it arrived at its own instant.
fn send(pmu: &Pmu, indices: &[u64]) -> StreamCounts {
    let mut bench = Bench::on_port();
    bench.send(&pmu.config(1_700_000_000), 0);
    for &index in indices {
        bench.send(&pmu.data(index), pmu.rate.unix_ns_of_index(index));
    }
    bench.counts();
    let stream = bench.only_stream();
    assert_eq!((told(&bench), stream.untold), (stream.counts.missing.into(), 0));
    stream.counts
}

/// Missing frames that were told of, less those of which it was told that they came late.
pub(crate) fn told(bench: &Bench) -> i64 {
    let told = bench.out.data.iter().map(|(event, _)| match event.kind {
        EventKind::Missing(Missing::Opened(gap)) => i64::from(gap.frames),
        EventKind::Missing(Missing::Filled { .. }) => -1,
        _ => 0,
    });
    told.sum()
}

/// The same counts by their definition.
fn expected(indices: &[u64]) -> StreamCounts {
    let mut seen = BTreeSet::new();
    let mut counts = StreamCounts { configs: 1, ..StreamCounts::default() };
    for &index in indices {
        counts.frames += 1;
        let late = seen.last().is_some_and(|newest| index < *newest);
        match (seen.insert(index), late) {
            (false, _) => counts.duplicate += 1,
            (true, true) => counts.out_of_order += 1,
            (true, false) => {}
        }
    }
    if let (Some(first), Some(last)) = (seen.first(), seen.last()) {
        counts.missing = u32::try_from(last - first + 1 - seen.len() as u64).expect("few");
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_loss_duplicate_and_reordering_is_reported(
        // For each frame: how often it is sent, and how late; within ten seconds.
        fates in prop::collection::vec((prop_oneof![4 => Just(1_usize), 1 => Just(0), 1 => Just(2)], 0_u64..40), 1..120),
        rate in prop::sample::select(vec![10_i16, 25, 30, 50, 60, 100, 120, 240]),
        base in prop::sample::select(vec![1_000_000_u32, 16_777_215]),
    ) {
        let mut pmu = Pmu::new(7, rate, 3);
        pmu.time_base = TimeBase::from_word(base).expect("parts");
        let start = START / 50 * u64::from(rate.unsigned_abs());
        let mut sent: Vec<(u64, u64)> = (start..).zip(&fates).flat_map(|(index, (times, delay))| {
            (0..*times as u64).map(move |again| (index + delay + again * 3, index))
        }).collect();
        sent.sort_by_key(|(at, _)| *at);
        let indices: Vec<u64> = sent.into_iter().map(|(_, index)| index).collect();
        if !indices.is_empty() {
            prop_assert_eq!(send(&pmu, &indices), expected(&indices));
        }
    }
}

#[test]
fn a_late_frame_takes_back_what_was_missing() {
    let pmu = pmu();
    let counts = send(&pmu, &[START, START + 1, START + 5]);
    assert_eq!(counts.missing, 3);
    let counts = send(&pmu, &[START, START + 1, START + 5, START + 3]);
    assert_eq!((counts.missing, counts.out_of_order), (2, 1));
}

#[test]
fn a_silence_is_missing_frames_however_long() {
    let pmu = pmu();
    let hour = 3_600 * 50;
    let counts = send(&pmu, &[START, START + 1, START + hour, START + hour + 1]);
    assert_eq!((u64::from(counts.missing), counts.discontinuities), (hour - 2, 0));
}

#[test]
fn stale_frames_are_named_and_nothing_is_missing() {
    let pmu = pmu();
    let days = 5 * 86_400 * 50;
    let at = |index| pmu.rate.unix_ns_of_index(index);
    // Index and the instant at which it really arrives.
    let frames: Vec<(u64, u64)> = [(START - days, START)]
        .into_iter()
        .chain((1..100).map(|n| (START + n, START + n)))
        .chain([(START - days, START + 100)])
        .chain((102..200).map(|n| (START + n, START + n)))
        .chain([(START - 2 * days, START + 200)])
        .collect();
    let mut bench = Bench::on_port();
    bench.send(&pmu.config(1), 0);
    for (index, arrives) in &frames {
        bench.send(&pmu.data(*index), at(*arrives));
    }
    let counts = bench.only_stream().counts;
    assert_eq!(counts.frames, frames.len() as u64);
    assert_eq!(counts.stale, 3);
    assert_eq!((counts.discontinuities, counts.duplicate, counts.out_of_order), (0, 0, 0));
    assert_eq!(counts.missing, 2, "two instants between 99 and 102");
}

#[test]
fn a_clock_that_was_set_begins_anew() {
    let pmu = pmu();
    let at = |index| pmu.rate.unix_ns_of_index(index);
    let mut bench = Bench::on_port();
    bench.send(&pmu.config(1), 0);
    for n in 0..50 {
        bench.send(&pmu.data(START + n), at(START + n));
    }
    for n in (50..100).filter(|n| *n != 60) {
        bench.send(&pmu.data(START + n + 1_000_000), at(START + n));
    }
    let counts = bench.only_stream().counts;
    assert_eq!((counts.discontinuities, counts.stale, counts.missing), (1, 0, 1));
}

#[test]
fn a_clock_off_by_seconds_but_steady_loses_nothing() {
    let pmu = pmu();
    let mut bench = Bench::on_port();
    bench.send(&pmu.config(1), 0);
    for n in 0..200 {
        // 29 s behind, and delivered in bursts of 20 frames.
        let arrives = pmu.rate.unix_ns_of_index(START + n / 20 * 20) + 29_000_000_000;
        bench.send(&pmu.data(START + n), arrives);
    }
    let counts = bench.only_stream().counts;
    assert_eq!(counts, StreamCounts { frames: 200, configs: 1, ..StreamCounts::default() });
}

#[test]
fn seconds_between_frames_are_a_rate_too() {
    let pmu = Pmu::new(7, -10, 3);
    let start = 170_000_000;
    let counts = send(&pmu, &[start, start + 1, start + 4, start + 3, start + 3]);
    assert_eq!((counts.missing, counts.out_of_order, counts.duplicate), (1, 1, 1));
}

#[test]
fn another_rate_begins_anew() {
    let mut bench = Bench::on_port();
    let slow = Pmu::new(7, 50, 3);
    let fast = Pmu::new(7, 100, 3);
    bench.send(&slow.config(1), 0);
    for n in 0..10 {
        bench.send(&slow.data(START + n), slow.rate.unix_ns_of_index(START + n));
    }
    bench.send(&fast.config(1), 0);
    for n in 20..40 {
        bench.send(&fast.data(2 * START + n), fast.rate.unix_ns_of_index(2 * START + n));
    }
    let counts = bench.only_stream().counts;
    assert_eq!((counts.frames, counts.missing, counts.discontinuities), (30, 0, 0));
}
