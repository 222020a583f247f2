//! Applies a request to the calling thread and says what came of it.

use std::fmt;
use std::io;

use super::awake::{CpusAwake, DEVICE};
use super::request::{Request, RequestError};
use crate::sys::caps::{Capabilities, Capability};
use crate::sys::memory;
use crate::sys::sched::{self, CpuList, Policy};

/// What the thread has been given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As the kernel reports it afterwards.
    pub policy: Policy,
    /// The CPU that the thread is bound to, if it is.
    pub cpu: Option<usize>,
    /// Whether the process's memory is locked.
    pub memory_locked: bool,
    /// Whether the CPUs are kept out of idle states that take long to leave.
    pub idle: Idle,
    /// What was asked for and not given. Empty: everything was.
    pub refusals: Vec<Refusal>,
}

impl Outcome {
    /// Whether the thread runs under a real-time policy. Where not, every output has to say so.
    #[must_use]
    pub fn is_real_time(&self) -> bool {
        matches!(self.policy, Policy::Fifo(_))
    }
}

/// Whether this process keeps the CPUs out of idle states that take long to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// Nobody asked for it.
    #[default]
    LeftAlone,
    /// It does.
    Held,
    /// The host refused it: a wake-up may take as long as leaving such a state does.
    Refused,
}

impl Idle {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeftAlone => "left_alone",
            Self::Held => "held",
            Self::Refused => "refused",
        }
    }
}

/// The part of a request that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `SCHED_FIFO`.
    Scheduling,
    /// The CPU.
    Affinity,
    /// The memory lock.
    MemoryLock,
    /// Keeping the CPUs out of idle states that take long to leave.
    Idle,
}

/// One thing the host did not give: what, why, the remedy, and what the run does without it. Displayed as one
/// sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which part.
    pub part: Part,
    /// The kernel's error number; `None` where the call was not made because it could only do harm.
    pub errno: Option<i32>,
    what: String,
    remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without = match self.part {
            Part::Scheduling => "real-time scheduling",
            Part::Affinity => "a fixed CPU",
            Part::MemoryLock => "locked memory",
            Part::Idle => "CPUs that are kept awake",
        };
        write!(out, "{} refused", self.what)?;
        if let Some(errno) = self.errno {
            write!(out, " ({})", errno_name(errno))?;
        }
        write!(out, ": {}; the run goes on without {without}", self.remedy)
    }
}

/// Gives the calling thread what `request` asks for, as far as the host allows: the memory lock first, since it is
/// the process's, then the CPU, then the policy, so that nothing but the thread's own work runs under it.
///
/// # Errors
/// Only for a request that [`Request::check`] refuses; nothing has been changed then.
pub fn apply_to_current_thread(request: &Request) -> Result<Outcome, RequestError> {
    request.check()?;
    let mut refusals = Vec::new();
    let memory_locked = request.lock_memory && kept(lock_memory(), &mut refusals);
    let cpu = request.cpu.filter(|&cpu| kept(bind(cpu), &mut refusals));
    kept(set_policy(request.priority), &mut refusals);
    // Where even reading the policy is forbidden the thread has the ordinary one.
    let policy = sched::policy().unwrap_or(Policy::Other);
    Ok(Outcome { policy, cpu, memory_locked, idle: Idle::LeftAlone, refusals })
}

/// Keeps the CPUs out of idle states that take long to leave until what is given back is dropped, and says in `outcome`
/// what came of it. It is the process's, and not of the thread that asks.
#[must_use = "the CPUs are kept awake for as long as this is kept"]
pub fn hold_cpus_awake(outcome: &mut Outcome) -> Option<CpusAwake> {
    took_hold(CpusAwake::hold(), outcome)
}

fn took_hold(held: io::Result<CpusAwake>, outcome: &mut Outcome) -> Option<CpusAwake> {
    let held = held.map_err(|error| {
        let remedy = "it is for root to write to; run as root, give this user the right to it (udev), or leave idle \
                      states alone with --allow-idle";
        refusal(Part::Idle, format!("{DEVICE} at 0 us"), &error, remedy.to_owned())
    });
    outcome.idle = if held.is_ok() { Idle::Held } else { Idle::Refused };
    held.map_err(|refused| outcome.refusals.push(refused)).ok()
}

/// Files a refusal away; true where there was none.
fn kept(result: Result<(), Refusal>, refusals: &mut Vec<Refusal>) -> bool {
    result.map_err(|refusal| refusals.push(refusal)).is_ok()
}

fn set_policy(priority: u8) -> Result<(), Refusal> {
    sched::set_fifo(priority).map_err(|error| {
        let remedy = if holds(Capability::SysNice) {
            "CAP_SYS_NICE is there, so a control group without real-time budget (cpu.rt_runtime_us) or a sandbox \
             forbids it; start outside of it"
        } else {
            "CAP_SYS_NICE is missing; run as root or grant it, or raise RLIMIT_RTPRIO"
        };
        refusal(Part::Scheduling, format!("SCHED_FIFO priority {priority}"), &error, remedy.to_owned())
    })
}

