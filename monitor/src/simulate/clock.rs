//! A PMU's clock: right, off, drifting or stuck, and how it passes a leap second.
//!
//! Two times: *true* time goes evenly and is what frames leave by; *local* time is what the PMU's clock says, and
//! its reporting instants are on the grid of that. Both count the seconds that SOC leaves out, so an instant's index
//! is its own even where its time tag is not.

use monitor_core::protocol::c37118::{TimeBase, TimeQuality, TimeTag};

use super::fault::{LeapTag, Window};
use super::instant::ReportingInstant;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const PARTS_PER_MILLION: f64 = 1e-6;

/// How long before a leap second it is announced, and for how long after it is remembered, in seconds (clause
/// 6.2.2: not more than a minute; a day).
const PENDING_S: u64 = 60;
const OCCURRED_S: u64 = 86_400;

/// The leap bits of the time quality.
const DELETES: u8 = 0x40;
const OCCURRED: u8 = 0x20;
const PENDING: u8 = 0x10;

/// How local time differs from true time during a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shift {
    /// By so many nanoseconds.
    Offset(i64),
    /// By so many millionths of the time since the window's beginning.
    Drift(f64),
}

/// A leap second of local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leap {
    /// Seconds since the Unix epoch of the midnight that it is at.
    pub(super) midnight: u64,
    pub(super) delete: bool,
    pub(super) announced: bool,
    pub(super) tagged: LeapTag,
}

/// One stream's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    pub(super) shifts: Vec<(Window, Shift)>,
    pub(super) stuck: Vec<Window>,
    pub(super) leaps: Vec<Leap>,
    /// The instant that a stuck clock says it is.
    held: Option<ReportingInstant>,
}

/// What a frame says of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) tag: TimeTag,
    /// The instant that the tag means.
    pub(super) instant: ReportingInstant,
    /// It is that of an earlier frame.
    pub(super) stuck: bool,
    /// Which leap bits it has.
    pub(super) leap_bits: u8,
    /// It is of the second that was added.
    pub(super) inserted: bool,
}

impl Clock {
    /// The first local instant at or after true time `from_ns`, and when it is due.
    pub(super) fn first(&self, from_ns: i64, rate: super::ReportingRate) -> (i64, ReportingInstant) {
        let local = ReportingInstant::at_or_about(from_ns + self.offset_at(from_ns, from_ns), rate);
        (self.due(local, from_ns).max(from_ns), local)
    }

    /// The instant behind `instant`, which was due at `at_ns`, and when it is due.
    pub(super) fn following(&self, at_ns: i64, instant: ReportingInstant) -> (i64, ReportingInstant) {
        let next = instant.next();
        if self.shifts.is_empty() {
            return (next.unix_ns(), next);
        }
        let (mut from, mut next) = (at_ns, next);
        loop {
            let due = self.due(next, from).max(from);
            match self.edge_after(from) {
                Some(edge) if edge <= due => {
                    // The clock is another one from there on.
                    from = edge;
                    let local = edge + self.offset_at(edge, edge);
                    next = ReportingInstant::at_or_about(local, instant.rate());
                }
                _ => return (due, next),
            }
        }
    }

