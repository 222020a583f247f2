//! Reads of the kernel's clocks and of what it says about their discipline.
//!
//! The kernel stamps frames on `CLOCK_MONOTONIC`; these reads are what `clock` relates that to UTC with.
#![expect(unsafe_code, reason = "clock_gettime and adjtimex fill structures through pointers")]

use std::io;
use std::mem::MaybeUninit;

use super::checked;

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// `CLOCK_MONOTONIC` in nanoseconds since boot, suspended time left out: the same count as `bpf_ktime_get_ns`.
#[must_use]
pub fn monotonic_ns() -> u64 {
    // The kernel's monotonic clock starts at zero and never goes below it.
    read(libc::CLOCK_MONOTONIC).cast_unsigned()
}

/// `CLOCK_REALTIME` in nanoseconds since the Unix epoch, UTC as this host believes it to be.
#[must_use]
pub fn realtime_ns() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// `CLOCK_MONOTONIC_RAW` in nanoseconds since boot: the oscillator as it is, which nobody slews.
#[must_use]
pub fn monotonic_raw_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC_RAW).cast_unsigned()
}

/// `CLOCK_TAI` in nanoseconds since the Unix epoch. Equal to [`realtime_ns`] while nobody has told the kernel the
/// TAI offset: see [`Discipline::tai_offset_s`].
#[must_use]
pub fn tai_ns() -> i64 {
    read(libc::CLOCK_TAI)
}

fn read(clock: libc::clockid_t) -> i64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is valid for one timespec, which the call fills.
    let returned = unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
    // The clocks read here exist in every kernel since 3.10, and the pointer is good: nothing is left to fail.
    assert_eq!(returned, 0, "clock_gettime refused clock {clock}");
    // SAFETY: the call returned 0, so it has filled the structure.
    let time = unsafe { time.assume_init() };
    time.tv_sec * NANOS_PER_SECOND + time.tv_nsec
}

/// What adjtimex(2) says about `CLOCK_REALTIME`, less its `maxerror` and `esterror`: phc2sys writes 0 there at each
/// update, so as bounds they mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discipline {
    /// Something keeps the clock: neither `STA_UNSYNC` nor `TIME_ERROR` is set.
    pub synchronised: bool,
    /// The kernel's `STA_*` bits as they are.
    pub status: i32,
    /// TAI minus UTC in seconds (37 since 2017), or `None` where the kernel has 0: nobody has set it.
    pub tai_offset_s: Option<i32>,
}

/// Asks adjtimex(2) without changing anything (`modes` 0 needs no capability).
///
/// # Errors
/// Only where a sandbox forbids the call.
pub fn discipline() -> io::Result<Discipline> {
    // SAFETY: timex is plain integers, for which all-zero bytes are a value; zero modes ask for a read.
    let mut timex = unsafe { MaybeUninit::<libc::timex>::zeroed().assume_init() };
    // SAFETY: the pointer is to a live, writable timex.
    let state = checked(unsafe { libc::adjtimex(&raw mut timex) })?;
    Ok(Discipline {
        synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        status: timex.status,
        tai_offset_s: (timex.tai != 0).then_some(timex.tai),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_never_goes_back() {
        let mut last = monotonic_ns();
        for _ in 0..10_000 {
            let now = monotonic_ns();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn tai_is_ahead_of_utc_by_the_offset_the_kernel_states() {
        let offset_ns = i64::from(discipline().unwrap().tai_offset_s.unwrap_or(0)) * NANOS_PER_SECOND;
        let before = realtime_ns();
        let tai = tai_ns();
        let after = realtime_ns();
        assert!((before + offset_ns..=after + offset_ns).contains(&tai));
    }

    #[test]
    fn realtime_agrees_with_the_standard_library() {
        let before = realtime_ns();
        let std = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let after = realtime_ns();
        assert!((before..=after).contains(&i64::try_from(std.as_nanos()).unwrap()));
    }
}
