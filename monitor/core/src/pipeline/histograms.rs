//! Latency by stage, in histograms with fixed bounds.

use crate::event::Stage;

/// What a histogram says, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Values recorded.
    pub count: u64,
    /// Smallest.
    pub min: u64,
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

/// One histogram for each stage: three significant digits, 1 ns to 10 s.
pub struct StageHistograms {}

impl StageHistograms {
    /// What a stage's histogram says; none where the stage never happened.
    #[must_use]
    pub fn percentiles(&self, _stage: Stage) -> Option<Percentiles> {
        None
    }
}
