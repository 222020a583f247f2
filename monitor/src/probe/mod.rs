//! The kernel side as user space sees it: loads the programs, tells them what to match, attaches them to interfaces,
//! reads their counters. Knows nothing of any protocol.

mod attach;
mod btf;
mod drops;
mod error;
mod hook;
mod interface;
mod kernel;
mod load;
mod log;
mod object;
pub mod offsets;
pub mod pins;
mod selftest;
mod streams;
mod transport;
mod trial;
mod xdp;

pub use attach::Attachment;
pub use drops::{Drops, Reasons};
pub use error::ProbeError;
pub use hook::Hook;
pub use interface::Interface;
pub use kernel::Kernel;
pub use load::{Matching, Options, PERF_BYTES, Probe, Sizes};
pub use selftest::SelfTest;
pub use transport::Transport;
pub use trial::{Subject, Trial};
