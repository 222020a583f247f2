//! One stream's arrivals: its period, its phase, and how far from them its frames come.
//!
//! Learned from receive stamps alone. The rate that a configuration declares says nothing of the delay on the way, nor
//! of a PMU that sends something else than it says.

/// Parts of a nanosecond in which period and phase are kept: a period that is wrong by less than a nanosecond would
/// drift out of any window within the hour.
const FRACTION: u32 = 16;
/// Arrivals before a stream is thought to be known.
const LEARN: u32 = 12;
/// Arrivals that the filter remembers, about: it follows a PMU's oscillator, and smooths the network's jitter.
const MEMORY: i64 = 32;
/// Distances kept, of which the window is made.
const KEPT: usize = 64;
/// Arrivals after which the window is made anew.
const RENEW: u32 = 8;
/// Distances left out at either end of the window: one late frame in 64 is not worth spinning for.
const LEFT_OUT: usize = 1;
/// How far behind the others the latest of the distances may be and still count as the window's end, in nanoseconds; or
/// as far as the window is wide.
const LATE_ROOM_NS: i64 = 100_000;
/// Arrivals in a row outside of what was expected after which everything is learned anew.
const STRAYS: u32 = 8;
/// Due frames in a row that did not come after which a stream is silent.
const SILENT: u32 = 6;
/// The shortest period that is followed: sooner, the reader has no time to sleep.
const SHORTEST_NS: i64 = 40_000;
/// The longest: half of IEEE C37.118's slowest rate of one frame a second, and more.
const LONGEST_NS: i64 = 2_500_000_000;

/// What is thought of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has come, or what came is over.
    #[default]
    Silent,
    /// Too little has come.
    Learning,
    /// Its next frame can be told.
    Regular,
    /// Its frames come, but when cannot be told well enough.
    Irregular,
}

/// When the next frame of a stream is due, in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// From when on it may come.
    pub(super) from: u64,
    /// When it comes at the latest, but for the rarest.
    pub(super) to: u64,
}

/// One stream's arrivals.
#[derive(Clone, Debug)]
pub(super) struct Source {
    state: State,
    /// When its last frame came.
    last: i64,
    /// When the next one is expected, in parts of a nanosecond.
    next: i128,
    /// From one frame to the next, in parts of a nanosecond.
    period: i64,
    /// Arrivals since learning began.
    arrivals: u32,
    /// Arrivals in a row that were not where they were expected.
    strays: u32,
    /// Due frames in a row that did not come.
    missed: u32,
    /// Arrival minus expectation of the last frames, in nanoseconds, and how many there were.
    distances: [i32; KEPT],
    noted: usize,
    /// The window around the expectation, and what is in its middle, in nanoseconds.
    early: i64,
    middle: i64,
    late: i64,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            state: State::Silent,
            last: 0,
            next: 0,
            period: 0,
            arrivals: 0,
            strays: 0,
            missed: 0,
            distances: [0; KEPT],
            noted: 0,
            early: 0,
            middle: 0,
            late: 0,
        }
    }
}

impl Source {
    /// A frame came. A frame that shares its packet's stamp with the one before is the same arrival.
    pub(super) fn arrived(&mut self, at: u64) {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let gap = at - self.last;
        if gap <= 0 && self.state != State::Silent {
            return;
        }
        // What was given up as missing may only be late.
        let late = i128::from(std::mem::take(&mut self.missed));
        match self.state {
            State::Silent => self.begin(at),
            State::Learning if self.arrivals < 2 => self.second(at, gap),
            State::Learning | State::Regular | State::Irregular => self.follow(at, late),
        }
        self.last = at;
    }

    /// When the next frame is due; nothing where that cannot be told.
    pub(super) fn due(&self) -> Option<Due> {
        if self.state != State::Regular {
            return None;
        }
        let next = nanoseconds(self.next);
        let at = |distance: i64| u64::try_from(next + distance).unwrap_or(0);
        Some(Due { from: at(self.early), to: at(self.late) })
    }

    /// The frame that was due has not come: the one after it is next.
    pub(super) fn passed(&mut self) {
        self.next += i128::from(self.period);
        self.missed += 1;
        if self.missed >= SILENT {
            *self = Self::default();
        }
    }

    /// What waiting for its frames costs, awake nanoseconds a second, where it is woken so many nanoseconds ahead.
    pub(super) fn cost(&self, ahead: u64) -> u64 {
        let period = (self.period >> FRACTION).max(1);
        let wait = i64::try_from(ahead).unwrap_or(i64::MAX).saturating_add(self.middle - self.early);
        u64::try_from(wait.max(0).saturating_mul(1_000_000_000) / period).unwrap_or(0)
    }

