//! Real-time policy for the thread that reads the ring: scheduling class, CPU, locked and prefaulted memory, CPUs
//! that do not doze.
//!
//! What the host refuses does not stop the run: it becomes a [`Refusal`] that names what is missing and the remedy,
//! and every output says that the run is not (wholly) real-time. Only a request that makes no sense is an error.

mod apply;
mod awake;
mod prefault;
mod request;

pub use apply::{Idle, Outcome, Part, Refusal, apply_to_current_thread, hold_cpus_awake};
pub use awake::CpusAwake;
pub use prefault::{prefault, prefault_stack};
pub use request::{Request, RequestError};
