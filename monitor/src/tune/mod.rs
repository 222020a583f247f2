//! What `doctor` recommends, done at run time, and undone.
//!
//! Every change is written down, with what was before, and is on the disk before it is made ([`Store`]): whatever ends
//! this process, and whenever, the record has all that was changed, and perhaps one that was not, which undoing it
//! leaves as it is. A second run keeps the oldest "before".

mod apply;
mod plan;
mod record;
#[cfg(test)]
mod tests;
mod threads;
mod undo;

pub use apply::{Step, apply};
pub use plan::{Plan, TUNED};
pub use record::{Entry, Record, Scheduling, Store, TuneError};
pub use threads::{Kernel, Threads};
pub use undo::{Restored, Undone, undo};
