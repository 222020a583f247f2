//! Simulated time: as UTC goes, or as UTC went at another time, and always as evenly as `CLOCK_MONOTONIC`.

use crate::sys::clock::{monotonic_ns, realtime_ns};

/// Simulated time minus `CLOCK_MONOTONIC`, as it was at the start: a clock that is set while sending makes no jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(i64);

impl Pace {
    /// Simulated time is UTC.
    pub(super) fn of_utc() -> Self {
        let before = monotonic_ns();
        let utc = realtime_ns();
        let between = u64::midpoint(before, monotonic_ns());
        Self(utc - between.cast_signed())
    }

    /// Simulated time is `unix_ns` now.
    pub(super) fn beginning_at(unix_ns: i64) -> Self {
        Self(unix_ns - monotonic_ns().cast_signed())
    }

    /// Now, in nanoseconds since the Unix epoch.
    pub(super) fn now_ns(self) -> i64 {
        monotonic_ns().cast_signed() + self.0
    }
}
