//! Where the real-time thread runs and whether it may look without sleeping, while a run lasts: a CPU goes offline, an
//! interrupt is moved to another (irqbalance), an interface comes back with others.
//!
//! Looked at once a second by the caretaker. The thread itself notices nothing: it is moved, or told to sleep.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Notices,
    choice::{self, Host},
};
use crate::{
    hub::Lapses,
    live::{Control, Live, Waiting, Waits},
    probe::Interface,
    sys::{
        clock::monotonic_ns,
        sched::{self, CpuList},
    },
};

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A thread's CPUs, as the kernel has them.
pub(super) trait Thread {
    /// Those that it may run on.
    fn cpus(&self) -> io::Result<CpuList>;
    /// Those that it could be let run on: of its cpuset, and online.
    fn allowed(&self) -> io::Result<CpuList>;
    /// Keeps it on some.
    fn keep_to(&self, cpus: &CpuList) -> io::Result<()>;
}

/// One of this process.
pub(super) struct OwnThread(u32);

impl Thread for OwnThread {
    fn cpus(&self) -> io::Result<CpuList> {
        sched::affinity_of(self.0)
    }

    fn allowed(&self) -> io::Result<CpuList> {
        // Those of the calling thread, which is bound to none: cpusets are a process's.
        sched::affinity()
    }

    fn keep_to(&self, cpus: &CpuList) -> io::Result<()> {
        sched::keep_thread_to(self.0, cpus)
    }
}

/// What came of it in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// How the thread waits, and why not otherwise.
    pub(super) waits: Waits,
    /// The CPU that it is bound to.
    pub(super) cpu: Option<usize>,
    /// Being off the CPU that it was bound to; none where it was bound to none.
    pub(super) off_cpu: Option<Lapses>,
    /// Sleeping though it was to look; none where it was to sleep, or is refused for good.
    pub(super) fallen_back: Option<Lapses>,
    /// A sentence for the CPU where it was lost.
    pub(super) refused: Option<String>,
}

/// Follows one thread.
pub(super) struct Placement<T> {
    thread: T,
    host: Host,
    control: Arc<Control>,
    notices: Notices,
    /// As it was asked for, whatever refuses it.
    asked: Waits,
    /// The CPU that the thread was bound to when it began.
    bound: Option<usize>,
    /// Whether it is kept on some CPUs, off others that serve an interface.
    kept: bool,
    placed: Placed,
    due: Instant,
}

impl Placement<OwnThread> {
    /// Of the real-time thread, which has begun.
    pub(super) fn of<O>(live: &Live<O>, here: u32, notices: &Notices) -> Self {
        let host = Host { root: PathBuf::from("/"), netns: here };
        let begun = (live.waits().clone(), live.rt().cpu);
        Self::new(OwnThread(live.tid()), host, live.control(), begun, notices)
    }
}

impl<T: Thread> Placement<T> {
    fn new(
        thread: T,
        host: Host,
        control: &Arc<Control>,
        (waits, bound): (Waits, Option<usize>),
        notices: &Notices,
    ) -> Self {
        let now = monotonic_ns();
        let may_change = waits.waiting != Waiting::Block || waits.once_granted.is_some();
        let asked = Waits {
            cap: waits.cap,
            waiting: waits.once_granted.unwrap_or(waits.waiting),
            ..Waits::default()
        };
        let mut fallen_back = may_change.then(Lapses::default);
        if let Some(lapses) = &mut fallen_back {
            lapses.note(waits.waiting == Waiting::Block, now);
        }
        let kept = bound.is_none() && thread.cpus().ok() != thread.allowed().ok();
        let off_cpu = bound.map(|_| Lapses::default());
        let placed = Placed { waits, cpu: bound, off_cpu, fallen_back, refused: None };
        let due = Instant::now() + LOOK_EVERY;
        Self {
            thread,
            host,
            control: Arc::clone(control),
            notices: notices.clone(),
            asked,
            bound,
            kept,
            placed,
            due,
        }
    }

    /// Looks with the next opportunity: the interfaces are others.
    pub(super) fn hasten(&mut self) {
        self.due = Instant::now();
    }

