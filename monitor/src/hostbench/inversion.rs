//! Priority inversion: a thread waits for a mutex that one of low priority holds, while one of middle priority computes.
//!
//! All three are on one CPU. In each round the low thread takes the mutex and wakes the high one, which runs at once and
//! waits for it; then it wakes the middle one. With a plain mutex that one now runs, and the high thread waits until it
//! has computed. With one that inherits, the low thread has the high one's priority until it lets go.
//!
//! Nothing here waits for ever: the middle thread computes for a fixed time, and the low one then goes on, with any
//! scheduling policy and any number of CPUs.

use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{Thread, park};

use serde::Serialize;

use super::spread::Spread;
use super::thread::{self, Granted};
use super::{Error, Settings, signed};
use crate::rt;
use crate::sys::clock::monotonic_ns;
use crate::sys::mutex::{PosixMutex, Protocol};
use crate::sys::{cputime, sleep};

/// For how long the middle thread computes.
pub(super) const MIDDLE_NS: u64 = 2_000_000;
/// CPU time that the low thread takes while it holds the mutex.
const HELD_NS: u64 = 20_000;
/// Between two rounds: with the middle thread's time, two fifths of the CPU, so that nobody throttles it.
pub(super) const PAUSE_NS: u64 = 3_000_000;
/// How often the low thread looks whether the others have ended the round.
const LOOK_NS: u64 = 200_000;
/// The most rounds with either mutex.
pub(super) const MOST: u32 = 100;
/// The lowest priority that leaves two below it.
const LOWEST: u8 = 3;

/// How long the high thread waited.
#[derive(Debug, Serialize)]
pub struct Inversion {
    /// The priorities of the three, the low thread's first.
    pub priorities: [u8; 3],
    /// For how long the middle thread computes in each round.
    pub middle_ns: u64,
    /// CPU time for which the low thread holds the mutex.
    pub held_ns: u64,
    /// With a mutex that knows no priorities.
    pub plain: Spread,
    /// With `PTHREAD_PRIO_INHERIT`.
    pub inheriting: Spread,
    /// What the host gave the threads.
    #[serde(skip)]
    pub granted: Granted,
}

/// Measures on the first CPU of `settings`, as many rounds with each mutex as it has loops, up to [`MOST`].
pub(super) fn measure(settings: &Settings, stop: &Arc<AtomicBool>) -> Result<Inversion, Error> {
    let high = settings.priority.max(LOWEST);
    let request = settings.request(settings.first_cpu());
    let priorities = [high - 2, high - 1, high];
    let requests = priorities.map(|priority| rt::Request { priority, ..request });
    let rounds = settings.loops.min(MOST);
    let (plain, granted) = rounds_with(Protocol::Plain, requests, rounds, stop)?;
    let (inheriting, others) = rounds_with(Protocol::Inherit, requests, rounds, stop)?;
    Ok(Inversion {
        priorities,
        middle_ns: MIDDLE_NS,
        held_ns: HELD_NS,
        plain,
        inheriting,
        granted: granted.and(others),
    })
}

/// Where a thread waits for its next round, and says that it has ended it.
#[derive(Default)]
struct Gate {
    begun: AtomicU32,
    ended: AtomicU32,
}

impl Gate {
    /// No round has this number: the end.
    const OVER: u32 = u32::MAX;

    fn open(&self, round: u32, thread: &Thread) {
        // Pairs with the load in `next`: what was done before the round began is seen in it.
        self.begun.store(round, Ordering::Release);
        thread.unpark();
    }

    /// Waits for a round other than `last`; none where it is over.
    fn next(&self, last: u32) -> Option<u32> {
        loop {
            // Pairs with the store in `open`.
            match self.begun.load(Ordering::Acquire) {
                Self::OVER => return None,
                same if same == last => park(),
                round => return Some(round),
            }
        }
    }

    fn end(&self, round: u32) {
        // Pairs with the load in `has_ended`: the low thread begins the next round after all of this one.
        self.ended.store(round, Ordering::Release);
    }

    fn has_ended(&self, round: u32) -> bool {
        // Pairs with the store in `end`.
        [round, Self::OVER].contains(&self.ended.load(Ordering::Acquire))
    }
}

/// What the three threads share.
struct Shared {
    mutex: PosixMutex,
    high: Gate,
    middle: Gate,
}

