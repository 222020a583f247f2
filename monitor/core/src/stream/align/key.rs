//! Which instant a frame is of: the name that all streams give it, whatever their rate and TIME_BASE.

use crate::protocol::c37118::DataRate;
use crate::time::Nanos;

const NS: u64 = 1_000_000_000;

/// A reporting instant. It is made from the rounded frame index alone: equal fractions of a second give equal keys,
/// whatever rate they were counted in, because the division is made once and exactly. No two time tags are compared.
///
/// Instants of rates r and s lie at least 1/(r s) seconds apart, so that different ones have different keys where
/// r s is at most 5 x 10^8: at all rates up to 22 360 frames/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstantKey {
    /// The instant, rounded to a nanosecond.
    pub time: Nanos,
    /// Whether it lies in an inserted leap second, whose SOC is that of a second beside it.
    pub leap: bool,
}

impl InstantKey {
    /// Of a stream's rounded frame index ([`TimeTag::frame_index`](crate::protocol::c37118::TimeTag::frame_index)).
    #[must_use]
    pub fn new(index: u64, rate: DataRate, leap: bool) -> Self {
        let (seconds, part) = match ratio(rate) {
            Ratio::PerSecond(frames) => (index / frames, rounded(index % frames, frames)),
            Ratio::Seconds(seconds) => (index.saturating_mul(seconds), 0),
        };
        let ns = seconds.saturating_mul(NS).saturating_add(part);
        Self { time: Nanos(i64::try_from(ns).unwrap_or(i64::MAX)), leap }
    }

    /// Whether a stream of this rate reports this instant too.
    #[must_use]
    pub fn is_on(self, rate: DataRate) -> bool {
        let ns = u64::try_from(self.time.0).unwrap_or(0);
        let (second, part) = (ns / NS, ns % NS);
        match ratio(rate) {
            Ratio::PerSecond(frames) => rounded((part * frames + NS / 2) / NS, frames) == part,
            Ratio::Seconds(seconds) => part == 0 && second.is_multiple_of(seconds),
        }
    }
}

/// What DATA_RATE says.
enum Ratio {
    /// Frames in a second.
    PerSecond(u64),
    /// Seconds to a frame.
    Seconds(u64),
}

fn ratio(rate: DataRate) -> Ratio {
    let magnitude = u64::from(rate.word().unsigned_abs());
    if rate.word() > 0 { Ratio::PerSecond(magnitude) } else { Ratio::Seconds(magnitude) }
}

/// The frame `number` of a second with so many, in nanoseconds.
const fn rounded(number: u64, frames: u64) -> u64 {
    (number * NS + frames / 2) / frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(word: i16) -> DataRate {
        DataRate::from_word(word).expect("a rate")
    }

    fn key(index: u64, word: i16) -> InstantKey {
        InstantKey::new(index, rate(word), false)
    }

    #[test]
    fn a_key_is_the_instant_of_its_index() {
        for word in [1, 3, 7, 10, 12, 30, 50, 60, 240, 999, 22_360, i16::MAX, -1, -10, i16::MIN] {
            for index in [0, 1, 2, 59, 1_000_003] {
                assert_eq!(key(index, word).time.0, rate(word).unix_ns_of_index(index), "{index} at {word}");
            }
        }
    }

    #[test]
    fn rates_share_exactly_the_instants_that_are_equal_fractions() {
        for (one, other) in
            [(50, 25), (50, 10), (60, 30), (50, 60), (12, 15), (240, 100), (7, 11), (997, 991)]
        {
            let (a, b) =
                (u64::from(rate(one).word().unsigned_abs()), u64::from(rate(other).word().unsigned_abs()));
            for n in 0..a {
                let shared = (n * b).is_multiple_of(a);
                assert_eq!(key(5 * a + n, one).is_on(rate(other)), shared, "{n}/{one} at {other}");
                if shared {
                    assert_eq!(key(5 * a + n, one), key(5 * b + n * b / a, other));
                }
            }
        }
    }

    #[test]
    fn seconds_to_a_frame_share_whole_seconds() {
        assert!(key(100, -10).is_on(rate(50)) && key(100, -10).is_on(rate(-5)));
        assert!(!key(101, -10).is_on(rate(-20)) && key(100, -10).is_on(rate(-20)));
        assert_eq!(key(100, -10), key(50_000, 50));
        assert!(!key(50_001, 50).is_on(rate(-1)));
    }
}
