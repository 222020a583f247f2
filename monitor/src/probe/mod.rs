//! The kernel side as user space sees it: loads the programs, tells them what to match, attaches them to interfaces,
//! reads their counters. Knows nothing of any protocol.

mod attach;
mod btf;
mod counters;
mod discover;
mod error;
mod interface;
mod irqs;
mod load;
mod log;
mod object;
mod selftest;

pub use counters::KernelCounters;
pub use error::ProbeError;
pub use interface::Interface;
pub use load::{Matching, Options, Probe};
pub use selftest::SelfTest;
