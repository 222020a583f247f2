//! The queue's consumer: what leaves the real-time thread arrives here, gets its names, and goes on to the sinks.
//!
//! Live: [`queue`] carries events over, [`Hub`] resolves them through the [`Registry`] and hands them to the sinks'
//! threads through the [`Fanout`]. For a capture there is no real-time thread to protect: [`Direct`] does the same on
//! the caller's thread, with one sink and no queue.

mod alignment;
mod blame;
mod direct;
mod drops;
mod equations;
mod fanout;
mod flows;
mod hardware;
mod lapses;
mod names;
mod overruns;
pub mod queue;
mod registry;
mod row;
mod run;
mod summary;

pub use alignment::{AlignedRow, Alignment, AlignmentCounters};
pub use blame::{
    Blame, BlameRow, Cause, Certainty, DroppedPacket, Inbox, Ledger, Loss, MissingCounters, MissingView,
    News, Watched, losses_between,
};
pub use direct::Direct;
pub use drops::{DropLine, DropPlace, DropReason, DropSummary, DropSums};
pub use equations::Equation;
pub use fanout::{Ended, Fanout, OnEnd, SinkReport, is_closed};
pub use hardware::{HardwareCard, HardwareSummary};
pub use lapses::Lapses;
pub use names::InterfaceNames;
pub use overruns::{OverrunCounters, OverrunSummary};
pub use registry::{Config, Item, OwnedItem, PmuNames, Registry, StreamInfo};
pub use row::{
    ClockRow, CopiesRow, JitterRow, LatenessRow, LeapsRow, SpreadRow, StallsRow, StreamLatency, StreamRow,
};
pub use run::Hub;
pub use summary::{
    ByteCounters, CaptureSummary, ClockSummary, Counters, EventCounters, FrameCounters, LeftToBlock, Named,
    PacketCounters, RecordCounters, RtSummary, StageLatency, Summary, Window,
};

#[cfg(test)]
mod tests;
