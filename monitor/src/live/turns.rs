//! One turn after the other: drain a batch, decode it, tell the hub, sleep when there is nothing.

use std::sync::Arc;

use monitor_common::Taken;
use monitor_core::{
    event::RecordCounts,
    pipeline::Pipeline,
    stream::Preload,
    time::{Clock, Mono, Nanos},
};

use rtrb::Consumer;

use super::{
    Board, Budget, Control, LiveOutlet, OverrunCounts, Snapshot, Waits, overruns::Watch, waits::Waiter,
};
use crate::{
    clock::ClockMap,
    reader::{CardClocks, Drained, LeftToBlock, ReaderError, Records, Ring, Transport},
    sys::clock::monotonic_ns,
};

/// Records taken before the position is published and the hub is told.
const BATCH: usize = 64;
/// How often, without a sleep in between, the counts are shown to others.
const PUBLISH_NS: u64 = 100_000_000;

/// What the loop counted itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopCounts {
    /// Records handed out by the ring.
    pub delivered: u64,
    /// Records thrown away by the probe.
    pub discarded: u64,
    /// Records that were no whole packet before the pipeline saw them.
    pub malformed: u64,
    /// Records left in the ring.
    pub pending: u64,
    /// Sleeps begun.
    pub sleeps: u64,
    /// Sleeps that a record ended.
    pub woken: u64,
    /// Turns that found the next record unfinished.
    pub busy_heads: u64,
    /// Packets that were taken whole.
    pub packets: u64,
    /// Of them, those that were received while the thread was awake.
    pub met: u64,
    /// Turns beyond the budget.
    pub overruns: OverrunCounts,
}

/// The host's clock, which keeps what it was last read as.
#[derive(Default)]
struct HostClock(Option<u64>);

impl Clock for HostClock {
    fn monotonic(&mut self) -> Option<Mono> {
        Mono::new(*self.0.insert(monotonic_ns()))
    }
}

/// Everything that the real-time thread works with. Made before the thread becomes one.
pub struct Loop<O, T = Ring> {
    pub(super) ring: T,
    pub(super) records: Records,
    pub(super) pipeline: Pipeline,
    pub(super) outlet: O,
    pub(super) clock: Arc<ClockMap>,
    pub(super) control: Arc<Control>,
    pub(super) board: Arc<Board>,
    /// What readers before this one took.
    before: Taken,
    counts: LoopCounts,
    published_ns: u64,
    /// Answers of PMUs that were asked for their configuration.
    answers: Option<Consumer<Preload>>,
    waiter: Waiter,
    watch: Watch,
}

