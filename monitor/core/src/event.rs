//! What crosses from the real-time thread to everything else.
//!
//! An [`Event`] is small, `Copy` and self-contained; the bytes it speaks of (a packet, or a frame as it was on the
//! wire) go beside it. An [`Outlet`] takes both: a pair of queues when live, a sink directly for a capture.

mod counts;
mod instant;
mod kind;
mod overrun;
mod stages;

pub use counts::{ByteCounts, Counts, FrameCounts, QueueCounts, RecordCounts};
pub use instant::{ABSENT_TOLD, Absent, AbsentRoom, InstantEvent, NO_ABSENT};
pub use kind::{
    Candidate, Class, Classes, ConfigNews, EventKind, FrameEvent, Outcome, Protocol, UndecodedReason,
};
pub use overrun::{Overrun, OverrunCause};
pub use stages::{Stage, Stages};

// The identities that events carry are made in the rooms before this one; whoever reads events finds them here.
pub use crate::flow::{FlowCounts, FragmentCounts, InvalidReason, ResyncCounts, TcpCounts};
pub use crate::packet::{Addresses, Endpoint, Transport};
pub use crate::stream::align::{AlignCounts, End, StreamAlignment, Wait};
pub use crate::stream::{
    Carriage, ConfigId, ConfigSource, Gap, Misfit, Missing, StreamCounts, StreamId, StreamKey, StreamReport,
    StreamTiming,
};

use crate::{packet::InterfaceId, time::Nanos};

/// Where an event's bytes stand in the byte ring; meaningless to all but the two ends of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BytesAt {
    /// Bytes ever written to the ring before these.
    pub position: u64,
    /// How many there are; 0 for none.
    pub length: u32,
}

/// One thing that happened. At most 128 bytes and without a reference, so that a queue of them is one allocation.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Arrival of the packet that brought the last byte.
    pub arrival: Nanos,
    /// Arrival of the packet that brought the first byte; equal to `arrival` where it is the same packet.
    pub first_arrival: Nanos,
    /// Where its bytes stand; filled in by the queue.
    pub bytes: BytesAt,
    /// How long each stage took, when live.
    pub stages: Stages,
    /// Stream it belongs to. Only DATA and configurations make a stream.
    pub stream: Option<StreamId>,
    /// Configuration that lays its bytes out.
    pub config: Option<ConfigId>,
    /// Where it was seen.
    pub interface: InterfaceId,
    /// What happened.
    pub kind: EventKind,
}

const _: () = assert!(size_of::<Event>() <= 128);

/// Takes events off the real-time thread. Never blocks; what does not fit is counted by the outlet.
pub trait Outlet {
    /// Whether anybody wants events of this class: what nobody wants is not made.
    fn wants(&self, class: Class) -> bool;

    /// Offers an event of the data lane. False where it was dropped.
    fn offer(&mut self, event: &Event, bytes: &[u8]) -> bool;

    /// Offers an event of the lane that data cannot crowd out: new streams, configurations, alarms. Whoever reads
    /// both lanes sees it before any data event offered later. False where it was dropped.
    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool;

    /// Data events taken so far.
    fn taken(&self) -> u64;

    /// Data events that the other end has finished with: what they refer to may be used again.
    fn passed(&self) -> u64;
}
