//! The wait that is awake when a frame comes: it learns when each stream's frames arrive, sleeps until just before the
//! next one, and looks at the ring without sleeping over the window in which it must come.
//!
//! Everything here is arithmetic: the time comes in, what to do comes out. Asleep or awake, the reader is woken by the
//! ring all the same; a wrong expectation costs CPU or the latency of a wake-up, never a frame.
//!
//! # The CPU it may take
//! A share is set. Each stream's part in the time spent awake is counted; where all of it is too much, the streams that
//! cost most are given up: their frames wake a sleeping reader, as without prediction. They are taken back where there
//! is room. Beneath that lies a purse which fills at the share's rate and empties while the reader is awake: with
//! nothing in it there is no looking without sleep, so that a wrong expectation cannot cost more either.

mod delays;
mod purse;
mod source;
#[cfg(test)]
mod tests;

use delays::Delays;
use purse::Purse;
use source::{Due, Source};

/// Streams that are followed. Those of a larger number wake the reader; the memory is 400 bytes for each.
const MOST_SOURCES: usize = 1_024;
/// How often streams are given up and taken back.
const CHOOSE_NS: u64 = 500_000_000;
/// Of its share, what may go into waking earlier than nearly all wake-ups need, in percent.
const EARLY_PERCENT: u64 = 65;
/// Beyond the window's end it is looked so much longer, in nanoseconds: the path from the stamp to the ring.
const BEHIND_NS: u64 = 20_000;
/// Sleeping for less is not tried.
const LEAST_SLEEP_NS: u64 = 5_000;
/// The longest that is spent on what was in the ring, between two looks. What goes beyond was not the reader's: its CPU
/// was taken from it.
const LONGEST_TURN_NS: u64 = 1_000_000;
/// What a wake-up and the way back to sleep cost beside the time that is measured.
const WAKE_UP_NS: u64 = 6_000;

/// What to do until something is in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Look at the ring without sleeping, until then.
    Look {
        /// Nanoseconds of the monotonic clock.
        until: u64,
    },
    /// Sleep until then; a record in the ring ends it.
    Sleep {
        /// Nanoseconds of the monotonic clock.
        until: u64,
    },
    /// Sleep until there is a record: nothing is expected.
    Block,
}

/// What is not due.
const NEVER: Due = Due { from: u64::MAX, to: u64::MAX };

/// A stream that is followed.
#[derive(Clone, Debug, Default)]
struct Followed {
    source: Source,
    given_up: bool,
    /// Time awake for its sake since streams were last chosen, in nanoseconds.
    spent: u64,
}

/// When each stream's next frame is due, and what waiting awake for it costs.
#[derive(Debug)]
pub struct Predictor {
    followed: Vec<Followed>,
    /// When the next frame of each is due: apart from the rest, since all of them are looked at before each wait.
    dues: Vec<Due>,
    /// Places that were ever used.
    used: usize,
    purse: Purse,
    /// Streams beyond the bound.
    not_followed: u64,
    /// When the reader was last woken, or began.
    awake_since: u64,
    /// The stream for which it is awake.
    for_source: Option<usize>,
    /// Until where the time awake is counted.
    counted: u64,
    /// Until when it was to look, at most.
    looks_until: u64,
    chosen_at: u64,
    delays: Delays,
}

impl Predictor {
    /// At `now`, in nanoseconds of the monotonic clock, with the share of a CPU that it may take, in thousandths.
    /// All that it needs is allocated here.
    #[must_use]
    pub fn new(now: u64, permille: u16) -> Self {
        Self {
            followed: vec![Followed::default(); MOST_SOURCES],
            dues: vec![NEVER; MOST_SOURCES],
            used: 0,
            purse: Purse::new(now, permille),
            not_followed: 0,
            awake_since: now,
            for_source: None,
            counted: now,
            looks_until: now,
            chosen_at: now,
            delays: Delays::default(),
        }
    }

    /// A frame of a stream, by its number, whose packet was received at `at`. Says whether it met an awake reader.
    pub fn arrived(&mut self, stream: usize, at: u64) -> bool {
        if let (Some(followed), Some(due)) = (self.followed.get_mut(stream), self.dues.get_mut(stream)) {
            followed.source.arrived(at);
            *due = followed.due();
            self.used = self.used.max(stream + 1);
        } else {
            self.not_followed += 1;
        }
        at >= self.awake_since
    }

