//! Scheduling policy, affinity and the CPUs of this host.
//!
//! The policy calls go by number: musl's own wrappers answer `ENOSYS` whatever the kernel could do.
#![expect(unsafe_code, reason = "the sched_* calls")]

use std::mem::MaybeUninit;
use std::path::Path;
use std::{fmt, fs, io};

use super::{checked, checked_long};

/// The lowest and highest priority of `SCHED_FIFO` (sched(7)).
pub const FIFO_PRIORITIES: std::ops::RangeInclusive<u8> = 1..=99;

/// A thread's scheduling policy, as far as this program sets or meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `SCHED_FIFO` at this priority, 1 to 99.
    Fifo(u8),
    /// `SCHED_RR` at this priority: set by somebody else.
    RoundRobin(u8),
    /// `SCHED_OTHER`: the ordinary fair scheduler.
    Other,
    /// Any other, by its number in sched(7).
    Unknown(i32),
}

impl Policy {
    /// A policy by its number in sched(7) and its priority, as `/proc/N/stat` has them.
    #[must_use]
    pub fn of(number: i32, priority: u8) -> Self {
        match number {
            libc::SCHED_FIFO => Self::Fifo(priority),
            libc::SCHED_RR => Self::RoundRobin(priority),
            libc::SCHED_OTHER => Self::Other,
            other => Self::Unknown(other),
        }
    }

    /// The number in sched(7).
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Fifo(_) => libc::SCHED_FIFO,
            Self::RoundRobin(_) => libc::SCHED_RR,
            Self::Other => libc::SCHED_OTHER,
            Self::Unknown(number) => number,
        }
    }

    /// The name in sched(7).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fifo(_) => "SCHED_FIFO",
            Self::RoundRobin(_) => "SCHED_RR",
            Self::Other => "SCHED_OTHER",
            Self::Unknown(libc::SCHED_BATCH) => "SCHED_BATCH",
            Self::Unknown(libc::SCHED_IDLE) => "SCHED_IDLE",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The real-time priority, 1 to 99, or 0 where the policy has none.
    #[must_use]
    pub fn priority(self) -> u8 {
        match self {
            Self::Fifo(priority) | Self::RoundRobin(priority) => priority,
            Self::Other | Self::Unknown(_) => 0,
        }
    }
}

