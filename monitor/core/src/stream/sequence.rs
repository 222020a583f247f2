//! Whether every reporting instant of a stream came, once, and in order.
//!
//! Instants are counted by the rounded frame index (time tag times rate, rounded), never by comparing times: PMUs
//! truncate and round their fractions differently.
//!
//! # What is counted
//! Over a stretch without a jump, from the smallest to the largest index seen: `missing` is the number of indices
//! for which no frame came, `duplicate` the number of frames for an index that had one, `out_of_order` the number of
//! frames that came after one with a larger index and were no duplicates. A late frame takes back the `missing` that
//! its index was.
//!
//! # Jumps
//! The first and last frames of a session can be stale by days, and clocks are set. A frame whose index is further
//! than [`JUMP_NS`] from the newest is believed only where the arrivals are as far apart as the time tags: then the
//! stream was silent, and the instants between are missing. Otherwise it is set aside as `stale`, and nothing is said
//! to be missing. If the next ones go on where the stream was, that is all; if they go on from it, the clock was set:
//! that is one of `discontinuities`, the frame is stale no more, and counting starts anew there. Where the stretch
//! before was a single frame, that one was the stale one, and no clock was set.
//!
//! Leap seconds are no jumps: the module `leap` has what becomes of them.

use std::ops::Range;

use super::StreamCounts;
use super::leap::{LeapWatch, Step};
use super::report::Leaps;
use crate::protocol::c37118::{DataRate, StreamLayout, TimeBase, TimeTag};

/// A time tag that is this far from the newest one, and not by the arrivals, has jumped: ten seconds, this project's
/// choice. Networks do not delay frames by as much; clocks are off by more (19 s and 4.8 days in captures).
pub const JUMP_NS: u64 = 10_000_000_000;

/// Indices behind the newest one for which it is known whether their frame came. Ten seconds at up to 409 frames/s;
/// above that, a frame further behind has jumped.
pub const WINDOW: u64 = 4096;

/// A jump is at least this many frames, whatever the rate: at a frame every ten seconds, one late frame is none.
const LEAST_JUMP: u64 = 16;

const WORDS: usize = 64;
const _: () = assert!(WORDS as u64 * 64 == WINDOW);

/// What turns a stream's time tags into indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// TIME_BASE.
    pub time_base: TimeBase,
    /// DATA_RATE.
    pub rate: DataRate,
}

impl Cadence {
    /// From a configuration; none where it states no rate.
    #[must_use]
    pub fn of(stream: &StreamLayout) -> Option<Self> {
        Some(Self { time_base: stream.time_base, rate: stream.data_rate? })
    }

    /// Frames that are further than a jump.
    fn jump(self) -> u64 {
        (JUMP_NS / self.rate.period_ns().max(1)).clamp(LEAST_JUMP, WINDOW - 1)
    }

    /// Frames in a second; none where a frame takes longer.
    const fn per_second(self) -> Option<u64> {
        let word = self.rate.word();
        if word > 0 { Some(word.unsigned_abs() as u64) } else { None }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is newer than all before.
    Newest,
    /// It fills the place of an earlier instant.
    OutOfOrder,
    /// Its instant had a frame.
    Duplicate,
    /// Its time tag is not of this session.
    Stale,
}

/// A leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapStep {
    /// A second more: 23:59:60.
    Inserted,
    /// A second less: no 23:59:59.
    Deleted,
}

/// What a frame changes about what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absence {
    /// Nothing.
    #[default]
    Same,
    /// It came behind, or before, indices for which no frame has come.
    Opened {
        /// The first of them, as this stretch counts them.
        first: u64,
        /// How many.
        frames: u32,
        /// When the frame before them came, on a clock that is not set; none where they are before the first one seen.
        since: Option<i64>,
    },
    /// It is one that was missing: its index.
    Filled(u64),
}

/// Where a frame stands among its stream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What became of it.
    pub place: Place,
    /// Index of its instant by the time tag; of a leap second, by the time tag of 23:59:59, whichever second it was
    /// tagged with.
    pub instant: u64,
    /// It is of an inserted leap second, 23:59:60: the same index without this is another instant.
    pub leap_second: bool,
    /// Time tags and arrivals relate in a new way from this frame on: a jump, a leap second, the first frame.
    pub broken: bool,
    /// A leap second is so near that its lateness says nothing.
    pub unsettled: bool,
    /// A leap second that was announced was taken with this frame: it is the first behind a deleted one, or the first that
    /// shares its SOC with the second before.
    pub leapt: Option<LeapStep>,
    /// What it changes about what is missing.
    pub absence: Absence,
}

