//! Alignment: the frames of all streams that are of one instant, put together (IEEE C37.244-2013, the time alignment
//! of a PDC).
//!
//! Behind the judgement of a single stream, and before the detectors that compare streams. An instant is found by its
//! [`InstantKey`], which is made from the rounded frame index, so that streams of different TIME_BASE agree and streams
//! of different rates meet at the instants that they share. Work for a frame does not depend on how many streams or
//! instants there are; work for an instant grows with the streams, 64 at a time.
//!
//! # Which streams are expected
//! A stream takes part from its first decoded frame that states a reporting rate and is in step, and until none came
//! for 1.5 s or three periods, whichever is longer. Who is expected at an instant is written down when its first
//! frame opens it; a stream that comes to it without having been expected is added. In the first second of the first
//! stream instants wait for the end of their window even where all have come, so that those that begin with it are
//! there. Copies are not offered at all.
//!
//! A stream is out of step where its delay, arrival minus time tag, differs by more than the wait and 1.5 s from what
//! most streams have ([`Wait::Relative`]) or from 0 ([`Wait::Absolute`]): stale frames and clocks that jumped open no
//! instant and are counted.
//!
//! # Leap seconds
//! 23:59:60 has instants of its own ([`InstantKey::leap`]), however it is tagged. Once a stream has announced a leap second
//! and made it, one whose delay differs from the others' by a second has not, or tags it otherwise without the bits: it is
//! out of step, so that no frame of it is put beside frames that are a second away. What it opened before that was known
//! is withdrawn.
//!
//! # When an instant is over
//! When every stream that is expected has come, or when its window ends: time comes with arrivals
//! ([`Aligner::take`]) and with [`Aligner::advance`]. A frame that comes afterwards is too late. Instants are told in
//! the order in which they are over, which is not always that of their times.

mod bits;
mod counts;
mod instant;
mod instants;
mod key;
mod members;
mod values;
mod wait;

use std::collections::VecDeque;

pub use counts::{AlignCounts, StreamAlignment};
pub use instant::{AlignedInstant, AlignedStream};
pub use instants::{End, MOST_OPEN};
pub use key::InstantKey;
pub use members::RATES;
pub use values::AlignedPmu;
pub use wait::Wait;

use super::{LeapStep, StreamId};
use crate::protocol::c37118::{DataRate, DataView};
use crate::time::Nanos;
use instants::{Arrival, Instants, Set, Slot, SlotId, State};
use members::Members;
use wait::Step;

/// After the first stream began, instants wait for their window's end for so long: one second.
const SETTLE_NS: i64 = 1_000_000_000;

const SECOND_NS: i64 = 1_000_000_000;

/// An arrival this far before the last one: the host's clock was set back. Two seconds, so that a leap second and
/// packets that change places are not taken for it.
const SET_BACK_NS: i64 = 2_000_000_000;

/// How much there is place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlignBounds {
    /// Streams.
    pub streams: usize,
    /// Instants that are open at the same time, [`MOST_OPEN`] at most.
    pub instants: usize,
    /// PMUs of one instant whose values are kept.
    pub pmus: usize,
}

/// What a frame is to the aligner.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// Its stream.
    pub stream: StreamId,
    /// Its instant, and its stream's rate; none where the configuration states no rate.
    pub instant: Option<(InstantKey, DataRate)>,
    /// Its stream has made a leap second with it that it announced ([`Placed::leapt`](super::Placed::leapt)).
    pub leapt: Option<LeapStep>,
    /// When it came.
    pub arrival: Nanos,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was put into its instant.
    Aligned,
    /// Its instant was over, and it was waited for.
    Late,
    /// Its instant was over before its stream took part.
    Joining,
    /// Its instant has a frame of its stream.
    Duplicate,
    /// Its time tag is too far from the other streams'.
    OutOfStep,
    /// There was no place for one more open instant.
    InstantsFull,
    /// There was no place for one more reporting rate.
    RatesFull,
    /// It has no rate, or no arrival.
    Unaligned,
}

/// Puts frames into their instants. Allocates nothing after it was made.
#[derive(Debug)]
pub struct Aligner {
    step: Step,
    members: Members,
    instants: Instants,
    counts: AlignCounts,
    /// Instants that are over and were not told yet.
    over: VecDeque<SlotId>,
    now: Nanos,
    /// Until then instants wait for the end of their window.
    settled: Nanos,
    /// The second in which no instant is believed: that behind the last inserted one, until that is over, or the last
    /// deleted one.
    cleared: Option<Nanos>,
}

