//! The line of a turn of the real-time thread that took longer than its budget.

use monitor_core::event::{Event, Overrun};
use serde::Serialize;

/// One such turn.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "overrun")]
pub(super) struct Line {
    /// When it began.
    time_ns: i64,
    turn_ns: u64,
    budget_ns: u64,
    records: u64,
    cause: &'static str,
}

impl Line {
    pub(super) const fn new(event: &Event, overrun: &Overrun) -> Self {
        let Overrun { turn_ns, budget_ns, records, cause } = *overrun;
        Self { time_ns: event.arrival.0, turn_ns, budget_ns, records, cause: cause.name() }
    }
}
