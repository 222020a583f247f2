//! What is known of a run before its first frame: what is monitored, how, and what the host granted.

use std::sync::{Arc, OnceLock};

use crate::hub::{RtSummary, Summary};
use crate::live::Waits;
use crate::rt;
use crate::sink::{summary_table, words};

/// The heading of everything that a person sees of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunInfo {
    /// What is monitored: `eth1`, `12 simulated PMUs in a private network namespace`.
    pub what: String,
    /// What is looked for there: `C37.118 on ports 4712, 4713`.
    pub expects: String,
    /// Where the payload is taken: `tc` or `xdp`.
    pub hook: String,
    /// How the reader waits: `block`, `predict` or `spin`.
    pub wait: String,
    /// Whether the reader's thread runs under a real-time policy.
    pub real_time: bool,
    /// What the thread was given: `SCHED_FIFO 50, CPU 1, memory locked`.
    pub granted: String,
    /// What it was refused, each a sentence with its remedy; the refused scheduling policy first, the wait last.
    pub rt_lines: Vec<String>,
    /// What else should be known from the start, each a sentence.
    pub warnings: Vec<String>,
}

/// A run's heading that is told once, by whoever starts the run, after the sinks have been made: what the host grants
/// is known only when the real-time thread runs.
pub type SharedRunInfo = Arc<OnceLock<RunInfo>>;

impl RunInfo {
    /// Fills in what came of the request for real time.
    #[must_use]
    pub fn with_rt(self, outcome: &rt::Outcome) -> Self {
        let mut refusals: Vec<_> = outcome.refusals.iter().collect();
        // Whoever reads only one should read why the run is not real-time.
        refusals.sort_by_key(|refusal| refusal.part != rt::Part::Scheduling);
        Self {
            real_time: outcome.is_real_time(),
            granted: granted(outcome),
            rt_lines: refusals.into_iter().map(ToString::to_string).collect(),
            ..self
        }
    }

    /// Fills in how the thread waits, and why not as it was asked to.
    #[must_use]
    pub fn with_waits(mut self, waits: &Waits) -> Self {
        self.wait = waits.waiting.to_string();
        self.rt_lines.extend(waits.refused.clone());
        self
    }

    /// The real-time state in one sentence; with the reason and its remedy where there is none.
    pub(super) fn real_time_state(&self) -> String {
        if self.real_time {
            return format!("real-time: {}", self.granted);
        }
        match self.rt_lines.first() {
            Some(reason) => format!("NOT REAL-TIME: {reason}"),
            None => "NOT REAL-TIME: the host gave no real-time policy".to_owned(),
        }
    }

    /// What is to be said at the start and stands nowhere else.
    pub(super) fn notices(&self) -> impl Iterator<Item = &str> {
        // The first refusal of a run that is not real-time is its state.
        let told = usize::from(!self.real_time);
        self.rt_lines.iter().skip(told).chain(&self.warnings).map(String::as_str)
    }

    /// Why there is no table yet.
    pub(super) fn waiting(&self) -> String {
        format!("no frames yet on {}: waiting for {}", self.what, self.expects)
    }
}

fn granted(outcome: &rt::Outcome) -> String {
    words::granted(&RtSummary {
        policy: outcome.policy.name().to_owned(),
        priority: outcome.is_real_time().then(|| outcome.policy.priority()),
        cpu: outcome.cpu.and_then(|cpu| u32::try_from(cpu).ok()),
        memory_locked: outcome.memory_locked,
        ..Default::default()
    })
}

/// What is left when the run is over: what was monitored, what the host refused, the summary.
pub(super) fn ending(run: Option<&RunInfo>, summary: &Summary) -> String {
    let heading = run.map(|run| heading(run, summary.duration_ns)).unwrap_or_default();
    heading + &summary_table(summary)
}

fn heading(run: &RunInfo, duration_ns: Option<u64>) -> String {
    let RunInfo { what, hook, wait, .. } = run;
    let long = duration_ns.map(|ns| format!(" for {}", words::seconds(ns))).unwrap_or_default();
    let mut lines = vec![format!("monitored {what}{long} (hook {hook}, wait {wait})")];
    lines.extend((!run.real_time).then(|| run.real_time_state()));
    lines.extend(run.rt_lines.iter().skip(usize::from(!run.real_time)).cloned());
    lines.join("\n") + "\n\n"
}
