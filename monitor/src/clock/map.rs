//! The current offset from the kernel's stamps to UTC, written by an ordinary thread and read by the real-time one.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Offset;

/// One number, shared without a lock. Neither side ever waits for the other.
///
/// A single atomic suffices because the offset is all that the reader needs: 64 bits are never torn, and whichever of
/// two successive offsets it meets, each was right when measured and they differ by what the clock was adjusted in
/// between. Who keeps the clock and how well is for the summary, and does not go through here.
#[derive(Debug)]
pub struct ClockMap {
    offset_ns: AtomicI64,
}

impl ClockMap {
    /// Starts from a reading, so that there is no moment without an offset.
    #[must_use]
    pub fn new(reading: &Offset) -> Self {
        Self { offset_ns: AtomicI64::new(reading.offset_ns) }
    }

    /// Replaces the offset by that of a newer reading.
    pub fn update(&self, reading: &Offset) {
        // Relaxed: nothing else is published along with the number, so there is no store to be ordered before it.
        self.offset_ns.store(reading.offset_ns, Ordering::Relaxed);
    }

    /// The offset in nanoseconds: UTC minus `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        // Relaxed: pairs with the store in `update`; the number stands for itself.
        self.offset_ns.load(Ordering::Relaxed)
    }

    /// A kernel stamp as nanoseconds since the Unix epoch.
    #[must_use]
    pub fn utc_ns(&self, monotonic_ns: u64) -> i64 {
        // A count since boot stays below 2^63 for 292 years.
        self.offset_ns().wrapping_add(monotonic_ns.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::measure;
    use crate::sys::clock::{monotonic_ns, realtime_ns};

    #[test]
    fn a_stamp_lands_where_the_wall_clock_was() {
        let reading = measure();
        let map = ClockMap::new(&reading);
        let before = realtime_ns();
        let stamp = monotonic_ns();
        let after = realtime_ns();
        // The clock may be slewed by at most 500 ppm, which in the microseconds since the measurement is nothing.
        let slack = reading.uncertainty_ns.cast_signed() + 1000;
        assert!((before - slack..=after + slack).contains(&map.utc_ns(stamp)));
    }

    #[test]
    fn an_update_is_what_the_next_stamp_is_placed_by() {
        let mut reading = measure();
        let map = ClockMap::new(&reading);
        reading.offset_ns = 1_700_000_000_000_000_000;
        map.update(&reading);
        assert_eq!(map.utc_ns(5), 1_700_000_000_000_000_005);
    }
}