    /// What to do now, with nothing in the ring.
    pub fn plan(&mut self, now: u64) -> Plan {
        self.count(now);
        if now.saturating_sub(self.chosen_at) >= CHOOSE_NS {
            self.choose(now);
        }
        let mut next: Option<(u64, Due, usize)> = None;
        let followed = self.followed.iter_mut().zip(&mut self.dues).take(self.used);
        for (place, (followed, due)) in followed.enumerate() {
            while due.to.saturating_add(BEHIND_NS) <= now {
                // What should have come by now has not.
                followed.source.passed();
                *due = followed.due();
            }
            let open = due.from.saturating_sub(self.delays.ahead());
            if *due != NEVER && next.is_none_or(|(earliest, ..)| open < earliest) {
                next = Some((open, *due, place));
            }
        }
        let Some((open, due, place)) = next else {
            self.for_source = None;
            return Plan::Block;
        };
        if open > now + LEAST_SLEEP_NS {
            self.for_source = Some(place);
            return Plan::Sleep { until: open };
        }
        if !self.purse.has_any() {
            // Until there is something in it again a record wakes the reader.
            self.for_source = None;
            return Plan::Sleep { until: self.purse.filled_at(now) };
        }
        self.for_source = Some(place);
        self.looks_until = due.to + BEHIND_NS;
        Plan::Look { until: self.looks_until }
    }

    /// The reader was asleep from `from`, and awake again at `woke`: `until` is set where its time was over, and nothing
    /// in the ring ended it.
    pub fn slept(&mut self, from: u64, woke: u64, until: Option<u64>) {
        self.count(from);
        self.purse.spend(WAKE_UP_NS);
        self.credit(WAKE_UP_NS);
        self.counted = woke;
        self.awake_since = woke;
        if let Some(until) = until {
            self.delays.note(woke.saturating_sub(until));
        }
    }

    /// Streams whose frames cannot be told, those that cost too much, and frames of streams beyond the bound.
    #[must_use]
    pub fn left_to_block(&self) -> LeftToBlock {
        let count =
            |is: fn(&Followed) -> bool| self.followed.iter().take(self.used).filter(|one| is(one)).count();
        LeftToBlock {
            irregular: count(|followed| followed.source.is_irregular()),
            given_up: count(|followed| followed.given_up),
            not_followed: self.not_followed,
        }
    }

    /// How early a window is opened, in nanoseconds: what a wake-up takes on this host.
    #[must_use]
    pub const fn ahead_ns(&self) -> u64 {
        self.delays.ahead()
    }

    /// Counts the time awake until now.
    fn count(&mut self, now: u64) {
        let longest = self.looks_until.saturating_sub(self.counted) + LONGEST_TURN_NS;
        let awake = now.saturating_sub(self.counted).min(longest);
        self.counted = self.counted.max(now);
        self.purse.pass(now);
        self.purse.spend(awake);
        self.credit(awake);
    }

    fn credit(&mut self, awake: u64) {
        if let Some(followed) = self.for_source.and_then(|place| self.followed.get_mut(place)) {
            followed.spent += awake;
        }
    }

    /// Gives up the streams that cost most where all of them cost too much, or takes the cheapest back.
    fn choose(&mut self, now: u64) {
        let passed = now.saturating_sub(self.chosen_at).max(1);
        self.chosen_at = now;
        let a_second =
            |ns: u64| ns.saturating_mul(1_000_000_000 / CHOOSE_NS).saturating_mul(CHOOSE_NS) / passed;
        let mut total: u64 = self.followed.iter().map(|followed| a_second(followed.spent)).sum();
        let most = self.purse.a_second();
        // Streams that were given up come first.
        let is_any_given_up = self.followed.iter().take(self.used).any(|followed| followed.given_up);
        let may = if is_any_given_up { 0 } else { most / 100 * EARLY_PERCENT };
        let spare_a_second = may.cast_signed().saturating_sub_unsigned(total);
        self.delays.afford(spare_a_second / 1_000 * (passed / 1_000_000).cast_signed());
        let ahead = self.delays.ahead() + BEHIND_NS + WAKE_UP_NS;
        if total > most {
            while total > most / 100 * 95 {
                let dearest =
                    self.followed.iter_mut().filter(|one| !one.given_up).max_by_key(|one| one.spent);
                let Some(dearest) = dearest.filter(|one| one.spent > 0) else { break };
                dearest.given_up = true;
                total = total.saturating_sub(a_second(dearest.spent));
            }
        } else {
            let cost = |followed: &Followed| followed.source.cost(ahead);
            loop {
                let given_up = self.followed.iter_mut().filter(|followed| followed.given_up);
                let Some(cheapest) = given_up.min_by_key(|followed| cost(followed)) else { break };
                total += cost(cheapest);
                if total > most / 100 * 95 {
                    break;
                }
                cheapest.given_up = false;
            }
        }
        for (followed, due) in self.followed.iter_mut().zip(&mut self.dues).take(self.used) {
            followed.spent = 0;
            *due = followed.due();
        }
    }
}

/// What wakes a sleeping reader instead of meeting one that is awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftToBlock {
    /// Streams whose frames come too irregularly.
    pub irregular: usize,
    /// Streams given up for what they cost.
    pub given_up: usize,
    /// Frames of streams beyond the bound.
    pub not_followed: u64,
}

impl Followed {
    /// When its next frame is due, where it is waited for.
    fn due(&self) -> Due {
        if self.given_up { NEVER } else { self.source.due().unwrap_or(NEVER) }
    }
}