    /// Local minus true time at `at_ns`, by the shifts that hold at `by_ns`.
    fn offset_at(&self, at_ns: i64, by_ns: i64) -> i64 {
        self.shifts
            .iter()
            .filter(|(window, _)| window.contains(by_ns))
            .map(|(window, shift)| match *shift {
                Shift::Offset(ns) => ns,
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    reason = "a thousandth of a run's nanoseconds at most"
                )]
                Shift::Drift(ppm) => ((at_ns - window.from_ns) as f64 * ppm * PARTS_PER_MILLION) as i64,
            })
            .sum()
    }

    /// When it is `local` by the clock as it is at true time `by_ns`.
    fn due(&self, local: ReportingInstant, by_ns: i64) -> i64 {
        let local_ns = local.unix_ns();
        // The offset hardly changes with the time that it is asked for: three rounds leave less than a nanosecond.
        (0..3).fold(local_ns - self.offset_at(by_ns, by_ns), |due, _| local_ns - self.offset_at(due, by_ns))
    }

    fn edge_after(&self, ns: i64) -> Option<i64> {
        let edges = self.shifts.iter().flat_map(|(window, _)| [window.from_ns, window.until_ns]);
        edges.filter(|&edge| edge > ns && edge < i64::MAX).min()
    }

    /// Whether the clock is off at true time `ns`.
    pub(super) fn is_off(&self, ns: i64) -> bool {
        self.shifts.iter().any(|(window, _)| window.contains(ns))
    }

    /// What a frame of `instant`, made at true time `at_ns`, says of its time.
    pub(super) fn tell(
        &mut self,
        at_ns: i64,
        instant: ReportingInstant,
        base: TimeBase,
        quality: u8,
    ) -> Told {
        let stuck = self.stuck.iter().any(|window| window.contains(at_ns));
        let held = if stuck { *self.held.get_or_insert(instant) } else { instant };
        if !stuck {
            self.held = None;
        }
        let rate = u64::from(held.rate().get());
        let second = held.index() / rate;
        let (soc, leap_bits, inserted) = self.leap(second);
        let fraction = held.time_tag_over(base).fraction();
        let quality = TimeQuality::from_bits(quality | leap_bits);
        let soc = u32::try_from(soc).unwrap_or(u32::MAX);
        let tag = TimeTag::new(soc, fraction, quality).unwrap_or_default();
        Told { tag, instant: held, stuck: stuck && held != instant, leap_bits, inserted }
    }

    /// SOC of a second, the leap bits in it, and whether it is one that was added.
    fn leap(&self, second: u64) -> (u64, u8, bool) {
        let (mut soc, mut bits, mut inserted) = (second, 0, false);
        for &Leap { midnight, delete, announced, tagged } in &self.leaps {
            // Behind an added second, and from a deleted one on, SOC differs by one.
            let first = if delete { midnight - 1 } else { midnight };
            let (before, behind) = (second < first, if delete { second >= first } else { second > first });
            let direction = if delete { DELETES } else { 0 };
            if behind {
                soc = if delete { soc + 1 } else { soc - 1 };
                if second - first <= OCCURRED_S && announced {
                    bits |= OCCURRED | direction;
                }
            } else {
                if before && first - second <= PENDING_S && announced {
                    bits |= PENDING | direction;
                }
                if second == first {
                    inserted = true;
                    bits |= if announced { PENDING } else { 0 };
                    soc -= u64::from(tagged == LeapTag::Last);
                }
            }
        }
        (soc, bits, inserted)
    }
}

/// The first midnight of UTC at or after `ns`, in seconds since the Unix epoch.
pub(super) fn midnight_after(ns: i64) -> u64 {
    const DAY_NS: i64 = 86_400 * NANOS_PER_SECOND;
    let days = u64::try_from(ns).unwrap_or(0).div_ceil(DAY_NS.unsigned_abs());
    days * 86_400
}

#[cfg(test)]
mod tests {
    use super::super::ReportingRate;
    use super::*;

    /// A midnight.
    const MIDNIGHT: u64 = 20_000 * 86_400;
    const ORIGIN: i64 = (MIDNIGHT.cast_signed() - 2) * NANOS_PER_SECOND;
    const PERIOD: i64 = 20_000_000;

    fn window(from: i64, until: i64) -> Window {
        Window { from_ns: ORIGIN + from, until_ns: ORIGIN + until }
    }

    /// True time since the origin and index since the origin's, of the first instants.
    fn row(clock: &Clock, count: usize) -> Vec<(i64, i64)> {
        let first = clock.first(ORIGIN, ReportingRate::FIFTY);
        let all = std::iter::successors(Some(first), |&(at, instant)| Some(clock.following(at, instant)));
        let index = ReportingInstant::at_or_after(ORIGIN, ReportingRate::FIFTY).index();
        let relative = |(at, instant): (i64, ReportingInstant)| {
            (at - ORIGIN, instant.index().cast_signed() - index.cast_signed())
        };
        all.take(count).map(relative).collect()
    }

    #[test]
    fn a_right_clock_is_on_the_grid() {
        assert_eq!(row(&Clock::default(), 3), [(0, 0), (PERIOD, 1), (2 * PERIOD, 2)]);
    }

