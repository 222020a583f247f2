//! Latency by stage, in histograms with fixed bounds.

use hdrhistogram::Histogram;

use crate::event::{Stage, Stages};

/// From 1 ns to 10 s with three significant digits: 100 KiB for each stage. Longer ones are held at 10 s.
const BOUNDS: (u64, u64, u8) = (1, 10_000_000_000, DIGITS);

/// Fuzzing makes a pipeline for each input, which at three digits costs more than the input.
const DIGITS: u8 = if cfg!(fuzzing) { 1 } else { 3 };

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
#[derive(Clone, Debug)]
pub struct StageHistograms {
    stages: [Histogram<u32>; Stage::ALL.len()],
}

/// A histogram with [`BOUNDS`].
pub(super) fn exact() -> Histogram<u32> {
    let (low, high, digits) = BOUNDS;
    let mut histogram = Histogram::new_with_bounds(low, high, digits)
        .expect("the bounds are constants in the range it takes");
    // Writes every count, so that the real-time thread meets no page that was never touched.
    histogram.clear();
    histogram
}

/// What a histogram says; none where it is empty.
pub(super) fn percentiles(histogram: &Histogram<u32>) -> Option<Percentiles> {
    let at = |quantile| histogram.value_at_quantile(quantile);
    (!histogram.is_empty()).then(|| Percentiles {
        count: histogram.len(),
        min: histogram.min(),
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max(),
    })
}

impl StageHistograms {
    pub(super) fn new() -> Self {
        Self { stages: Stage::ALL.map(|_| exact()) }
    }

    /// Counts one frame's stages.
    #[inline]
    pub(super) fn record(&mut self, stages: &Stages) {
        if *stages == Stages::NONE {
            return;
        }
        for (stage, ns) in stages.iter() {
            // Never allocates: the bounds are fixed, and what is beyond them is held at the bound.
            self.stages[stage as usize].saturating_record(ns.into());
        }
    }

    /// What a stage's histogram says; none where the stage never happened.
    #[must_use]
    pub fn percentiles(&self, stage: Stage) -> Option<Percentiles> {
        percentiles(&self.stages[stage as usize])
    }
}