    /// Looks where it is time to.
    pub(super) fn look(&mut self, interfaces: &[Interface]) {
        if Instant::now() >= self.due {
            self.due = Instant::now() + LOOK_EVERY;
            self.look_now(interfaces, monotonic_ns());
        }
    }

    /// What came of it, up to now.
    pub(super) fn finish(mut self) -> Placed {
        let now = monotonic_ns();
        for lapses in [&mut self.placed.off_cpu, &mut self.placed.fallen_back].into_iter().flatten() {
            lapses.note(lapses.now, now);
        }
        self.placed
    }

    fn look_now(&mut self, interfaces: &[Interface], now: u64) {
        // Where the kernel tells nothing, nothing is known to have changed.
        let (Ok(online), Ok(allowed)) = (self.host.online(), self.thread.allowed()) else { return };
        self.look_at_cpu(&online, now);
        if self.placed.fallen_back.is_some() {
            let served = self.host.served(interfaces);
            let wanted = choice::choose(self.asked.clone(), self.placed.cpu, &online, &allowed, &served);
            self.wait_by(wanted, &allowed, now);
        }
    }

    /// Whether it is on the CPU that it was bound to: one that goes offline loses its threads to others, and what they were
    /// bound to is forgotten (`select_fallback_rq`, kernel/sched/core.c).
    fn look_at_cpu(&mut self, online: &CpuList, now: u64) {
        let (Some(cpu), Some(lapses)) = (self.bound, &mut self.placed.off_cpu) else { return };
        let Ok(found) = self.thread.cpus() else { return };
        let home = CpuList::from_iter([cpu]);
        if found == home {
            return;
        }
        let bound_again = online.contains(cpu) && self.thread.keep_to(&home).is_ok();
        if bound_again {
            if lapses.now {
                lapses.note(false, now);
            } else {
                lapses.note_passed(now);
            }
            self.placed.cpu = Some(cpu);
            self.notices.say(format!(
                "the real-time thread is bound to CPU {cpu} again: it was on CPUs {found} for some time"
            ));
        } else if lapses.note(true, now) {
            self.placed.cpu = None;
            let why = if online.contains(cpu) { "its cpuset has it no more" } else { "it went offline" };
            let sentence = format!(
                "DEGRADED: the real-time thread lost CPU {cpu} ({why}) and runs on CPUs {found}; bring the CPU back, and the \
                 thread is bound to it again, or choose another with --cpu"
            );
            self.placed.refused = Some(sentence.clone());
            self.notices.say(sentence);
        }
    }

    /// Lets it look without sleeping where it may, on CPUs where it may.
    fn wait_by(&mut self, mut wanted: Waits, allowed: &CpuList, now: u64) {
        if wanted.waiting == Waiting::Block {
            // First, or it would look where it must not.
            self.control.allow_looking(false);
        }
        if self.placed.cpu.is_none()
            && let Err(error) = self.keep_off(wanted.keep_to.take().as_ref(), allowed)
        {
            wanted.refuse(&format!(
                "the thread cannot be kept off the CPUs that serve the interfaces ({error})"
            ));
        }
        let sleeps = wanted.waiting == Waiting::Block;
        self.control.allow_looking(!sleeps);
        let changed = self.placed.fallen_back.as_mut().is_some_and(|lapses| lapses.note(sleeps, now));
        self.placed.waits = wanted;
        if !changed {
            return;
        }
        self.notices.say(match &self.placed.waits.refused {
            Some(refused) => format!("DEGRADED: {refused}"),
            None => format!("wait {} is used again: what refused it is gone", self.asked.waiting),
        });
    }

    /// On these CPUs, or wherever it may be.
    fn keep_off(&mut self, wanted: Option<&CpuList>, allowed: &CpuList) -> io::Result<()> {
        if wanted.is_none() && !self.kept {
            return Ok(());
        }
        self.kept = wanted.is_some();
        let cpus = wanted.unwrap_or(allowed);
        if self.thread.cpus()? == *cpus { Ok(()) } else { self.thread.keep_to(cpus) }
    }
}

#[cfg(test)]
mod tests;
