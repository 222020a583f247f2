//! Entering and leaving network namespaces, and what user namespace this is. The calls that enter or leave change the
//! calling thread for good, which is why nothing but `netns`, on threads made for it, uses them.
#![expect(unsafe_code, reason = "setns and unshare")]

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::{fs, io};

use super::checked;

/// Inode number of the host's own user namespace (`PROC_USER_INIT_INO` of the kernel's `include/linux/proc_ns.h`).
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Whether the calling thread's capabilities count on the whole host. Taken for true where `/proc` does not tell.
#[must_use]
pub fn in_initial_user_namespace() -> bool {
    fs::metadata("/proc/thread-self/ns/user").map_or(true, |own| own.ino() == INITIAL_USER_NAMESPACE)
}

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
