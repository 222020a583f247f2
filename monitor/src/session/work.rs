//! The live loop over whichever transport carries the records: what the real-time thread runs is made for that one.

use std::{io, sync::Arc};

use monitor_core::{pipeline::Pipeline, stream::Preload};
use rtrb::Consumer;

use super::{Notices, SessionError};
use crate::{
    clock::ClockMap,
    hub::queue::QueueSender,
    live::{self, Board, Budget, Control, Live, Loop, Waits},
    probe::Kernel,
    reader::{CardClocks, Perf, PerfEvents, Records, Ring, Source, Transport},
    rt,
};

/// A loop that is to run.
#[expect(clippy::large_enum_variant, reason = "there is one, which is moved once")]
pub(super) enum Work {
    Ring(Loop<QueueSender>),
    Perf(Loop<QueueSender, Perf>),
}

/// All of a loop but its transport.
pub(super) struct Parts {
    pub(super) records: Records,
    pub(super) pipeline: Pipeline,
    pub(super) outlet: QueueSender,
    pub(super) clock: Arc<ClockMap>,
    pub(super) control: Arc<Control>,
    pub(super) board: Arc<Board>,
    pub(super) answers: Consumer<Preload>,
    pub(super) budget: Budget,
}

impl Parts {
    fn over<T: Transport>(self, transport: T) -> Loop<QueueSender, T> {
        let Self { records, pipeline, outlet, clock, control, board, answers, budget } = self;
        Loop::new(transport, records, pipeline, outlet, clock, control, board)
            .with_answers(answers)
            .with_budget(budget)
    }
}

impl Work {
    pub(super) fn new(source: Source, parts: Parts) -> Self {
        match source {
            Source::Ring(ring) => Self::Ring(parts.over(ring)),
            Source::Perf(perf) => Self::Perf(parts.over(perf)),
        }
    }

    /// Also looks at the network card's own stamps, on these clocks.
    pub(super) fn read_hardware_stamps(&mut self, clocks: Arc<CardClocks>) {
        match self {
            Self::Ring(work) => work.read_hardware_stamps(clocks),
            Self::Perf(work) => work.read_hardware_stamps(clocks),
        }
    }

    pub(super) fn spawn(
        self,
        request: rt::Request,
        idle_allowed: bool,
        waits: Waits,
    ) -> io::Result<Live<QueueSender>> {
        match self {
            Self::Ring(work) => live::spawn(work, request, idle_allowed, waits),
            Self::Perf(work) => live::spawn(work, request, idle_allowed, waits),
        }
    }
}

/// Maps the ring.
pub(super) fn ring(kernel: &Kernel) -> Result<Source, SessionError> {
    let ring = Ring::map(kernel.ring(), kernel.ring_bytes()?, kernel.reader_page())?;
    Ok(ring.into())
}

/// Makes the perf buffers.
pub(super) fn perf(
    kernel: &Kernel,
    events: PerfEvents,
    bytes: u32,
    notices: &Notices,
) -> Result<Source, SessionError> {
    let perf = Perf::open(events, bytes as usize, kernel.reader_page())?;
    if !perf.offline().is_empty() {
        let cpus = perf.offline().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        notices.say(format!(
            "no perf buffer for CPUs {cpus}, which are offline: packets that they handle once they are online count as \
             read_failed; start again then, or use --transport ring"
        ));
    }
    Ok(perf.into())
}
