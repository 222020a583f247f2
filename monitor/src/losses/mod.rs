//! What the host itself counts as lost on the way of a frame: each interface's receive counters
//! (`struct rtnl_link_stats64`), those of its driver that mean a loss (`ethtool -S`), and the softirqs' per-CPU ones
//! (`/proc/net/softnet_stat`).
//!
//! Both count since the host, or the interface, came up; what is shown is how much they have grown since the run
//! began. They stand beside the frame's way and in no equation: a card counts packets of every kind, and a CPU those of
//! every interface. Read once a second, and at the end, never by the real-time thread.

mod driver;
mod growth;
mod links;
mod sampler;
mod softnet;

pub use driver::{LostBy, lost_by};
pub use links::{InterfaceGrowth, LinkCounts};
pub use sampler::{HostLosses, Sampler};
pub use softnet::{CpuGrowth, SoftnetCounts};
