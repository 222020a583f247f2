//! How late frames come: arrival minus time tag.
//!
//! # Two clocks
//! Lateness compares the PMU's clock with this host's. Where they differ by 19 s every frame is 19 s late, and not
//! one of them came late. What tells the two apart is the stream's fastest frame of the last one to two minutes, its
//! *smallest lateness*: no network makes a frame faster than that. Where it lies within the limit on either side of
//! zero, the clocks agree as well as the limit asks, and frames are judged by their time tag. Where it does not, the
//! clocks are said to differ by about as much, and no frame is judged.
//!
//! # Two bounds
//! Neither clock is exact. The sender says how far its own may be off, and who keeps the host's clock how far that
//! may be; lateness is unsure by their sum. A frame is late where it is beyond the limit by more than that; one that is
//! nearer to the limit is counted as unsure. Where the sum is beyond the limit nothing can be told, and no frame is
//! judged. Where nobody bounds the host's clock, frames are judged as if it were exact, and counted as judged so.
//!
//! *Variation* is lateness minus the smallest lateness. It takes clocks that run evenly for two minutes, and no more.

use super::report::{Agreement, LatenessReport, LimitBasis, Spread};
use super::tally::Tally;
use super::timescale::{TimescaleWatch, may_be_mistaken};

/// How long a smallest lateness holds at least; at most twice as long. A clock that runs free at 10 ppm moves 1 ms.
const BUCKET_NS: i64 = 60_000_000_000;

/// One frame's lateness and what it takes to judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Arrival minus time tag.
    pub(super) ns: i64,
    /// The frame's arrival on a clock that is not set.
    pub(super) steady: i64,
    /// How far the sender says its clock may be off; none where it does not know.
    pub(super) sender_bound_ns: Option<u64>,
    /// How far this host's clock may be off; none where nobody knows.
    pub(super) host_bound_ns: Option<u64>,
    /// Whether it came in the same packet as the frame before.
    pub(super) together: bool,
}

/// What a frame is, as far as the clocks allow to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    OnTime,
    Unsure,
    Late,
}

/// Frames that were judged.
#[derive(Clone, Copy, Debug, Default)]
struct Judged {
    frames: u64,
    late: u64,
    unsure: u64,
    /// As if the host's clock were exact.
    unbounded: u64,
}

impl Judged {
    const NONE: Self = Self { frames: 0, late: 0, unsure: 0, unbounded: 0 };

    fn count(&mut self, verdict: Verdict, unbounded: bool) {
        self.frames += 1;
        self.late += u64::from(verdict == Verdict::Late);
        self.unsure += u64::from(verdict == Verdict::Unsure);
        self.unbounded += u64::from(unbounded);
    }

    const fn add(&mut self, Self { frames, late, unsure, unbounded }: Self) {
        self.frames += frames;
        self.late += late;
        self.unsure += unsure;
        self.unbounded += unbounded;
    }
}

/// What each frame touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct LatenessWatch {
    limit_ns: i64,
    /// Smallest of the present minute and of the one before; `i64::MAX` where there is none.
    smallest: [i64; 2],
    bucket_end: i64,
    judged: Judged,
    /// Frames that wait for the smallest lateness to settle.
    waiting: Judged,
    /// Frames not judged: for the sender's clock, for the host's, because they waited in vain.
    unjudged: [u64; 3],
    late_coalesced: u64,
    delayed: u64,
    /// Late frames of the present packet.
    late_together: u64,
    host_bound_ns: Option<u64>,
    timescale: TimescaleWatch,
    variation: Tally,
}

/// Places in [`LatenessWatch::unjudged`].
const SENDER: usize = 0;
const HOST: usize = 1;
const CLOCKS: usize = 2;

