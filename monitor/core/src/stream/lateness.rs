//! How late frames come: arrival minus time tag.
//!
//! # Two clocks
//! Lateness compares the PMU's clock with this host's. Where they differ by 19 s every frame is 19 s late, and not
//! one of them came late. What tells the two apart is the stream's fastest frame of the last one to two minutes, its
//! *smallest lateness*: no network makes a frame faster than that. Where it lies within the limit on either side of
//! zero, the clocks agree as well as the limit asks, and frames are judged by their time tag. Where it does not, the
//! clocks are said to differ by about as much, and no frame is judged. Nor is one judged whose sender says that its
//! own clock is no better than the limit.
//!
//! *Variation* is lateness minus the smallest lateness. It takes clocks that run evenly for two minutes, and no more.

use super::report::{Agreement, LatenessReport, LimitBasis, Spread};
use super::tally::Tally;
use crate::protocol::c37118::DataRate;

/// How long a smallest lateness holds at least; at most twice as long. A clock that runs free at 10 ppm moves 1 ms.
const BUCKET_NS: i64 = 60_000_000_000;

/// Performance class of a PMU (IEEE C37.118.1-2011, clause 5.5.9): how late it may report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PerformanceClass {
    /// Measurement: 7 reporting periods.
    #[default]
    M,
    /// Protection: 2 reporting periods.
    P,
}

/// What a stream's lateness is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LateLimit {
    /// By a class.
    Class(PerformanceClass),
    /// By this many nanoseconds.
    Set(u64),
}

impl Default for LateLimit {
    /// Class M: what is late by it is late by class P as well.
    fn default() -> Self {
        Self::Class(PerformanceClass::M)
    }
}

impl LateLimit {
    /// In nanoseconds, at a rate.
    #[must_use]
    pub const fn at(self, rate: DataRate) -> u64 {
        match self {
            Self::Class(PerformanceClass::M) => rate.period_ns().saturating_mul(7),
            Self::Class(PerformanceClass::P) => rate.period_ns().saturating_mul(2),
            Self::Set(ns) => ns,
        }
    }

    const fn basis(self) -> LimitBasis {
        match self {
            Self::Class(PerformanceClass::M) => LimitBasis::ClassM,
            Self::Class(PerformanceClass::P) => LimitBasis::ClassP,
            Self::Set(_) => LimitBasis::Set,
        }
    }
}

/// One frame's lateness and what it takes to judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Arrival minus time tag.
    pub(super) ns: i64,
    /// The frame's arrival on a clock that is not set.
    pub(super) steady: i64,
    /// How far the sender says its clock may be off; none where it does not know.
    pub(super) sender_bound_ns: Option<u64>,
    /// Whether it came in the same packet as the frame before.
    pub(super) together: bool,
}

/// What each frame touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct LatenessWatch {
    limit_ns: i64,
    /// Smallest of the present minute and of the one before; `i64::MAX` where there is none.
    smallest: [i64; 2],
    bucket_end: i64,
    judged: u64,
    late: u64,
    late_coalesced: u64,
    delayed: u64,
    /// Frames that wait for the smallest lateness to settle, and the late ones among them.
    waiting: [u64; 2],
    /// Late frames of the present packet.
    late_together: u64,
    variation: Tally,
}

impl LatenessWatch {
    pub(super) const fn new() -> Self {
        Self {
            limit_ns: i64::MAX,
            smallest: [i64::MAX; 2],
            bucket_end: i64::MIN,
            judged: 0,
            late: 0,
            late_coalesced: 0,
            delayed: 0,
            waiting: [0; 2],
            late_together: 0,
            variation: Tally::new(),
        }
    }

    /// Judges by this limit from now on.
    pub(super) fn set_limit(&mut self, limit_ns: u64) {
        self.limit_ns = i64::try_from(limit_ns).unwrap_or(i64::MAX);
    }

    /// The clocks' relation is a new one: after a jump or a leap second.
    pub(super) const fn restart(&mut self) {
        self.smallest = [i64::MAX; 2];
        self.bucket_end = i64::MIN;
        self.waiting = [0; 2];
        self.late_together = 0;
    }

    /// Takes one frame.
    #[inline]
    pub(super) fn take(&mut self, sample: Sample) {
        if sample.steady >= self.bucket_end {
            self.turn(sample.steady);
        }
        self.smallest[0] = self.smallest[0].min(sample.ns);
        let variation = sample.ns - self.smallest();
        self.variation.add(variation);
        self.delayed += u64::from(variation > self.limit_ns);
        if sample.sender_bound_ns.is_some_and(|bound| bound <= self.limit_ns.unsigned_abs()) {
            self.judge(sample.ns > self.limit_ns, sample.together);
        }
    }

    #[inline]
    fn judge(&mut self, late: bool, together: bool) {
        if !together {
            self.late_together = 0;
        }
        match self.agreement() {
            Agreement::Agree => {
                let [waited, waited_late] = std::mem::take(&mut self.waiting);
                self.judged += waited + 1;
                self.late += waited_late + u64::from(late);
                if late {
                    self.late_together += 1;
                } else {
                    self.late_coalesced += std::mem::take(&mut self.late_together);
                }
            }
            Agreement::Offset | Agreement::Unknown => {
                self.waiting[0] += 1;
                self.waiting[1] += u64::from(late);
            }
        }
    }

