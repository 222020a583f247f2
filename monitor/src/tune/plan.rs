//! What is to be changed: the changes of those checks that tune sees to.

use crate::doctor::{CHECKS, Change, Subject, Verdict};

/// The checks whose remedy is applied. The others take a reboot, or are somebody else's to decide.
pub const TUNED: [&str; 7] = [
    "irqaffinity",
    "nic-irq-affinity",
    "napi-priority",
    "irq-thread-priority",
    "irq-work-priority",
    "governor",
    "rt-throttling",
];

/// What is to be changed, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
    /// Sentences about what cannot be changed here: it could not be looked at, or takes something else.
    pub left: Vec<String>,
}

impl Plan {
    /// Looks, and changes nothing.
    #[must_use]
    pub fn of(subject: &Subject<'_>) -> Self {
        let mut plan = Self::default();
        for check in CHECKS.iter().filter(|check| TUNED.contains(&check.id)) {
            let finding = check.look(subject);
            if finding.verdict != Verdict::Pass && finding.changes.is_empty() {
                let remedy = finding.remedy.unwrap_or_default();
                plan.left.push(format!("{}: {}; remedy: {remedy}", check.id, finding.found));
            }
            plan.changes.extend(finding.changes);
        }
        plan
    }
}
