//! A non-blocking eventfd: how one thread wakes another that sleeps in [`super::poll`].
//!
//! The real-time thread signals the hub through one, at most once a batch; the shutdown path signals the real-time
//! thread through another.
#![expect(unsafe_code, reason = "eventfd returns a bare descriptor, which is taken into ownership here")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

/// A counter in the kernel that is readable while it is above zero. Closed when dropped.
#[derive(Debug)]
pub struct EventFd(File);

impl EventFd {
    /// A new counter at zero, non-blocking and closed on exec.
    ///
    /// # Errors
    /// The process or the host has no descriptors left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = checked(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: the call has just returned this descriptor, and nobody else knows it.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// Adds one: the descriptor is readable from now until [`EventFd::drain`]. One system call, never blocks.
    ///
    /// # Errors
    /// None in practice: a counter that is full already wakes whoever polls it, and counts as signalled.
    pub fn signal(&self) -> io::Result<()> {
        match (&self.0).write(&1_u64.to_ne_bytes()) {
            Ok(_) => Ok(()),
            Err(full) if full.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Takes what has been added since the last time: the number of signals, 0 where there was none.
    ///
    /// # Errors
    /// As any read; an empty counter is not an error.
    pub fn drain(&self) -> io::Result<u64> {
        let mut count = [0; size_of::<u64>()];
        match (&self.0).read(&mut count) {
            Ok(_) => Ok(u64::from_ne_bytes(count)),
            Err(empty) if empty.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(other) => Err(other),
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_add_up_until_drained() {
        let event = EventFd::new().unwrap();
        assert_eq!(event.drain().unwrap(), 0);
        event.signal().unwrap();
        event.signal().unwrap();
        assert_eq!(event.drain().unwrap(), 2);
        assert_eq!(event.drain().unwrap(), 0);
    }
}