    #[test]
    fn an_offset_shifts_when_frames_leave_and_a_jump_what_they_say() {
        let ahead = Clock {
            shifts: vec![(window(0, i64::MAX - ORIGIN), Shift::Offset(5_000_000))],
            ..Clock::default()
        };
        assert_eq!(row(&ahead, 2), [(15_000_000, 1), (35_000_000, 2)]);
        let jumps = Clock {
            shifts: vec![(window(30_000_000, 70_000_000), Shift::Offset(PERIOD * 50))],
            ..Clock::default()
        };
        let expected =
            [(0, 0), (PERIOD, 1), (2 * PERIOD, 52), (3 * PERIOD, 53), (4 * PERIOD, 4), (5 * PERIOD, 5)];
        assert_eq!(row(&jumps, 6), expected);
    }

    #[test]
    fn a_fast_clock_sends_more_frames() {
        let clock = |ppm| Clock {
            shifts: vec![(window(0, i64::MAX - ORIGIN), Shift::Drift(ppm))],
            ..Clock::default()
        };
        // A thousandth: after 1000 periods of its own it is one period of true time ahead.
        let (at, index) = row(&clock(1000.0), 1002)[1001];
        assert_eq!(index, 1001);
        assert!((at - 1000 * PERIOD).abs() < 1000, "{at}");
        let (at, index) = row(&clock(-1000.0), 1000)[999];
        assert_eq!(index, 999);
        assert!((at - 1000 * PERIOD).abs() < 1000, "{at}");
    }

    fn tell(clock: &mut Clock, since: i64) -> Told {
        let at = ORIGIN + since;
        let instant = ReportingInstant::at_or_after(at, ReportingRate::FIFTY);
        clock.tell(at, instant, TimeBase::MICROSECONDS, 0)
    }

    #[test]
    fn a_stuck_clock_repeats_and_goes_on() {
        let mut clock = Clock { stuck: vec![window(PERIOD, 3 * PERIOD)], ..Clock::default() };
        let told: Vec<_> = (0..4).map(|nth| tell(&mut clock, nth * PERIOD)).collect();
        assert_eq!(told[1].tag, told[2].tag);
        assert_eq!(told.iter().map(|one| one.stuck).collect::<Vec<_>>(), [false, false, true, false]);
        assert_eq!(told[3].instant.index() - told[1].instant.index(), 2);
    }

    #[test]
    fn leap_seconds_repeat_or_skip_a_soc_and_say_so() {
        const SECOND: i64 = NANOS_PER_SECOND;
        let leap = |delete, tagged| Leap { midnight: MIDNIGHT, delete, announced: true, tagged };
        let row = |leap| {
            let mut clock = Clock { leaps: vec![leap], ..Clock::default() };
            (0..5)
                .map(|nth| {
                    let told = tell(&mut clock, nth * SECOND);
                    (i64::from(told.tag.soc()) - MIDNIGHT.cast_signed(), told.leap_bits, told.inserted)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            row(leap(false, LeapTag::Next)),
            [
                (-2, PENDING, false),
                (-1, PENDING, false),
                (0, PENDING, true),
                (0, OCCURRED, false),
                (1, OCCURRED, false),
            ]
        );
        assert_eq!(
            row(leap(false, LeapTag::Last)),
            [
                (-2, PENDING, false),
                (-1, PENDING, false),
                (-1, PENDING, true),
                (0, OCCURRED, false),
                (1, OCCURRED, false),
            ]
        );
        let (pending, occurred) = (PENDING | DELETES, OCCURRED | DELETES);
        assert_eq!(
            row(leap(true, LeapTag::Next)),
            [
                (-2, pending, false),
                (0, occurred, false),
                (1, occurred, false),
                (2, occurred, false),
                (3, occurred, false),
            ]
        );
        let mut clock = Clock { leaps: vec![leap(false, LeapTag::Next)], ..Clock::default() };
        assert_eq!(tell(&mut clock, -58 * SECOND).leap_bits, PENDING);
        assert_eq!(tell(&mut clock, -59 * SECOND).leap_bits, 0);
        assert_eq!(tell(&mut clock, (86_400 + 2) * SECOND).leap_bits, OCCURRED);
        assert_eq!(tell(&mut clock, (86_401 + 2) * SECOND).leap_bits, 0);
    }

    #[test]
    fn midnights() {
        assert_eq!(midnight_after(0), 0);
        assert_eq!(midnight_after(1), 86_400);
        assert_eq!(midnight_after(ORIGIN), MIDNIGHT);
    }
}