/// Puts the calling thread under `SCHED_FIFO` at `priority`. Threads it starts later are ordinary again
/// (`SCHED_RESET_ON_FORK`).
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` and beyond `RLIMIT_RTPRIO`, or in a control group without real-time budget;
/// `EINVAL` outside [`FIFO_PRIORITIES`].
pub fn set_fifo(priority: u8) -> io::Result<()> {
    let parameters = libc::c_int::from(priority);
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the kernel's sched_param is one int, and the pointer is to a live one; 0 is the calling thread.
    checked_long(unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const parameters) })
        .map(drop)
}

/// The calling thread's policy as the kernel has it.
///
/// # Errors
/// Only where a sandbox forbids the calls.
pub fn policy() -> io::Result<Policy> {
    // SAFETY: no pointers; 0 is the calling thread.
    let number = checked_long(unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) })?;
    let mut priority: libc::c_int = 0;
    // SAFETY: the kernel's sched_param is one int, and the pointer is to a live, writable one.
    checked_long(unsafe { libc::syscall(libc::SYS_sched_getparam, 0, &raw mut priority) })?;
    let priority = u8::try_from(priority).unwrap_or(u8::MAX);
    let number = i32::try_from(number).unwrap_or(i32::MAX) & !libc::SCHED_RESET_ON_FORK;
    Ok(Policy::of(number, priority))
}

/// Puts another thread, by its number, under a policy.
///
/// # Errors
/// `ESRCH` where there is no such thread (0 and what is beyond any thread's number among them); `EPERM` without
/// `CAP_SYS_NICE`; `EINVAL` for a policy that takes more than a priority, such as `SCHED_DEADLINE`.
pub fn set_policy_of(tid: u32, policy: Policy) -> io::Result<()> {
    let tid = other_thread(tid)?;
    let parameters = libc::c_int::from(policy.priority());
    // SAFETY: the kernel's sched_param is one int, and the pointer is to a live one.
    checked_long(unsafe {
        libc::syscall(libc::SYS_sched_setscheduler, tid, policy.number(), &raw const parameters)
    })
    .map(drop)
}

/// CPU masks hold this many CPUs: the most that the kernel can be built for (`NR_CPUS`).
const MASK_CPUS: usize = 8192;
const WORD_CPUS: usize = u64::BITS as usize;

/// Number of the calling thread.
#[must_use]
pub fn this_thread() -> u32 {
    // SAFETY: no pointers; it does not fail.
    unsafe { libc::gettid() }.unsigned_abs()
}

/// Keeps the calling thread on these CPUs.
///
/// # Errors
/// `EINVAL` where none of them exists, is online, and lies inside the thread's cpuset.
pub fn keep_to(cpus: &CpuList) -> io::Result<()> {
    keep(0, cpus)
}

/// Keeps another thread, by its number, on these CPUs.
///
/// # Errors
/// As [`keep_to`]; `ESRCH` where there is no such thread (0 and what is beyond any thread's number among them); `EPERM` for
/// another user's without `CAP_SYS_NICE`.
pub fn keep_thread_to(tid: u32, cpus: &CpuList) -> io::Result<()> {
    keep(other_thread(tid)?, cpus)
}

/// 0 would be the calling thread.
fn other_thread(tid: u32) -> io::Result<libc::pid_t> {
    let tid = libc::pid_t::try_from(tid).ok().filter(|&tid| tid != 0);
    tid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

fn keep(tid: libc::pid_t, cpus: &CpuList) -> io::Result<()> {
    let mut mask = [0_u64; MASK_CPUS / WORD_CPUS];
    for cpu in cpus.iter() {
        if let Some(word) = mask.get_mut(cpu / WORD_CPUS) {
            *word |= 1 << (cpu % WORD_CPUS);
        }
    }
    // SAFETY: the kernel reads as many bytes as it is told, all inside the mask; 0 is the calling thread.
    checked(unsafe { libc::sched_setaffinity(tid, size_of_val(&mask), mask.as_ptr().cast()) }).map(drop)
}

/// Binds the calling thread to one CPU.
///
/// # Errors
/// `EINVAL` where the CPU does not exist, is offline, or lies outside the thread's cpuset.
pub fn set_affinity(cpu: usize) -> io::Result<()> {
    let mut mask = [0_u64; MASK_CPUS / WORD_CPUS];
    let word = mask.get_mut(cpu / WORD_CPUS).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    *word = 1 << (cpu % WORD_CPUS);
    // SAFETY: the kernel reads as many bytes as it is told, all inside the mask; 0 is the calling thread.
    checked(unsafe { libc::sched_setaffinity(0, size_of_val(&mask), mask.as_ptr().cast()) }).map(drop)
}

/// The CPUs that the calling thread may run on: those of them that are online.
///
/// # Errors
/// Only where a sandbox forbids the call.
pub fn affinity() -> io::Result<CpuList> {
    allowed(0)
}

/// The CPUs that another thread, by its number, may run on: those of them that are online.
///
/// # Errors
/// `ESRCH` as [`keep_thread_to`].
pub fn affinity_of(tid: u32) -> io::Result<CpuList> {
    allowed(other_thread(tid)?)
}

fn allowed(tid: libc::pid_t) -> io::Result<CpuList> {
    let mut mask = [0_u64; MASK_CPUS / WORD_CPUS];
    // SAFETY: the kernel writes at most as many bytes as it is told, all inside the mask.
    checked(unsafe { libc::sched_getaffinity(tid, size_of_val(&mask), mask.as_mut_ptr().cast()) })?;
    let set = |cpu: &usize| mask[cpu / WORD_CPUS] & (1 << (cpu % WORD_CPUS)) != 0;
    Ok(CpuList((0..MASK_CPUS).filter(set).collect()))
}

/// The CPU that the calling thread runs on at this moment.
///
/// # Errors
/// Only where a sandbox forbids the call.
pub fn current_cpu() -> io::Result<usize> {
    let mut cpu = MaybeUninit::<libc::c_uint>::uninit();
    let none = std::ptr::null_mut::<libc::c_uint>();
    // SAFETY: the first pointer is valid for one unsigned int; the node and the unused cache may be null.
    checked_long(unsafe { libc::syscall(libc::SYS_getcpu, cpu.as_mut_ptr(), none, none) })?;
    // SAFETY: the call succeeded, so the number is written.
    Ok(unsafe { cpu.assume_init() } as usize)
}

/// CPU numbers in rising order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

impl CpuList {
    /// The CPUs that this host could ever have.
    ///
    /// # Errors
    /// `/sys` is not mounted or not readable.
    pub fn possible() -> io::Result<Self> {
        Self::read(Path::new("/sys/devices/system/cpu/possible"))
    }

    /// The CPUs that are running now.
    ///
    /// # Errors
    /// `/sys` is not mounted or not readable.
    pub fn online() -> io::Result<Self> {
        Self::online_below(Path::new("/"))
    }

    /// The same where `/sys` lies below a root.
    ///
    /// # Errors
    /// As [`CpuList::online`].
    pub fn online_below(root: &Path) -> io::Result<Self> {
        Self::read(&root.join("sys/devices/system/cpu/online"))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let wrong =
            || io::Error::new(io::ErrorKind::InvalidData, format!("{} is no list of CPUs", path.display()));
        Self::parse(&text).ok_or_else(wrong)
    }

    /// The kernel's list format ("0-3,8"); `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut cpus = Vec::new();
        for range in text.trim().split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if last < first || last >= MASK_CPUS {
                return None;
            }
            cpus.extend(first..=last);
        }
        Some(Self(cpus))
    }

    /// Those of them for which it is so.
    #[must_use]
    pub fn only(&self, is_so: impl Fn(usize) -> bool) -> Self {
        Self(self.iter().filter(|&cpu| is_so(cpu)).collect())
    }

    /// Whether `cpu` is in the list.
    #[must_use]
    pub fn contains(&self, cpu: usize) -> bool {
        self.0.binary_search(&cpu).is_ok()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The numbers, rising.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<usize> for CpuList {
    /// Numbers in any order.
    fn from_iter<T: IntoIterator<Item = usize>>(cpus: T) -> Self {
        let mut cpus: Vec<usize> = cpus.into_iter().collect();
        cpus.sort_unstable();
        cpus.dedup();
        Self(cpus)
    }
}

impl fmt::Display for CpuList {
    /// The kernel's own list format.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, run) in self.0.chunk_by(|before, after| before + 1 == *after).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match run {
                [only] => write!(out, "{comma}{only}")?,
                [first, .., last] => write!(out, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read_and_written_in_the_kernels_format() {
        let list = CpuList::parse("0-3,8,10-11\n").unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(list.to_string(), "0-3,8,10-11");
        assert!(list.contains(8) && !list.contains(9));
        assert_eq!(CpuList::parse("\n").unwrap().count(), 0);
        for wrong in ["x", "3-1", "0-99999999", "1-", "-1"] {
            assert_eq!(CpuList::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn cpus_are_collected_in_order_and_once() {
        assert_eq!([3, 1, 2, 3].into_iter().collect::<CpuList>().to_string(), "1-3");
    }

    #[test]
    fn policies_are_numbered_as_the_kernel_does() {
        for policy in [Policy::Fifo(7), Policy::RoundRobin(8), Policy::Other, Policy::Unknown(6)] {
            assert_eq!(Policy::of(policy.number(), policy.priority()), policy);
        }
    }

    #[test]
    fn another_threads_policy_is_set_and_no_thread_is_refused() {
        let (started, number) = std::sync::mpsc::channel();
        let (go_on, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            started.send(this_thread()).unwrap();
            let _ = stopped.recv();
            policy().unwrap()
        });
        let tid = number.recv().unwrap();
        let batch = Policy::Unknown(libc::SCHED_BATCH);
        set_policy_of(tid, batch).unwrap();
        drop(go_on);
        assert_eq!(other.join().unwrap(), batch);
        for nobody in [0, u32::MAX] {
            assert_eq!(set_policy_of(nobody, batch).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        }
    }

    #[test]
    fn another_threads_cpus_are_told_and_set() {
        let (started, number) = std::sync::mpsc::channel();
        let (go_on, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            started.send(this_thread()).unwrap();
            let _ = stopped.recv();
            affinity().unwrap()
        });
        let tid = number.recv().unwrap();
        assert_eq!(affinity_of(tid).unwrap(), affinity().unwrap());
        let last: CpuList = affinity().unwrap().iter().last().into_iter().collect();
        keep_thread_to(tid, &last).unwrap();
        assert_eq!(affinity_of(tid).unwrap(), last);
        drop(go_on);
        assert_eq!(other.join().unwrap(), last);
        for nobody in [0, u32::MAX] {
            assert_eq!(affinity_of(nobody).unwrap_err().raw_os_error(), Some(libc::ESRCH));
            assert_eq!(keep_thread_to(nobody, &last).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        }
    }

    #[test]
    fn this_thread_runs_on_a_cpu_that_is_online() {
        assert!(CpuList::online().unwrap().contains(current_cpu().unwrap()));
        assert!(CpuList::possible().unwrap().count() >= CpuList::online().unwrap().count());
    }

    #[test]
    fn affinity_binds_and_an_impossible_cpu_is_refused() {
        std::thread::spawn(|| {
            let cpu = affinity().unwrap().iter().last().unwrap();
            set_affinity(cpu).unwrap();
            assert_eq!(affinity().unwrap(), CpuList(vec![cpu]));
            assert_eq!(current_cpu().unwrap(), cpu);
            let (one, none) = (CpuList(vec![cpu, MASK_CPUS]), CpuList(Vec::new()));
            keep_to(&one).unwrap();
            assert_eq!(affinity().unwrap(), CpuList(vec![cpu]));
            assert_eq!(keep_to(&none).unwrap_err().raw_os_error(), Some(libc::EINVAL));
            for impossible in [MASK_CPUS - 1, MASK_CPUS, usize::MAX] {
                assert_eq!(set_affinity(impossible).unwrap_err().raw_os_error(), Some(libc::EINVAL));
            }
        })
        .join()
        .unwrap();
    }
}
