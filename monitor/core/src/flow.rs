//! From packets to frames: who talks to whom, and where the frames lie in what they say.
//!
//! A UDP datagram holds whole frames, one or several: [`Finder`] takes them out and gives every byte to exactly one
//! thing that it found. TCP is a stream, whose segments are put in order, and IP fragments are put together, by
//! [`Flows`], which takes all its memory at start.

mod bounds;
mod continuity;
mod finder;
mod flows;
mod fragments;
mod framer;
mod iec61850_90_5;
mod ieee1344;
mod invalid;
mod key;
mod lru;
mod pool;
mod search;
mod seen;
mod tcp;

pub use bounds::FlowBounds;
pub use continuity::Continuity;
pub use finder::{Finder, Found, Invalid};
pub use flows::{FlowCounts, Flows};
pub use fragments::{
    Assembled, FragmentCopy, FragmentCounts, FragmentTaken, Sight, TIMEOUT_NS as FRAGMENT_TIMEOUT_NS, Whole,
};
pub use invalid::InvalidReason;
pub use key::FlowKey;
pub use search::{CLAIM_BUDGET, RESYNC_BUDGET, ResyncCounts};
pub use seen::Seen;
pub use tcp::{Copied, Taken, TcpCounts};

/// Whether a payload begins with a frame of a protocol that is told apart from C37.118: IEEE 1344, IEC 61850-90-5.
pub(crate) fn begins_other(payload: &[u8]) -> bool {
    ieee1344::frame(payload).is_ok() || may_begin_other(payload)
}

/// Whether so much can be told by the first bytes of a payload: IEEE 1344 is known by all of them alone.
pub(crate) fn may_begin_other(payload: &[u8]) -> bool {
    iec61850_90_5::is_session(payload)
}
