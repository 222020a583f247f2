//! How a sleeping hub is woken without a system call where it does not sleep.
//!
//! The same order as between probe and reader. The hub says that it sleeps, fences, looks at the lanes once more, and
//! only then sleeps; the sender publishes its events, fences, and only then looks whether the hub sleeps. Whichever
//! fence comes second in the one order of all `SeqCst` fences, the thread behind it sees what the other wrote before
//! its own: either the hub sees the events or the sender sees the flag. `tests::model` walks every interleaving.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::{Duration, Instant};

use crate::sys::eventfd::EventFd;
use crate::sys::poll::{Wake, poll};

/// The flag and the eventfd.
pub(super) struct Doorbell {
    event: EventFd,
    asleep: AtomicBool,
    closed: AtomicBool,
}

impl Doorbell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { event: EventFd::new()?, asleep: AtomicBool::new(false), closed: AtomicBool::new(false) })
    }

    /// The sender's side, after it has published. True where the eventfd was written.
    pub(super) fn ring_if_asleep(&self) -> bool {
        // Pairs with the fence in `sleep_while`: the events published before it are seen there, or the flag is here.
        fence(Ordering::SeqCst);
        // The swap makes it one write for each sleep. Relaxed suffices: the fence orders the load, and the flag
        // carries nothing but itself.
        let rings = self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed);
        if rings {
            self.ring();
        }
        rings
    }

    /// Wakes whatever the flag says.
    pub(super) fn ring(&self) {
        // Fails for a lack of nothing: an eventfd takes 2^64 - 2 signals, and is drained after each sleep.
        let _ = self.event.signal();
    }

    /// No more will come.
    pub(super) fn close(&self) {
        // Release: pairs with the Acquire in `is_closed`; every event was published before.
        self.closed.store(true, Ordering::Release);
        self.ring();
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.closed.load(Ordering::Acquire)
    }

    /// The hub's side: sleeps while there is nothing, at most `timeout`. True where there is something; false where
    /// the time is over, the sender gone, or a [`super::Waker`] rang.
    pub(super) fn sleep_while(
        &self,
        empty: impl Fn() -> bool,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        self.asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence in `ring_if_asleep`: the flag is seen there, or the events are here.
        fence(Ordering::SeqCst);
        let slept = if empty() && !self.is_closed() { self.sleep_until(deadline) } else { Ok(()) };
        self.asleep.store(false, Ordering::Relaxed);
        self.event.drain()?;
        slept.map(|()| !empty())
    }

    fn sleep_until(&self, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
            match poll(&[self.event.as_fd()], left)? {
                Wake::Ready(_) | Wake::TimedOut => return Ok(()),
                Wake::Interrupted => {}
            }
        }
    }
}
