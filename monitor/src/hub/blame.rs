//! On what each missing frame is blamed.
//!
//! The real-time thread finds that frames of a stream are missing, and what the frames on either side tell of it
//! ([`Gap`](monitor_core::event::Gap)). What counters say of the time between them is known later, here: the [`Ledger`]
//! keeps a gap as pending until every counter that is watched has been read behind it, and then blames each of its
//! frames once. What one counter has counted once excuses one frame once.
//!
//! # The order
//! What was itself seen comes before what only happened within the same time: damaged frames, frames that nothing laid
//! out, the bytes of the TCP connection, packets of the very flow that the kernel dropped; then what the ring refused,
//! the reader, the card, the wire and the softirqs counted; then a hole in the TCP connection. Where nothing of that
//! explains a frame, and everything was read, no loss was seen on this host: the PMU, or a network before it that tells
//! nobody here. Where something was not read, nobody knows.

mod evidence;
mod host;
mod ledger;
mod tally;

pub use evidence::{DroppedPacket, Inbox, Loss, News, Watched};
pub use host::losses_between;
pub use ledger::{Ledger, MissingView};
pub use tally::{Blame, BlameRow, Cause, Certainty, MissingCounters};