impl Placed {
    const fn plainly(place: Place, instant: u64) -> Self {
        Self {
            place,
            instant,
            leap_second: false,
            broken: false,
            unsettled: false,
            leapt: None,
            absence: Absence::Same,
        }
    }
}

/// A frame's index and arrival, on a clock that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    index: u64,
    steady: i64,
}

/// A stretch without a jump.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Smallest index seen.
    oldest: u64,
    /// Largest, and when it came.
    newest: Point,
    /// Whether it holds more than one frame.
    several: bool,
    /// A frame that jumped away, set aside, and how many came for its index. Its index is the time tag's.
    aside: Option<(Point, u32)>,
}

/// One stream's instants.
#[derive(Clone, Debug)]
pub struct Sequence {
    stretch: Option<Stretch>,
    leap: LeapWatch,
    /// One bit for each of the last [`WINDOW`] indices, at the index modulo the window: whether its frame came.
    came: [u64; WORDS],
}

impl Sequence {
    /// Before the first frame.
    #[must_use]
    pub fn new() -> Self {
        Self { stretch: None, leap: LeapWatch::default(), came: [0; WORDS] }
    }

    /// Forgets where the stream was: the rate or TIME_BASE changed, and indices with it. Nothing is missing across.
    pub const fn restart(&mut self) {
        self.stretch = None;
    }

    /// Takes one DATA frame: its time tag and its arrival on a clock that is not set.
    pub fn take(
        &mut self,
        tag: TimeTag,
        steady: i64,
        cadence: Cadence,
        counts: &mut StreamCounts,
        leaps: &mut Leaps,
    ) -> Placed {
        let raw = tag.frame_index(cadence.time_base, cadence.rate);
        let Some(stretch) = &mut self.stretch else {
            self.begin(Point { index: raw, steady }, tag);
            return Placed { broken: true, ..Placed::plainly(Place::Newest, raw) };
        };
        let index = self.leap.index(raw);
        if index == stretch.newest.index + 1 && self.leap.is_idle(tag.quality()) {
            stretch.newest = Point { index, steady };
            (stretch.several, stretch.aside) = (true, None);
            self.mark(index);
            return Placed::plainly(Place::Newest, raw);
        }
        let stretch = *stretch;
        self.take_any(stretch, Point { index: raw, steady }, tag, cadence, counts, leaps)
    }

    /// Whatever does not simply go on. `point` has the index of the time tag.
    fn take_any(
        &mut self,
        mut stretch: Stretch,
        point: Point,
        tag: TimeTag,
        cadence: Cadence,
        counts: &mut StreamCounts,
        leaps: &mut Leaps,
    ) -> Placed {
        let raw = Point { index: self.leap.index(point.index), ..point };
        if jumped(stretch.newest, raw, cadence) {
            return self.take_far(stretch, point, tag, cadence, counts, leaps);
        }
        stretch.aside = None;
        let Some(per_second) = cadence.per_second() else {
            let (place, absence) = self.take_near(stretch, raw, counts);
            return Placed { absence, ..Placed::plainly(place, point.index) };
        };
        let step = step(stretch.newest, point, tag, cadence, per_second);
        let before = leaps.deleted;
        let (index, shifted) = self.leap.resolve(&step, leaps);
        let made = if leaps.deleted > before { LeapStep::Deleted } else { LeapStep::Inserted };
        let mut broken = shifted;
        if index == stretch.newest.index + 1 {
            self.leap.end_run();
        } else if !shifted {
            let seen = index <= stretch.newest.index && index >= stretch.oldest && self.has_come(index);
            broken = self.leap.watch_unannounced(&step, index, seen, leaps);
        }
        let (place, absence) = self.take_near(stretch, Point { index, ..point }, counts);
        let leap_second = self.leap.is_leap_second(tag, index, per_second);
        let early = if self.leap.is_first_of_two(tag) { per_second } else { 0 };
        let instant = point.index.saturating_sub(early);
        Placed {
            place,
            instant,
            leap_second,
            broken,
            unsettled: self.leap.unsettles(tag),
            leapt: shifted.then_some(made),
            absence,
        }
    }

