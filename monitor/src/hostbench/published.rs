//! Figures that others have published, to stand beside this host's, and the limits that a verdict is given by.

use serde::Serialize;

/// The longest task latency of a host that is fit, nanoseconds.
pub(super) const TASK_LATENCY_LIMIT_NS: u64 = 150_000;
/// The most by which a sample of the 10 kHz loop may be early or late on such a host, nanoseconds.
pub(super) const JITTER_LIMIT_NS: u64 = 100_000;

/// What is known of a host; the rest was not published.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Figures {
    /// What kind of host.
    pub host: &'static str,
    /// Task latency, mean.
    pub task_latency_avg_ns: Option<u64>,
    /// Task latency, longest.
    pub task_latency_max_ns: Option<u64>,
    /// Task latency, standard deviation.
    pub task_latency_sd_ns: Option<u64>,
    /// Farthest from the period, early or late, of a 10 kHz loop.
    pub jitter_ns: Option<u64>,
    /// Allocation, 99th percentile.
    pub allocation_p99_ns: Option<u64>,
    /// Priority inversion.
    pub inversion_ns: Option<u64>,
}

/// In the order of the table's columns.
pub(super) const PUBLISHED: [Figures; 3] = [
    Figures {
        host: "PREEMPT_RT",
        task_latency_avg_ns: None,
        task_latency_max_ns: Some(83_000),
        task_latency_sd_ns: None,
        jitter_ns: Some(67_000),
        allocation_p99_ns: Some(112_000),
        inversion_ns: Some(42_000),
    },
    Figures {
        host: "stock",
        task_latency_avg_ns: None,
        task_latency_max_ns: Some(12_800_000),
        task_latency_sd_ns: None,
        jitter_ns: Some(420_000),
        allocation_p99_ns: Some(9_300_000),
        inversion_ns: Some(1_850_000),
    },
    Figures {
        host: "wind farm",
        task_latency_avg_ns: Some(12_300),
        task_latency_max_ns: Some(48_700),
        task_latency_sd_ns: Some(5_100),
        jitter_ns: None,
        allocation_p99_ns: None,
        inversion_ns: None,
    },
];
