//! What tells one configuration from another, whenever and however often it is sent.

use std::hash::Hasher;

use crate::fold::Fold;
use crate::protocol::c37118::{FrameKind, FrameView};

/// Where SOC and FRACSEC stand in a frame: what differs between repetitions of one configuration, beside CHK.
const TIME_TAG: std::ops::Range<usize> = 6..14;
const CHECK_SIZE: usize = 2;

/// What distinguishes one content from another. Two different ones agree by chance once in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    kind: FrameKind,
    /// FRAMESIZE of the DATA frames that it lays out.
    data_framesize: u16,
    hash: u64,
}

impl Content {
    /// Of a sound configuration frame that lays out DATA frames of that size.
    pub(crate) fn of(frame: FrameView<'_>, data_framesize: u16) -> Self {
        let bytes = frame.bytes();
        let mut hash = Fold::default();
        hash.write(bytes.get(..TIME_TAG.start).unwrap_or_default());
        hash.write(bytes.get(TIME_TAG.end..bytes.len().saturating_sub(CHECK_SIZE)).unwrap_or_default());
        Self { kind: frame.kind(), data_framesize, hash: hash.finish() }
    }

    /// FRAMESIZE of the DATA frames that it lays out.
    pub(crate) const fn data_framesize(self) -> u16 {
        self.data_framesize
    }

    /// Whether going from this one to the other is a change. A CFG-2 and a CFG-3 cannot be compared: they are taken
    /// as two descriptions of one thing while their DATA frames have one size.
    pub(crate) fn differs(self, other: Self) -> bool {
        if self.kind == other.kind {
            self.hash != other.hash
        } else {
            self.data_framesize != other.data_framesize
        }
    }
}
