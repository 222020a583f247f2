//! `bench host`: what this host's timers, scheduler, memory and locks do to a real-time thread.
//!
//! Nothing of the monitor runs meanwhile. Each measurement has threads of its own, set as the live loop's thread is
//! ([`crate::rt`]), one measurement after the other. What the host refuses does not stop it, and is said.

mod allocation;
mod grid;
mod hgrm;
mod inversion;
mod published;
mod report;
mod sampling;
mod spread;
mod table;
mod task_latency;
mod thread;

pub use allocation::Allocation;
pub use inversion::Inversion;
pub use published::Figures;
pub use report::{Host, Judged, Report, Verdict};
pub use sampling::Sampling;
pub use spread::Spread;
pub use task_latency::TaskLatency;
pub use thread::{Granted, Refused};

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use crate::rt;
use crate::sys::clock::realtime_ns;
use crate::sys::memory;
use crate::sys::sched::{self, CpuList};

use self::report::Measured;

/// Microseconds that a loop of the task latency may take: below, it would leave others no CPU.
pub const INTERVALS_US: RangeInclusive<i64> = 100..=1_000_000;
/// How many of them there may be.
pub const LOOPS: RangeInclusive<i64> = 1..=10_000_000;

/// What is measured, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The CPUs: one thread for the task latency on each; the rest is measured on the first.
    pub cpus: Vec<usize>,
    /// Of the highest thread, under `SCHED_FIFO`.
    pub priority: u8,
    /// Between two wake-ups for the task latency, nanoseconds.
    pub interval_ns: u64,
    /// How many wake-ups, samples, and (up to a bound of their own) allocations and rounds.
    pub loops: u32,
}

impl Settings {
    /// cyclictest's usual ones, on these CPUs.
    #[must_use]
    pub fn on(cpus: Vec<usize>) -> Self {
        Self { cpus, priority: 99, interval_ns: 1_000_000, loops: 100_000 }
    }

    fn first_cpu(&self) -> usize {
        self.cpus.first().copied().unwrap_or_default()
    }

    fn request(&self, cpu: usize) -> rt::Request {
        rt::Request { priority: self.priority, cpu: Some(cpu), lock_memory: true }
    }

    fn check(&self) -> Result<(), Error> {
        let allowed = sched::affinity().map_err(|source| Error::System { what: "affinity", source })?;
        for (place, &cpu) in self.cpus.iter().enumerate() {
            self.request(cpu).check()?;
            if !allowed.contains(cpu) {
                return Err(Error::NotAllowed { cpu, allowed });
            }
            if self.cpus[..place].contains(&cpu) {
                return Err(Error::Twice(cpu));
            }
        }
        Ok(())
    }

    /// For how long the measurements run where nothing is late.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let loops = u64::from(self.loops);
        let allocations = 2 * loops.min(allocation::MOST.into()) * allocation::PERIOD_NS;
        let rounds = 2 * loops.min(inversion::MOST.into()) * (inversion::MIDDLE_NS + inversion::PAUSE_NS);
        let periodic = loops * (self.interval_ns + sampling::PERIOD_NS);
        Duration::from_nanos(periodic + allocations + rounds)
    }
}