impl Aligner {
    /// Makes the pools.
    #[must_use]
    pub fn new(wait: Wait, bounds: &AlignBounds) -> Self {
        let AlignBounds { streams, instants, pmus } = *bounds;
        let step = Step::new(wait);
        Self {
            members: Members::new(streams),
            instants: Instants::new(instants, streams, pmus, step.span()),
            step,
            counts: AlignCounts::default(),
            over: VecDeque::with_capacity(instants.clamp(1, MOST_OPEN)),
            now: Nanos(i64::MIN),
            settled: Nanos(i64::MIN),
            cleared: None,
        }
    }

    /// Its wait window.
    #[must_use]
    pub const fn wait(&self) -> Wait {
        self.step.wait()
    }

    /// All that was counted.
    #[must_use]
    pub const fn counts(&self) -> AlignCounts {
        self.counts
    }

    /// What was counted of one stream.
    #[must_use]
    pub fn stream(&self, id: StreamId) -> StreamAlignment {
        self.members.counts(place(id))
    }

    /// Streams that take part now.
    #[must_use]
    pub const fn active(&self) -> u32 {
        self.members.active()
    }

    /// Takes a decoded DATA frame. Its arrival is the time: windows that have ended by then are over before it.
    pub fn take(&mut self, frame: &Offered, view: &DataView<'_>) -> Verdict {
        let verdict = self.judge(frame, view);
        let counts = &mut self.counts;
        counts.offered += 1;
        *match verdict {
            Verdict::Aligned => &mut counts.aligned,
            Verdict::Late => &mut counts.late,
            Verdict::Joining => &mut counts.joining,
            Verdict::Duplicate => &mut counts.duplicate,
            Verdict::OutOfStep => &mut counts.out_of_step,
            Verdict::InstantsFull => &mut counts.instants_full,
            Verdict::RatesFull => &mut counts.rates_full,
            Verdict::Unaligned => &mut counts.unaligned,
        } += 1;
        verdict
    }

    /// It is `now`, and every frame that arrived before was offered: windows that have ended are over.
    pub fn advance(&mut self, now: Nanos) {
        let passed = now.since(self.now);
        self.step.pass(passed);
        if passed < -SET_BACK_NS {
            self.cut(now);
            self.settled = self.settled.min(now);
        }
        self.now = now;
        while let Some(id) = self.instants.due(now) {
            self.end(id, End::Window);
        }
    }

    /// The run ends: all that is open is over.
    pub fn finish(&mut self) {
        self.cut(self.now);
    }

