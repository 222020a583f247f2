//! An aligned instant as it crosses the queue: its numbers in the event, who was absent in the bytes beside it.

use crate::stream::StreamId;
use crate::stream::align::{AlignedInstant, End};
use crate::time::Nanos;

use std::num::NonZeroU32;

/// Absent streams that are told by number for one instant; how many there were is told always.
pub const ABSENT_TOLD: usize = 256;

/// Bytes of a stream's number.
const NUMBER: usize = 4;

/// An instant that is over. The event's `first_arrival` and `arrival` are those of the first and the last frame that
/// came for it; its bytes are an [`Absent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstantEvent {
    /// The instant, by the time tags' rounded frame index.
    pub time: Nanos,
    /// Whether it lies in an inserted leap second.
    pub leap: bool,
    /// Why it was over.
    pub end: End,
    /// Streams that were expected.
    pub expected: u32,
    /// Streams that came.
    pub present: u32,
    /// From the first arrival to the last, in nanoseconds; held at 4.29 s.
    pub skew_ns: u32,
    /// From the first arrival until it was over, in nanoseconds; held at 4.29 s.
    pub waited_ns: u32,
    /// The stream that came first.
    pub first: StreamId,
    /// The stream that came last.
    pub last: StreamId,
}

impl InstantEvent {
    /// Of an instant that is over.
    #[must_use]
    pub fn new(instant: &AlignedInstant<'_>) -> Self {
        let held = |ns: i64| u32::try_from(ns.max(0)).unwrap_or(u32::MAX);
        Self {
            time: instant.key.time,
            leap: instant.key.leap,
            end: instant.end,
            expected: instant.expected,
            present: instant.present,
            skew_ns: held(instant.skew_ns()),
            waited_ns: held(instant.over.since(instant.first.1)),
            first: instant.first.0,
            last: instant.last.0,
        }
    }

    /// Whether every stream that was expected came.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.present == self.expected
    }
}

/// The streams that were expected at an instant and did not come: their numbers, four bytes each, little-endian, in
/// the order in which the streams were first seen; [`ABSENT_TOLD`] of them at most.
#[derive(Clone, Copy, Debug)]
pub struct Absent<'a>(&'a [u8]);

impl<'a> Absent<'a> {
    /// From an event's bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Writes the bytes into `room` and gives those that were written.
    pub fn write(absent: impl Iterator<Item = StreamId>, room: &mut AbsentRoom) -> &[u8] {
        let mut length = 0;
        for (place, stream) in room.as_chunks_mut::<NUMBER>().0.iter_mut().zip(absent) {
            *place = stream.0.get().to_le_bytes();
            length += NUMBER;
        }
        &room[..length]
    }

    /// The streams.
    #[must_use]
    pub fn streams(&self) -> impl ExactSizeIterator<Item = Option<StreamId>> + use<'a> {
        let (numbers, _) = self.0.as_chunks::<NUMBER>();
        numbers.iter().map(|number| NonZeroU32::new(u32::from_le_bytes(*number)).map(StreamId))
    }
}

/// What [`Absent::write`] writes into.
pub type AbsentRoom = [u8; ABSENT_TOLD * NUMBER];

/// Such a room, empty.
pub const NO_ABSENT: AbsentRoom = [0; ABSENT_TOLD * NUMBER];

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(numbers: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = StreamId> {
        numbers.filter_map(NonZeroU32::new).map(StreamId)
    }

    #[test]
    fn what_is_written_reads_back_up_to_the_bound() {
        for count in [0, 1, 3, 256, 300] {
            let mut room = NO_ABSENT;
            let bytes = Absent::write(streams(1..=count), &mut room);
            let told: Vec<_> = Absent::new(bytes).streams().flatten().collect();
            assert_eq!(told, streams(1..=count.min(256)).collect::<Vec<_>>());
        }
    }
}
