//! Sleeping until an instant, rather than for a span: what a loop of fixed period waits with.
#![expect(unsafe_code, reason = "clock_nanosleep")]

use std::{io, ptr};

use super::poll::timespec;

/// Sleeps until `CLOCK_MONOTONIC` shows `instant_ns`; returns at once where it has passed. A signal that comes meanwhile is
/// handled, and the sleep goes on. Allocates nothing.
///
/// # Errors
/// Only where a sandbox forbids the call.
pub fn until(instant_ns: u64) -> io::Result<()> {
    let instant = timespec(instant_ns);
    loop {
        // SAFETY: the first pointer is to a live timespec; an absolute sleep leaves no rest, so the second may be null.
        let error = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const instant,
                ptr::null_mut(),
            )
        };
        match error {
            0 => return Ok(()),
            libc::EINTR => {}
            other => return Err(io::Error::from_raw_os_error(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_ns;

    #[test]
    fn it_is_never_awake_before_the_instant() {
        for ahead in [0, 1, 1_000, 1_000_000] {
            let instant = monotonic_ns() + ahead;
            until(instant).unwrap();
            assert!(monotonic_ns() >= instant);
        }
        until(0).unwrap();
    }
}
