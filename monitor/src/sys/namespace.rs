//! Entering and leaving network namespaces. Both calls change the calling thread for good, which is why nothing but
//! `netns`, on threads made for it, uses them.
#![expect(unsafe_code, reason = "setns and unshare")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::checked;

/// Moves the calling thread into the network namespace that `fd` names.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`; `EINVAL` where `fd` is no network namespace.
pub fn enter_network(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers; the descriptor is open while borrowed. Memory is not affected by the thread's namespace.
    checked(unsafe { libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// Moves the calling thread into a new, empty network namespace.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`; `ENOSPC` at the limit of `user.max_net_namespaces`.
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: no pointers. Only the network namespace is unshared, so memory and descriptors stay shared.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}
