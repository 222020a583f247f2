//! The budget watch: which turns took too long, and why, as far as that can be told.
//!
//! A turn within its budget costs a reading of the clock and two accesses to the thread's own memory. One beyond it costs one
//! system call, getrusage(2), after it is over.

mod cause;

use monitor_core::{
    event::{BytesAt, Class, Event, EventKind, Outlet, Overrun, OverrunCause, Stages},
    packet::InterfaceId,
    time::Nanos,
};

use super::Budget;
use crate::{
    clock::ClockMap,
    sys::{clock::monotonic_ns, rseq::LeftCpu, usage::ThreadUsage},
};
use cause::{Evidence, Grown};

/// Overruns that are told in a second, so that a flood of them leaves room for configurations in their lane; the rest is
/// counted.
const TOLD_PER_SECOND: u64 = 10;
const SECOND_NS: u64 = 1_000_000_000;

/// `overruns = preempted + page_fault + unknown = told + untold`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverrunCounts {
    /// Turns that were watched, those that found nothing included.
    pub turns: u64,
    /// Of them, those beyond the budget.
    pub overruns: u64,
    /// The same, by [`OverrunCause`].
    pub by_cause: [u64; OverrunCause::ALL.len()],
    /// Those that were told as events.
    pub told: u64,
    /// Those that were not: too many in a second, nobody wanted them, or there was no room.
    pub untold: u64,
    /// The longest, nanoseconds.
    pub worst_ns: u64,
}

/// Watches the turns of one thread.
pub(super) struct Watch {
    budget_ns: Option<u64>,
    left_cpu: Option<LeftCpu>,
    /// The thread's totals when it was last looked: after the last overrun, or at the start.
    usage: Option<ThreadUsage>,
    /// Whether nothing lies between that look and the turn that goes on: neither a turn nor a wait.
    alone: bool,
    counts: OverrunCounts,
    /// The second in which overruns are being told, and how many were.
    second_from: u64,
    told_in_second: u64,
}

impl Watch {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget_ns: budget.ns(),
            left_cpu: None,
            usage: None,
            alone: false,
            counts: OverrunCounts::default(),
            second_from: 0,
            told_in_second: 0,
        }
    }

    /// To be called by the thread that is watched, before its first turn.
    pub(super) fn start(&mut self) {
        if self.budget_ns.is_some() {
            self.left_cpu = LeftCpu::find();
            self.look();
        }
    }

    /// After the last turn.
    pub(super) fn stop(&self) {
        if let Some(left_cpu) = self.left_cpu {
            left_cpu.forget();
        }
    }

    /// A turn begins. Gives when.
    pub(super) fn begin(&self) -> u64 {
        if let Some(left_cpu) = self.left_cpu {
            left_cpu.stay();
        }
        monotonic_ns()
    }

    /// When a turn that began at `begun` should take no more records: half of the budget is left for the largest record and
    /// what follows the last one.
    pub(super) fn enough_at(&self, begun: u64) -> u64 {
        self.budget_ns.map_or(u64::MAX, |budget| begun.saturating_add(budget / 2))
    }

    /// The thread waits between two turns.
    pub(super) fn waits(&mut self) {
        self.alone = false;
    }

    /// A turn is over that took so many records and marks.
    pub(super) fn end<O: Outlet>(&mut self, begun: u64, records: u64, clock: &ClockMap, outlet: &mut O) {
        let Some(budget_ns) = self.budget_ns else { return };
        let now = monotonic_ns();
        let turn_ns = now.saturating_sub(begun);
        self.counts.turns += 1;
        if turn_ns <= budget_ns {
            self.alone = false;
            return;
        }
        let cause = self.cause();
        let overrun = Overrun { turn_ns, budget_ns, records, cause };
        self.counts.overruns += 1;
        self.counts.by_cause[cause as usize] += 1;
        self.counts.worst_ns = self.counts.worst_ns.max(turn_ns);
        let told = self.may_tell(now) && tell(Nanos(clock.utc_ns(begun)), overrun, outlet);
        self.told_in_second += u64::from(told);
        self.counts.told += u64::from(told);
        self.counts.untold += u64::from(!told);
    }

    fn cause(&mut self) -> OverrunCause {
        // Before the system call, on whose way back the thread may be taken off its CPU.
        let left_cpu = self.left_cpu.map(LeftCpu::has_left);
        let (before, alone) = (self.usage, self.alone);
        self.look();
        let grown = before.zip(self.usage).map(|(before, now)| Grown::between(&before, &now));
        cause::judge(Evidence { left_cpu, alone, grown })
    }

    fn look(&mut self) {
        self.usage = ThreadUsage::read().ok();
        self.alone = true;
    }

    fn may_tell(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.second_from) >= SECOND_NS {
            (self.second_from, self.told_in_second) = (now, 0);
        }
        self.told_in_second < TOLD_PER_SECOND
    }

    pub(super) const fn counts(&self) -> OverrunCounts {
        self.counts
    }
}

