//! Turns of the real-time thread beyond their budget, in the summary and among the counters.

use monitor_core::event::OverrunCause;
use serde::Serialize;

use super::summary::Named;
use crate::live::OverrunCounts;

/// What became of them: `overruns = by_cause{cause} = told + untold`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OverrunCounters {
    /// Turns beyond the budget.
    pub overruns: u64,
    /// The same, by cause.
    pub by_cause: Named<u64>,
    /// Those that were told as events.
    pub told: u64,
    /// Those beyond what is told in a second, those that nobody asked for, and those for which there was no room.
    pub untold: u64,
    /// The remainders of the two sums.
    pub unaccounted: u64,
}

impl From<&OverrunCounts> for OverrunCounters {
    fn from(counts: &OverrunCounts) -> Self {
        let OverrunCounts { turns: _, overruns, by_cause, told, untold, worst_ns: _ } = *counts;
        let unaccounted = overruns.abs_diff(by_cause.iter().sum()) + overruns.abs_diff(told + untold);
        Self { overruns, by_cause: named(&by_cause), told, untold, unaccounted }
    }
}

/// The same for a person, who asks how many and how bad.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OverrunSummary {
    /// How many.
    pub count: u64,
    /// Those that were told as events.
    pub told: u64,
    /// By cause.
    pub by_cause: Named<u64>,
    /// How long the longest took, nanoseconds.
    pub worst_ns: u64,
}

impl From<&OverrunCounts> for OverrunSummary {
    fn from(counts: &OverrunCounts) -> Self {
        let OverrunCounts { turns: _, overruns, by_cause, told, untold: _, worst_ns } = *counts;
        Self { count: overruns, told, by_cause: named(&by_cause), worst_ns }
    }
}

fn named(by_cause: &[u64; OverrunCause::ALL.len()]) -> Named<u64> {
    Named(OverrunCause::ALL.into_iter().zip(*by_cause).map(|(cause, count)| (cause.name(), count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_of_either_sum_shows() {
        let of = |by_cause, told, untold| {
            let counts = OverrunCounts { overruns: 6, by_cause, told, untold, ..OverrunCounts::default() };
            OverrunCounters::from(&counts).unaccounted
        };
        assert_eq!(of([1, 2, 3], 4, 2), 0);
        assert_eq!(of([1, 2, 1], 4, 2), 2);
        assert_eq!(of([1, 2, 3], 5, 2), 1);
    }
}
