//! Task latency: how long after the instant that it sleeps until a thread runs. cyclictest's measurement.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;

use super::grid::Grid;
use super::spread::Spread;
use super::thread::{self, Granted};
use super::{Error, Settings, signed};
use crate::sys::clock::monotonic_ns;
use crate::sys::sleep;

/// What the thread on one CPU measured.
#[derive(Debug, Serialize)]
pub struct TaskLatency {
    /// The CPU.
    pub cpu: usize,
    /// Instants that were passed over, since a wake-up came more than an interval late.
    pub overruns: u64,
    /// From the instant to the first reading of the clock after it.
    #[serde(flatten)]
    pub spread: Spread,
    /// What the host gave the thread.
    #[serde(skip)]
    pub granted: Granted,
}

/// Measures on all the CPUs of `settings` at the same time.
pub(super) fn measure(settings: &Settings, stop: &Arc<AtomicBool>) -> Result<Vec<TaskLatency>, Error> {
    let mut running = Vec::new();
    for &cpu in &settings.cpus {
        let (interval_ns, loops, stop) = (settings.interval_ns, settings.loops, Arc::clone(stop));
        let work = move || cycle(interval_ns, loops, &stop);
        running.push((cpu, thread::start("task latency", settings.request(cpu), work)?));
    }
    running
        .into_iter()
        .map(|(cpu, thread)| {
            let done = thread.join()?;
            let (spread, overruns) = done.value;
            Ok(TaskLatency { cpu, overruns, spread, granted: done.granted })
        })
        .collect()
}

fn cycle(interval_ns: u64, loops: u32, stop: &AtomicBool) -> io::Result<(Spread, u64)> {
    let mut spread = Spread::new();
    let mut overruns = 0;
    let mut grid = Grid::after(monotonic_ns(), interval_ns);
    for _ in 0..loops {
        if stop.load(Relaxed) {
            break;
        }
        sleep::until(grid.due_ns())?;
        let now = monotonic_ns();
        spread.record(signed(now) - signed(grid.due_ns()));
        overruns += grid.advance(now);
    }
    Ok((spread, overruns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_one_has_counted_nothing() {
        let (spread, overruns) = cycle(1_000_000, 5, &AtomicBool::new(true)).unwrap();
        assert_eq!((spread.count(), overruns), (0, 0));
    }

    #[test]
    fn no_wake_up_is_early() {
        let (spread, _) = cycle(100_000, 20, &AtomicBool::new(false)).unwrap();
        assert_eq!(spread.count(), 20);
        assert!(spread.min_ns().unwrap() >= 0);
    }
}