    /// Whether frames come of which it cannot be told when.
    pub(super) fn is_irregular(&self) -> bool {
        self.state == State::Irregular
    }

    fn begin(&mut self, at: i64) {
        *self = Self { state: State::Learning, last: at, arrivals: 1, ..Self::default() };
    }

    /// The second arrival gives the first period.
    fn second(&mut self, at: i64, gap: i64) {
        if !(SHORTEST_NS..=LONGEST_NS).contains(&gap) {
            self.begin(at);
            return;
        }
        self.period = gap << FRACTION;
        self.next = (i128::from(at) << FRACTION) + i128::from(self.period);
        self.arrivals = 2;
    }

    /// Moves period and phase towards what came. So many expectations, which passed without a frame, may be its own.
    fn follow(&mut self, at: i64, late: i128) {
        let period = i128::from(self.period);
        // Frames may be missing in between: the nearest expectation counts.
        let distance = (i128::from(at) << FRACTION) - self.next;
        let missing = (distance + period / 2).div_euclid(period);
        if missing < -late {
            // Before half of its period is over: a second frame of the same instant, or a burst.
            self.stray(at);
            return;
        }
        self.next += missing * period;
        let distance = (i128::from(at) << FRACTION) - self.next;
        let distance_ns = nanoseconds(distance);
        self.arrivals = self.arrivals.saturating_add(1);
        if self.state == State::Regular && self.is_stray(distance_ns) {
            self.note(distance_ns);
            self.next += period;
            self.stray(at);
            return;
        }
        self.strays = 0;
        // The filter of growing memory for a constant rate: after k arrivals it has the line through all of them.
        let k = i128::from(i64::from(self.arrivals).min(MEMORY));
        let steps = k * (k + 1);
        self.next += distance * (2 * (2 * k - 1)) / steps + period;
        let period = period + distance * 6 / steps / (missing + late + 1);
        self.period =
            i64::try_from(period).unwrap_or(i64::MAX).clamp(SHORTEST_NS << FRACTION, LONGEST_NS << FRACTION);
        // What came while the line was not known is no distance from it.
        if self.arrivals > LEARN / 2 {
            self.note(distance_ns);
        }
        if self.arrivals.is_multiple_of(RENEW) || self.arrivals == LEARN {
            self.renew();
        }
    }

    fn is_stray(&self, distance: i64) -> bool {
        let room = (self.late - self.early).max(20_000);
        !(self.early - 2 * room..=self.late + 2 * room).contains(&distance)
    }

    /// Not where it was expected. One alone moves nothing; where they go on, so does what is expected.
    fn stray(&mut self, at: i64) {
        self.strays += 1;
        if self.strays >= STRAYS {
            self.begin(at);
        }
    }

    fn note(&mut self, distance: i64) {
        let kept = distance.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        if let (Some(slot), Ok(kept)) = (self.distances.get_mut(self.noted % KEPT), i32::try_from(kept)) {
            *slot = kept;
        }
        self.noted += 1;
    }

    /// Makes the window anew of the distances that are kept.
    fn renew(&mut self) {
        if self.arrivals < LEARN {
            return;
        }
        let mut kept = self.distances;
        let kept = kept.get_mut(..self.noted.min(KEPT)).unwrap_or_default();
        kept.sort_unstable();
        let out = if kept.len() == KEPT { LEFT_OUT } else { 0 };
        let at = |place: usize| kept.get(place).copied().map_or(0, i64::from);
        self.early = at(out);
        self.middle = at(kept.len() / 2);
        let late = at(kept.len().saturating_sub(1 + out));
        let width = late - self.early;
        // The late end costs nothing where the frame comes: it may lie behind the one that is left out, too, unless that
        // is far off.
        self.late = at(kept.len().saturating_sub(1)).min(late + width.max(LATE_ROOM_NS));
        let period = self.period >> FRACTION;
        // With some hysteresis, so that a stream at the limit is not learned again and again.
        let most = if self.state == State::Regular { period / 2 } else { period * 2 / 5 };
        self.state = if width <= most { State::Regular } else { State::Irregular };
    }
}

/// Whole nanoseconds, rounded down.
fn nanoseconds(parts: i128) -> i64 {
    i64::try_from(parts >> FRACTION).unwrap_or(i64::MAX)
}
