//! Counters that always add up; each group in a unit of its own, its remainder a bug.

use crate::event::{AlignCounts, Class, InvalidReason, UndecodedReason};
use crate::flow::FlowCounts;

/// What became of the records that were delivered. `delivered = carried + no_payload + malformed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Their packet carried a payload to look at.
    pub carried: u64,
    /// Their packet carried none (a bare TCP acknowledgement).
    pub no_payload: u64,
    /// They are no whole packet, or no packet at all.
    pub malformed: u64,
}

/// What became of payload bytes. `received = in_frames + skipped + duplicate + buffered + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// Payload bytes of UDP and TCP that were handed in.
    pub received: u64,
    /// In frames that were found, sound or not.
    pub in_frames: u64,
    /// Passed over to find the next frame.
    pub skipped: u64,
    /// Seen before: retransmitted, or of a packet that is a copy.
    pub duplicate: u64,
    /// Waiting for the rest of their frame.
    pub buffered: u64,
    /// Given up: beyond a bound, or of a kind that is not decoded.
    pub dropped: u64,
}

impl ByteCounts {
    /// Bytes that no other counter holds; anything but 0 is a bug.
    #[must_use]
    pub const fn unaccounted(&self) -> u64 {
        self.received.abs_diff(self.in_frames + self.skipped + self.duplicate + self.buffered + self.dropped)
    }
}

/// What became of the frames that were found. `found = decoded + undecoded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Sound frames found.
    pub found: u64,
    /// Frames with every value.
    pub decoded: u64,
    /// The others, by [`UndecodedReason`].
    pub undecoded: [u64; UndecodedReason::ALL.len()],
    /// Sound C37.118 frames by their type bits: DATA, HDR, CFG-1, CFG-2, CMD, CFG-3.
    pub c37118: [u64; 6],
    /// What began like a frame and was none, or was broken (not part of `found`).
    pub invalid: u64,
    /// The same, by [`InvalidReason`].
    pub invalid_by_reason: [u64; InvalidReason::ALL.len()],
    /// Those of them whose check was wrong.
    pub crc_errors: u64,
}

impl FrameCounts {
    /// Frames without their values, whatever the reason.
    #[must_use]
    pub fn undecoded_total(&self) -> u64 {
        self.undecoded.iter().sum()
    }

    /// Frames that no other counter holds; anything but 0 is a bug.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        self.found.abs_diff(self.decoded + self.undecoded_total())
    }
}

/// All that the pipeline counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records.
    pub records: RecordCounts,
    /// Payload bytes.
    pub bytes: ByteCounts,
    /// Frames.
    pub frames: FrameCounts,
    /// Alignment; all 0 where it is not asked for.
    pub alignment: AlignCounts,
    /// Streams that found no place in the table; as many as there are places can be told apart.
    pub streams_refused: u64,
    /// Configurations that found no slot, were too large for one, or began in fragments where every buffer was in use.
    pub configs_refused: u64,
    /// What TCP flows and IP fragments came to.
    pub flows: FlowCounts,
    /// CFG-3 in fragments that did not become whole: one was missing, out of order or broken, or they were too large.
    pub config_series_lost: u64,
    /// Packets that were copies of one seen before; their payload is [`ByteCounts::duplicate`].
    pub copies: u64,
    /// Configurations whose DATA_RATE is 0, repetitions included: they lay DATA out, but nothing can be missed.
    pub configs_without_rate: u64,
    /// Packets that are none of the protocols' and ports' asked for. Their payload is in no other counter.
    pub packets_ignored: u64,
}

/// What a queue or a sink did with what it was offered, by class. `offered = taken + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Events offered.
    pub offered: [u64; Class::ALL.len()],
    /// Events taken.
    pub taken: [u64; Class::ALL.len()],
    /// Events for which there was no room.
    pub dropped: [u64; Class::ALL.len()],
}

impl QueueCounts {
    /// Counts one event.
    pub const fn count(&mut self, class: Class, taken: bool) {
        let class = class as usize;
        self.offered[class] += 1;
        if taken {
            self.taken[class] += 1;
        } else {
            self.dropped[class] += 1;
        }
    }

    /// Events that no other counter holds; anything but 0 is a bug.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        let sum = |counts: &[u64]| counts.iter().sum::<u64>();
        sum(&self.offered).abs_diff(sum(&self.taken) + sum(&self.dropped))
    }
}