impl LatenessWatch {
    pub(super) const fn new() -> Self {
        Self {
            limit_ns: i64::MAX,
            smallest: [i64::MAX; 2],
            bucket_end: i64::MIN,
            judged: Judged::NONE,
            waiting: Judged::NONE,
            unjudged: [0; 3],
            late_coalesced: 0,
            delayed: 0,
            late_together: 0,
            host_bound_ns: None,
            timescale: TimescaleWatch::new(),
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
        self.timescale = TimescaleWatch::new();
        self.give_up_waiting();
        self.late_together = 0;
    }

    /// Takes one frame.
    #[inline]
    pub(super) fn take(&mut self, sample: Sample) {
        if sample.steady >= self.bucket_end {
            self.turn(sample.steady);
        }
        self.smallest[0] = self.smallest[0].min(sample.ns);
        let smallest = self.smallest();
        self.timescale.take(smallest, sample.steady);
        let variation = sample.ns - smallest;
        self.variation.add(variation);
        self.delayed += u64::from(variation > self.limit_ns);
        self.host_bound_ns = sample.host_bound_ns;
        match self.verdict(&sample) {
            Ok(verdict) => self.judge(verdict, sample.host_bound_ns.is_none(), sample.together),
            Err(whose) => self.unjudged[whose] += 1,
        }
    }

    /// What a frame is by both clocks; where one of them is not good enough to say, the place of its counter.
    #[inline]
    fn verdict(&self, sample: &Sample) -> Result<Verdict, usize> {
        let limit = self.limit_ns.unsigned_abs();
        let sender = sample.sender_bound_ns.filter(|bound| *bound <= limit).ok_or(SENDER)?;
        let unsure = sender.saturating_add(sample.host_bound_ns.unwrap_or(0));
        if unsure > limit {
            return Err(HOST);
        }
        // At most the limit, which came from an i64.
        let unsure = unsure.cast_signed();
        Ok(if sample.ns > self.limit_ns.saturating_add(unsure) {
            Verdict::Late
        } else if sample.ns > self.limit_ns - unsure {
            Verdict::Unsure
        } else {
            Verdict::OnTime
        })
    }

    #[inline]
    fn judge(&mut self, verdict: Verdict, unbounded: bool, together: bool) {
        if !together {
            self.late_together = 0;
        }
        match self.agreement() {
            Agreement::Agree => {
                self.judged.add(std::mem::take(&mut self.waiting));
                self.judged.count(verdict, unbounded);
                match verdict {
                    Verdict::Late => self.late_together += 1,
                    Verdict::Unsure => {}
                    Verdict::OnTime => self.late_coalesced += std::mem::take(&mut self.late_together),
                }
            }
            Agreement::Offset | Agreement::Unknown => self.waiting.count(verdict, unbounded),
        }
    }

    #[cold]
    fn turn(&mut self, steady: i64) {
        let [present, _] = self.smallest;
        // What is older than a minute behind the last bucket's end tells nothing of now.
        let silent = steady.saturating_sub(self.bucket_end) >= BUCKET_NS;
        self.smallest = [i64::MAX, if silent { i64::MAX } else { present }];
        self.bucket_end = steady.saturating_add(BUCKET_NS);
        self.give_up_waiting();
    }

    const fn give_up_waiting(&mut self) {
        self.unjudged[CLOCKS] += self.waiting.frames;
        self.waiting = Judged::NONE;
    }

    fn smallest(&self) -> i64 {
        let [present, before] = self.smallest;
        present.min(before)
    }

    fn agreement(&self) -> Agreement {
        match self.smallest() {
            i64::MAX => Agreement::Unknown,
            smallest if smallest.unsigned_abs() > self.limit_ns.unsigned_abs() => Agreement::Offset,
            smallest if may_be_mistaken(smallest) => Agreement::Offset,
            _ => Agreement::Agree,
        }
    }

    pub(super) fn report(&self, basis: LimitBasis) -> LatenessReport {
        let variation: Spread = self.variation.spread();
        let [sender, host, clocks] = self.unjudged;
        LatenessReport {
            limit_ns: Some(self.limit_ns.unsigned_abs()).filter(|_| self.limit_ns != i64::MAX),
            basis,
            agreement: self.agreement(),
            smallest_ns: Some(self.smallest()).filter(|smallest| *smallest != i64::MAX),
            tai_mistake_s: self.timescale.mistake_s(),
            host_bound_ns: self.host_bound_ns,
            judged: self.judged.frames,
            late: self.judged.late,
            late_unsure: self.judged.unsure,
            judged_unbounded: self.judged.unbounded,
            unjudged_sender: sender,
            unjudged_host: host,
            unjudged_clocks: clocks + self.waiting.frames,
            late_coalesced: self.late_coalesced,
            delayed: self.delayed,
            variation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LateLimit;
    use super::*;
    use crate::protocol::c37118::DataRate;

    const MS: i64 = 1_000_000;
    const PERIOD: i64 = 20 * MS;

    fn watch() -> LatenessWatch {
        let mut watch = LatenessWatch::new();
        watch.set_limit(LateLimit::default().at(DataRate::from_word(50).unwrap()));
        watch
    }

    /// Tells what was counted; every frame is judged, or it is said why not.
    fn report(watch: &LatenessWatch) -> LatenessReport {
        let told = watch.report(LimitBasis::ClassM);
        let unjudged = told.unjudged_sender + told.unjudged_host + told.unjudged_clocks;
        assert_eq!(told.judged + unjudged, told.variation.count, "{told:?}");
        assert!(told.late + told.late_unsure <= told.judged, "{told:?}");
        told
    }

    fn sample(n: i64, ns: i64) -> Sample {
        Sample { ns, steady: n * PERIOD, sender_bound_ns: Some(0), host_bound_ns: None, together: false }
    }

    fn take(watch: &mut LatenessWatch, n: i64, ns: i64) {
        watch.take(sample(n, ns));
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
        assert_eq!((told.judged_unbounded, told.late_unsure, told.host_bound_ns), (1_000, 0, None));
        // Exactly the limit is not late.
        take(&mut watch, 1_000, 140 * MS);
        assert_eq!(report(&watch).late, 100);
    }

    #[test]
    fn what_the_clocks_cannot_tell_is_counted_apart() {
        // The host's clock is within 5 ms, the sender's within 1 ms: unsure from above 134 to 146 ms.
        let mut watch = watch();
        let bounds = |n, ns| Sample {
            sender_bound_ns: Some(1_000_000),
            host_bound_ns: Some(5_000_000),
            ..sample(n, ns)
        };
        for (n, ms) in (0..).zip([30, 134, 135, 140, 146, 147, 300]) {
            watch.take(bounds(n, ms * MS));
        }
        let told = report(&watch);
        assert_eq!((told.judged, told.late, told.late_unsure, told.judged_unbounded), (7, 2, 3, 0));
        assert_eq!(told.host_bound_ns, Some(5_000_000));
    }

    #[test]
    fn a_host_clock_that_may_be_off_by_more_than_the_limit_judges_nothing() {
        let mut watch = watch();
        for (n, host_bound_ns) in
            (0..).zip([Some(140_000_000), Some(140_000_001), Some(u64::MAX), None, Some(0)])
        {
            watch.take(Sample { host_bound_ns, ..sample(n, 500 * MS) });
            watch.take(Sample { host_bound_ns, ..sample(n, 10 * MS) });
        }
        let told = report(&watch);
        assert_eq!((told.judged, told.unjudged_host, told.judged_unbounded), (6, 4, 2));
        assert_eq!((told.late, told.late_unsure), (3, 1), "500 ms is late by any of the bounds");
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
            assert_eq!((told.unjudged_clocks, told.tai_mistake_s), (1_000, None));
            assert_eq!((told.agreement, told.smallest_ns), (Agreement::Offset, Some(offset + 30 * MS)));
            assert_eq!((told.variation.min, told.variation.max), (0, 145 * MS));
        }
    }

    #[test]
    fn tai_taken_for_utc_is_named_and_judged_by_no_limit() {
        for offset in [-37_000 * MS, 37_000 * MS, -36_000 * MS] {
            let mut watch = watch();
            // A limit that is beyond the difference.
            watch.set_limit(100_000_000_000);
            for n in 0..100 {
                take(&mut watch, n, offset + 30 * MS);
            }
            let told = report(&watch);
            assert_eq!((told.agreement, told.judged), (Agreement::Offset, 0));
            assert_eq!(told.tai_mistake_s.map(i64::from), Some(offset.abs() / 1_000 / MS));
            // Mended: the clock jumps, and all is well.
            watch.restart();
            for n in 100..200 {
                take(&mut watch, n, 30 * MS);
            }
            let told = report(&watch);
            assert_eq!((told.agreement, told.judged, told.tai_mistake_s), (Agreement::Agree, 100, None));
        }
    }

    #[test]
    fn a_sender_that_does_not_trust_its_clock_is_not_judged() {
        let mut watch = watch();
        for bound in [None, Some(1_000_000_000), Some(u64::MAX)] {
            watch.take(Sample { sender_bound_ns: bound, ..sample(0, 200 * MS) });
        }
        let told = report(&watch);
        assert_eq!((told.judged, told.unjudged_sender, told.variation.count), (0, 3, 3));
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
            watch.take(Sample { together: n > 0, ..sample(10, (200 - 20 * n) * MS) });
        }
        let told = report(&watch);
        assert_eq!((told.late, told.late_coalesced), (3, 3));
        // A packet whose last frame is late too was sent late.
        for n in 0..3 {
            watch.take(Sample { together: n > 0, ..sample(20, (300 - 20 * n) * MS) });
        }
        let told = report(&watch);
        assert_eq!((told.late, told.late_coalesced), (6, 3));
    }
}
