//! One measurement of the offset between the kernel's stamps and UTC, by bracketed reads.

use crate::sys::clock::{monotonic_ns, realtime_ns};

/// How many bracketed reads are made; the narrowest counts. At some 70 ns each, an interrupt spoils one or two.
const READS: usize = 16;

/// The relation of `CLOCK_MONOTONIC` to UTC at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// UTC minus `CLOCK_MONOTONIC`, nanoseconds: add it to a kernel stamp.
    pub offset_ns: i64,
    /// Half the width of the bracket, nanoseconds: the offset between the two clocks of this host is this sure. Says
    /// nothing about UTC itself.
    pub uncertainty_ns: u64,
}

impl Offset {
    /// `realtime` was read somewhere between the two reads of the monotonic clock: take the middle, and be unsure by
    /// half the distance, rounded up.
    fn new(before: u64, realtime: i64, after: u64) -> Self {
        let width = after - before;
        let middle = before + width / 2;
        Self { offset_ns: realtime - middle.cast_signed(), uncertainty_ns: width.div_ceil(2) }
    }

    /// By how much the clock was stepped between an earlier measurement and this one, nanoseconds; none where the two
    /// agree within what they are unsure of.
    #[must_use]
    pub fn stepped_since(&self, earlier: &Self) -> Option<i64> {
        let step = self.offset_ns.saturating_sub(earlier.offset_ns);
        (step.unsigned_abs() > self.uncertainty_ns.saturating_add(earlier.uncertainty_ns)).then_some(step)
    }
}

/// Measures the offset. Takes some microseconds; not for the real-time thread.
#[must_use]
pub fn measure() -> Offset {
    narrowest((0..READS).map(|_| bracketed_read()))
}

fn bracketed_read() -> Offset {
    let before = monotonic_ns();
    let realtime = realtime_ns();
    let after = monotonic_ns();
    Offset::new(before, realtime, after)
}

fn narrowest(brackets: impl Iterator<Item = Offset>) -> Offset {
    let none = Offset { offset_ns: 0, uncertainty_ns: u64::MAX };
    brackets.fold(none, |best, next| if next.uncertainty_ns < best.uncertainty_ns { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_offset_is_within_the_uncertainty_of_any_bracket() {
        const OFFSET: i64 = 1_700_000_000_000_000_000;
        for (before, read, after) in [(1000, 1000, 1001), (1000, 1090, 1090), (1000, 1000, 1000)] {
            let bracket = Offset::new(before, OFFSET + i64::from(read), after);
            assert!(bracket.offset_ns.abs_diff(OFFSET) <= bracket.uncertainty_ns);
        }
    }

    #[test]
    fn the_narrowest_bracket_wins() {
        let brackets = [(1, 90), (2, 30), (3, 4000), (4, 30)];
        let brackets = brackets.map(|(offset_ns, uncertainty_ns)| Offset { offset_ns, uncertainty_ns });
        assert_eq!(narrowest(brackets.into_iter()), brackets[1]);
    }

    #[test]
    fn the_measured_offset_takes_now_to_now() {
        let reading = measure();
        let now = bracketed_read();
        let allowed = reading.uncertainty_ns + now.uncertainty_ns + 1000;
        assert!(reading.offset_ns.abs_diff(now.offset_ns) <= allowed);
    }

    #[test]
    fn a_step_is_told_from_what_the_measurements_are_unsure_of() {
        let at = |offset_ns, uncertainty_ns| Offset { offset_ns, uncertainty_ns };
        assert_eq!(at(1_000, 30).stepped_since(&at(940, 30)), None);
        assert_eq!(at(1_000, 30).stepped_since(&at(939, 30)), Some(61));
        assert_eq!(at(-1_000_000_000, 30).stepped_since(&at(0, 30)), Some(-1_000_000_000));
    }
}