    #[cold]
    fn turn(&mut self, steady: i64) {
        let [present, _] = self.smallest;
        // What is older than a minute behind the last bucket's end tells nothing of now.
        let silent = steady.saturating_sub(self.bucket_end) >= BUCKET_NS;
        self.smallest = [i64::MAX, if silent { i64::MAX } else { present }];
        self.bucket_end = steady.saturating_add(BUCKET_NS);
        self.waiting = [0; 2];
    }

    fn smallest(&self) -> i64 {
        let [present, before] = self.smallest;
        present.min(before)
    }

    fn agreement(&self) -> Agreement {
        match self.smallest() {
            i64::MAX => Agreement::Unknown,
            smallest if smallest.unsigned_abs() <= self.limit_ns.unsigned_abs() => Agreement::Agree,
            _ => Agreement::Offset,
        }
    }

    pub(super) fn report(&self, limit: LateLimit) -> LatenessReport {
        let variation: Spread = self.variation.spread();
        LatenessReport {
            limit_ns: Some(self.limit_ns.unsigned_abs()).filter(|_| self.limit_ns != i64::MAX),
            basis: limit.basis(),
            agreement: self.agreement(),
            smallest_ns: Some(self.smallest()).filter(|smallest| *smallest != i64::MAX),
            judged: self.judged,
            late: self.late,
            late_coalesced: self.late_coalesced,
            delayed: self.delayed,
            variation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const PERIOD: i64 = 20 * MS;

    fn limit() -> u64 {
        LateLimit::default().at(DataRate::from_word(50).unwrap())
    }

    fn watch() -> LatenessWatch {
        let mut watch = LatenessWatch::new();
        watch.set_limit(limit());
        watch
    }

    fn report(watch: &LatenessWatch) -> LatenessReport {
        watch.report(LateLimit::default())
    }

    fn take(watch: &mut LatenessWatch, n: i64, ns: i64) {
        watch.take(Sample { ns, steady: n * PERIOD, sender_bound_ns: Some(0), together: false });
    }

    #[test]
    fn limits_are_those_of_the_classes() {
        let rate = DataRate::from_word(50).unwrap();
        assert_eq!(limit(), 140_000_000);
        assert_eq!(LateLimit::Class(PerformanceClass::P).at(rate), 40_000_000);
        assert_eq!(LateLimit::Set(5).at(rate), 5);
    }

    #[test]
    fn late_frames_are_counted_where_the_clocks_agree() {
        let mut watch = watch();
        // The very first one is late, and so is every tenth.
        for n in 0..1_000 {
            take(&mut watch, n, if n % 10 == 0 { 141 * MS } else { 30 * MS });
        }
        let told = report(&watch);
        assert_eq!((told.judged, told.late, told.delayed), (1_000, 100, 0));
        assert_eq!((told.agreement, told.smallest_ns), (Agreement::Agree, Some(30 * MS)));
        // Exactly the limit is not late.
        take(&mut watch, 1_000, 140 * MS);
        assert_eq!(report(&watch).late, 100);
    }

    #[test]
    fn a_clock_that_is_off_is_an_offset_and_no_frame_is_late() {
        for offset in [19_400 * MS, -29_000 * MS, 4 * 86_400_000 * MS] {
            let mut watch = watch();
            for n in 0..1_000 {
                take(&mut watch, n, offset + if n == 500 { 175 * MS } else { 30 * MS });
            }
            let told = report(&watch);
            assert_eq!((told.judged, told.late, told.delayed), (0, 0, 1));
            assert_eq!((told.agreement, told.smallest_ns), (Agreement::Offset, Some(offset + 30 * MS)));
            assert_eq!((told.variation.min, told.variation.max), (0, 145 * MS));
        }
    }

    #[test]
    fn a_sender_that_does_not_trust_its_clock_is_not_judged() {
        let mut watch = watch();
        for bound in [None, Some(1_000_000_000), Some(u64::MAX)] {
            watch.take(Sample { ns: 200 * MS, steady: 0, sender_bound_ns: bound, together: false });
        }
        assert_eq!((report(&watch).judged, report(&watch).variation.count), (0, 3));
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut watch = watch();
        // 10 ppm over an hour: 36 ms; each frame within 5 ms of the fastest.
        for n in 0..180_000 {
            take(&mut watch, n, n * PERIOD / 100_000 + n % 6 * MS);
        }
        let told = report(&watch);
        assert!(told.variation.max <= 5 * MS + 120 * PERIOD / 2_000, "{told:?}");
        assert!(told.smallest_ns.unwrap() > 34 * MS, "{told:?}");
    }

    #[test]
    fn frames_that_the_transport_held_back_are_told_apart() {
        let mut watch = watch();
        take(&mut watch, 0, 10 * MS);
        // Ten frames in one packet: the first three are late, the last is not.
        for n in 0..10 {
            let ns = (200 - 20 * n) * MS;
            watch.take(Sample { ns, steady: 10 * PERIOD, sender_bound_ns: Some(0), together: n > 0 });
        }
        let told = report(&watch);
        assert_eq!((told.late, told.late_coalesced), (3, 3));
        // A packet whose last frame is late too was sent late.
        for n in 0..3 {
            let ns = (300 - 20 * n) * MS;
            watch.take(Sample { ns, steady: 20 * PERIOD, sender_bound_ns: Some(0), together: n > 0 });
        }
        let told = report(&watch);
        assert_eq!((told.late, told.late_coalesced), (6, 3));
    }
}
