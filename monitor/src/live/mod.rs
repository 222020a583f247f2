//! The live loop: reader, real-time settings and pipeline on one thread, which makes no system call but its wait.

mod control;
mod looped;
mod thread;

pub use control::Control;
pub use looped::{Bounds, LoopCounts, Loop};
pub use thread::{Live, Outcome, spawn};

use monitor_core::event::Outlet;

/// The end of the queue that the real-time thread writes.
pub trait LiveOutlet: Outlet {
    /// Tells the other end that there is something, if it sleeps. Once for each batch.
    fn flush(&mut self);
}
