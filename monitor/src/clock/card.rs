//! From a network card's clock to this host's monotonic clock.
//!
//! The two drift apart, and either is steered and stepped. Both are read together once a second by an ordinary thread
//! ([`Follower`]), which draws a line through the last readings and hands it to the real-time thread ([`CardMap`]). What lies
//! between two readings is placed by the line; how far it was off is measured by the next reading.

mod follower;
mod map;

pub use follower::{Follower, Reading};
pub use map::{CardMap, Line};
