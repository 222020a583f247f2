//! What one stream sends, and when: nothing here knows of sockets or of the host's clock, so the same plan gives the
//! same bytes.

use std::ops::Range;
use std::sync::Arc;

use monitor_core::protocol::c37118::FrameKind;
use monitor_core::protocol::c37118::encode::EncodeError;

use super::frames::Frames;
use super::instant::ReportingInstant;
use super::station::{Fleet, GridState};

/// A frame that is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// When, in nanoseconds since the Unix epoch, simulated.
    pub(super) at_ns: i64,
    /// What it is.
    pub(super) kind: FrameKind,
    /// Where its bytes are in the batch.
    pub(super) bytes: Range<usize>,
}

/// Frames that one step has made.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Outgoing>,
    bytes: Vec<u8>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes.clear();
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    fn add(&mut self, at_ns: i64, kind: FrameKind, frame: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        self.frames.push(Outgoing { at_ns, kind, bytes: begin..self.bytes.len() });
    }
}

/// What the grid does, kept for as long as the instant stays the same: many streams ask one after the other.
#[derive(Debug)]
pub(super) struct Grid {
    fleet: Arc<Fleet>,
    last: Option<(ReportingInstant, GridState)>,
}

impl Grid {
    pub(super) const fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, last: None }
    }

    fn at(&mut self, instant: ReportingInstant) -> GridState {
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

/// One stream's future.
#[derive(Debug)]
pub(super) struct Script {
    frames: Frames,
    announced: Vec<FrameKind>,
    config_every_s: u32,
    /// At which instant configurations are announced for being the first one.
    opening: Option<ReportingInstant>,
    next: ReportingInstant,
}

impl Script {
    /// From the instant `first` on. `opens`: what is announced is announced there; else whoever connects is greeted
    /// with it.
    pub(super) fn new(
        frames: Frames,
        announced: Vec<FrameKind>,
        config_every_s: u32,
        first: ReportingInstant,
        opens: bool,
    ) -> Self {
        Self { frames, announced, config_every_s, opening: opens.then_some(first), next: first }
    }

    pub(super) const fn frames(&mut self) -> &mut Frames {
        &mut self.frames
    }

    /// When the next instant is due, in nanoseconds since the Unix epoch, simulated.
    pub(super) fn due_ns(&self) -> i64 {
        self.next.unix_ns()
    }

    /// Lets the next instant pass.
    pub(super) const fn skip(&mut self) {
        self.next = self.next.next();
    }

    /// Adds what is sent at the next instant: its DATA, and before it the configurations that are due.
    pub(super) fn step(&mut self, grid: &mut Grid, batch: &mut Batch) -> Result<(), EncodeError> {
        let instant = self.next;
        self.skip();
        if self.opening == Some(instant) || instant.begins_span_of(self.config_every_s) {
            self.announce(instant, batch)?;
        }
        let bytes = self.frames.data(instant, grid.at(instant))?;
        batch.add(instant.unix_ns(), FrameKind::Data, bytes);
        Ok(())
    }

    /// Adds the configurations that are sent without being asked for, with the time tag of `instant`.
    fn announce(&mut self, instant: ReportingInstant, batch: &mut Batch) -> Result<(), EncodeError> {
        let tag = instant.time_tag_over(self.frames.description().time_base);
        for &kind in &self.announced {
            let bytes = match kind {
                FrameKind::Config1 => self.frames.config1(tag)?,
                _ => self.frames.config2(tag)?,
            };
            batch.add(instant.unix_ns(), kind, bytes);
        }
        Ok(())
    }
}
