//! Whether this host is fit for real-time delivery, and what to change. Looks, and changes nothing.
//!
//! Each check is a row of [`CHECKS`] and a function in the file of its family. All of them read through a [`Host`], so
//! that each is tested on a faked `/proc` and `/sys`, both where it passes and where it does not. Where the remedy can
//! be applied at run time it is a list of [`Change`]s, which `tune` makes: the two cannot come to disagree.

mod change;
#[cfg(test)]
pub(crate) mod faked;
mod finding;
mod host;
mod isolation;
mod kernel;
mod network;
mod power;
mod report;
mod rights;
mod scheduler;
mod subject;
#[cfg(test)]
mod tests;
mod threads;
mod time;

pub use change::Change;
pub use finding::{Finding, Verdict};
pub use host::{Host, Thread, Unread};
pub use report::{Checked, HostFacts, Report, Totals};
pub use subject::{Asked, Subject, SubjectError};

use finding::Looked;

/// One thing that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Stable name.
    pub id: &'static str,
    look: fn(&Subject<'_>) -> Looked,
}

impl Check {
    /// Looks.
    #[must_use]
    pub fn look(&self, subject: &Subject<'_>) -> Finding {
        (self.look)(subject).unwrap_or_else(|unknown| unknown)
    }
}

const fn check(id: &'static str, look: fn(&Subject<'_>) -> Looked) -> Check {
    Check { id, look }
}

/// Every check, in the order in which they are shown.
pub const CHECKS: &[Check] = &[
    check("preempt-rt", kernel::preempt_rt),
    check("kernel-version", kernel::version),
    check("ring-fixes", kernel::ring_fixes),
    check("isolcpus", isolation::isolcpus),
    check("nohz-full", isolation::nohz_full),
    check("rcu-nocbs", isolation::rcu_nocbs),
    check("irqaffinity", isolation::irqaffinity),
    check("nic-irq-affinity", network::irq_affinity),
    check("irqbalance", network::irqbalance),
    check("napi-threading", network::napi_threading),
    check("napi-priority", threads::napi),
    check("irq-thread-priority", threads::irq),
    check("irq-work-priority", threads::irq_work),
    check("idle-states", power::idle_states),
    check("governor", power::governor),
    check("clocksource", power::clocksource),
    check("rt-throttling", scheduler::rt_throttling),
    check("fair-server", scheduler::fair_server),
    check("memory-lock", rights::memory_lock),
    check("lockdown", rights::lockdown),
    check("btf", rights::btf),
    check("capabilities", rights::capabilities),
    check("perf-event-paranoid", rights::perf_event_paranoid),
    check("bpffs", rights::bpffs),
    check("time-source", time::source),
    check("tai-offset", time::tai_offset),
];

/// Looks at everything.
#[must_use]
pub fn examine(subject: &Subject<'_>) -> Report {
    let checks = CHECKS.iter().map(|check| Checked::new(check.id, check.look(subject))).collect();
    Report::new(HostFacts::of(subject), checks)
}
