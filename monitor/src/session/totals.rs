//! The counters of all rooms in one place, where their sums must come out.

use std::{thread, time::Duration};

use monitor_common::{PacketCounters as KernelCounts, Taken};
use monitor_core::event::QueueCounts;

use crate::{
    clock::{ClockReport, Keeper},
    hub::{
        ClockSummary, Counters, EventCounters, LeftToBlock, OverrunCounters, OverrunSummary, PacketCounters,
        RtSummary,
    },
    live::{Board, Budget, LoopCounts, Outcome, Waiting},
    probe::{Kernel, ProbeError},
    reader::{self, Source},
};

use super::placement::Placed;

/// How often the counters of a running system are read again where they do not add up yet.
const READS: usize = 5;
/// What lies between: enough for a packet in flight to arrive at its counter.
const BETWEEN_READS: Duration = Duration::from_millis(1);
/// Names of the queue's lanes.
const LANES: [&str; 2] = ["queue_data", "queue_control"];

/// The counters of a run that goes on. Kernel and threads count while they are read, so that a packet may be in one
/// counter and not yet in the next: what does not add up is read again, and only what stays is a remainder.
pub(super) fn so_far(kernel: &Kernel, before: &Taken, board: &Board) -> Option<Counters> {
    let mut counters = None;
    for _ in 0..READS {
        let snapshot = board.read();
        let packets = kernel.counters().ok()?;
        let mut read = Counters::new(&snapshot.counts);
        fill(&mut read, &packets, &snapshot.turns, before, &snapshot.lanes, &[]);
        // Records submitted since the thread last showed its counts are on their way to it.
        let taken = read.records.delivered + read.records.discarded.unwrap_or(0);
        read.records.pending = Some(packets.records.saturating_sub(taken));
        read.settle();
        let settled = read.unaccounted() == 0;
        counters = Some(read);
        if settled {
            break;
        }
        thread::sleep(BETWEEN_READS);
    }
    counters
}

/// The kernel's counters and the records left unread, read so that they belong together: programs that stay
/// attached go on meanwhile.
pub(super) fn settled(kernel: &Kernel, source: &Source) -> Result<(KernelCounts, u64), ProbeError> {
    let mut before = kernel.counters()?;
    loop {
        let pending = source.pending();
        let after = kernel.counters()?;
        if after == before {
            return Ok((after, pending));
        }
        before = after;
    }
}

/// Adds to what the pipeline counted what kernel, reader, queue and sinks did.
pub(super) fn fill(
    counters: &mut Counters,
    kernel: &KernelCounts,
    turns: &LoopCounts,
    before: &Taken,
    lanes: &[QueueCounts; 2],
    sinks: &[(&'static str, QueueCounts)],
) {
    counters.packets = Some(PacketCounters {
        seen: kernel.seen,
        ignored: kernel.ignored,
        submitted: kernel.submitted,
        ring_full: kernel.ring_full,
        read_failed: kernel.read_failed,
        ..PacketCounters::default()
    });
    let records = &mut counters.records;
    records.submitted = Some(kernel.records);
    // Records are counted since the maps were made: what readers before this one took belongs to the same sums.
    records.delivered = before.delivered + turns.delivered;
    records.discarded = Some(before.discarded + turns.discarded);
    records.pending = Some(turns.pending);
    records.carried += before.carried;
    records.no_payload += before.no_payload;
    records.malformed += before.malformed + turns.malformed;
    // Where turns are not watched, none is counted; where they are, there was one before anything is shown.
    counters.overruns = (turns.overruns.turns > 0).then(|| OverrunCounters::from(&turns.overruns));
    let lanes = LANES.into_iter().zip(lanes.iter().copied());
    counters.events.0 = lanes
        .chain(sinks.iter().copied())
        .map(|(name, counts)| (name, EventCounters::from(&counts)))
        .collect();
}

/// The clock as the summary shows it.
pub(super) fn clock(report: ClockReport) -> ClockSummary {
    let ClockReport { keeper, steps, last_step_ns, drift_ppb } = report;
    let Keeper { source, reference, error_bound_ns, tai_offset_s, grandmaster, tai_mistake_s } = keeper;
    ClockSummary {
        source: source.to_string(),
        reference,
        error_bound_ns,
        tai_offset_s,
        grandmaster: grandmaster.map(|identity| identity.to_string()),
        tai_mistake_s,
        steps,
        last_step_ns,
        drift_ppb,
    }
}

/// The real-time thread as the summary shows it.
pub(super) fn rt<O>(outcome: &Outcome<O>, placed: Placed, budget: Budget) -> RtSummary {
    let Placed { waits, cpu, off_cpu, fallen_back, refused } = placed;
    let Outcome { rt: granted, counts, cpu_percent, left_to_block, .. } = outcome;
    let watched = budget.ns().map(|budget_ns| (budget_ns, &counts.overruns));
    RtSummary {
        policy: granted.policy.name().to_owned(),
        priority: granted.is_real_time().then(|| granted.policy.priority()),
        cpu: cpu.and_then(|cpu| u32::try_from(cpu).ok()),
        off_cpu,
        memory_locked: granted.memory_locked,
        cpu_dma_latency: granted.idle.name(),
        refused: granted.refusals.iter().map(ToString::to_string).chain(refused).collect(),
        wait: waits.waiting.to_string(),
        wait_refused: waits.refused,
        fallen_back,
        cpu_percent: Some(*cpu_percent),
        sleeps: Some(counts.sleeps),
        packets: Some(counts.packets),
        met_awake: Some(counts.met),
        left_to_block: left_to_block.filter(|_| waits.waiting == Waiting::Predict).map(|left| {
            let reader::LeftToBlock { irregular, given_up, not_followed } = left;
            LeftToBlock { irregular, given_up, not_followed }
        }),
        budget_ns: watched.map(|(budget_ns, _)| budget_ns),
        turns: watched.map(|(_, counts)| counts.turns),
        overruns: watched.map(|(_, counts)| OverrunSummary::from(counts)),
    }
}
