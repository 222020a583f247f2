//! The clock of a network card (PHC), read through its character device, alone or together with this host's.
#![expect(unsafe_code, reason = "clock_gettime and ioctl fill structures through pointers")]

use std::fs::{self, File};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::AsRawFd;

use super::checked;
use super::clock::NANOS_PER_SECOND;

/// Readings of one call, of which the narrowest counts.
const READINGS: u32 = 5;

/// One reading of a card's clock and of `CLOCK_REALTIME` at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossStamp {
    /// The card's clock, nanoseconds since its epoch.
    pub card_ns: i64,
    /// This host's, nanoseconds since the Unix epoch.
    pub realtime_ns: i64,
    /// How far the two readings may lie apart, nanoseconds: 0 where the hardware takes both at once.
    pub uncertainty_ns: u64,
}

impl CrossStamp {
    /// The card's clock was read somewhere between two readings of the host's.
    fn between([before, card, after]: [i64; 3]) -> Self {
        let width = after.saturating_sub(before);
        Self {
            card_ns: card,
            realtime_ns: before + width / 2,
            // A clock that was stepped backwards in between says nothing.
            uncertainty_ns: u64::try_from(width).map_or(u64::MAX, |width| width.div_ceil(2)),
        }
    }

    fn narrowest(readings: impl Iterator<Item = [i64; 3]>) -> Option<Self> {
        readings.map(Self::between).min_by_key(|one| one.uncertainty_ns)
    }
}

fn ns(time: libc::ptp_clock_time) -> i64 {
    time.sec.saturating_mul(NANOS_PER_SECOND).saturating_add(time.nsec.into())
}

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

    /// The one that the kernel numbers so: `/dev/ptpN`.
    ///
    /// # Errors
    /// `NotFound` where there is no such device; `PermissionDenied` where it may not be read.
    pub fn numbered(number: u32) -> io::Result<Self> {
        File::open(format!("/dev/ptp{number}")).map(Self)
    }

    /// Reads it together with this host's clock: by the best way that its driver has (both at once by the hardware; each
    /// reading between two of the host's, inside the driver, or around it). Not for the real-time thread: some cards
    /// take many microseconds.
    ///
    /// # Errors
    /// `ENODEV` where the card has gone; what the driver says.
    pub fn cross_stamp(&self) -> io::Result<CrossStamp> {
        let not_known = |error: &io::Error| {
            matches!(
                error.raw_os_error(),
                Some(libc::EOPNOTSUPP | libc::ENOTTY | libc::EINVAL | libc::ENODEV)
            )
        };
        for way in [Self::at_once, Self::inside_the_driver] {
            match way(self) {
                Err(error) if not_known(&error) => {}
                done => return done,
            }
        }
        self.around_the_driver()
    }

    /// `PTP_SYS_OFFSET_PRECISE` (`include/uapi/linux/ptp_clock.h`). A driver without it gives `EOPNOTSUPP`; one whose
    /// platform cannot just now, `ENODEV`.
    fn at_once(&self) -> io::Result<CrossStamp> {
        // SAFETY: numbers alone.
        let mut read: libc::ptp_sys_offset_precise = unsafe { zeroed() };
        // SAFETY: the request's own structure, which outlives the call.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::PTP_SYS_OFFSET_PRECISE, &raw mut read) })?;
        Ok(CrossStamp { card_ns: ns(read.device), realtime_ns: ns(read.sys_realtime), uncertainty_ns: 0 })
    }

    /// `PTP_SYS_OFFSET_EXTENDED`, from 5.0.
    fn inside_the_driver(&self) -> io::Result<CrossStamp> {
        // SAFETY: numbers alone.
        let mut read: libc::ptp_sys_offset_extended = unsafe { zeroed() };
        read.n_samples = READINGS;
        // SAFETY: as above.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::PTP_SYS_OFFSET_EXTENDED, &raw mut read) })?;
        let readings = read.ts.iter().take(READINGS as usize).map(|reading| reading.map(ns));
        CrossStamp::narrowest(readings).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// `PTP_SYS_OFFSET`: host and card by turns, the host first and last.
    fn around_the_driver(&self) -> io::Result<CrossStamp> {
        // SAFETY: numbers alone.
        let mut read: libc::ptp_sys_offset = unsafe { zeroed() };
        read.n_samples = READINGS;
        // SAFETY: as above.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::PTP_SYS_OFFSET, &raw mut read) })?;
        let times = read.ts.map(ns);
        let readings = times.windows(3).step_by(2).take(READINGS as usize);
        let readings = readings.filter_map(|reading| reading.try_into().ok());
        CrossStamp::narrowest(readings).ok_or_else(|| io::ErrorKind::InvalidData.into())
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
    fn the_narrowest_reading_counts_and_lies_in_the_middle() {
        let readings = [[1_000, 50, 3_000], [4_000, 77, 4_101], [5_000, 90, 4_000]];
        let best = CrossStamp::narrowest(readings.into_iter());
        assert_eq!(best, Some(CrossStamp { card_ns: 77, realtime_ns: 4_050, uncertainty_ns: 51 }));
        assert_eq!(CrossStamp::narrowest([].into_iter()), None);
    }

    #[test]
    fn what_is_no_clock_cannot_be_read() {
        let file = HardwareClock(File::open("/dev/null").unwrap());
        assert_eq!(file.cross_stamp().unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(HardwareClock::numbered(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_interface_without_one_is_an_error() {
        assert_eq!(HardwareClock::of_interface("lo").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
