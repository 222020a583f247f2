//! The clock of a network card (PHC), read through its character device.
#![expect(unsafe_code, reason = "clock_gettime fills a structure through a pointer")]

use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use super::checked;
use super::clock::NANOS_PER_SECOND;

/// An open PTP hardware clock.
#[derive(Debug)]
pub struct HardwareClock(File);

impl HardwareClock {
    /// That of the card behind an interface of this process's network namespace.
    ///
    /// # Errors
    /// `NotFound` where the card has none; `PermissionDenied` where its device may not be read.
    pub fn of_interface(name: &str) -> io::Result<Self> {
        let mut clocks = fs::read_dir(format!("/sys/class/net/{name}/device/ptp"))?;
        let clock = clocks.find_map(Result::ok).ok_or(io::ErrorKind::NotFound)?;
        File::open(std::path::Path::new("/dev").join(clock.file_name())).map(Self)
    }

    /// What it shows, nanoseconds since its epoch (ptp4l sets TAI).
    ///
    /// # Errors
    /// `ENODEV` where the card has gone.
    pub fn read_ns(&self) -> io::Result<i64> {
        // FD_TO_CLOCKID (linux/posix-timers.h, clock_getres(2)): the low three bits 3 say that it is a descriptor.
        let clock: libc::clockid_t = (!self.0.as_raw_fd() << 3) | 3;
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the pointer is valid for one timespec, which the call fills.
        checked(unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) })?;
        // SAFETY: the call returned 0, so it has filled the structure.
        let time = unsafe { time.assume_init() };
        Ok(time.tv_sec * NANOS_PER_SECOND + time.tv_nsec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_without_one_is_an_error() {
        assert_eq!(HardwareClock::of_interface("lo").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