fn tell<O: Outlet>(began: Nanos, overrun: Overrun, outlet: &mut O) -> bool {
    outlet.wants(Class::Overrun)
        && outlet.announce(
            &Event {
                arrival: began,
                first_arrival: began,
                bytes: BytesAt::default(),
                stages: Stages::NONE,
                stream: None,
                config: None,
                interface: InterfaceId::default(),
                kind: EventKind::Overrun(overrun),
            },
            &[],
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Has room for so many, or none wants any.
    struct Outputs {
        wants: bool,
        room: usize,
        told: Vec<Overrun>,
    }

    impl Outlet for Outputs {
        fn wants(&self, class: Class) -> bool {
            self.wants && class == Class::Overrun
        }

        fn offer(&mut self, _: &Event, _: &[u8]) -> bool {
            unreachable!("data cannot crowd an overrun out")
        }

        fn announce(&mut self, event: &Event, _: &[u8]) -> bool {
            let EventKind::Overrun(overrun) = event.kind else { return false };
            let taken = self.told.len() < self.room;
            self.told.extend(taken.then_some(overrun));
            taken
        }

        fn taken(&self) -> u64 {
            0
        }

        fn passed(&self) -> u64 {
            0
        }
    }

    /// What is counted and told of 30 turns that each began this long ago.
    fn turns(budget: &str, ago_ns: u64, wants: bool, room: usize) -> (OverrunCounts, Vec<Overrun>) {
        let clock = ClockMap::new(&clock::measure());
        let mut watch = Watch::new(budget.parse().unwrap());
        let mut outputs = Outputs { wants, room, told: Vec::new() };
        watch.start();
        for _ in 0..30 {
            let begun = watch.begin() - ago_ns;
            watch.end(begun, 3, &clock, &mut outputs);
        }
        watch.stop();
        let counts = watch.counts();
        assert_eq!(counts.overruns, counts.by_cause.iter().sum::<u64>());
        assert_eq!(counts.overruns, counts.told + counts.untold);
        assert_eq!(counts.told, outputs.told.len() as u64);
        (counts, outputs.told)
    }

    #[test]
    fn turns_within_the_budget_are_counted_and_no_more() {
        let counts = turns("1s", 0, true, 100).0;
        assert_eq!(counts, OverrunCounts { turns: 30, ..OverrunCounts::default() });
    }

    #[test]
    fn nothing_is_watched_where_it_is_off() {
        assert_eq!(turns("off", SECOND_NS, true, 100).0, OverrunCounts::default());
        assert_eq!(Watch::new(Budget::OFF).enough_at(7), u64::MAX);
    }

    #[test]
    fn each_turn_beyond_the_budget_is_counted_and_so_many_are_told() {
        let (counts, told) = turns("50us", 60_000, true, 100);
        assert_eq!((counts.turns, counts.overruns), (30, 30));
        // More where the test itself took a second.
        assert!((TOLD_PER_SECOND..=30).contains(&counts.told), "{counts:?}");
        assert!(told.iter().all(|one| one.turn_ns > 60_000 && one.budget_ns == 50_000 && one.records == 3));
        assert!(told.iter().all(|one| one.turn_ns <= counts.worst_ns));
    }

    #[test]
    fn what_finds_no_room_or_nobody_is_counted_as_untold() {
        assert_eq!(turns("50us", 60_000, true, 2).0.told, 2);
        assert_eq!(turns("50us", 60_000, false, 100).0.untold, 30);
    }

    #[test]
    fn half_of_the_budget_is_kept_for_the_end_of_a_turn() {
        assert_eq!(Watch::new(Budget::default()).enough_at(1_000), 26_000);
    }
}
