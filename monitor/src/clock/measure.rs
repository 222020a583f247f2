//! One measurement of the offset between the kernel's stamps and UTC, by bracketed reads.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::sys::clock::{discipline, monotonic_ns, realtime_ns};

/// How many bracketed reads are made; the narrowest counts. At some 70 ns each, an interrupt spoils one or two.
const READS: usize = 16;

/// Who says that the host's clock is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// adjtimex(2) says that something keeps the clock. How well is not known.
    AdjtimexSynchronised,
    /// adjtimex(2) says that nothing keeps the clock: it runs free.
    AdjtimexUnsynchronised,
    /// The kernel could not be asked.
    Unknown,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::AdjtimexSynchronised => "adjtimex synchronised",
            Self::AdjtimexUnsynchronised => "adjtimex unsynchronised",
            Self::Unknown => "unknown",
        })
    }
}

/// The relation of `CLOCK_MONOTONIC` to UTC at one moment.
///
/// Serialised it is the summary's `clock` object: `source`, `error_bound_ns`, `tai_offset_s`, `grandmaster`, what is
/// not known being null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// UTC minus `CLOCK_MONOTONIC`, nanoseconds: add it to a kernel stamp.
    pub offset_ns: i64,
    /// Half the width of the bracket, nanoseconds: the offset between the two clocks of this host is this sure. Says
    /// nothing about UTC itself.
    pub uncertainty_ns: u64,
    /// Who keeps the clock.
    pub source: Source,
    /// How far the host's clock can be from UTC, nanoseconds; `None`: not known. adjtimex's `maxerror` is no source
    /// for it, since phc2sys writes 0 there at every update.
    pub error_bound_ns: Option<u64>,
    /// TAI minus UTC as the kernel was told, seconds; `None`: it was not told.
    pub tai_offset_s: Option<i32>,
}

impl Serialize for ClockReading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Destructured so that a new field cannot be forgotten here; the first two are not part of the summary.
        let Self { offset_ns: _, uncertainty_ns: _, source, error_bound_ns, tai_offset_s } = self;
        let mut object = serializer.serialize_struct("clock", 4)?;
        object.serialize_field("source", &source.to_string())?;
        object.serialize_field("error_bound_ns", error_bound_ns)?;
        object.serialize_field("tai_offset_s", tai_offset_s)?;
        // adjtimex does not know what the clock is steered by.
        object.serialize_field("grandmaster", &None::<&str>)?;
        object.end()
    }
}

/// Measures the offset and asks the kernel who keeps the clock. Takes some microseconds; not for the real-time
/// thread.
#[must_use]
pub fn measure() -> ClockReading {
    let Bracket { offset_ns, uncertainty_ns } = narrowest((0..READS).map(|_| bracketed_read()));
    let (source, tai_offset_s) = match discipline() {
        Ok(kept) if kept.synchronised => (Source::AdjtimexSynchronised, kept.tai_offset_s),
        Ok(free) => (Source::AdjtimexUnsynchronised, free.tai_offset_s),
        Err(_) => (Source::Unknown, None),
    };
    ClockReading { offset_ns, uncertainty_ns, source, error_bound_ns: None, tai_offset_s }
}

/// One estimate of the offset and half the width of its bracket, both in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bracket {
    offset_ns: i64,
    uncertainty_ns: u64,
}

impl Bracket {
    /// `realtime` was read somewhere between the two reads of the monotonic clock: take the middle, and be unsure by
    /// half the distance, rounded up.
    fn new(before: u64, realtime: i64, after: u64) -> Self {
        let width = after - before;
        let middle = before + width / 2;
        Self { offset_ns: realtime - middle.cast_signed(), uncertainty_ns: width.div_ceil(2) }
    }
}

fn bracketed_read() -> Bracket {
    let before = monotonic_ns();
    let realtime = realtime_ns();
    let after = monotonic_ns();
    Bracket::new(before, realtime, after)
}

fn narrowest(brackets: impl Iterator<Item = Bracket>) -> Bracket {
    let none = Bracket { offset_ns: 0, uncertainty_ns: u64::MAX };
    brackets.fold(none, |best, next| if next.uncertainty_ns < best.uncertainty_ns { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_offset_is_within_the_uncertainty_of_any_bracket() {
        const OFFSET: i64 = 1_700_000_000_000_000_000;
        for (before, read, after) in [(1000, 1000, 1001), (1000, 1090, 1090), (1000, 1000, 1000)] {
            let bracket = Bracket::new(before, OFFSET + i64::from(read), after);
            assert!(bracket.offset_ns.abs_diff(OFFSET) <= bracket.uncertainty_ns);
        }
    }

    #[test]
    fn the_narrowest_bracket_wins() {
        let brackets = [(1, 90), (2, 30), (3, 4000), (4, 30)];
        let brackets = brackets.map(|(offset_ns, uncertainty_ns)| Bracket { offset_ns, uncertainty_ns });
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
    fn the_json_has_the_summarys_fields_and_null_for_what_is_unknown() {
        let reading = ClockReading {
            offset_ns: 1,
            uncertainty_ns: 2,
            source: Source::AdjtimexSynchronised,
            error_bound_ns: None,
            tai_offset_s: Some(37),
        };
        let json = serde_json::to_value(reading).unwrap();
        let wanted = serde_json::json!({
            "source": "adjtimex synchronised", "error_bound_ns": null, "tai_offset_s": 37, "grandmaster": null
        });
        assert_eq!(json, wanted);
    }
}