impl<O: LiveOutlet, T: Transport> Loop<O, T> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        ring: T,
        records: Records,
        pipeline: Pipeline,
        outlet: O,
        clock: Arc<ClockMap>,
        control: Arc<Control>,
        board: Arc<Board>,
    ) -> Self {
        let (before, counts) = (ring.taken_before(), LoopCounts::default());
        Self {
            before,
            ring,
            records,
            pipeline,
            outlet,
            clock,
            control,
            board,
            counts,
            published_ns: 0,
            answers: None,
            waiter: Waiter::new(&Waits::default()),
            watch: Watch::new(Budget::default()),
        }
    }

    /// Waits in another way from now on.
    pub(super) fn wait_by(&mut self, waits: &Waits) {
        self.waiter = Waiter::new(waits);
    }

    /// With configurations that come while it runs. The pipeline must have kept a place for each of them.
    #[must_use]
    pub fn with_answers(mut self, answers: Consumer<Preload>) -> Self {
        self.answers = Some(answers);
        self
    }

    /// Also looks at the network card's own stamps, on these clocks.
    pub fn read_hardware_stamps(&mut self, clocks: Arc<CardClocks>) {
        self.records.read_hardware_stamps(clocks);
    }

    /// With another budget for a turn.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.watch = Watch::new(budget);
        self
    }

    /// Runs until it is told to stop, then drains what is left.
    ///
    /// # Errors
    /// Where waiting fails; what was taken until then is counted.
    pub fn run(&mut self) -> Result<(), ReaderError> {
        self.watch.start();
        while !self.control.stopping() {
            if self.turn() == 0 {
                self.publish();
                self.watch.waits();
                self.waiter.wait(&mut self.ring, &self.control)?;
            }
        }
        self.drain()
    }

    /// What was in the ring when it was told to stop; where the programs are detached, that is all.
    fn drain(&mut self) -> Result<(), ReaderError> {
        self.ring.mark_end();
        while !self.ring.is_past_end() {
            if self.turn() == 0 {
                self.watch.waits();
                self.ring.sleep(&[], 0)?;
            }
        }
        self.turn();
        self.watch.stop();
        self.pipeline.finish(&mut self.outlet);
        self.outlet.flush();
        self.publish();
        Ok(())
    }

    /// Takes a batch through: until the ring is empty, or so many records were taken, or half of the budget has gone, so
    /// that a turn beyond its budget means one large record or an interruption, and not a backlog. Gives how many records
    /// and marks left the ring.
    pub fn turn(&mut self) -> u64 {
        let begun = self.watch.begin();
        let enough_at = self.watch.enough_at(begun);
        self.take_answers();
        let Self { ring, records, pipeline, outlet, clock, waiter, .. } = self;
        let offset = clock.offset_ns();
        pipeline.set_host_bound(clock.bound_ns());
        let mut enough = false;
        let drained = ring.drain_while(BATCH, |bytes, seen| {
            let mut host_clock = HostClock::default();
            if let Some(record) = records.take(bytes, Mono::new(seen), offset) {
                pipeline.push(&record, &mut host_clock, outlet);
                let stream = pipeline.brought().and_then(|id| usize::try_from(id.0.get() - 1).ok());
                let received = u64::try_from(record.arrival.0.saturating_sub(offset)).unwrap_or(0);
                waiter.took(received, stream);
            }
            // A frame's own stamp, where it had one, is late enough.
            enough = host_clock.0.unwrap_or_else(monotonic_ns) >= enough_at;
            !enough
        });
        let now = monotonic_ns();
        self.pipeline.tick(Nanos(self.clock.utc_ns(now)), &mut self.outlet);
        // All that had arrived when the batch was begun was taken. Where more may be waiting, it is not known what time
        // it is for the instants that wait for frames.
        let taken = drained.delivered + drained.discarded + drained.marks;
        if taken < BATCH as u64 && !enough {
            self.pipeline.caught_up(Nanos(self.clock.utc_ns(begun)), &mut self.outlet);
        }
        self.outlet.flush();
        if drained != Drained::default() {
            self.account(drained);
        }
        if now - self.published_ns > PUBLISH_NS {
            self.published_ns = now;
            self.publish();
        }
        self.watch.end(begun, drained.delivered, &self.clock, &mut self.outlet);
        taken
    }

    /// Hands on the answers that have come, without allocating or freeing: the pipeline keeps them.
    fn take_answers(&mut self) {
        let Some(answers) = &mut self.answers else { return };
        while let Ok(answer) = answers.pop() {
            // There is a place for each request's one answer.
            let _ = self.pipeline.take_requested(answer);
        }
    }

    fn account(&mut self, drained: Drained) {
        self.counts.delivered += drained.delivered;
        self.counts.discarded += drained.discarded;
        self.counts.malformed = self.records.malformed();
        let RecordCounts { carried, no_payload, malformed } = self.pipeline.counts().records;
        let before = &self.before;
        self.ring.commit(&Taken {
            position: 0,
            delivered: before.delivered + self.counts.delivered,
            discarded: before.discarded + self.counts.discarded,
            carried: before.carried + carried,
            no_payload: before.no_payload + no_payload,
            malformed: before.malformed + malformed + self.counts.malformed,
        });
    }

    /// Shows the others what was counted.
    fn publish(&self) {
        let counts = self.pipeline.counts();
        self.board.publish(Snapshot { counts, turns: self.counts(), lanes: self.outlet.counts() });
    }

    /// What wakes the thread in spite of prediction; none where nothing is predicted.
    pub(super) fn left_to_block(&self) -> Option<LeftToBlock> {
        self.waiter.left_to_block()
    }

    /// What the loop counted so far.
    #[must_use]
    pub fn counts(&self) -> LoopCounts {
        LoopCounts {
            pending: self.ring.pending(),
            sleeps: self.ring.sleeps(),
            busy_heads: self.ring.busy_heads(),
            woken: self.waiter.woken,
            packets: self.waiter.packets,
            met: self.waiter.met,
            overruns: self.watch.counts(),
            ..self.counts
        }
    }
}
