//! Tells copies of a segment from retransmissions.

use crate::flow::Seen;
use crate::packet::{InterfaceId, Segment};
use crate::time::Nanos;

/// Segments of a flow that are remembered.
const REMEMBERED: usize = 8;
/// What comes again within this time, on another interface or with the same IPv4 identification, is a copy: less than
/// the 200 ms that Linux waits before it sends anything again unasked (`TCP_RTO_MIN`), and more than any network's two
/// ways differ by.
const COPY_NS: i64 = 100_000_000;

/// A copy of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Nanoseconds between the arrivals; negative where the one that was handed in first arrived later.
    pub skew_ns: i64,
    /// Where the first one was seen.
    pub first_on: InterfaceId,
    /// Where the copy was seen; the same interface for a mirror that gives both, and for PRP's two networks behind one.
    pub on: InterfaceId,
}

/// The segments that a flow last brought something new by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    segments: [Option<Remembered>; REMEMBERED],
    at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    sequence: u32,
    length: u32,
    ip_id: Option<u16>,
    arrival: Nanos,
    interface: InterfaceId,
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self { segments: [None; REMEMBERED], at: 0 }
    }

    /// Remembers a segment.
    pub(super) fn remember(&mut self, segment: &Segment<'_>, seen: &Seen) {
        self.segments[self.at] = Some(Remembered {
            sequence: segment.sequence,
            length: length(segment),
            ip_id: segment.ip_id,
            arrival: seen.arrival,
            interface: seen.interface,
        });
        self.at = (self.at + 1) % REMEMBERED;
    }

    /// What a segment that brought nothing new is a copy of, if it is one.
    pub(super) fn original(&self, segment: &Segment<'_>, seen: &Seen) -> Option<Copied> {
        self.segments.iter().flatten().find_map(|first| first.copied(segment, seen))
    }
}

impl Remembered {
    fn copied(&self, segment: &Segment<'_>, seen: &Seen) -> Option<Copied> {
        let skew_ns = seen.arrival.since(self.arrival);
        let inside = segment.sequence.wrapping_sub(self.sequence);
        let within = inside.checked_add(length(segment)).is_some_and(|end| end <= self.length);
        // The kernel may have merged one interface's segments and not the other's: the identification is the first's.
        let whole = inside == 0 && length(segment) == self.length;
        let same_id = self.ip_id.is_some() && self.ip_id == segment.ip_id;
        let other_id = whole && self.ip_id.is_some() && segment.ip_id.is_some() && !same_id;
        let is_copy = if self.interface == seen.interface { whole && same_id } else { within && !other_id };
        (is_copy && skew_ns.abs() < COPY_NS).then_some(Copied {
            skew_ns,
            first_on: self.interface,
            on: seen.interface,
        })
    }
}

/// Payloads are shorter than 4 GiB.
fn length(segment: &Segment<'_>) -> u32 {
    u32::try_from(segment.payload.len()).unwrap_or(u32::MAX)
}
