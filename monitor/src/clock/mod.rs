//! From the kernel's stamps to the wall clock, and how far that can be trusted.
//!
//! Frames are stamped on `CLOCK_MONOTONIC`; time tags are UTC. This room measures the offset between the two and hands
//! it to the real-time thread, and asks who keeps the host's clock: chronyd or ptp4l, which know a real error bound, or
//! the kernel, which does not. Without one the bound is unknown, and shown so.
//!
//! `CLOCK_MONOTONIC` is slewed together with `CLOCK_REALTIME`, so the offset between them does not drift: it changes
//! only where the clock is stepped (or a leap second is taken), which is noticed and said. What drifts is the host's
//! oscillator; how much of that is corrected is measured against `CLOCK_MONOTONIC_RAW`.

mod card;
mod chrony;
mod exchange;
mod keeper;
mod map;
mod measure;
mod ptp4l;
mod watch;

pub use card::{CardMap, Follower, Line, Reading};
pub use keeper::{Daemons, Keeper, Source};
pub use map::ClockMap;
pub use measure::{Offset, measure};
pub use ptp4l::ClockIdentity;
pub use watch::{ClockReport, Watch};
