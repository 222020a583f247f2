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
//! stream was silent, and the instants between are missing. Otherwise it is a discontinuity, counted once, and
//! nothing is said to be missing. The frame is set aside; if the next ones go on where the stream was, that is all;
//! if they go on from it, counting starts anew there.

use super::StreamCounts;
use crate::protocol::c37118::{DataRate, StreamLayout, TimeBase};
use crate::time::Nanos;

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
}

/// A frame's index and arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    index: u64,
    arrival: Nanos,
}

/// A stretch without a jump.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Smallest index seen.
    oldest: u64,
    /// Largest, and when it came.
    newest: Point,
    /// A frame that jumped away, set aside.
    aside: Option<Point>,
}

/// One stream's instants.
#[derive(Clone, Debug)]
pub struct Sequence {
    stretch: Option<Stretch>,
    /// One bit for each of the last [`WINDOW`] indices, at the index modulo the window: whether its frame came.
    came: [u64; WORDS],
}

impl Sequence {
    /// Before the first frame.
    #[must_use]
    pub const fn new() -> Self {
        Self { stretch: None, came: [0; WORDS] }
    }

    /// Forgets where the stream was: the rate or TIME_BASE changed, and indices with it. Nothing is missing across.
    pub const fn restart(&mut self) {
        self.stretch = None;
    }

    /// Takes one DATA frame.
    pub fn take(&mut self, index: u64, arrival: Nanos, cadence: Cadence, counts: &mut StreamCounts) {
        let point = Point { index, arrival };
        let Some(mut stretch) = self.stretch else { return self.begin(point) };
        if !jumped(stretch.newest, point, cadence) {
            stretch.aside = None;
            return self.take_near(stretch, point, counts);
        }
        match stretch.aside {
            Some(aside) if aside.index == index => counts.duplicate = counts.duplicate.saturating_add(1),
            Some(aside) if !jumped(aside, point, cadence) => {
                self.begin(aside);
                self.take(index, arrival, cadence, counts);
            }
            _ => {
                counts.discontinuities = counts.discontinuities.saturating_add(1);
                self.stretch = Some(Stretch { aside: Some(point), ..stretch });
            }
        }
    }

    fn begin(&mut self, point: Point) {
        self.came = [0; WORDS];
        self.mark(point.index);
        self.stretch = Some(Stretch { oldest: point.index, newest: point, aside: None });
    }

    fn take_near(&mut self, mut stretch: Stretch, point: Point, counts: &mut StreamCounts) {
        let index = point.index;
        if index > stretch.newest.index {
            self.forget(stretch.newest.index + 1, index);
            add_missing(counts, index - stretch.newest.index - 1);
            stretch.newest = point;
        } else if index < stretch.oldest {
            // Before the first one seen: nothing was said of it, nor of those between.
            add_missing(counts, stretch.oldest - index - 1);
            counts.out_of_order = counts.out_of_order.saturating_add(1);
            stretch.oldest = index;
        } else if self.has_come(index) {
            counts.duplicate = counts.duplicate.saturating_add(1);
        } else {
            counts.missing = counts.missing.saturating_sub(1);
            counts.out_of_order = counts.out_of_order.saturating_add(1);
        }
        self.mark(index);
        self.stretch = Some(stretch);
    }

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

fn add_missing(counts: &mut StreamCounts, instants: u64) {
    counts.missing = counts.missing.saturating_add(u32::try_from(instants).unwrap_or(u32::MAX));
}

/// Whether `to` cannot be the same clock going on from `from`.
fn jumped(from: Point, to: Point, cadence: Cadence) -> bool {
    let frames = to.index.abs_diff(from.index);
    if frames <= cadence.jump() {
        return false;
    }
    // Backwards, no arrival explains it.
    to.index < from.index || {
        let tags = frames.saturating_mul(cadence.rate.period_ns());
        let arrivals = u64::try_from(to.arrival.since(from.arrival)).unwrap_or(0);
        let period = cadence.rate.period_ns();
        tags.abs_diff(arrivals) > JUMP_NS.max(period.saturating_mul(LEAST_JUMP))
    }
}
