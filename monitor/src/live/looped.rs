//! One turn after the other: drain a batch, decode it, tell the hub, sleep when there is nothing.

use std::sync::Arc;

use monitor_common::ReaderPage;
use monitor_core::{
    pipeline::Pipeline,
    time::{Clock, Mono, Nanos},
};

use super::{Control, LiveOutlet};
use crate::{
    clock::ClockMap,
    reader::{Drained, ReaderError, Records, Ring, Sleep},
    sys::clock::monotonic_ns,
};

/// Records taken before the position is published and the hub is told.
const BATCH: usize = 64;
/// The longest sleep: how late a stream's state may be told when nothing arrives.
const SLEEP_NS: u64 = 100_000_000;

/// Bounds of the loop that users may set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds;

/// What the loop counted itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopCounts {
    /// Records handed out by the ring.
    pub delivered: u64,
    /// Records thrown away by the probe.
    pub discarded: u64,
    /// Records that were no whole packet before the pipeline saw them.
    pub malformed: u64,
    /// Bytes left in the ring.
    pub pending_bytes: u64,
    /// Sleeps begun.
    pub sleeps: u64,
    /// Sleeps that a record ended.
    pub woken: u64,
    /// Turns that found the next record unfinished.
    pub busy_heads: u64,
}

/// The host's clock.
struct HostClock;

impl Clock for HostClock {
    fn monotonic(&mut self) -> Option<Mono> {
        Mono::new(monotonic_ns())
    }
}

/// Everything that the real-time thread works with. Made before the thread becomes one.
pub struct Loop<O> {
    pub(super) ring: Ring,
    pub(super) records: Records,
    pub(super) pipeline: Pipeline,
    pub(super) outlet: O,
    pub(super) clock: Arc<ClockMap>,
    pub(super) control: Arc<Control>,
    counts: LoopCounts,
}

impl<O: LiveOutlet> Loop<O> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        ring: Ring,
        records: Records,
        pipeline: Pipeline,
        outlet: O,
        clock: Arc<ClockMap>,
        control: Arc<Control>,
    ) -> Self {
        Self { ring, records, pipeline, outlet, clock, control, counts: LoopCounts::default() }
    }

    /// Runs until it is told to stop, then drains what is left.
    ///
    /// # Errors
    /// Where waiting fails; what was taken until then is counted.
    pub fn run(&mut self) -> Result<(), ReaderError> {
        while !self.control.stopping() {
            if self.turn() == 0 {
                let control = Arc::clone(&self.control);
                if self.ring.sleep(&[control.fd()], SLEEP_NS)? == Sleep::Ring {
                    self.counts.woken += 1;
                }
            }
        }
        self.drain()
    }

    /// After the programs are detached nothing is added: a ring that is empty stays so.
    fn drain(&mut self) -> Result<(), ReaderError> {
        while self.ring.has_records() {
            if self.turn() == 0 {
                self.ring.sleep(&[], 0)?;
            }
        }
        self.turn();
        Ok(())
    }

    /// Takes a batch through. Gives how many records left the ring.
    pub fn turn(&mut self) -> u64 {
        let Self { ring, records, pipeline, outlet, clock, .. } = self;
        let offset = clock.offset_ns();
        let drained = ring.drain(BATCH, |bytes| {
            let looked = Mono::new(monotonic_ns());
            if let Some(record) = records.take(bytes, looked, offset) {
                pipeline.push(&record, &mut HostClock, outlet);
            }
        });
        let now = Nanos(self.clock.utc_ns(monotonic_ns()));
        self.pipeline.tick(now, &mut self.outlet);
        self.outlet.flush();
        self.account(drained);
        drained.delivered + drained.discarded
    }

    fn account(&mut self, drained: Drained) {
        self.counts.delivered += drained.delivered;
        self.counts.discarded += drained.discarded;
        self.counts.malformed = self.records.malformed();
        if drained == Drained::default() {
            return;
        }
        let counts = self.pipeline.counts().records;
        self.ring.publish(&ReaderPage {
            delivered: self.counts.delivered,
            discarded: self.counts.discarded,
            carried: counts.carried,
            no_payload: counts.no_payload,
            malformed: counts.malformed + self.counts.malformed,
            reader_pid: std::process::id().into(),
            ..ReaderPage::default()
        });
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> LoopCounts {
        LoopCounts {
            pending_bytes: self.ring.pending_bytes(),
            sleeps: self.ring.sleeps(),
            busy_heads: self.ring.busy_heads(),
            ..self.counts
        }
    }
}
