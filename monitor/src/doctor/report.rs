//! All findings together, as text and as JSON.

use std::fmt;

use serde::Serialize;

use super::{Finding, Subject, Verdict};

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostFacts {
    /// Its name.
    pub name: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// What `uname -v` prints.
    pub version: Option<String>,
    /// The CPUs that are online, in the kernel's list format.
    pub online: String,
    /// The reader's CPU.
    pub cpu: usize,
    /// Whether it was named, or chosen here.
    pub cpu_given: bool,
    /// The reader's priority.
    pub priority: u8,
    /// The interfaces.
    pub interfaces: Vec<String>,
}

impl HostFacts {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let word = |name: &str| subject.host.word(&format!("/proc/sys/kernel/{name}")).ok();
        Self {
            name: word("hostname"),
            kernel: word("osrelease"),
            version: word("version"),
            online: subject.online.to_string(),
            cpu: subject.cpu,
            cpu_given: subject.cpu_asked,
            priority: subject.priority,
            interfaces: subject.interfaces().map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for HostFacts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
        let chosen = if self.cpu_given { "" } else { " (chosen here; --cpu)" };
        let interfaces = match self.interfaces.as_slice() {
            [] => "no interface with hardware".to_owned(),
            some => some.join(", "),
        };
        write!(
            out,
            "{}: Linux {}, CPUs {}; a reader on CPU {}{chosen} at priority {}; {interfaces}",
            or(&self.name),
            or(&self.kernel),
            self.online,
            self.cpu,
            self.priority
        )
    }
}

/// A check and its finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its stable name.
    pub id: &'static str,
    /// How it is judged.
    pub verdict: Verdict,
    /// What was found, or why it could not be looked at.
    pub found: String,
    /// What puts it right; null where nothing need be.
    pub remedy: Option<String>,
}

impl Checked {
    pub(super) fn new(id: &'static str, finding: Finding) -> Self {
        let Finding { verdict, found, remedy, changes: _ } = finding;
        Self { id, verdict, found, remedy }
    }
}

/// How many there are of each: `checks` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All.
    pub checks: usize,
    /// As it should be.
    pub pass: usize,
    /// Works, at a cost.
    pub warn: usize,
    /// Does not do.
    pub fail: usize,
    /// Could not be looked at.
    pub unknown: usize,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was looked at.
    pub host: HostFacts,
    /// Each check, in the order of [`super::CHECKS`].
    pub checks: Vec<Checked>,
    /// Their number by verdict.
    pub totals: Totals,
}

impl Report {
    pub(super) fn new(host: HostFacts, checks: Vec<Checked>) -> Self {
        let mut totals = Totals { checks: checks.len(), ..Totals::default() };
        for check in &checks {
            *match check.verdict {
                Verdict::Pass => &mut totals.pass,
                Verdict::Warn => &mut totals.warn,
                Verdict::Fail => &mut totals.fail,
                Verdict::Unknown => &mut totals.unknown,
            } += 1;
        }
        Self { host, checks, totals }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n", self.host)?;
        let widest = self.checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
        for Checked { id, verdict, found, remedy } in &self.checks {
            writeln!(out, "{verdict:<7}  {id:<widest$}  {found}")?;
            if let Some(remedy) = remedy {
                writeln!(out, "{:9}{:widest$}  remedy: {remedy}", "", "")?;
            }
        }
        let Totals { checks, pass, warn, fail, unknown } = self.totals;
        write!(out, "\n{checks} checks = {pass} pass + {warn} warn + {fail} fail + {unknown} unknown")
    }
}