fn bind(cpu: usize) -> Result<(), Refusal> {
    sched::set_affinity(cpu).map_err(|error| {
        let allowed =
            sched::affinity().map_or_else(|_| "unknown".to_owned(), |list: CpuList| list.to_string());
        let remedy =
            format!("this process may use CPUs {allowed} (cpuset or taskset); choose one of them with --cpu");
        refusal(Part::Affinity, format!("CPU {cpu}"), &error, remedy)
    })
}

/// A lock under a finite limit is refused here: `MCL_FUTURE` would make a later allocation fail once the limit is
/// reached, in the middle of a run.
fn lock_memory() -> Result<(), Refusal> {
    let limit = memory::lock_limit().ok().flatten();
    match limit {
        Some(bytes) if !holds(Capability::IpcLock) => Err(Refusal {
            part: Part::MemoryLock,
            errno: None,
            what: "memory lock".to_owned(),
            remedy: format!(
                "CAP_IPC_LOCK is missing and RLIMIT_MEMLOCK is {} KiB; run as root or grant it, or set the limit to \
                 unlimited",
                bytes / 1024
            ),
        }),
        _ => memory::lock_all().map_err(|error| {
            let remedy = "a sandbox or a user namespace forbids it; start outside of it";
            refusal(Part::MemoryLock, "memory lock".to_owned(), &error, remedy.to_owned())
        }),
    }
}

/// Where the set cannot be read the capability counts as missing: the remedy then names it.
fn holds(capability: Capability) -> bool {
    Capabilities::effective().is_ok_and(|set| set.has(capability))
}

fn refusal(part: Part, what: String, error: &io::Error, remedy: String) -> Refusal {
    Refusal { part, errno: error.raw_os_error(), what, remedy }
}

/// The names of the errors that these calls give; others by number.
fn errno_name(errno: i32) -> String {
    match errno {
        libc::EPERM => "EPERM".to_owned(),
        libc::EACCES => "EACCES".to_owned(),
        libc::ENOENT => "ENOENT".to_owned(),
        libc::EINVAL => "EINVAL".to_owned(),
        libc::ENOMEM => "ENOMEM".to_owned(),
        libc::ENOSYS => "ENOSYS".to_owned(),
        other => format!("errno {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own, since policy and CPU stay with the thread.
    fn outcome_of(request: Request) -> Result<Outcome, RequestError> {
        std::thread::spawn(move || apply_to_current_thread(&request)).join().unwrap()
    }

    #[test]
    fn every_part_is_either_given_or_named_as_refused() {
        let cpu = CpuList::online().unwrap().iter().last();
        let outcome = outcome_of(Request { priority: 7, cpu, lock_memory: true }).unwrap();
        let refused = |part| outcome.refusals.iter().any(|one| one.part == part);
        assert_eq!(outcome.is_real_time(), !refused(Part::Scheduling));
        assert_eq!(outcome.policy.priority(), if outcome.is_real_time() { 7 } else { 0 });
        assert_eq!(outcome.cpu.is_some(), !refused(Part::Affinity));
        assert_eq!(outcome.memory_locked, !refused(Part::MemoryLock));
        memory::unlock_all().unwrap();
    }

    #[test]
    fn what_was_not_asked_for_is_neither_given_nor_refused() {
        let outcome = outcome_of(Request { priority: 1, cpu: None, lock_memory: false }).unwrap();
        assert!(!outcome.memory_locked && outcome.cpu.is_none());
        assert!(outcome.refusals.iter().all(|one| one.part == Part::Scheduling));
    }

    #[test]
    fn a_senseless_request_changes_nothing() {
        std::thread::spawn(|| {
            let before = sched::policy().unwrap();
            let request = Request { priority: 100, cpu: Some(0), lock_memory: false };
            assert_eq!(apply_to_current_thread(&request), Err(RequestError::Priority(100)));
            assert_eq!(sched::policy().unwrap(), before);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn idle_states_that_stay_are_told_with_the_remedy() {
        let request = Request { priority: 1, cpu: None, lock_memory: false };
        let mut outcome = outcome_of(request).unwrap();
        outcome.refusals.clear();
        assert_eq!(outcome.idle, Idle::LeftAlone);
        assert!(took_hold(Err(io::Error::from_raw_os_error(libc::EACCES)), &mut outcome).is_none());
        assert_eq!((outcome.idle, outcome.refusals.len()), (Idle::Refused, 1));
        let said = outcome.refusals[0].to_string();
        for words in
            ["/dev/cpu_dma_latency at 0 us refused (EACCES)", "--allow-idle", "without CPUs that are kept"]
        {
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_refusal_reads_as_one_sentence_with_its_remedy() {
        let error = io::Error::from_raw_os_error(libc::EPERM);
        let remedy = "CAP_SYS_NICE is missing; run as root or grant it".to_owned();
        let text = refusal(Part::Scheduling, "SCHED_FIFO priority 50".to_owned(), &error, remedy).to_string();
        assert_eq!(
            text,
            "SCHED_FIFO priority 50 refused (EPERM): CAP_SYS_NICE is missing; run as root or grant it; \
             the run goes on without real-time scheduling"
        );
    }
}
