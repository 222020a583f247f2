//! Keeps the offset current and asks who keeps the clock, on a thread of its own: a daemon that does not answer must
//! not hold up anything else.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{ClockMap, Daemons, Keeper, Offset, measure};
use crate::sys::clock::{monotonic_ns, monotonic_raw_ns};

/// How often the offset is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// How many measurements there are between two questions to the daemons, whose own figures change no faster.
const ASK_EVERY: u32 = 5;
/// What a step of the clock must at least be to be said, nanoseconds: below that it is counted. A leap second, a
/// correction by hand and TAI taken for UTC are far above.
const SAID_FROM_NS: u64 = 1_000_000;

/// What is known of the host's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClockReport {
    /// Who keeps it, and how well.
    pub keeper: Keeper,
    /// Times that it was stepped while it was watched.
    pub steps: u64,
    /// The last step, nanoseconds; positive where it went forwards.
    pub last_step_ns: Option<i64>,
    /// The rate at which the host's oscillator is being corrected, parts in 10^9, over the time that it was watched;
    /// positive where the oscillator is slow. `None` until a second has passed.
    pub drift_ppb: Option<i64>,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    report: Mutex<ClockReport>,
    over: Mutex<bool>,
    wake: Condvar,
}

impl Watch {
    /// Starts the thread, which keeps `map` current and says through `say` what a person should know at once.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn start(
        map: Arc<ClockMap>,
        first: Offset,
        daemons: Daemons,
        mut say: impl FnMut(String) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("clock".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut state = State::new(first);
                while !shared.is_over() {
                    state.look(&map, &daemons, &mut say);
                    shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&state.report);
                    shared.rest();
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What is known now.
    #[must_use]
    pub fn report(&self) -> ClockReport {
        self.shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.shared.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed; there is nothing to take back.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the next measurement is due, or the end.
    fn rest(&self) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let _ended = self.wake.wait_timeout_while(over, MEASURE_EVERY, |over| !*over);
    }
}

/// What goes from one look to the next.
struct State {
    last: Offset,
    looks: u32,
    begun: Rates,
    report: ClockReport,
}

/// The slewed clock and the oscillator, read together.
#[derive(Clone, Copy)]
struct Rates {
    monotonic: u64,
    raw: u64,
}

impl Rates {
    fn read() -> Self {
        Self { monotonic: monotonic_ns(), raw: monotonic_raw_ns() }
    }

    /// How much faster the slewed clock ran since `earlier`, parts in 10^9; none within the first half second.
    fn drift_ppb(self, earlier: Self) -> Option<i64> {
        let slewed = i128::from(self.monotonic) - i128::from(earlier.monotonic);
        let raw = i128::from(self.raw) - i128::from(earlier.raw);
        if raw < 500_000_000 {
            return None;
        }
        i64::try_from((slewed - raw) * 1_000_000_000 / raw).ok()
    }
}

impl State {
    fn new(first: Offset) -> Self {
        Self { last: first, looks: 0, begun: Rates::read(), report: ClockReport::default() }
    }

    fn look(&mut self, map: &ClockMap, daemons: &Daemons, say: &mut impl FnMut(String)) {
        let stepped = self.take(measure(), map, say);
        self.report.drift_ppb = Rates::read().drift_ppb(self.begun);
        // What was said of the clock before a step holds no more.
        if stepped || self.looks.is_multiple_of(ASK_EVERY) {
            let keeper = Keeper::ask(daemons);
            if let Some(sentence) = news(&self.report.keeper, &keeper, self.looks == 0) {
                say(sentence);
            }
            map.set_bound(keeper.error_bound_ns);
            self.report.keeper = keeper;
        }
        self.looks = self.looks.wrapping_add(1);
    }

    /// True where the clock was stepped.
    fn take(&mut self, now: Offset, map: &ClockMap, say: &mut impl FnMut(String)) -> bool {
        map.update(&now);
        let step = now.stepped_since(&self.last);
        if let Some(step) = step {
            self.report.steps += 1;
            self.report.last_step_ns = Some(step);
            if step.unsigned_abs() >= SAID_FROM_NS {
                say(format!(
                    "the host's clock was stepped by {step} ns: arrival times before and after it do not compare"
                ));
            }
        }
        self.last = now;
        step.is_some()
    }
}

/// What a person should know at once: a new grandmaster, and TAI taken for UTC.
fn news(before: &Keeper, now: &Keeper, is_first: bool) -> Option<String> {
    if let Some(seconds) = now.tai_mistake_s.filter(|_| before.tai_mistake_s.is_none()) {
        return Some(format!(
            "the host's clock is {seconds} s off the PTP clock that it follows: TAI is taken for UTC; start phc2sys \
             with -w, or give it the offset with -O"
        ));
    }
    let (Some(grandmaster), false) = (now.grandmaster, is_first) else { return None };
    (before.grandmaster != Some(grandmaster))
        .then(|| format!("the host's clock now follows the grandmaster {grandmaster}"))
}

#[cfg(test)]
mod tests {
    use super::super::ClockIdentity;
    use super::*;

    fn offset(offset_ns: i64) -> Offset {
        Offset { offset_ns, uncertainty_ns: 40 }
    }

    #[test]
    fn steps_are_counted_and_large_ones_said() {
        let map = ClockMap::new(&offset(0));
        let mut state = State::new(offset(0));
        let mut said = Vec::new();
        for at in [10, 60, 5_000, 5_010, 2_000_000_000] {
            state.take(offset(at), &map, &mut |sentence| said.push(sentence));
        }
        assert_eq!((state.report.steps, state.report.last_step_ns), (2, Some(1_999_994_990)));
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(map.offset_ns(), 2_000_000_000);
    }

    #[test]
    fn drift_is_what_the_oscillator_is_corrected_by() {
        let at = |monotonic, raw| Rates { monotonic, raw };
        let begun = at(5_000, 9_000);
        assert_eq!(at(1_000_025_000, 1_000_009_000).drift_ppb(begun), Some(20_000));
        assert_eq!(at(999_995_000, 1_000_009_000).drift_ppb(begun), Some(-10_000));
        assert_eq!(at(400_000_000, 400_000_000).drift_ppb(begun), None);
    }

    #[test]
    fn another_grandmaster_and_a_mistake_are_said_once() {
        let following = |id| Keeper { grandmaster: Some(ClockIdentity([id; 8])), ..Keeper::default() };
        assert_eq!(news(&Keeper::default(), &following(1), true), None, "at the start it is no news");
        assert_eq!(news(&following(1), &following(1), false), None);
        assert!(news(&following(1), &following(2), false).unwrap().contains("020202.0202.020202"));
        let mistaken = Keeper { tai_mistake_s: Some(37), ..following(1) };
        assert!(news(&following(1), &mistaken, false).unwrap().contains("TAI"));
        assert_eq!(news(&mistaken, &mistaken, false), None);
    }

    #[test]
    fn it_ends_at_once_when_it_is_dropped() {
        let first = measure();
        let map = Arc::new(ClockMap::new(&first));
        let nobody = Some(std::path::PathBuf::from("/nonexistent/socket"));
        let daemons = Daemons { ptp4l_socket: nobody.clone(), chrony_socket: nobody };
        let watch = Watch::start(map, first, daemons, drop).unwrap();
        drop(watch);
    }
}
