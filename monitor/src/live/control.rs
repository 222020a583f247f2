//! How others tell the real-time thread that it is over, and that it may not look without sleeping for now.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::sys::eventfd::EventFd;

/// A request to stop that also ends the thread's sleep; and whether it is to sleep whatever it was asked to do.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    sleep: AtomicBool,
    wake: EventFd,
}

impl Control {
    /// Nothing is asked for yet.
    ///
    /// # Errors
    /// Where the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { stop: AtomicBool::new(false), sleep: AtomicBool::new(false), wake: EventFd::new()? })
    }

    /// Says whether the thread may look at the ring without sleeping, where it was asked to: noticed with its next wait.
    pub fn allow_looking(&self, allowed: bool) {
        // Relaxed: nothing else is published along with it; pairs with the load in `may_look`.
        self.sleep.store(!allowed, Ordering::Relaxed);
    }

    pub(crate) fn may_look(&self) -> bool {
        // Relaxed: pairs with the store in `allow_looking`; the flag stands for itself.
        !self.sleep.load(Ordering::Relaxed)
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
