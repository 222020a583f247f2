//! How a thread of the simulation is told to end: by saying so, or by forgetting its handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The handle's half. Dropped, it tells the thread to end, so that no thread outlives who could join it.
#[derive(Debug)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    /// The thread's half, set once it is to end.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        // The flag carries nothing but itself; what the thread made is handed over by joining it.
        self.0.store(true, Ordering::Relaxed);
    }
}
