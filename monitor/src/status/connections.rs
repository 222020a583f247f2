//! TCP connections that an instance has found to carry frames, where any port is matched.

use serde::Serialize;

use crate::probe::Matching;
use crate::probe::pins::{PinError, Pinned};

/// `taken_up` = `kept` + `given_up`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionStatus {
    /// Taken up, because a segment began like a frame.
    pub taken_up: u64,
    /// Still known.
    pub kept: u64,
    /// Given up for newer ones, the one that was quiet for longest first. Nothing else takes one out.
    pub given_up: u64,
    /// Not taken up, since the kernel had no place.
    pub refused: u64,
}

impl ConnectionStatus {
    /// None where there cannot be any.
    pub(super) fn read(
        pinned: &Pinned,
        counted: &monitor_common::PacketCounters,
    ) -> Result<Option<Self>, PinError> {
        let (taken_up, refused) = (counted.connections, counted.connections_refused);
        if taken_up + refused == 0 && pinned.kernel().matching()? != Matching::AnyPort {
            return Ok(None);
        }
        // One that is taken up between the two readings is kept, and not yet counted.
        let kept = pinned.kernel().connections()?.min(taken_up);
        Ok(Some(Self { taken_up, kept, given_up: taken_up - kept, refused }))
    }
}
