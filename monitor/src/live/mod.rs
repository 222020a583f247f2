//! The live loop: reader, real-time settings and pipeline on one thread, which makes no system call but its wait.

mod board;
mod budget;
mod control;
mod overruns;
mod share;
mod thread;
mod turns;
mod waits;

pub use board::{Board, Snapshot};
pub use budget::Budget;
pub use control::Control;
pub use overruns::OverrunCounts;
pub use share::Share;
pub use thread::{Live, Outcome, spawn};
pub use turns::{Loop, LoopCounts};
pub use waits::{Waiting, Waits};

use monitor_core::event::{Outlet, QueueCounts};

/// The end of the queue that the real-time thread writes.
pub trait LiveOutlet: Outlet {
    /// Tells the other end that there is something, if it sleeps. Once for each batch.
    fn flush(&mut self);

    /// What its lanes were offered, took and dropped: data, control.
    fn counts(&self) -> [QueueCounts; 2];
}

#[cfg(test)]
mod pages;
