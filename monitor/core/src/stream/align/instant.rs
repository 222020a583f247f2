//! An instant that is over, as it is told.

use std::num::NonZeroU32;

use super::bits::places;
use super::instants::{End, Instants, SlotId};
use super::key::InstantKey;
use super::values::{AlignedPmu, Values};
use crate::stream::StreamId;
use crate::time::Nanos;

/// An instant and the frames that came for it, borrowed from where they were gathered.
#[derive(Clone, Copy, Debug)]
pub struct AlignedInstant<'a> {
    /// Which instant.
    pub key: InstantKey,
    /// Why it was over.
    pub end: End,
    /// When it was over.
    pub over: Nanos,
    /// Streams that were expected.
    pub expected: u32,
    /// Streams that came; never more than were expected, and never none.
    pub present: u32,
    /// The first that came, and when.
    pub first: (StreamId, Nanos),
    /// The last that came, and when.
    pub last: (StreamId, Nanos),
    values: &'a Values,
    instants: &'a Instants,
    id: SlotId,
}

impl<'a> AlignedInstant<'a> {
    pub(super) fn new(instants: &'a Instants, id: SlotId, end: End, over: Nanos) -> Option<Self> {
        let slot = instants.slot(id);
        Some(Self {
            key: slot.key,
            end,
            over,
            expected: slot.expected,
            present: slot.present,
            first: (stream(slot.first.place)?, slot.first.at),
            last: (stream(slot.last.place)?, slot.last.at),
            values: instants.values(id)?,
            instants,
            id,
        })
    }

    /// Whether every stream that was expected came.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.present == self.expected
    }

    /// From the first arrival to the last, in nanoseconds; never negative.
    #[must_use]
    pub const fn skew_ns(&self) -> i64 {
        self.last.1.since(self.first.1)
    }

    /// The streams that were expected and did not come, in the order in which they were first seen. Of an instant that
    /// was [cut](End::Cut) they may have been on their way.
    pub fn absent(&self) -> impl Iterator<Item = StreamId> + use<'a> {
        places(self.instants.absent(self.id)).filter_map(|place| stream(u32::try_from(place).ok()?))
    }

    /// The streams that came, in the order in which they came, with their PMUs' values.
    pub fn streams(&self) -> impl Iterator<Item = AlignedStream<'a>> + use<'a> {
        let values = self.values;
        values.entries().iter().filter_map(move |entry| {
            Some(AlignedStream {
                stream: stream(entry.place)?,
                arrival: entry.arrival,
                pmus: values.pmus(entry),
            })
        })
    }
}

/// One stream's frame of an instant.
#[derive(Clone, Copy, Debug)]
pub struct AlignedStream<'a> {
    /// The stream.
    pub stream: StreamId,
    /// When its frame came.
    pub arrival: Nanos,
    /// Its PMUs, in the configuration's order; fewer where the instant held as many as there are places for.
    pub pmus: &'a [AlignedPmu],
}

fn stream(place: u32) -> Option<StreamId> {
    NonZeroU32::new(place.checked_add(1)?).map(StreamId)
}
