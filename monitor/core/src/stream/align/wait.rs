//! How long an instant is waited for, and which time tags are believed (IEEE C37.244-2013, wait time of a PDC).

use crate::time::Nanos;

use super::key::InstantKey;

/// The wait window of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// So many nanoseconds from the first arrival of a frame of the instant. This host's clock need not be right.
    Relative(u32),
    /// So many nanoseconds from the instant itself, by this host's clock: as good as that clock is.
    Absolute(u32),
}

impl Wait {
    /// Its length in nanoseconds.
    #[must_use]
    pub const fn ns(self) -> i64 {
        match self {
            Self::Relative(ns) | Self::Absolute(ns) => ns as i64,
        }
    }
}

impl Default for Wait {
    /// 100 ms from the first arrival: PMUs' frames take 20 to 50 ms, and come in bursts 63 to 80 ms apart over TCP.
    fn default() -> Self {
        Self::Relative(100_000_000)
    }
}

/// A stream's delay (arrival minus time tag) may differ by the wait and this from the others' before its frames are
/// out of step: 1.5 s, this project's choice. A leap second that one side has made and the other has not is less.
const STEP_NS: i64 = 1_500_000_000;

/// A stream whose delay differs by a second, within a quarter, has not made the leap second that others announced and
/// made, or not as they did.
const LEAP_NS: std::ops::RangeInclusive<u64> = 750_000_000..=1_250_000_000;

/// How far the common delay follows one frame: it becomes the median of the delays, which no single stream moves.
const FOLLOW_NS: i64 = 1_000_000;

/// What a frame that agrees with the common delay adds to its weight, against 1 that one takes away: two of three
/// streams must disagree before another delay is believed.
const AGREE: u32 = 2;

/// The least weight that is held.
const LEAST_CAP: u32 = 16;

/// What the streams agree on: how long after its time tag a frame arrives.
///
/// It includes how far this host's clock is off, so that PMUs which agree with each other are aligned on a host that
/// does not know the time (captures: 19.4 s, 29 s). In an absolute window it is 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    wait: Wait,
    delay: i64,
    weight: u32,
    /// A leap second was made that was announced: what is a second off since then is out of step.
    leapt: bool,
    /// By how much the common delay went along, while the host's clock was not set by it.
    unset: i64,
}

/// When an instant's window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) deadline: Nanos,
    /// Whether the frame that opens it is ahead of the other streams by more than the wait.
    pub(super) ahead: bool,
}

impl Step {
    pub(super) const fn new(wait: Wait) -> Self {
        Self { wait, delay: 0, weight: 0, leapt: false, unset: 0 }
    }

    pub(super) const fn wait(&self) -> Wait {
        self.wait
    }

    /// A stream has announced a leap second and made it, as its frame of this instant says. Where the host's clock has
    /// not, all delays are another by a second from here on: the common one goes along at once.
    pub(super) fn leap(&mut self, key: InstantKey, arrival: Nanos) {
        self.leapt = true;
        let off = arrival.since(key.time).saturating_sub(self.delay);
        if matches!(self.wait, Wait::Relative(_)) && self.weight > 0 && LEAP_NS.contains(&off.unsigned_abs())
        {
            self.delay += off;
            self.unset += off;
        }
    }

    /// Time went by so much from one arrival to the next. Where it went back by an inserted second that the streams have
    /// made, the host's clock has made it now too.
    #[inline]
    pub(super) fn pass(&mut self, ns: i64) {
        if ns < 0 && self.unset > 0 && LEAP_NS.contains(&ns.unsigned_abs()) {
            self.delay -= self.unset;
            self.unset = 0;
        }
    }

