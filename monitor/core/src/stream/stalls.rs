//! Silences: a stream from which no frame came for longer than a limit is stalled.
//!
//! A stall lasts from the last frame before it to the first one behind, or to now.

use super::report::Stalls;
use crate::time::Nanos;

/// A silence is a stall where it is longer than this, and than three reporting periods: one second, this project's
/// choice. TCP's bursts are silences of 60 to 80 ms at 50 frames/s, and no stalls.
pub const STALL_NS: u64 = 1_000_000_000;

/// Reporting periods that a stall is longer than.
const PERIODS: u64 = 3;

/// What each frame touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct StallWatch {
    limit_ns: i64,
    /// Steady time and arrival of the last frame.
    last: Option<(i64, Nanos)>,
    count: u64,
    total_ns: u64,
    longest_ns: u64,
}

impl StallWatch {
    pub(super) const fn new() -> Self {
        Self { limit_ns: STALL_NS.cast_signed(), last: None, count: 0, total_ns: 0, longest_ns: 0 }
    }

    /// The larger of what was set and three periods.
    pub(super) fn set_limit(&mut self, set_ns: u64, period_ns: u64) {
        self.limit_ns = i64::try_from(set_ns.max(period_ns.saturating_mul(PERIODS))).unwrap_or(i64::MAX);
    }

    pub(super) const fn limit_ns(&self) -> i64 {
        self.limit_ns
    }

    /// Takes a frame.
    #[inline]
    pub(super) fn take(&mut self, arrival: Nanos, steady: i64) {
        if let Some((last, _)) = self.last.replace((steady, arrival))
            && steady - last > self.limit_ns
        {
            self.add(steady - last);
        }
    }

    #[cold]
    fn add(&mut self, ns: i64) {
        let ns = ns.unsigned_abs();
        self.count += 1;
        self.total_ns = self.total_ns.saturating_add(ns);
        self.longest_ns = self.longest_ns.max(ns);
    }

    /// What the stalls are, the present one among them. `now` is on the clock of the arrivals.
    pub(super) fn stalls(&self, now: Nanos) -> Stalls {
        let mut with_present = *self;
        let since = self.last.map(|(_, arrival)| arrival).filter(|last| now.since(*last) > self.limit_ns);
        if let Some(last) = since {
            with_present.add(now.since(last));
        }
        let Self { limit_ns, last: _, count, total_ns, longest_ns } = with_present;
        Stalls {
            limit_ns: limit_ns.unsigned_abs(),
            count,
            total_ns,
            longest_ns,
            since_ns: since.map(|since| since.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn silences_are_counted_when_they_end_and_while_they_last() {
        let mut watch = StallWatch::new();
        for at in [0, SECOND, 3 * SECOND, 10 * SECOND] {
            watch.take(Nanos(at + 5), at);
        }
        let stalls = watch.stalls(Nanos(10 * SECOND + 5));
        assert_eq!((stalls.count, stalls.total_ns, stalls.longest_ns), (2, 9_000_000_000, 7_000_000_000));
        assert_eq!(stalls.since_ns, None, "exactly a second was none");
        let stalls = watch.stalls(Nanos(12 * SECOND + 5));
        assert_eq!(
            (stalls.count, stalls.total_ns, stalls.since_ns),
            (3, 11_000_000_000, Some(10 * SECOND + 5))
        );
        // And resumed: the same stall is not counted twice.
        watch.take(Nanos(12 * SECOND + 5), 12 * SECOND);
        let stalls = watch.stalls(Nanos(12 * SECOND + 6));
        assert_eq!((stalls.count, stalls.total_ns, stalls.since_ns), (3, 11_000_000_000, None));
    }

    #[test]
    fn slow_streams_are_given_three_periods() {
        let mut watch = StallWatch::new();
        watch.set_limit(STALL_NS, 10_000_000_000);
        for n in 0..10 {
            watch.take(Nanos(n * 30 * SECOND), n * 30 * SECOND);
        }
        assert_eq!(watch.stalls(Nanos(9 * 30 * SECOND)).count, 0);
        assert_eq!(watch.stalls(Nanos(9 * 30 * SECOND + 31 * SECOND)).count, 1);
    }
}
