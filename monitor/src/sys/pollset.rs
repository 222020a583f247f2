//! Waiting for any of many descriptors: simulated stations with a socket each.
//!
//! The real-time thread waits through [`super::poll`], whose few descriptors stand on the stack.
#![expect(unsafe_code, reason = "ppoll")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::poll::timespec;

/// The descriptors of one wait after the other.
#[derive(Default)]
pub struct PollSet(Vec<libc::pollfd>);

impl PollSet {
    /// Forgets all descriptors.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds one, and gives its place. A descriptor that is closed before a wait ends that wait as readable.
    pub fn add(&mut self, fd: BorrowedFd<'_>) -> usize {
        self.0.push(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
        self.0.len() - 1
    }

    /// Waits until one can be read, has failed or was hung up, at most `timeout_ns` nanoseconds of
    /// `CLOCK_MONOTONIC` (0: only looks). Gives how many; 0 also where a signal came.
    ///
    /// # Errors
    /// What ppoll(2) says: more descriptors than the process may have, or a lack of kernel memory.
    pub fn wait(&mut self, timeout_ns: u64) -> io::Result<usize> {
        let timeout = timespec(timeout_ns);
        // A limit of descriptors is far below 2^64.
        let count = self.0.len() as libc::nfds_t;
        // SAFETY: the vector holds `count` entries, the timeout is live, no signal mask is given.
        let ready = unsafe { libc::ppoll(self.0.as_mut_ptr(), count, ptr::from_ref(&timeout), ptr::null()) };
        usize::try_from(ready).or_else(|_| match io::Error::last_os_error() {
            signal if signal.raw_os_error() == Some(libc::EINTR) => {
                self.0.iter_mut().for_each(|entry| entry.revents = 0);
                Ok(0)
            }
            other => Err(other),
        })
    }

    /// Whether the descriptor at `place` was ready at the last wait.
    #[must_use]
    pub fn is_ready(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(|entry| entry.revents != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::clock::monotonic_ns;
    use crate::sys::eventfd::EventFd;

    #[test]
    fn names_those_that_are_ready_of_more_than_a_few() {
        let events: Vec<_> = (0..100).map(|_| EventFd::new().unwrap()).collect();
        let mut set = PollSet::default();
        for event in &events {
            set.add(event.as_fd());
        }
        assert_eq!(set.wait(0).unwrap(), 0);
        events[3].signal().unwrap();
        events[97].signal().unwrap();
        assert_eq!(set.wait(1_000_000).unwrap(), 2);
        let ready: Vec<usize> = (0..100).filter(|&place| set.is_ready(place)).collect();
        assert_eq!(ready, [3, 97]);
    }

    #[test]
    fn a_timeout_is_not_shorter_than_asked() {
        let before = monotonic_ns();
        assert_eq!(PollSet::default().wait(2_000_000).unwrap(), 0);
        assert!(monotonic_ns() - before >= 2_000_000);
    }
}
