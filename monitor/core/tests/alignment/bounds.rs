//! Anything at all, with place for little: every frame is counted once, every bound has its counter, nothing panics.

use monitor_core::stream::align::{AlignBounds, InstantKey, RATES, Verdict, Wait};
use monitor_core::time::Nanos;
use proptest::prelude::*;

use crate::{Bench, MS, key, rate};

const FEW: AlignBounds = AlignBounds { streams: 6, instants: 4, pmus: 2 };

#[test]
fn more_open_instants_than_places_are_refused_and_the_open_ones_come_out_right() {
    let mut bench = Bench::with(Wait::Relative(1_000_000_000), &FEW);
    let verdicts: Vec<_> = (0..6).map(|index| bench.send(1, 50, index, 40 * MS)).collect();
    assert_eq!(&verdicts[..4], [Verdict::Aligned; 4]);
    assert_eq!(&verdicts[4..], [Verdict::InstantsFull; 2]);
    assert_eq!(bench.send(2, 50, 3, 130 * MS), Verdict::Aligned);
    bench.advance(key(50, 0).time.plus(2_000 * MS));
    assert_eq!(bench.told.iter().map(|told| told.present.len()).collect::<Vec<_>>(), [1, 1, 1, 2]);
    assert_eq!(bench.send(1, 50, 100, 40 * MS), Verdict::Aligned, "there is place again");
}

#[test]
fn streams_that_are_ahead_leave_half_of_the_places() {
    let mut bench = Bench::with(Wait::Relative(20_000_000), &FEW);
    assert_eq!(bench.send(1, 50, 0, 40 * MS), Verdict::Aligned);
    let now = key(50, 1).time.plus(40 * MS);
    let ahead = (20..24).map(|index| bench.send_at(2, 50, index, now)).collect::<Vec<_>>();
    assert_eq!(ahead.iter().filter(|verdict| **verdict == Verdict::Aligned).count(), 2, "{ahead:?}");
    assert_eq!(bench.send_at(1, 50, 1, now), Verdict::Aligned);
}

#[test]
fn more_rates_than_places_are_refused() {
    let mut bench = Bench::new(Wait::default());
    let most = u32::try_from(RATES).expect("few");
    for number in 1..=most + 1 {
        let word = i16::try_from(number).expect("few") * 10;
        let verdict = bench.send(number, word, 0, 40 * MS);
        assert_eq!(verdict, if number <= most { Verdict::Aligned } else { Verdict::RatesFull });
    }
}

#[test]
fn values_beyond_the_places_are_counted_and_their_frames_aligned() {
    let mut bench = Bench::with(Wait::default(), &FEW);
    for number in 1..=3 {
        assert_eq!(bench.send(number, 50, 0, 40 * MS), Verdict::Aligned);
    }
    bench.finish();
    assert_eq!((bench.told[0].present.len(), bench.aligner.counts().values_full), (3, 1));
}

#[test]
fn what_is_forgotten_is_too_late_until_clocks_are_set() {
    let mut bench = Bench::with(Wait::Relative(10_000_000), &FEW);
    for index in 0..200 {
        bench.send(1, 50, index, 40 * MS);
    }
    // Of the last 16 instants it is known that the frame came; of the one before nothing is.
    assert_eq!(bench.send_at(1, 50, 195, key(50, 200).time), Verdict::Duplicate);
    assert_eq!(bench.send_at(1, 50, 170, key(50, 200).time), Verdict::Late);
    // An hour back, on all clocks.
    let now = key(50, 0).time.plus(-3_600_000 * MS);
    let at = |index: i64| InstantKey { time: now.plus(index * 20 * MS), leap: false };
    let verdicts: Vec<_> = (0..50)
        .map(|index| bench.offer(1, Some((at(index), rate(50))), at(index).time.plus(40 * MS)))
        .collect();
    assert!(verdicts.ends_with(&[Verdict::Aligned; 40]), "{verdicts:?}");
}

fn anything() -> impl Strategy<Value = (u32, i16, u64, i64)> {
    let word =
        prop_oneof![Just(50_i16), Just(60), Just(-2), any::<i16>().prop_filter("a rate", |word| *word != 0)];
    let index = prop_oneof![8 => 0..100_u64, 1 => any::<u64>()];
    let arrival = prop_oneof![8 => 0..2_000 * MS, 1 => any::<i64>()];
    (1..9_u32, word, index, arrival)
}

proptest! {
    #[test]
    fn every_frame_is_counted_once(frames in prop::collection::vec(anything(), 0..200), absolute: bool) {
        let wait = if absolute { Wait::Absolute(50_000_000) } else { Wait::Relative(50_000_000) };
        let mut bench = Bench::with(wait, &FEW);
        for (number, word, index, arrival) in &frames {
            let key = InstantKey::new(*index, rate(*word), false);
            // `Bench::note` asserts that the counters add up after each.
            bench.offer(*number, Some((key, rate(*word))), Nanos(*arrival));
        }
        bench.finish();
        let counts = bench.aligner.counts();
        prop_assert_eq!(counts.offered, frames.len() as u64);
        let aligned: usize = bench.told.iter().map(|told| told.present.len()).sum();
        prop_assert_eq!(counts.aligned, aligned as u64);
    }
}
