//! Safe wrappers over the system calls that the standard library leaves out; one file for each subject.
//!
//! Below everything else in the frame's way: the reader maps its ring and waits through it, `rt` sets the thread's
//! policy, `clock` reads the clocks, `netns` changes namespaces. Nothing here decides anything: a wrapper makes one
//! call sound and hands back what the kernel said, as [`std::io::Result`]. The callers add the remedy.
//!
//! Every timeout and every stamp is on `CLOCK_MONOTONIC`, the clock of the kernel's own stamps (`bpf_ktime_get_ns`).

pub mod bpf;
pub mod caps;
pub mod clock;
pub mod cputime;
pub mod datagrams;
pub mod epoll;
pub mod ethtool;
pub mod eventfd;
pub mod hwstamp;
pub mod ifname;
pub mod mapping;
pub mod memory;
pub mod mount;
pub mod mutex;
pub mod namespace;
pub mod packet;
pub mod packet_receive;
pub mod pages;
pub mod perf;
pub mod phc;
pub mod poll;
pub mod pollset;
pub mod rawip;
pub mod rseq;
pub mod sched;
pub mod sleep;
pub mod tpacket;
pub mod tty;
pub mod uname;
pub mod usage;

use std::io;

/// Turns the C convention (-1 and `errno`) into a result.
fn checked(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// The same for calls made by number, which return a `long`.
fn checked_long(returned: libc::c_long) -> io::Result<libc::c_long> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
