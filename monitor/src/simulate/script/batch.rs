//! The frames that one step has made.

use std::ops::Range;
use std::sync::Arc;

use monitor_core::protocol::c37118::FrameKind;

use crate::simulate::instant::ReportingInstant;
use crate::simulate::ledger::Damage;
use crate::simulate::station::{Fleet, GridState};

/// A frame that is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct Outgoing {
    /// When, in nanoseconds since the Unix epoch, simulated.
    pub(in crate::simulate) at_ns: i64,
    /// What it is.
    pub(in crate::simulate) kind: FrameKind,
    /// Where its bytes are in the batch.
    pub(in crate::simulate) bytes: Range<usize>,
    /// What the books say of it.
    pub(in crate::simulate) note: Note,
}

/// What the books say of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulate) enum Note {
    /// A CFG or HDR.
    Other,
    /// DATA.
    Data {
        /// The index of the instant that its time tag means.
        index: u64,
        damage: Damage,
        /// It leaves in IP fragments.
        cut: Option<Cut>,
    },
}

/// How a datagram is cut into IP fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct Cut {
    /// Bytes of IP payload in each.
    pub(in crate::simulate) size: u16,
    pub(in crate::simulate) reversed: bool,
    /// The one that this number falls on is left out.
    pub(in crate::simulate) dropped: Option<u32>,
}

/// The frames of a step, with their bytes.
#[derive(Debug, Default)]
pub(in crate::simulate) struct Batch {
    pub(in crate::simulate) frames: Vec<Outgoing>,
    bytes: Vec<u8>,
    /// Where the frame begins that is being made.
    begun: usize,
    kind: Option<FrameKind>,
}

impl Batch {
    pub(in crate::simulate) fn clear(&mut self) {
        self.frames.clear();
        self.bytes.clear();
    }

    pub(in crate::simulate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Adds a whole frame.
    pub(super) fn add(&mut self, at_ns: i64, kind: FrameKind, frame: &[u8], note: Note) {
        self.begin(kind, frame);
        self.finish(at_ns, note, frame.len());
    }

    /// Begins a frame, which may still be changed, cut or forgotten.
    pub(super) fn begin(&mut self, kind: FrameKind, frame: &[u8]) {
        self.begun = self.bytes.len();
        self.kind = Some(kind);
        self.bytes.extend_from_slice(frame);
    }

    /// The frame that was begun.
    pub(super) fn written(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.begun..).unwrap_or_default()
    }

    /// It does not leave.
    pub(super) fn forget(&mut self) {
        self.bytes.truncate(self.begun);
        self.kind = None;
    }

    /// It leaves at `at_ns`, so many bytes of it.
    pub(super) fn finish(&mut self, at_ns: i64, note: Note, size: usize) {
        self.bytes.truncate(self.begun + size);
        if let Some(kind) = self.kind.take() {
            self.frames.push(Outgoing { at_ns, kind, bytes: self.begun..self.bytes.len(), note });
        }
    }

    /// The last frame leaves once more.
    pub(super) fn repeat(&mut self, at_ns: i64) {
        if let Some(frame) = self.frames.last().cloned() {
            self.frames.push(Outgoing { at_ns, ..frame });
        }
    }
}

/// What the grid does, kept for as long as the instant stays the same: many streams ask one after the other.
#[derive(Debug)]
pub(in crate::simulate) struct Grid {
    fleet: Arc<Fleet>,
    last: Option<(ReportingInstant, GridState)>,
}

impl Grid {
    pub(in crate::simulate) const fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, last: None }
    }

    pub(super) fn at(&mut self, instant: ReportingInstant) -> GridState {
        match self.last {
            Some((last, state)) if last == instant => state,
            _ => {
                let state = self.fleet.grid(instant);
                self.last = Some((instant, state));
                state
            }
        }
    }
}
