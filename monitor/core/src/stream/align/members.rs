//! The streams that take part, by their rates.

use super::bits::Sets;
use super::counts::StreamAlignment;
use super::key::InstantKey;
use crate::protocol::c37118::DataRate;
use crate::time::Nanos;

/// Different reporting rates at the same time.
pub const RATES: usize = 16;

/// A stream of which no frame came for so long, or for [`LEAVE_PERIODS`], is no longer expected: 1.5 s. More
/// than the second for which a stream that tags a leap second otherwise is out of step: it is expected all through it.
const LEAVE_NS: i64 = 1_500_000_000;

/// See [`LEAVE_NS`]: what is longer holds.
const LEAVE_PERIODS: u64 = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Member {
    /// Place of its rate, while it takes part.
    rate: Option<u8>,
    /// Arrival of its last frame that was in step.
    last: Nanos,
    /// When it last had a say in the common delay.
    voted: Nanos,
    counts: StreamAlignment,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    rate: Option<DataRate>,
    members: u32,
}

/// All streams, by their place in the table of streams.
#[derive(Debug)]
pub(super) struct Members {
    streams: Box<[Member]>,
    rates: [Rate; RATES],
    /// Who has which rate.
    sets: Sets,
    active: u32,
    /// Words of a set that were ever in use.
    words: usize,
}

impl Members {
    pub(super) fn new(streams: usize) -> Self {
        Self {
            streams: vec![Member::default(); streams].into(),
            rates: [Rate::default(); RATES],
            sets: Sets::new(RATES, streams),
            active: 0,
            words: 0,
        }
    }

    /// How many take part.
    pub(super) const fn active(&self) -> u32 {
        self.active
    }

    pub(super) fn has(&self, place: usize) -> bool {
        place < self.streams.len()
    }

    pub(super) fn counts(&self, place: usize) -> StreamAlignment {
        self.streams.get(place).map(|member| member.counts).unwrap_or_default()
    }

    pub(super) fn counts_mut(&mut self, place: usize) -> &mut StreamAlignment {
        &mut self.streams[place].counts
    }

    /// Whether a stream may have a say now: once in half of its period.
    pub(super) fn votes(&mut self, place: usize, rate: DataRate, arrival: Nanos) -> bool {
        let voted = &mut self.streams[place].voted;
        let half = i64::try_from(rate.period_ns() / 2).unwrap_or(i64::MAX);
        // Also where the host's clock was set back.
        let may = !(0..half).contains(&arrival.since(*voted));
        if may {
            *voted = arrival;
        }
        may
    }

    /// A frame that is in step came: its stream takes part from here on. False where there is no place for its rate.
    pub(super) fn take_part(&mut self, place: usize, rate: DataRate, arrival: Nanos) -> bool {
        let Member { rate: at, last, .. } = self.streams[place];
        if !at.is_some_and(|at| self.rates[usize::from(at)].rate == Some(rate)) {
            self.leave(place);
            if !self.join(place, rate) {
                return false;
            }
        }
        self.streams[place].last = last.max(arrival);
        true
    }

    pub(super) fn takes_part(&self, place: usize) -> bool {
        self.streams[place].rate.is_some()
    }

    /// A stream was absent where it was expected. Ends its part where it has been silent for long.
    pub(super) fn absent(&mut self, place: usize, now: Nanos) {
        let Member { rate, last, counts, .. } = &mut self.streams[place];
        counts.absent = counts.absent.saturating_add(1);
        let Some(rate) = rate.and_then(|at| self.rates[usize::from(at)].rate) else { return };
        let periods = i64::try_from(rate.period_ns() * LEAVE_PERIODS).unwrap_or(i64::MAX);
        if now.since(*last) > LEAVE_NS.max(periods) {
            self.leave(place);
        }
    }

    /// The host's clock was set: nobody has been silent.
    pub(super) fn forget_times(&mut self, now: Nanos) {
        for member in &mut self.streams {
            member.last = now;
        }
    }

    /// Writes who is expected at an instant into `set`, and gives how many.
    pub(super) fn expected(&self, key: InstantKey, set: &mut [u64]) -> u32 {
        let mut count = 0;
        set.fill(0);
        for (at, rate) in self.rates.iter().enumerate() {
            if rate.rate.is_some_and(|rate| key.is_on(rate)) {
                count += rate.members;
                let members = &self.sets.get(at)[..self.words];
                set.iter_mut().zip(members).for_each(|(word, members)| *word |= members);
            }
        }
        count
    }

    fn join(&mut self, place: usize, rate: DataRate) -> bool {
        let known = self.rates.iter().position(|one| one.rate == Some(rate));
        let free = || self.rates.iter().position(|one| one.members == 0);
        let Some(at) = known.or_else(free) else { return false };
        let Ok(narrow) = u8::try_from(at) else { return false };
        self.rates[at].rate = Some(rate);
        self.rates[at].members += 1;
        self.sets.insert(at, place);
        self.words = self.words.max(place / 64 + 1);
        self.streams[place].rate = Some(narrow);
        self.active += 1;
        true
    }

    fn leave(&mut self, place: usize) {
        let Some(at) = self.streams[place].rate.take().map(usize::from) else { return };
        self.sets.remove(at, place);
        self.rates[at].members -= 1;
        self.active -= 1;
        if self.rates[at].members == 0 {
            self.rates[at].rate = None;
        }
    }
}