/// The first CPU that this process may use.
///
/// # Errors
/// Only where a sandbox forbids to ask.
pub fn first_allowed_cpu() -> io::Result<usize> {
    Ok(sched::affinity()?.iter().next().unwrap_or_default())
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No host, or not this one, could do it.
    #[error(transparent)]
    Request(#[from] rt::RequestError),
    /// The CPU is there, and not for this process.
    #[error(
        "CPU {cpu} is not for this process, which may use CPUs {allowed} (cpuset or taskset); choose one of them with \
         --cpu, or start it where it may use the CPU"
    )]
    NotAllowed {
        /// As asked for.
        cpu: usize,
        /// Those that it may use.
        allowed: CpuList,
    },
    /// Two threads on one CPU would measure each other.
    #[error("CPU {0} is given twice; give each --cpu once")]
    Twice(usize),
    /// The kernel refused what nothing works without.
    #[error(
        "cannot measure {what}: {source}; a sandbox may forbid it, or memory has run out: start outside of it"
    )]
    System {
        /// Which measurement.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A bug.
    #[error("the thread that measured {0} panicked: please report this as a bug")]
    Panicked(&'static str),
}

/// Measures everything, one after the other, and ends early once `stop` is set, with what there is by then. `say` is told
/// what comes next.
///
/// # Errors
/// [`Error`]. That the host grants no rights is none: it stands in the report.
pub fn measure(
    settings: Settings,
    stop: &Arc<AtomicBool>,
    mut say: impl FnMut(&str),
) -> Result<Report, Error> {
    settings.check()?;
    let host = Host::read().map_err(|source| Error::System { what: "the kernel's name", source })?;
    let time_ns = realtime_ns();
    // As cyclictest does.
    let held = rt::CpusAwake::hold().ok();
    // Each is left out once it is to end.
    let mut next = |what: &str| {
        let goes_on = !stop.load(Relaxed);
        goes_on.then(|| say(what))
    };
    let task_latency = match next("task latency") {
        Some(()) => task_latency::measure(&settings, stop)?,
        None => Vec::new(),
    };
    let sampling = next("sampling at 10 kHz").map(|()| sampling::measure(&settings, stop)).transpose()?;
    let inversion = next("priority inversion").map(|()| inversion::measure(&settings, stop)).transpose()?;
    let allocation = next("allocation").map(|()| allocation::measure(&settings, stop)).transpose()?;
    // A lock that cannot be taken back was never given.
    let _ = memory::unlock_all();
    let measured = Measured {
        cpu_dma_latency_held: held.is_some(),
        interrupted: stop.load(Relaxed),
        task_latency,
        sampling,
        allocation,
        inversion,
    };
    Ok(Report::new(settings, host, time_ns, measured))
}

/// Spans that are measured here are far below the 292 years that fit.
fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: Settings) -> String {
        let stop = Arc::new(AtomicBool::new(true));
        measure(settings, &stop, |what| panic!("{what} was measured")).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_measured_is_refused_before_anything_is() {
        let cpu = first_allowed_cpu().unwrap();
        assert!(refused(Settings { priority: 100, ..Settings::on(vec![cpu]) }).contains("priority 100"));
        assert!(refused(Settings::on(vec![1 << 20])).contains("CPU 1048576 does not exist"));
        assert!(refused(Settings::on(vec![cpu, cpu])).contains("given twice"));
    }

    #[test]
    fn a_cpu_that_is_for_others_is_refused_with_those_that_are_not() {
        let allowed = sched::affinity().unwrap();
        let (Some(first), Some(last)) = (allowed.iter().next(), allowed.iter().last()) else { return };
        if first == last {
            return;
        }
        let said = std::thread::spawn(move || {
            sched::set_affinity(first).unwrap();
            refused(Settings::on(vec![last]))
        });
        let said = said.join().unwrap();
        assert!(said.contains(&format!("CPU {last} is not for this process")), "{said}");
        assert!(said.contains(&format!("may use CPUs {first} ")), "{said}");
    }

    #[test]
    fn the_usual_settings_take_two_minutes() {
        let whole = Settings::on(vec![0]).duration();
        assert_eq!(whole, Duration::from_secs(115));
    }

    #[test]
    fn stopped_before_it_began_it_says_that_nothing_was_measured() {
        let stop = Arc::new(AtomicBool::new(true));
        let settings = Settings::on(vec![first_allowed_cpu().unwrap()]);
        let report = measure(settings, &stop, |what| panic!("{what} was measured")).unwrap();
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["interrupted"], &json["verdict"]["met"]), (&true.into(), &serde_json::Value::Null));
        assert!(json["sampling"].is_null() && json["task_latency"] == serde_json::json!([]), "{json}");
        assert!(json["realtime"].is_null(), "{json}");
    }
}
