//! When and where bytes were seen.

use crate::packet::{InterfaceId, Record, Stamps};
use crate::time::Nanos;

/// When and where a packet was seen, or what was put together from several.
///
/// What was put together is complete when the last of its packets has arrived, whichever part that brought: arrival,
/// stamps and interface are that packet's. In a flow without loss it is the one with the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Arrival of the packet that brought the first of the bytes; equal to `arrival` where that is the same packet.
    pub first_arrival: Nanos,
    /// Arrival of the packet that completed them.
    pub arrival: Nanos,
    /// That packet's stamps.
    pub stamps: Stamps,
    /// Where that packet was seen.
    pub interface: InterfaceId,
}

impl Seen {
    /// Of one packet.
    #[must_use]
    pub const fn of(record: &Record<'_>) -> Self {
        let Record { arrival, stamps, interface, .. } = *record;
        Self { first_arrival: arrival, arrival, stamps, interface }
    }

    /// Of both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let first_arrival = self.first_arrival.min(other.first_arrival);
        let later = if other.arrival >= self.arrival { other } else { self };
        Self { first_arrival, ..*later }
    }

    /// Arrival of the first and of the last byte on a clock that is not set, in nanoseconds: the kernel's stamps when
    /// live. A capture knows only its own time.
    #[must_use]
    pub fn steady(&self) -> [i64; 2] {
        let stamp = self.stamps.receive.or(self.stamps.ring);
        let last = stamp.map_or(self.arrival.0, |stamp| i64::try_from(stamp.ns()).unwrap_or(i64::MAX));
        [last.saturating_sub(self.arrival.since(self.first_arrival)), last]
    }
}
