//! From the kernel's ring to records: the mapped ring, the sleep that no record is lost in, when to sleep, and the
//! putting together of packets that came in parts.

mod assembly;
mod interfaces;
mod predict;
mod protocol;
mod records;
mod ring;
mod sightings;
mod view;

pub use interfaces::Interfaces;
pub use predict::{LeftToBlock, Plan, Predictor};
pub use records::Records;
pub use ring::{Drained, Ring, Sleep};
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
    /// Waiting failed.
    #[error("cannot wait for the ring: {0}")]
    Wait(#[from] std::io::Error),
}
