//! Streams of any two rates and TIME_BASE meet at exactly the instants that they share.

use std::collections::BTreeSet;

use monitor_core::protocol::c37118::{TimeBase, TimeQuality, TimeTag};
use monitor_core::stream::align::{InstantKey, Wait};
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Bench, MS, SECOND, rate};

const RATES: [i16; 11] = [10, 12, 15, 20, 25, 30, 50, 60, 100, 120, 240];
const BASES: [u32; 2] = [1_000_000, 16_777_215];

/// How a PMU makes its fraction of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fraction {
    Truncated,
    Rounded,
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    word: i16,
    base: u32,
    fraction: Fraction,
}

impl Sender {
    fn all() -> impl Iterator<Item = Self> {
        let kinds = BASES
            .into_iter()
            .flat_map(|base| [Fraction::Truncated, Fraction::Rounded].map(|fraction| (base, fraction)));
        RATES
            .into_iter()
            .flat_map(move |word| kinds.clone().map(move |(base, fraction)| Self { word, base, fraction }))
    }

    fn frames(self) -> u64 {
        self.word.unsigned_abs().into()
    }

    /// The key that its time tag gives, for the frame `index` of the second.
    fn key(self, index: u64) -> InstantKey {
        let whole = index * u64::from(self.base);
        let fraction = match self.fraction {
            Fraction::Truncated => whole / self.frames(),
            Fraction::Rounded => (whole + self.frames() / 2) / self.frames(),
        };
        let soc = u32::try_from(SECOND).expect("before 2106");
        let fraction = u32::try_from(fraction).expect("below TIME_BASE");
        let tag = TimeTag::new(soc, fraction, TimeQuality::default()).expect("24 bits");
        let base = TimeBase::from_word(self.base).expect("parts");
        InstantKey::new(tag.frame_index(base, rate(self.word)), rate(self.word), false)
    }
}

/// Frames of both in the order in which they would come: (frame of the first, frame of the second) where they met.
fn met(one: Sender, other: Sender) -> BTreeSet<(Option<u64>, Option<u64>)> {
    let mut bench = Bench::new(Wait::default());
    let frames =
        |sender: Sender, number| (0..sender.frames()).map(move |index| (sender.key(index), number, index));
    let mut all: Vec<_> = frames(one, 1).chain(frames(other, 2)).collect();
    all.sort_unstable();
    for (key, number, _) in &all {
        let word = if *number == 1 { one.word } else { other.word };
        bench.offer(*number, Some((*key, rate(word))), key.time.plus(40 * MS));
    }
    bench.finish();
    let index =
        |key, number| all.iter().find(|frame| (frame.0, frame.1) == (key, number)).map(|frame| frame.2);
    let of = |key, present: &[u32], number| present.contains(&number).then(|| index(key, number)).flatten();
    bench.told.iter().map(|told| (of(told.key, &told.present, 1), of(told.key, &told.present, 2))).collect()
}

/// What two senders must have in common, against what met.
fn assert_met(one: Sender, other: Sender) {
    let (a, b) = (one.frames(), other.frames());
    let firsts = (0..a).map(|n| (Some(n), (n * b).is_multiple_of(a).then(|| n * b / a)));
    let seconds = (0..b).filter(|n| !(n * a).is_multiple_of(b)).map(|n| (None, Some(n)));
    assert_eq!(met(one, other), firsts.chain(seconds).collect(), "{one:?} and {other:?}");
}

#[test]
fn every_pair_that_shares_an_instant_is_aligned_and_no_other() {
    for one in Sender::all() {
        for other in Sender::all().filter(|other| other.word >= one.word) {
            assert_met(one, other);
        }
    }
}

/// Any rate, not only those of the field.
fn any_sender() -> impl Strategy<Value = Sender> {
    let fraction = prop_oneof![Just(Fraction::Truncated), Just(Fraction::Rounded)];
    (1..=240_i16, select(&BASES[..]), fraction).prop_map(|(word, base, fraction)| Sender {
        word,
        base,
        fraction,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn so_is_every_pair_of_any_two_rates(one in any_sender(), other in any_sender()) {
        assert_met(one, other);
    }
}