    /// Whether a frame is in step. `votes`: whether its stream may have a say (once for each instant, so that a burst
    /// of old frames is one voice); `members`: how many streams take part.
    pub(super) fn takes(&mut self, key: InstantKey, arrival: Nanos, votes: bool, members: u32) -> bool {
        let delay = arrival.since(key.time);
        let off = delay.saturating_sub(self.delay);
        let near = off.unsigned_abs() <= (self.wait.ns() + STEP_NS).unsigned_abs()
            && !(self.leapt && LEAP_NS.contains(&off.unsigned_abs()));
        if matches!(self.wait, Wait::Absolute(_)) {
            return near;
        }
        if near && self.weight > 0 {
            if votes {
                self.weight = (self.weight + AGREE).min(members.saturating_mul(AGREE).max(LEAST_CAP));
                self.delay += off.clamp(-FOLLOW_NS, FOLLOW_NS);
            }
            return true;
        }
        if votes {
            self.weight = self.weight.saturating_sub(1);
        }
        let adopted = self.weight == 0;
        if adopted {
            (self.delay, self.weight) = (delay, AGREE);
        }
        adopted
    }

    /// The window of an instant whose first frame arrives now.
    ///
    /// A stream that is ahead of the others by more than the wait does not begin it: the others would all be late.
    pub(super) fn window(&self, key: InstantKey, arrival: Nanos) -> Window {
        let wait = self.wait.ns();
        let due = key.time.plus(self.delay);
        let ahead = due.since(arrival) > wait;
        let from = match self.wait {
            Wait::Relative(_) if !ahead => arrival,
            Wait::Relative(_) | Wait::Absolute(_) => due,
        };
        Window { deadline: from.plus(wait), ahead }
    }

    /// How far apart the instants of two frames can be that are in step at the same time, in nanoseconds.
    pub(super) const fn span(&self) -> i64 {
        2 * (self.wait.ns() + STEP_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn at(ms: i64) -> InstantKey {
        InstantKey { time: Nanos(ms * MS), leap: false }
    }

    fn takes(step: &mut Step, tag_ms: i64, arrival_ms: i64) -> bool {
        step.takes(at(tag_ms), Nanos(arrival_ms * MS), true, 3)
    }

    #[test]
    fn a_stale_first_frame_is_outvoted_at_once() {
        let mut step = Step::new(Wait::default());
        assert!(takes(&mut step, -400_000_000, 1_030));
        assert!(!takes(&mut step, 1_000, 1_031));
        assert!(takes(&mut step, 1_020, 1_050));
        assert!(takes(&mut step, 1_040, 1_070));
        assert!(!takes(&mut step, -400_000_000, 1_071));
    }

    #[test]
    fn the_majority_holds_and_a_set_clock_of_all_is_followed() {
        let mut step = Step::new(Wait::default());
        for n in 0..100 {
            for (stream, off) in [0, 0, 29_000].into_iter().enumerate() {
                let taken = takes(&mut step, n * 20, n * 20 + 40 + off);
                assert_eq!(taken, stream < 2, "instant {n}, stream {stream}");
            }
        }
        let refused = (0..100).filter(|n| !takes(&mut step, n * 20 + 1_000_000, n * 20 + 40)).count();
        assert!((1..=16).contains(&refused), "{refused}");
    }

    #[test]
    fn one_voice_for_a_burst() {
        let mut step = Step::new(Wait::default());
        assert!(takes(&mut step, 1_000, 1_040));
        for n in 0..1_000 {
            assert!(!step.takes(at(n * 20 - 900_000), Nanos(1_050 * MS), false, 1));
        }
        assert!(takes(&mut step, 1_020, 1_060));
    }

    #[test]
    fn windows_are_from_the_arrival_or_from_the_tag() {
        let mut step = Step::new(Wait::Relative(100_000_000));
        assert!(takes(&mut step, 1_000, 1_040));
        let window = |deadline_ms: i64, ahead| Window { deadline: Nanos(deadline_ms * MS), ahead };
        assert_eq!(step.window(at(1_020), Nanos(1_050 * MS)), window(1_150, false));
        assert_eq!(step.window(at(2_020), Nanos(1_050 * MS)), window(2_160, true));
        let mut step = Step::new(Wait::Absolute(100_000_000));
        assert!(takes(&mut step, 1_000, 1_040) && !takes(&mut step, 1_000, 3_000));
        assert_eq!(step.window(at(1_020), Nanos(1_050 * MS)), window(1_120, false));
    }
}
