//! Leap seconds in a stream's time tags.
//!
//! SOC does not count leap seconds. Where one is inserted, two successive seconds are tagged with the same SOC; where
//! one is deleted, a SOC is left out. Senders announce it in the time quality (IEEE C37.118.2-2011, clause 6.2.2):
//! pending up to a minute ahead, occurred for a day after, and the direction.
//!
//! # What makes a leap second
//! The time tag steps by one second more, or less, than the frames since the newest one, at a second's end, while the
//! bits announce one in that direction (pending, or occurred since less than two seconds). Frame indices then go on
//! counting: behind an inserted second they are larger by a second's frames than the time tag says, behind a deleted
//! one smaller. So nothing is a duplicate, and nothing is missing. A late frame from before the leap second is told
//! from those behind it by which of the two indices lies nearer to the newest.
//!
//! Senders differ in which second they tag twice: 23:59:59 (as NTP and Linux count) or 00:00:00 (as the formula of
//! POSIX does). Both are taken; which one it was shows in whether the SOC is a multiple of a day.
//!
//! Without the bits it is what it looks like: a second that came twice is duplicates, one that was left out is
//! missing. It is counted by name beside that.

use super::report::Leaps;
use crate::protocol::c37118::{TimeQuality, TimeTag};

/// Seconds behind a leap second during which lateness is not judged: this host's clock may take its own time over it.
const SETTLING_SECONDS: u64 = 3;
/// Seconds during which frames from before a leap second may still come, and `occurred` counts as news.
const RECENT_SECONDS: u64 = 2;
const DAY_SECONDS: u32 = 86_400;

/// A frame in the run of frames: its index by the time tag, the newest one's index, and how many frames the arrivals
/// lie apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) tag: TimeTag,
    /// Index by the time tag alone.
    pub(super) raw: u64,
    /// Index of the newest frame, leap seconds counted.
    pub(super) newest: u64,
    /// Reporting periods between the arrivals of the newest frame and this one, rounded; not below 0.
    pub(super) periods: i64,
    /// Frames in a second.
    pub(super) per_second: u64,
}

/// Where a stream stands with respect to leap seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeapWatch {
    /// What is added to indices by the time tag, and what was before the last leap second.
    shift: i64,
    before: i64,
    /// Index of the first frame behind the last leap second; frames up to two seconds behind it may be from before.
    leapt_at: Option<u64>,
    /// First index of the inserted second, where that is the second of the two that share a SOC.
    inserted: Option<u64>,
    /// The leap bits of the last frame.
    bits: TimeQuality,
    /// The newest index when `occurred` was set.
    occurred_at: Option<u64>,
    /// The announced leap second was taken.
    handled: bool,
    /// A run of frames that repeats a second without a leap bit: the next index by the time tag, and how many.
    run: Option<(u64, u64)>,
}

impl LeapWatch {
    /// Whether nothing of a leap second is near: indices are the time tags' plus a constant.
    #[inline]
    pub(super) const fn is_idle(&self, quality: TimeQuality) -> bool {
        (quality.bits() | self.bits.bits()) & 0x70 == 0 && self.leapt_at.is_none() && self.run.is_none()
    }

    /// The index of a frame while [`LeapWatch::is_idle`].
    #[inline]
    pub(super) const fn index(&self, raw: u64) -> u64 {
        raw.saturating_add_signed(self.shift)
    }

    /// Begins a stretch: with its first frame's bits. What happened before it is no news.
    pub(super) fn begin(&mut self, quality: TimeQuality) {
        *self = Self { bits: quality, handled: !quality.leap_pending(), ..Self::default() };
    }

    /// The index of a frame, leap seconds counted, and whether it is the first one behind a leap second.
    pub(super) fn resolve(&mut self, step: &Step, leaps: &mut Leaps) -> (u64, bool) {
        let quality = step.tag.quality();
        self.note(quality, step.newest);
        let index = self.nearest(step);
        let shifted = match self.announced(quality, step) {
            Some(deletes) if !self.handled => self.leap(step, index, deletes, leaps),
            _ => None,
        };
        self.bits = quality;
        if let Some(at) = self.leapt_at
            && index > at.saturating_add(RECENT_SECONDS.max(SETTLING_SECONDS) * step.per_second)
        {
            (self.leapt_at, self.inserted) = (None, None);
        }
        shifted.map_or((index, false), |index| (index, true))
    }

    /// Whether a leap second is so near that lateness says nothing.
    pub(super) fn unsettles(&self, tag: TimeTag) -> bool {
        self.leapt_at.is_some() || self.is_first_of_two(tag)
    }

    /// Whether a frame is of an inserted second, 23:59:60.
    pub(super) fn is_leap_second(&self, tag: TimeTag, index: u64, per_second: u64) -> bool {
        self.is_first_of_two(tag)
            || self.inserted.is_some_and(|first| (first..first.saturating_add(per_second)).contains(&index))
    }

    /// 23:59:60 tagged as the 00:00:00 that follows: a day's first SOC, with the leap second still pending.
    pub(super) fn is_first_of_two(&self, tag: TimeTag) -> bool {
        let quality = tag.quality();
        quality.leap_pending()
            && !quality.leap_deletes()
            && tag.soc().is_multiple_of(DAY_SECONDS)
            && self.leapt_at.is_none()
    }

