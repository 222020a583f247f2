//! What the calling thread has used: the run's CPU share, and the faults and switches that explain an overrun.
#![expect(unsafe_code, reason = "getrusage")]

use std::io;
use std::mem::MaybeUninit;

use super::checked;

/// Totals since the thread began (getrusage(2), `RUSAGE_THREAD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadUsage {
    /// CPU time in user mode, nanoseconds (the kernel counts microseconds).
    pub user_ns: u64,
    /// CPU time in the kernel, nanoseconds.
    pub system_ns: u64,
    /// Page faults served from memory.
    pub minor_faults: u64,
    /// Page faults that waited for storage.
    pub major_faults: u64,
    /// Times the thread gave up its CPU by waiting.
    pub voluntary_switches: u64,
    /// Times another thread took its CPU.
    pub involuntary_switches: u64,
}

impl ThreadUsage {
    /// The calling thread's totals. One system call, no allocation.
    ///
    /// # Errors
    /// Only where a sandbox forbids the call.
    pub fn read() -> io::Result<Self> {
        let mut usage = MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: the pointer is valid for one rusage, which the call fills.
        checked(unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so the structure is filled.
        let usage = unsafe { usage.assume_init() };
        Ok(Self {
            user_ns: nanoseconds(usage.ru_utime),
            system_ns: nanoseconds(usage.ru_stime),
            minor_faults: usage.ru_minflt.cast_unsigned(),
            major_faults: usage.ru_majflt.cast_unsigned(),
            voluntary_switches: usage.ru_nvcsw.cast_unsigned(),
            involuntary_switches: usage.ru_nivcsw.cast_unsigned(),
        })
    }

    /// CPU time in user mode and in the kernel together, nanoseconds.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.user_ns + self.system_ns
    }
}

/// The kernel's totals are never negative.
fn nanoseconds(time: libc::timeval) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_usec.cast_unsigned() * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_fresh_memory_show() {
        let before = ThreadUsage::read().unwrap();
        let memory = std::hint::black_box(vec![1_u8; 8 << 20]);
        let mut after = ThreadUsage::read().unwrap();
        while after.cpu_ns() == before.cpu_ns() {
            std::hint::black_box(memory.iter().map(|&byte| u64::from(byte)).sum::<u64>());
            after = ThreadUsage::read().unwrap();
        }
        assert!(after.minor_faults > before.minor_faults);
    }
}
