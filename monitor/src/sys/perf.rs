//! Perf events that programs in the kernel write to (`PERF_COUNT_SW_BPF_OUTPUT`), one CPU's each.
#![expect(unsafe_code, reason = "perf_event_open has no wrapper in libc, and ioctl takes any number")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{checked, checked_long};

/// `PERF_TYPE_SOFTWARE` of `include/uapi/linux/perf_event.h`, and its event of programs' output.
const TYPE_SOFTWARE: u32 = 1;
const BPF_OUTPUT: u64 = 10;
/// `PERF_SAMPLE_RAW`: a record has the bytes that were written, and nothing else.
const SAMPLE_RAW: u64 = 1 << 10;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
/// `PERF_EVENT_IOC_SET_OUTPUT`: `_IO('$', 5)`.
const SET_OUTPUT: libc::c_ulong = 0x2405;

/// `struct perf_event_attr` as it was first published (`PERF_ATTR_SIZE_VER0`).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const SIZE: u32 = 64;
const _: () = assert!(size_of::<Attributes>() == SIZE as usize);

/// Which records wake who polls the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakes {
    /// None; but each time that half of the buffer has been filled.
    None,
    /// Each.
    Each,
}

/// An event on a CPU, counting at once.
///
/// # Errors
/// `ENODEV` where the CPU is offline; `EACCES` without `CAP_PERFMON`, and where `kernel.perf_event_paranoid` of some
/// distributions (3 and more) forbids it to whoever is not `CAP_SYS_ADMIN`; no descriptors left.
pub fn output_event(cpu: usize, wakes: Wakes) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: TYPE_SOFTWARE,
        size: SIZE,
        config: BPF_OUTPUT,
        sample_period: 1,
        sample_type: SAMPLE_RAW,
        wakeup_events: u32::from(wakes == Wakes::Each),
        ..Attributes::default()
    };
    let cpu = libc::c_int::try_from(cpu).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let (every_process, no_group): (libc::pid_t, libc::c_int) = (-1, -1);
    // SAFETY: the attributes live through the call, which reads as many bytes of them as they say.
    let fd = checked_long(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            every_process,
            cpu,
            no_group,
            CLOSE_ON_EXEC,
        )
    })?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the call has just opened it for this process, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets an event write into the mapped buffer of another one of its CPU.
///
/// # Errors
/// `EINVAL` where the two are of different CPUs, or the event has a buffer of its own.
pub fn redirect(event: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: this request takes a descriptor, not a pointer.
    checked(unsafe { libc::ioctl(event.as_raw_fd(), SET_OUTPUT, to.as_raw_fd()) }).map(drop)
}
