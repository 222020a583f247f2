//! Whether a stream's clock and this host's are off by what TAI and UTC differ by, so that one is taken for the other.
//!
//! PTP and GPS receivers count seconds that UTC does not have. A PMU that hands them on unchanged tags its frames 37 s
//! ahead of UTC (36 s, where it believes a table of before 2017); one that subtracts the difference twice is as far
//! behind. It is said after it held for a second, so that a few stale frames are no mistake, and for as long as the
//! difference stays: a clock that was put right is off no more with its first frame, since a jump begins anew.

use crate::time::{is_still_tai_utc, tai_utc_mistake};

/// For how long the difference must have been there before it is said.
const HOLD_NS: i64 = 1_000_000_000;

/// Below this no difference is one between TAI and UTC.
const LEAST_NS: u64 = 35_000_000_000;

/// What each frame touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimescaleWatch {
    /// The seconds that the difference is near to, and since when on a clock that is not set.
    near: Option<(i32, i64)>,
    named: bool,
}

impl TimescaleWatch {
    pub(super) const fn new() -> Self {
        Self { near: None, named: false }
    }

    /// Takes the difference as it is now: the smallest lateness.
    #[inline]
    pub(super) fn take(&mut self, difference_ns: i64, steady: i64) {
        if self.near.is_some() || difference_ns.unsigned_abs() >= LEAST_NS {
            self.look(difference_ns, steady);
        }
    }

    #[cold]
    fn look(&mut self, difference_ns: i64, steady: i64) {
        let before = self.near.filter(|(seconds, _)| self.named && is_still_tai_utc(difference_ns, *seconds));
        if before.is_some() {
            return;
        }
        let seconds = tai_utc_mistake(difference_ns);
        let since =
            self.near.filter(|(before, _)| Some(*before) == seconds).map_or(steady, |(_, since)| since);
        self.near = seconds.map(|seconds| (seconds, since));
        self.named = self.near.is_some() && steady.saturating_sub(since) >= HOLD_NS;
    }

    /// 36 or 37 where the clocks are so many seconds apart, in either direction.
    pub(super) fn mistake_s(&self) -> Option<i32> {
        self.near.filter(|_| self.named).map(|(seconds, _)| seconds)
    }
}

/// Whether clocks that differ by so much may be TAI and UTC: no frame is judged by its time tag then, whatever the limit.
pub(super) fn may_be_mistaken(difference_ns: i64) -> bool {
    difference_ns.unsigned_abs() >= LEAST_NS && tai_utc_mistake(difference_ns).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const SECOND: i64 = 1_000 * MS;

    /// What is said after each of the differences, which are 100 ms apart.
    fn said(differences_ms: &[i64]) -> Vec<Option<i32>> {
        let mut watch = TimescaleWatch::new();
        let take = |(at, ms): (i64, &i64)| {
            watch.take(ms * MS, at * SECOND / 10);
            watch.mistake_s()
        };
        (0..).zip(differences_ms).map(take).collect()
    }

    #[test]
    fn it_is_said_after_a_second_and_not_before() {
        for (ms, seconds) in [(36_980, 37), (-36_980, 37), (-35_970, 36), (36_020, 36)] {
            let said = said(&[ms; 20]);
            assert!(said[..10].iter().all(Option::is_none), "{ms}: {said:?}");
            assert!(said[10..].iter().all(|mistake| *mistake == Some(seconds)), "{ms}: {said:?}");
        }
        for ms in [0, 30, 19_400, 35_400, -35_400, 37_600, 86_400_000] {
            assert!(said(&[ms; 20]).iter().all(Option::is_none), "{ms}");
        }
    }

    #[test]
    fn one_that_comes_and_goes_at_the_edge_is_said_steadily() {
        let at_the_edge = [&[-37_400; 20][..], &[-37_600, -37_400].repeat(20), &[-37_700; 20]].concat();
        assert!(said(&at_the_edge)[10..].iter().all(|mistake| *mistake == Some(37)));
        let never_held = [-37_400, -37_600].repeat(30);
        assert!(said(&never_held).iter().all(Option::is_none));
    }

    #[test]
    fn it_is_gone_when_it_is_mended() {
        let said = said(&[&[-36_980; 20][..], &[20; 5]].concat());
        assert_eq!(said[19], Some(37));
        assert!(said[20..].iter().all(Option::is_none));
    }
}
