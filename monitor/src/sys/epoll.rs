//! Many descriptors behind one, for [`super::poll`], which takes a few: level-triggered, and never waited on itself.
#![expect(unsafe_code, reason = "epoll_create1 and epoll_ctl")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

/// Readable while one of its descriptors is.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// Of no descriptors.
    ///
    /// # Errors
    /// The process or the host has no descriptors left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call has just returned this descriptor, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Adds one. It leaves when it is closed.
    ///
    /// # Errors
    /// `EPERM` where it cannot be polled; a lack of kernel memory.
    pub fn add(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: 0 };
        // SAFETY: the event lives through the call, which reads it.
        checked(unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut event)
        })
        .map(drop)
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::eventfd::EventFd;
    use crate::sys::poll::{Wake, poll};

    #[test]
    fn it_is_readable_for_as_long_as_one_of_them_is() {
        let (epoll, events) = (Epoll::new().unwrap(), [EventFd::new().unwrap(), EventFd::new().unwrap()]);
        for event in &events {
            epoll.add(event.as_fd()).unwrap();
        }
        let look = || poll(&[epoll.as_fd()], Some(0)).unwrap();
        assert_eq!(look(), Wake::TimedOut);
        events[1].signal().unwrap();
        for _ in 0..2 {
            assert!(matches!(look(), Wake::Ready(ready) if ready.readable(0)));
        }
        events[1].drain().unwrap();
        assert_eq!(look(), Wake::TimedOut);
    }
}
