//! From the kernel's stamps to the wall clock, and how far that can be trusted.
//!
//! Frames are stamped on `CLOCK_MONOTONIC`; time tags are UTC. This room measures the offset between the two, says
//! who keeps the host's clock, and hands the offset to the real-time thread. Sources that know a real error bound
//! (a PTP daemon, chrony) are not asked here: without one the bound is unknown, and shown so.

mod map;
mod measure;

pub use map::ClockMap;
pub use measure::{ClockReading, Source, measure};
