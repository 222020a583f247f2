//! What the user asks of the real-time thread, checked before any thread is started.

use crate::sys::sched::{CpuList, FIFO_PRIORITIES};

/// What the real-time thread should be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// `SCHED_FIFO` priority, 1 to 99. Interrupt threads run at 50.
    pub priority: u8,
    /// The CPU to bind to; `None` leaves it to the scheduler.
    pub cpu: Option<usize>,
    /// Lock the memory of the whole process, page by page as it is touched.
    pub lock_memory: bool,
}

impl Default for Request {
    /// Priority 50 as `contract.md`'s example of the summary has it, no fixed CPU, memory locked.
    fn default() -> Self {
        Self { priority: 50, cpu: None, lock_memory: true }
    }
}

/// A request that no host, or not this one, could fulfil.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Outside 1 to 99.
    #[error("real-time priority {0} is out of range: SCHED_FIFO has 1 (lowest) to 99 (highest)")]
    Priority(u8),
    /// The host has no such CPU.
    #[error("CPU {cpu} does not exist: this host has CPUs {possible}; choose one of them with --cpu")]
    NoSuchCpu {
        /// As asked for.
        cpu: usize,
        /// Those that could exist, in the kernel's list format.
        possible: String,
    },
    /// The CPU exists and is switched off.
    #[error(
        "CPU {cpu} is offline: CPUs {online} are online; choose one of them with --cpu, or bring it up with \
         `echo 1 > /sys/devices/system/cpu/cpu{cpu}/online`"
    )]
    OfflineCpu {
        /// As asked for.
        cpu: usize,
        /// Those that run, in the kernel's list format.
        online: String,
    },
}

impl Request {
    /// Checks the request against the scheduler's range and this host's CPUs. Where `/sys` cannot be read the CPU is
    /// left for the kernel to judge.
    ///
    /// # Errors
    /// [`RequestError`], with what would be right.
    pub fn check(&self) -> Result<(), RequestError> {
        if !FIFO_PRIORITIES.contains(&self.priority) {
            return Err(RequestError::Priority(self.priority));
        }
        match (self.cpu, CpuList::possible(), CpuList::online()) {
            (Some(cpu), Ok(possible), Ok(online)) => check_cpu(cpu, &possible, &online),
            _ => Ok(()),
        }
    }
}

fn check_cpu(cpu: usize, possible: &CpuList, online: &CpuList) -> Result<(), RequestError> {
    if !possible.contains(cpu) {
        return Err(RequestError::NoSuchCpu { cpu, possible: possible.to_string() });
    }
    if !online.contains(cpu) {
        return Err(RequestError::OfflineCpu { cpu, online: online.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_outside_the_range_are_refused_and_the_ends_are_not() {
        for wrong in [0, 100, 255] {
            let request = Request { priority: wrong, ..Request::default() };
            assert_eq!(request.check(), Err(RequestError::Priority(wrong)));
        }
        for right in [1, 99] {
            assert_eq!(Request { priority: right, ..Request::default() }.check(), Ok(()));
        }
    }

    #[test]
    fn cpus_that_are_not_there_or_not_on_are_named_with_those_that_are() {
        let (possible, online) = (CpuList::parse("0-7").unwrap(), CpuList::parse("0,2-3").unwrap());
        assert_eq!(check_cpu(3, &possible, &online), Ok(()));
        let offline = check_cpu(1, &possible, &online).unwrap_err().to_string();
        assert!(offline.contains("CPU 1 is offline") && offline.contains("0,2-3"), "{offline}");
        let absent = check_cpu(8, &possible, &online).unwrap_err().to_string();
        assert!(absent.contains("CPU 8 does not exist") && absent.contains("0-7"), "{absent}");
    }

    #[test]
    fn a_cpu_beyond_any_host_is_refused_here() {
        let request = Request { cpu: Some(1 << 20), ..Request::default() };
        assert!(matches!(request.check(), Err(RequestError::NoSuchCpu { .. })));
    }
}
