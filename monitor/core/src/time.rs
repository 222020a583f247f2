//! The two kinds of time, kept apart by type: instants of the outside world and readings of this host's clock.

use std::num::NonZeroU64;

/// An instant: nanoseconds since the Unix epoch, UTC, without leap seconds (as SOC counts them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Where it is not known when something was: a capture may give a packet no time.
    pub const UNKNOWN: Self = Self(i64::MIN);

    /// From `earlier` to `self`; saturates where the distance does not fit (292 years).
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant `ns` later.
    #[must_use]
    pub const fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// A reading of `CLOCK_MONOTONIC` in nanoseconds; never zero, so that an absent one costs no space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(NonZeroU64);

impl Mono {
    /// A reading, or none for 0: the kernel side writes 0 where a stage did not happen.
    #[must_use]
    pub const fn new(ns: u64) -> Option<Self> {
        match NonZeroU64::new(ns) {
            Some(ns) => Some(Self(ns)),
            None => None,
        }
    }

    /// Nanoseconds since boot.
    #[must_use]
    pub const fn ns(self) -> u64 {
        self.0.get()
    }
}

/// Where decoding takes the time from: the host's clock when live, nowhere for a capture, a script in tests.
pub trait Clock {
    /// `CLOCK_MONOTONIC` now, or none where nothing happens live.
    fn monotonic(&mut self) -> Option<Mono>;
}

/// The clock of a capture: there is no "now" to compare with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn monotonic(&mut self) -> Option<Mono> {
        None
    }
}

/// What two clocks that should agree on UTC differ by where one of them shows TAI: 36 s until the end of 2016, 37 s
/// since (IERS Bulletin C 52). Many devices have the older number built in.
const TAI_MINUS_UTC_S: [i32; 2] = [36, 37];
/// How near the difference must be: a second clock that is otherwise right is within half a second.
const NEAR_NS: u64 = 500_000_000;
/// How near it must stay once it was taken for that, so that one at the edge does not come and go.
const STILL_NEAR_NS: u64 = 750_000_000;

/// Whether a difference between two clocks, nanoseconds, looks as if one of them showed TAI where UTC is due: 36 or 37
/// then, else none.
#[must_use]
pub fn tai_utc_mistake(difference_ns: i64) -> Option<i32> {
    let seconds = TAI_MINUS_UTC_S.into_iter().min_by_key(|seconds| distance(difference_ns, *seconds))?;
    (distance(difference_ns, seconds) < NEAR_NS).then_some(seconds)
}

/// Whether a difference that was taken for one between TAI and UTC of so many seconds may still be one: it has to move
/// further away than it had to come near.
#[must_use]
pub const fn is_still_tai_utc(difference_ns: i64, seconds: i32) -> bool {
    distance(difference_ns, seconds) < STILL_NEAR_NS
}

const fn distance(difference_ns: i64, seconds: i32) -> u64 {
    difference_ns.unsigned_abs().abs_diff(seconds.unsigned_abs() as u64 * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_tai_and_utc_is_told_from_others() {
        const SECOND: i64 = 1_000_000_000;
        for (difference, mistake) in [
            (37 * SECOND + 2_000_000, Some(37)),
            (-37 * SECOND + 40_000_000, Some(37)),
            (36 * SECOND - 400_000_000, Some(36)),
            (38 * SECOND, None),
            (0, None),
            (19_400_000_000, None),
            (i64::MIN, None),
        ] {
            assert_eq!(tai_utc_mistake(difference), mistake, "{difference}");
        }
        for (difference, still) in
            [(37_600, true), (-37_600, true), (36_300, true), (37_750, false), (0, false)]
        {
            assert_eq!(is_still_tai_utc(difference * 1_000_000, 37), still, "{difference} ms");
        }
    }
}
