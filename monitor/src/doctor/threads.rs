//! The kernel's threads on a frame's way, against the reader: what brings a frame must not wait for who takes it.

use super::finding::{Finding, Looked, Remedy};
use super::host::Thread;
use super::subject::{Nic, cpu_list};
use super::{Change, Subject};

/// Names of threads are cut to this in `/proc` before Linux 5.17 (`TASK_COMM_LEN` less its end).
const NAME_MAX: usize = 15;

/// A thread that has too little, and what it is to have.
struct Short<'a> {
    thread: &'a Thread,
    why: String,
}

impl Subject<'_> {
    /// Threads whose names begin so.
    fn named(&self, prefix: &str) -> Vec<&Thread> {
        let cut = prefix.get(..NAME_MAX).unwrap_or(prefix);
        self.threads.iter().filter(|it| it.name.starts_with(prefix) || it.name == cut).collect()
    }

    /// Whether a thread may run on the reader's CPU. Where that is not told, it may.
    fn meets(&self, thread: &Thread) -> bool {
        let status = self.host.read(&format!("/proc/{}/status", thread.tid)).unwrap_or_default();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        allowed.is_none_or(|list| cpu_list(list).contains(self.cpu))
    }

    /// Above the reader on its CPU; anywhere else, before whatever is ordinary.
    fn is_short<'t>(&self, thread: &'t Thread) -> Option<Short<'t>> {
        let has = thread.policy.priority();
        let why = if has == 0 {
            format!("{} is ordinary ({})", thread.name, thread.policy.name())
        } else if has <= self.priority && self.meets(thread) {
            format!("{} has priority {has} on CPU {}, the reader {}", thread.name, self.cpu, self.priority)
        } else {
            return None;
        };
        Some(Short { thread, why })
    }

    /// What puts them right.
    fn raise(&self, short: &[Short<'_>]) -> Remedy {
        let Some(priority) = self.above() else {
            return format!("none is above {}: give the reader a lower --priority", self.priority).into();
        };
        let change =
            |it: &Short<'_>| Change::Thread { tid: it.thread.tid, name: it.thread.name.clone(), priority };
        short.iter().map(change).collect::<Vec<_>>().into()
    }
}

fn whys(short: &[Short<'_>]) -> String {
    short.iter().map(|it| it.why.as_str()).collect::<Vec<_>>().join("; ")
}

fn priorities(threads: &[&Thread]) -> String {
    let one = |it: &&Thread| format!("{} at {}", it.name, it.policy.priority());
    threads.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn judge(subject: &Subject<'_>, threads: &[&Thread]) -> Finding {
    let short: Vec<_> = threads.iter().filter_map(|thread| subject.is_short(thread)).collect();
    if short.is_empty() {
        Finding::pass(priorities(threads))
    } else {
        Finding::fail(whys(&short), subject.raise(&short))
    }
}

pub(super) fn napi(subject: &Subject<'_>) -> Looked {
    let threads = |nic: &Nic| subject.named(&format!("napi/{}-", nic.name));
    let (mut found, mut dark) = (Vec::new(), Vec::new());
    for nic in &subject.nics {
        let path = format!("/sys/class/net/{}/threaded", nic.name);
        if !subject.host.has(&path) || subject.host.number(&path)? == 0 {
            continue;
        }
        match threads(nic) {
            none if none.is_empty() => dark.push(nic.name.as_str()),
            some => found.extend(some),
        }
    }
    if !dark.is_empty() {
        return Err(unseen(&format!("threads napi/{}", dark.join(", napi/"))));
    }
    if found.is_empty() {
        return Ok(Finding::pass("no interface is polled in threads of its own"));
    }
    Ok(judge(subject, &found))
}

pub(super) fn irq(subject: &Subject<'_>) -> Looked {
    let lines = || subject.nics.iter().flat_map(|nic| &nic.lines);
    let found: Vec<_> = lines().flat_map(|line| subject.named(&format!("irq/{}-", line.irq))).collect();
    if !found.is_empty() {
        return Ok(judge(subject, &found));
    }
    if lines().next().is_some() && subject.is_preempt_rt()? {
        return Err(unseen("threads irq/ of the interfaces"));
    }
    Ok(Finding::pass("the interfaces' interrupts are not handled in threads"))
}

/// On `PREEMPT_RT` the ring's wake-up is the work of `irq_work/N`, on the CPU that the frame came to.
pub(super) fn irq_work(subject: &Subject<'_>) -> Looked {
    if !subject.is_preempt_rt()? {
        return Ok(Finding::pass("wake-ups are sent from the interrupt itself without PREEMPT_RT"));
    }
    let way = subject.way();
    let wanted = |thread: &&Thread| {
        let cpu = thread.name.strip_prefix("irq_work/").and_then(|cpu| cpu.parse().ok());
        cpu.is_some_and(|cpu: usize| way.contains(&cpu))
    };
    let threads: Vec<_> = subject.threads.iter().filter(wanted).collect();
    if threads.is_empty() {
        return Err(unseen("threads irq_work/"));
    }
    let short: Vec<_> = threads
        .iter()
        .filter(|thread| thread.policy.priority() <= subject.priority)
        .map(|&thread| Short { thread, why: format!("{} at {}", thread.name, thread.policy.priority()) })
        .collect();
    let highest = |it: &Short<'_>| it.thread.policy.priority() >= subject.priority;
    if short.is_empty() || (subject.above().is_none() && short.iter().all(highest)) {
        return Ok(Finding::pass(priorities(&threads)));
    }
    let found =
        format!("the reader's wake-up waits behind all with a higher priority on its CPU: {}", whys(&short));
    Ok(Finding::warn(found, subject.raise(&short)))
}

fn unseen(what: &str) -> Finding {
    Finding::unknown(
        format!("{what} are not to be seen in /proc"),
        "run it outside of a container, where /proc has the kernel's threads",
    )
}
