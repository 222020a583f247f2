//! A sampling loop at 10 kHz: how far the time between two samples is from the period.

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

/// The period of 10 kHz.
pub(super) const PERIOD_NS: u64 = 100_000;

/// What the loop measured.
#[derive(Debug, Serialize)]
pub struct Sampling {
    /// The loop's period.
    pub period_ns: u64,
    /// Instants from the first sample to the last: of the samples after the first, and of those missed.
    pub instants: u64,
    /// Instants without a sample, since the one before came after them.
    pub missed: u64,
    /// The time between two samples less the period.
    #[serde(flatten)]
    pub spread: Spread,
    /// What the host gave the thread.
    #[serde(skip)]
    pub granted: Granted,
}

/// Measures on the first CPU of `settings`, as many periods as it has loops.
pub(super) fn measure(settings: &Settings, stop: &Arc<AtomicBool>) -> Result<Sampling, Error> {
    let (periods, stop) = (settings.loops, Arc::clone(stop));
    let work = move || sample(periods, &stop);
    let done = thread::start("sampling at 10 kHz", settings.request(settings.first_cpu()), work)?.join()?;
    let Counts { instants, missed, spread } = done.value;
    Ok(Sampling { period_ns: PERIOD_NS, instants, missed, spread, granted: done.granted })
}

struct Counts {
    instants: u64,
    missed: u64,
    spread: Spread,
}

fn sample(periods: u32, stop: &AtomicBool) -> io::Result<Counts> {
    let mut spread = Spread::new();
    let mut missed = 0;
    let mut grid = Grid::after(monotonic_ns(), PERIOD_NS);
    let first_ns = grid.due_ns();
    sleep::until(first_ns)?;
    let mut last = monotonic_ns();
    for _ in 0..periods {
        if stop.load(Relaxed) {
            break;
        }
        missed += grid.advance(last);
        sleep::until(grid.due_ns())?;
        let now = monotonic_ns();
        spread.record(signed(now - last) - signed(PERIOD_NS));
        last = now;
    }
    Ok(Counts { instants: (grid.due_ns() - first_ns) / PERIOD_NS, missed, spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instant_has_a_sample_or_is_missed() {
        for (periods, stopped) in [(0, false), (50, false), (50, true)] {
            let counts = sample(periods, &AtomicBool::new(stopped)).unwrap();
            let count = counts.spread.count();
            assert_eq!(count, if stopped { 0 } else { periods });
            assert_eq!(counts.instants, u64::from(count) + counts.missed);
        }
    }
}
