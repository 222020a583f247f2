//! How others tell the real-time thread that it is over.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::sys::eventfd::EventFd;

/// A request to stop that also ends the thread's sleep.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    wake: EventFd,
}

impl Control {
    /// Nothing is asked for yet.
    ///
    /// # Errors
    /// Where the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { stop: AtomicBool::new(false), wake: EventFd::new()? })
    }

    /// Asks the thread to drain what is in the ring and end.
    ///
    /// # Errors
    /// What the write says; the thread then notices when its sleep is over.
    pub fn stop(&self) -> io::Result<()> {
        // Release: pairs with the Acquire in `stopping`: what was done before (detaching) is done when it is seen.
        self.stop.store(true, Ordering::Release);
        self.wake.signal()
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
