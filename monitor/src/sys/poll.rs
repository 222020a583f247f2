//! Waiting for one of a few descriptors: the one system call the real-time thread makes.
//!
//! Level-triggered on purpose: a BPF ring whose records were submitted without a wake-up is readable to `poll`, while
//! edge-triggered epoll would never report it.
#![expect(unsafe_code, reason = "ppoll")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// The most descriptors one wait takes; the ring, the shutdown signal and a few more. On the stack: no allocation.
pub const MAX_FDS: usize = 8;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// At least one descriptor has something.
    Ready(Ready),
    /// The time ran out.
    TimedOut,
    /// A signal handler ran (`EINTR`): the caller decides whether to wait again.
    Interrupted,
}

/// Which descriptors ended the wait, by their place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    readable: u8,
    failed: u8,
}

const _: () = assert!(MAX_FDS <= u8::BITS as usize, "Ready has one bit for each descriptor");

impl Ready {
    /// The descriptor at `place` has something to read.
    #[must_use]
    pub fn readable(self, place: usize) -> bool {
        place < MAX_FDS && self.readable & (1 << place) != 0
    }

    /// The descriptor at `place` is in an error state or hung up: polling it again would return at once.
    #[must_use]
    pub fn failed(self, place: usize) -> bool {
        place < MAX_FDS && self.failed & (1 << place) != 0
    }
}

/// Waits until one of `fds` is readable or has failed, at most `timeout_ns` nanoseconds of `CLOCK_MONOTONIC`
/// (0: only look; `None`: for ever). Allocates nothing.
///
/// # Errors
/// `InvalidInput` for more than [`MAX_FDS`] descriptors; else what ppoll(2) says, which for open descriptors is only
/// a lack of kernel memory.
pub fn poll(fds: &[BorrowedFd<'_>], timeout_ns: Option<u64>) -> io::Result<Wake> {
    if fds.len() > MAX_FDS {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut entries = [libc::pollfd { fd: -1, events: 0, revents: 0 }; MAX_FDS];
    for (entry, fd) in entries.iter_mut().zip(fds) {
        *entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    }
    let timeout = timeout_ns.map(timespec);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the array holds at least `fds.len()` entries, the timeout is null or live, no signal mask is given.
    let count = unsafe { libc::ppoll(entries.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, ptr::null()) };
    match count {
        0 => Ok(Wake::TimedOut),
        1.. => Ok(Wake::Ready(gather(&entries))),
        _ => match io::Error::last_os_error() {
            signal if signal.raw_os_error() == Some(libc::EINTR) => Ok(Wake::Interrupted),
            other => Err(other),
        },
    }
}

pub(super) fn timespec(ns: u64) -> libc::timespec {
    const NANOS_PER_SECOND: u64 = 1_000_000_000;
    // Both parts are far below 2^63.
    libc::timespec {
        tv_sec: (ns / NANOS_PER_SECOND).cast_signed(),
        tv_nsec: (ns % NANOS_PER_SECOND).cast_signed(),
    }
}

fn gather(entries: &[libc::pollfd; MAX_FDS]) -> Ready {
    let mut ready = Ready::default();
    for (place, entry) in entries.iter().enumerate() {
        ready.readable |= u8::from(entry.revents & libc::POLLIN != 0) << place;
        ready.failed |=
            u8::from(entry.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0) << place;
    }
    ready
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::clock::monotonic_ns;
    use crate::sys::eventfd::EventFd;

    #[test]
    fn names_the_one_that_is_ready_for_as_long_as_it_is() {
        let (quiet, busy) = (EventFd::new().unwrap(), EventFd::new().unwrap());
        busy.signal().unwrap();
        for _ in 0..2 {
            let Wake::Ready(ready) = poll(&[quiet.as_fd(), busy.as_fd()], None).unwrap() else {
                panic!("a readable descriptor did not end the wait");
            };
            assert!(!ready.readable(0) && ready.readable(1) && !ready.failed(1));
        }
        busy.drain().unwrap();
        assert_eq!(poll(&[quiet.as_fd(), busy.as_fd()], Some(0)).unwrap(), Wake::TimedOut);
    }

    #[test]
    fn a_timeout_is_not_shorter_than_asked() {
        const WAIT_NS: u64 = 2_000_000;
        let quiet = EventFd::new().unwrap();
        let before = monotonic_ns();
        assert_eq!(poll(&[quiet.as_fd()], Some(WAIT_NS)).unwrap(), Wake::TimedOut);
        assert!(monotonic_ns() - before >= WAIT_NS);
    }

    #[test]
    fn a_closed_other_end_is_told_as_failed() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(writer);
        let Wake::Ready(ready) = poll(&[reader.as_fd()], None).unwrap() else { panic!("no hang-up seen") };
        assert!(ready.failed(0) && !ready.failed(1) && !ready.readable(MAX_FDS));
    }

    #[test]
    fn more_than_the_most_is_refused() {
        let event = EventFd::new().unwrap();
        let too_many = [event.as_fd(); MAX_FDS + 1];
        assert_eq!(poll(&too_many, Some(0)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