fn rounds_with(
    protocol: Protocol,
    [low, middle, high]: [rt::Request; 3],
    rounds: u32,
    stop: &Arc<AtomicBool>,
) -> Result<(Spread, Granted), Error> {
    const WHAT: &str = "priority inversion";
    let mutex = PosixMutex::new(protocol).map_err(|source| Error::System { what: WHAT, source })?;
    let shared = Arc::new(Shared { mutex, high: Gate::default(), middle: Gate::default() });
    let of_high = Arc::clone(&shared);
    let high = thread::start(WHAT, high, move || wait_each_round(&of_high))?;
    let of_middle = Arc::clone(&shared);
    let middle = thread::start(WHAT, middle, move || {
        compute_each_round(&of_middle);
        Ok(())
    });
    let others = middle.and_then(|middle| {
        let wake = Wake { high: high.thread(), middle: middle.thread() };
        let (of_low, stop) = (Arc::clone(&shared), Arc::clone(stop));
        let low = thread::start(WHAT, low, move || lead(&of_low, &wake, rounds, &stop));
        // Where it did not start, nobody else says that it is over.
        let low = low.and_then(thread::Running::join);
        shared.middle.open(Gate::OVER, &middle.thread());
        let middle = middle.join()?;
        Ok(low?.granted.and(middle.granted))
    });
    shared.high.open(Gate::OVER, &high.thread());
    let high = high.join()?;
    Ok((high.value, others?.and(high.granted)))
}

/// For waking the other two.
struct Wake {
    high: Thread,
    middle: Thread,
}

/// The low thread.
fn lead(shared: &Shared, wake: &Wake, rounds: u32, stop: &AtomicBool) -> io::Result<()> {
    for round in 1..=rounds {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let held = shared.mutex.lock()?;
        shared.high.open(round, &wake.high);
        shared.middle.open(round, &wake.middle);
        let begun = cputime::thread_ns()?;
        while cputime::thread_ns()? - begun < HELD_NS {}
        drop(held);
        while !(shared.high.has_ended(round) && shared.middle.has_ended(round)) {
            sleep::until(monotonic_ns() + LOOK_NS)?;
        }
        sleep::until(monotonic_ns() + PAUSE_NS)?;
    }
    Ok(())
}

/// The high thread.
fn wait_each_round(shared: &Shared) -> io::Result<Spread> {
    let mut spread = Spread::new();
    let mut last = 0;
    while let Some(round) = shared.high.next(last) {
        let begun = monotonic_ns();
        // The low thread waits for the end of each round, and for ever where there is none.
        let held = shared.mutex.lock().inspect_err(|_| shared.high.end(Gate::OVER))?;
        let waited = monotonic_ns() - begun;
        shared.high.end(round);
        drop(held);
        spread.record(signed(waited));
        last = round;
    }
    Ok(spread)
}

/// The middle thread.
fn compute_each_round(shared: &Shared) {
    let mut last = 0;
    while let Some(round) = shared.middle.next(last) {
        let end = monotonic_ns() + MIDDLE_NS;
        while monotonic_ns() < end {
            spin_loop();
        }
        shared.middle.end(round);
        last = round;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostbench::first_allowed_cpu;

    /// With whatever the host gives: that every round ends, and is counted, takes no rights.
    #[test]
    fn each_round_is_counted_whatever_the_host_gives() {
        let settings = Settings { loops: 5, ..Settings::on(vec![first_allowed_cpu().unwrap()]) };
        let stop = Arc::new(AtomicBool::new(false));
        let requests = [1, 2, 3].map(|priority| rt::Request {
            priority,
            lock_memory: false,
            ..settings.request(settings.cpus[0])
        });
        for protocol in [Protocol::Plain, Protocol::Inherit] {
            let (spread, granted) = rounds_with(protocol, requests, 5, &stop).unwrap();
            assert_eq!(spread.count(), 5);
            let median = spread.quantile_ns(0.5).unwrap();
            let inverted = granted.real_time && granted.on_cpu && protocol == Protocol::Plain;
            assert!(!inverted || median >= MIDDLE_NS, "{median} ns");
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(rounds_with(Protocol::Inherit, requests, 5, &stop).unwrap().0.count(), 0);
    }
}