    /// Follows the bits.
    fn note(&mut self, quality: TimeQuality, newest: u64) {
        if quality.leap_occurred() && !self.bits.leap_occurred() {
            self.occurred_at = Some(newest);
        }
        let rises = quality.leap_pending() && !self.bits.leap_pending();
        if rises || !quality.leap_pending() && !quality.leap_occurred() && !self.bits.leap_pending() {
            self.handled = false;
        }
    }

    /// Whether the bits announce a leap second here, and if so whether it deletes.
    fn announced(&self, quality: TimeQuality, step: &Step) -> Option<bool> {
        let recent = RECENT_SECONDS * step.per_second;
        let news = quality.leap_occurred()
            && self.occurred_at.is_some_and(|at| step.newest.saturating_sub(at) <= recent);
        match (quality.leap_pending() || news, self.bits.leap_pending()) {
            (true, _) => Some(quality.leap_deletes()),
            (false, true) => Some(self.bits.leap_deletes()),
            (false, false) => None,
        }
    }

    /// The index of a frame: of those behind the last leap second, or of those before it, whichever it can have.
    /// In an inserted second it can have both; then the nearer one to where the arrival puts the frame.
    fn nearest(&self, step: &Step) -> u64 {
        let index = self.index(step.raw);
        let Some(at) = self.leapt_at else { return index };
        let earlier = step.raw.saturating_add_signed(self.before);
        match (earlier < at, index >= at) {
            (true, false) => earlier,
            (true, true) if index != step.newest + 1 && off(earlier, step) < off(index, step) => earlier,
            _ => index,
        }
    }

    /// Takes the leap second, where this frame is the first one behind it.
    fn leap(&mut self, step: &Step, index: u64, deletes: bool, leaps: &mut Leaps) -> Option<u64> {
        let by = step.per_second.cast_signed();
        let shifted = index.saturating_add_signed(if deletes { -by } else { by });
        let cut = is_cut(step, shifted, deletes) || deletes && self.skips_midnight(step, shifted);
        if !cut && !steps(step, index, shifted) {
            return None;
        }
        self.before = self.shift;
        self.shift += if deletes { -by } else { by };
        (self.leapt_at, self.handled) = (Some(shifted), true);
        if deletes {
            leaps.deleted += 1;
        } else {
            leaps.inserted += 1;
            let first = shifted - step.raw % step.per_second;
            self.inserted = (!step.tag.soc().is_multiple_of(DAY_SECONDS)).then_some(first);
        }
        Some(shifted)
    }

    /// Whether the time tags pass a day's end here without its last second: where real leap seconds are.
    fn skips_midnight(&self, step: &Step, shifted: u64) -> bool {
        let newest = step.newest.saturating_add_signed(-self.shift) / step.per_second;
        let day = u64::from(step.tag.soc() / DAY_SECONDS) * u64::from(DAY_SECONDS);
        shifted > step.newest && (day.saturating_sub(3)..day.saturating_sub(1)).contains(&newest)
    }

    /// Names a second that is left out, or comes twice, without a leap bit. `seen` is whether the index had its frame.
    /// True where the clocks' relation is a new one.
    pub(super) fn watch_unannounced(
        &mut self,
        step: &Step,
        index: u64,
        seen: bool,
        leaps: &mut Leaps,
    ) -> bool {
        let by = step.per_second.cast_signed();
        if index > step.newest {
            self.run = None;
            let skipped = index.checked_add_signed(-by).is_some_and(|shifted| steps(step, index, shifted));
            leaps.skipped += u64::from(skipped);
            return skipped;
        }
        let (next, count) = match self.run {
            Some((next, count)) if next == step.raw => (next, count),
            _ if seen && steps(step, index, index.saturating_add_signed(by)) => (step.raw, 0),
            _ => {
                self.run = None;
                return false;
            }
        };
        self.run = Some((next + 1, count + 1));
        // Half a second in a row: no late frames come like that.
        let named = count + 1 == step.per_second.div_ceil(2);
        leaps.repeated += u64::from(named);
        named
    }

    /// A frame that goes on where the newest one was.
    pub(super) const fn end_run(&mut self) {
        self.run = None;
    }
}

/// How far an index is from where the arrival puts it.
fn off(index: u64, step: &Step) -> u64 {
    index.abs_diff(step.newest.saturating_add_signed(step.periods))
}

/// Whether the frame fits the arrivals with the index `shifted` and not with `index`: it goes on behind the newest one by
/// about as many periods as the arrivals are apart, within a tenth of a second.
fn steps(step: &Step, index: u64, shifted: u64) -> bool {
    let tolerance = (step.per_second / 10).max(1);
    shifted > step.newest && off(shifted, step) <= tolerance && off(shifted, step) < off(index, step)
}

/// Whether the time tags are cut exactly at a second's end, nothing lost on either side: then it is the leap second that
/// was announced, even where the transport held all back. Not at rates so low that a single loss looks the same.
fn is_cut(step: &Step, shifted: u64, deletes: bool) -> bool {
    const LEAST_RATE: u64 = 10;
    let at_end = shifted == step.newest + 1 && step.raw.is_multiple_of(step.per_second);
    at_end && step.per_second >= LEAST_RATE && (deletes || step.periods > 0)
}
