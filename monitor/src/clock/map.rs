//! The current offset from the kernel's stamps to UTC, written by an ordinary thread and read by the real-time one.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::Offset;

/// Two numbers, shared without a lock: the offset, and how far the host's clock may be off. Neither side ever waits for
/// the other.
///
/// Single atomics suffice because each number stands for itself: 64 bits are never torn, and whichever of two successive
/// offsets the reader meets, each was right when measured and they differ by what the clock was adjusted in between. Who
/// keeps the clock is for the summary, and does not go through here.
#[derive(Debug)]
pub struct ClockMap {
    offset_ns: AtomicI64,
    /// [`UNKNOWN`] where nobody knows.
    bound_ns: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl ClockMap {
    /// Starts from a reading, so that there is no moment without an offset.
    #[must_use]
    pub fn new(reading: &Offset) -> Self {
        Self { offset_ns: AtomicI64::new(reading.offset_ns), bound_ns: AtomicU64::new(UNKNOWN) }
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

    /// Says how far the host's clock may be off from UTC, nanoseconds; `None`: not known.
    pub fn set_bound(&self, ns: Option<u64>) {
        // Relaxed: as the offset.
        self.bound_ns.store(ns.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// How far the host's clock may be off from UTC, nanoseconds; `None` until somebody says so.
    #[must_use]
    pub fn bound_ns(&self) -> Option<u64> {
        // Relaxed: pairs with the store in `set_bound`; the number stands for itself.
        Some(self.bound_ns.load(Ordering::Relaxed)).filter(|ns| *ns != UNKNOWN)
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

    #[test]
    fn a_bound_is_known_once_it_is_said_and_until_it_is_taken_back() {
        let map = ClockMap::new(&measure());
        assert_eq!(map.bound_ns(), None);
        map.set_bound(Some(0));
        assert_eq!(map.bound_ns(), Some(0));
        map.set_bound(None);
        assert_eq!(map.bound_ns(), None);
    }
}