    /// Tells of every instant that is over, with its frames' values; they are gone afterwards. To be called after each
    /// [`Aligner::take`], [`Aligner::advance`] and [`Aligner::finish`].
    pub fn tell(&mut self, mut each: impl FnMut(&AlignedInstant<'_>)) {
        while let Some(id) = self.over.pop_front() {
            let State::Over(end) = self.instants.slot(id).state else { continue };
            if let Some(instant) = AlignedInstant::new(&self.instants, id, end, self.now) {
                each(&instant);
            }
            self.instants.close(id);
        }
    }

    fn judge(&mut self, frame: &Offered, view: &DataView<'_>) -> Verdict {
        let Offered { stream, instant, leapt, arrival } = *frame;
        let place = place(stream);
        let Some((key, rate)) = instant.filter(|_| arrival.0 >= 0 && self.members.has(place)) else {
            return Verdict::Unaligned;
        };
        self.advance(arrival);
        if key.leap || leapt.is_some() {
            self.leap(key, leapt, arrival);
        }
        let votes = self.members.votes(place, rate, arrival);
        if !self.step.takes(key, arrival, votes, self.members.active()) {
            count(&mut self.members.counts_mut(place).out_of_step);
            return Verdict::OutOfStep;
        }
        let (took_part, alone) = (self.members.takes_part(place), self.members.active() == 0);
        if !self.members.take_part(place, rate, arrival) {
            return Verdict::RatesFull;
        }
        if alone {
            self.settled = arrival.plus(SETTLE_NS);
        }
        match self.open(key, arrival) {
            Opened::Slot(id) => self.put(id, frame, view),
            Opened::Full => Verdict::InstantsFull,
            Opened::Over(id) => self.too_late(id, place, took_part),
        }
    }

    /// A stream announced a leap second and made it. With the first frame of an inserted one the open instants of the
    /// second behind it are withdrawn, which is still to come, and with the first behind a deleted one those of the second
    /// that never was: who opened them has not made it.
    #[cold]
    fn leap(&mut self, key: InstantKey, leapt: Option<LeapStep>, arrival: Nanos) {
        self.step.leap(key, arrival);
        let second = Nanos(key.time.0 - key.time.0.rem_euclid(SECOND_NS));
        let wrong = match leapt {
            Some(LeapStep::Deleted) => second.plus(-SECOND_NS),
            _ if key.leap => second.plus(SECOND_NS),
            _ => return,
        };
        if self.cleared.replace(wrong) == Some(wrong) {
            return;
        }
        let within = wrong..wrong.plus(SECOND_NS);
        let is_wrong = |slot: &Slot| !slot.key.leap && within.contains(&slot.key.time);
        while let Some(id) = self.instants.first_open(is_wrong) {
            for place in bits::places(self.instants.present(id)) {
                let counts = self.members.counts_mut(place);
                counts.aligned = counts.aligned.saturating_sub(1);
                count(&mut counts.out_of_step);
                self.counts.aligned -= 1;
                self.counts.out_of_step += 1;
            }
            self.instants.withdraw(id);
        }
    }

    /// The slot of a frame's instant, opened where it is new.
    fn open(&mut self, key: InstantKey, arrival: Nanos) -> Opened {
        match self.instants.find(key) {
            Some(id) if self.instants.slot(id).state == State::Open => return Opened::Slot(id),
            Some(id) => return Opened::Over(Some(id)),
            None if self.instants.is_forgotten(key) => return Opened::Over(None),
            None => {}
        }
        let window = self.step.window(key, arrival);
        if window.deadline < arrival {
            return Opened::Over(None);
        }
        let members = &self.members;
        match self.instants.open(key, window, |set| members.expected(key, set)) {
            Some(id) => Opened::Slot(id),
            None => Opened::Full,
        }
    }

    fn put(&mut self, id: SlotId, frame: &Offered, view: &DataView<'_>) -> Verdict {
        let place = place(frame.stream);
        if !self.instants.insert(id, Set::Present, place) {
            return Verdict::Duplicate;
        }
        let new = self.instants.insert(id, Set::Expected, place);
        let narrow = u32::try_from(place).unwrap_or(u32::MAX);
        let slot = self.instants.slot_mut(id);
        let arrival = Arrival { at: frame.arrival, place: narrow };
        if slot.present == 0 || arrival.at < slot.first.at {
            slot.first = arrival;
        }
        if slot.present == 0 || arrival.at >= slot.last.at {
            slot.last = arrival;
        }
        slot.present += 1;
        slot.expected += u32::from(new);
        let complete = slot.present == slot.expected;
        if let Some(values) = self.instants.values_mut(id) {
            self.counts.values_full += values.push(narrow, frame.arrival, view);
        }
        self.members.counts_mut(place).aligned += 1;
        if complete && self.now >= self.settled {
            self.end(id, End::Complete);
        }
        Verdict::Aligned
    }

    /// A frame of an instant that is over; nothing is known of it any more where no slot is given.
    fn too_late(&mut self, id: Option<SlotId>, place: usize, took_part: bool) -> Verdict {
        let is_in = |set, id| self.instants.has(id, set, place);
        if id.is_some_and(|id| is_in(Set::Present, id) || is_in(Set::Late, id)) {
            return Verdict::Duplicate;
        }
        if !id.map_or(took_part, |id| is_in(Set::Expected, id)) {
            return Verdict::Joining;
        }
        if let Some(id) = id {
            self.instants.insert(id, Set::Late, place);
        }
        count(&mut self.members.counts_mut(place).late);
        Verdict::Late
    }

    /// Counts an instant that is over, and who was absent from it.
    fn end(&mut self, id: SlotId, end: End) {
        let slot = *self.instants.slot(id);
        let counts = &mut self.counts;
        counts.instants += 1;
        match (slot.present == slot.expected, end) {
            (true, _) => counts.complete += 1,
            (false, End::Cut) => counts.cut += 1,
            (false, _) => {
                counts.incomplete += 1;
                for place in bits::places(self.instants.absent(id)) {
                    self.members.absent(place, self.now);
                }
            }
        }
        self.instants.end(id, end);
        self.over.push_back(id);
    }

    /// Ends all that is open, as it is.
    fn cut(&mut self, now: Nanos) {
        while let Some(id) = self.instants.earliest() {
            self.end(id, End::Cut);
        }
        self.members.forget_times(now);
    }
}

/// Where a frame's instant stands.
enum Opened {
    Slot(SlotId),
    /// It is over.
    Over(Option<SlotId>),
    /// There is no place for it.
    Full,
}

fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

/// A stream's place: they are numbered from 1.
fn place(id: StreamId) -> usize {
    id.0.get() as usize - 1
}
