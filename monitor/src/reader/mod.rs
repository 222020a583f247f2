//! From the kernel's ring to records: the mapped ring, or perf buffers in its place, the sleep that no record is lost in,
//! when to sleep, and the putting together of packets that came in parts.

mod assembly;
mod hardware;
mod interfaces;
mod perf;
mod predict;
mod protocol;
mod records;
mod ring;
mod sightings;
mod transport;
mod view;

pub use hardware::{CardClocks, HardwareCounts};
pub use interfaces::Interfaces;
pub use perf::{Perf, PerfEvents};
pub use predict::{LeftToBlock, Plan, Predictor};
pub use records::Records;
pub use ring::{Drained, Ring, Sleep};
pub use transport::{Source, Transport};
pub use view::{RingState, RingView};

/// Why the ring cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// A mapping failed.
    #[error(
        "cannot map the {what}: {source}; the memory lock limit (ulimit -l) or a security policy may forbid it"
    )]
    Map {
        /// Which part.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// An event of the perf buffer cannot be had.
    #[error(
        "cannot {what} on CPU {cpu}: {source}; the perf buffer takes CAP_PERFMON and `sysctl kernel.perf_event_paranoid` \
         of at most 2, --transport ring does not"
    )]
    PerfEvent {
        /// What was tried.
        what: &'static str,
        /// Where.
        cpu: usize,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A perf buffer cannot be mapped.
    #[error(
        "cannot map the perf buffer of CPU {cpu}: {source}; it takes CAP_IPC_LOCK, or `sysctl \
         kernel.perf_event_mlock_kb` above what bounds.perf-bytes asks for on each CPU"
    )]
    MapPerf {
        /// Whose.
        cpu: usize,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The CPUs of this host are not known, or none of them is online.
    #[error("cannot tell this host's CPUs for the perf buffer: {0}; mount /sys, or use --transport ring")]
    Cpus(std::io::Error),
    /// Waiting failed.
    #[error("cannot wait for the ring: {0}")]
    Wait(#[from] std::io::Error),
}
