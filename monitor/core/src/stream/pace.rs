//! How regularly a stream's frames come: by their arrivals, and by their time tags.
//!
//! A gap is measured between the first bytes of successive frames, so that a frame which TCP cut in two is not taken
//! for one that was sent late. Frames that came in one packet are counted: between them the gap is 0, and before the
//! first of them long, whatever the PMU did.

use super::report::{Pace, Spread};
use super::tally::Tally;

/// Gaps within this part of the usual one are usual.
const USUAL_PART: i64 = 16;

/// The gap between time tags that most frames have, whatever is missing between others: a majority vote in constant
/// memory (Boyer and Moore).
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    gap: i64,
    votes: u32,
    /// Of the gaps that voted for it since it was put up.
    sum: i64,
    count: i64,
}

impl Usual {
    #[inline]
    fn vote(&mut self, gap: i64) {
        if self.votes > 0 && (gap - self.gap).abs() <= self.gap / USUAL_PART {
            self.votes = self.votes.saturating_add(1);
            self.sum = self.sum.saturating_add(gap);
            self.count += 1;
        } else if self.votes > 0 {
            self.votes -= 1;
        } else {
            *self = Self { gap, votes: 1, sum: gap, count: 1 };
        }
    }

    fn mean(&self) -> Option<i64> {
        (self.count > 0).then(|| (self.sum + self.count / 2) / self.count)
    }
}

/// What each frame touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct PaceWatch {
    /// Steady time of the last frame's first byte and of its last; none before the first frame.
    last: Option<[i64; 2]>,
    /// Its time tag, where it was newer than all before.
    tag: Option<i64>,
    gaps: Tally,
    tag_gaps: Tally,
    usual: Usual,
    coalesced: u64,
}

impl PaceWatch {
    pub(super) const fn new() -> Self {
        Self {
            last: None,
            tag: None,
            gaps: Tally::new(),
            tag_gaps: Tally::new(),
            usual: Usual { gap: 0, votes: 0, sum: 0, count: 0 },
            coalesced: 0,
        }
    }

    /// Takes a frame's arrival: steady time of its first and last byte. Gaps beyond `stall_ns` are stalls, and left
    /// out. True where it came in the same packet as the frame before.
    #[inline]
    pub(super) fn arrive(&mut self, [first, last]: [i64; 2], stall_ns: i64) -> bool {
        let before = self.last.replace([first, last]);
        let Some([first_before, last_before]) = before else { return false };
        let gap = first - first_before;
        if (0..=stall_ns).contains(&gap) {
            self.gaps.add(gap);
        } else {
            self.tag = None;
        }
        let together = last == last_before;
        self.coalesced += u64::from(together);
        together
    }

    /// Takes the time tag of a frame that is newer than all before.
    #[inline]
    pub(super) fn advance(&mut self, tag: i64) {
        if let Some(before) = self.tag.replace(tag)
            && tag > before
        {
            self.tag_gaps.add(tag - before);
            self.usual.vote(tag - before);
        }
    }

    /// The time tags go on elsewhere: after a jump, a leap second, another rate.
    pub(super) const fn break_tags(&mut self) {
        self.tag = None;
    }

    /// Another rate: what is usual changes with it.
    pub(super) fn forget_usual(&mut self) {
        self.tag = None;
        self.usual = Usual::default();
    }

    pub(super) fn pace(&self, declared: Option<i16>) -> Pace {
        let (gaps, tag_gaps): (Spread, Spread) = (self.gaps.spread(), self.tag_gaps.spread());
        Pace { declared, gaps, tag_gaps, usual_tag_gap_ns: self.usual.mean(), coalesced: self.coalesced }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: i64 = 20_000_000;
    const STALL: i64 = 1_000_000_000;

    #[test]
    fn gaps_are_those_of_first_bytes_and_packets_shared_are_counted() {
        let mut pace = PaceWatch::new();
        // Each frame's last byte comes with the next packet, where the next frame begins.
        for n in 0..11 {
            assert!(!pace.arrive([n * PERIOD, (n + 1) * PERIOD], STALL));
        }
        assert_eq!(
            pace.pace(None).gaps,
            Spread { count: 10, min: PERIOD, mean: PERIOD, max: PERIOD, deviation: 0 }
        );
        let mut pace = PaceWatch::new();
        for n in 0..8 {
            let at = n / 4 * 4 * PERIOD;
            assert_eq!(pace.arrive([at, at], STALL), n % 4 != 0);
        }
        let told = pace.pace(Some(50));
        assert_eq!((told.coalesced, told.gaps.min, told.gaps.max), (6, 0, 4 * PERIOD));
    }

    #[test]
    fn a_stall_is_no_gap() {
        let mut pace = PaceWatch::new();
        for (at, tag) in
            [(0, 0), (PERIOD, PERIOD), (9 * STALL, 9 * STALL), (9 * STALL + PERIOD, 9 * STALL + PERIOD)]
        {
            pace.arrive([at, at], STALL);
            pace.advance(tag);
        }
        let told = pace.pace(None);
        assert_eq!((told.gaps.count, told.gaps.max), (2, PERIOD));
        assert_eq!((told.tag_gaps.count, told.tag_gaps.max), (2, PERIOD));
    }

    #[test]
    fn the_usual_gap_is_not_moved_by_what_is_missing() {
        let mut pace = PaceWatch::new();
        for n in (0..1_000).filter(|n| n % 3 != 0) {
            // 60 frames a second, in truncated microseconds.
            pace.advance(n * 1_000_000_000 / 60 / 1_000 * 1_000);
        }
        // Every third gap is double; the others are the usual one.
        let usual = pace.pace(None).usual_tag_gap_ns.unwrap();
        assert!((usual - 16_666_667).abs() < 1_000, "{usual}");
    }
}
