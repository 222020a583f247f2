//! The CPU time of the calling thread, to the nanosecond: a span of work that is the same whoever preempts it.
#![expect(unsafe_code, reason = "clock_gettime fills a structure through a pointer")]

use std::io;
use std::mem::MaybeUninit;

use super::checked;

/// CPU time that the calling thread has used since it began, nanoseconds (`CLOCK_THREAD_CPUTIME_ID`). Unlike
/// [`super::usage`], as of this moment and not of the last tick. One system call.
///
/// # Errors
/// Only where a sandbox forbids the call.
pub fn thread_ns() -> io::Result<u64> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is valid for one timespec, which the call fills.
    checked(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure is filled.
    let time = unsafe { time.assume_init() };
    Ok(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_ns;

    #[test]
    fn work_shows_and_sleep_does_not() {
        let (begun, used) = (monotonic_ns(), thread_ns().unwrap());
        while thread_ns().unwrap() < used + 100_000 {}
        std::thread::sleep(std::time::Duration::from_millis(5));
        let (elapsed, used) = (monotonic_ns() - begun, thread_ns().unwrap() - used);
        assert!(used >= 100_000 && used < elapsed, "{used} of {elapsed} ns");
    }
}