    /// A frame that jumped away. `point` has the index of the time tag.
    fn take_far(
        &mut self,
        stretch: Stretch,
        point: Point,
        tag: TimeTag,
        cadence: Cadence,
        counts: &mut StreamCounts,
        leaps: &mut Leaps,
    ) -> Placed {
        let stale = |aside| Some(Stretch { aside, ..stretch });
        match stretch.aside {
            Some((aside, times)) if aside.index == point.index => {
                counts.stale = counts.stale.saturating_add(1);
                self.stretch = stale(Some((aside, times.saturating_add(1))));
                Placed::plainly(Place::Stale, point.index)
            }
            Some((aside, times)) if !jumped(aside, point, cadence) => {
                // It was no stale frame but the first one of a clock that was set; more for its index were duplicates.
                counts.stale = counts.stale.saturating_sub(times);
                counts.duplicate = counts.duplicate.saturating_add(times - 1);
                if stretch.several {
                    counts.discontinuities = counts.discontinuities.saturating_add(1);
                } else {
                    counts.stale = counts.stale.saturating_add(1);
                }
                self.begin(aside, tag);
                let placed = self.take(tag, point.steady, cadence, counts, leaps);
                Placed { broken: true, ..placed }
            }
            _ => {
                counts.stale = counts.stale.saturating_add(1);
                self.stretch = stale(Some((point, 1)));
                Placed::plainly(Place::Stale, point.index)
            }
        }
    }

    fn begin(&mut self, point: Point, tag: TimeTag) {
        self.came = [0; WORDS];
        self.mark(point.index);
        self.leap.begin(tag.quality());
        self.stretch = Some(Stretch { oldest: point.index, newest: point, several: false, aside: None });
    }

    fn take_near(
        &mut self,
        mut stretch: Stretch,
        point: Point,
        counts: &mut StreamCounts,
    ) -> (Place, Absence) {
        let index = point.index;
        stretch.several = true;
        let placed = if index > stretch.newest.index {
            let Point { index: newest, steady } = stretch.newest;
            self.forget(newest + 1, index);
            stretch.newest = point;
            (Place::Newest, add_missing(counts, newest + 1..index, Some(steady)))
        } else if index < stretch.oldest {
            // Before the first one seen: nothing was said of it, nor of those between.
            let between = index + 1..stretch.oldest;
            counts.out_of_order = counts.out_of_order.saturating_add(1);
            stretch.oldest = index;
            (Place::OutOfOrder, add_missing(counts, between, None))
        } else if self.has_come(index) {
            counts.duplicate = counts.duplicate.saturating_add(1);
            (Place::Duplicate, Absence::Same)
        } else {
            let filled = if counts.missing > 0 { Absence::Filled(index) } else { Absence::Same };
            counts.missing = counts.missing.saturating_sub(1);
            counts.out_of_order = counts.out_of_order.saturating_add(1);
            (Place::OutOfOrder, filled)
        };
        self.mark(index);
        self.stretch = Some(stretch);
        placed
    }

    #[inline]
    fn mark(&mut self, index: u64) {
        let (word, bit) = place(index);
        self.came[word] |= bit;
    }

    fn has_come(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.came[word] & bit != 0
    }

    /// Frees the places of the indices `from` to `to`.
    fn forget(&mut self, from: u64, to: u64) {
        if to - from >= WINDOW {
            self.came = [0; WORDS];
            return;
        }
        for index in from..=to {
            let (word, bit) = place(index);
            self.came[word] &= !bit;
        }
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}

/// Word and bit of an index.
fn place(index: u64) -> (usize, u64) {
    // Cannot fail: what is left of a division by the number of words fits.
    (usize::try_from(index / 64 % WORDS as u64).unwrap_or(0), 1 << (index % 64))
}

/// Counts the indices for which no frame has come.
fn add_missing(counts: &mut StreamCounts, between: Range<u64>, since: Option<i64>) -> Absence {
    let (first, before) = (between.start, counts.missing);
    counts.missing = before.saturating_add(u32::try_from(between.end - first).unwrap_or(u32::MAX));
    match counts.missing - before {
        0 => Absence::Same,
        frames => Absence::Opened { first, frames, since },
    }
}

fn step(newest: Point, point: Point, tag: TimeTag, cadence: Cadence, per_second: u64) -> Step {
    let period = i64::try_from(cadence.rate.period_ns()).unwrap_or(i64::MAX).max(1);
    let apart = point.steady.saturating_sub(newest.steady).max(0);
    let periods = apart.saturating_add(period / 2) / period;
    Step { tag, raw: point.index, newest: newest.index, periods, per_second }
}

/// Whether `to` cannot be the same clock going on from `from`.
fn jumped(from: Point, to: Point, cadence: Cadence) -> bool {
    let frames = to.index.abs_diff(from.index);
    if frames <= cadence.jump() {
        return false;
    }
    // Backwards, no arrival explains it.
    to.index < from.index || {
        let period = cadence.rate.period_ns();
        let tags = frames.saturating_mul(period);
        let arrivals = u64::try_from(to.steady.saturating_sub(from.steady)).unwrap_or(0);
        tags.abs_diff(arrivals) > JUMP_NS.max(period.saturating_mul(LEAST_JUMP))
    }
}
