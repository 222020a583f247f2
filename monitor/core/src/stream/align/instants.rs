//! The instants that are open, and those that were lately, in slots made at start.
//!
//! A slot that is closed remembers who was expected and who came, until it is needed again: so a frame that comes
//! afterwards is told from one that comes twice. Slots are found by a hash of their key, in chains.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use super::bits::Sets;
use super::key::InstantKey;
use super::values::Values;
use super::wait::Window;
use crate::fold::Fold;
use crate::time::Nanos;

/// Slots for each instant that may be open: what is closed is remembered for three times as many instants.
const SLOTS_PER_OPEN: usize = 4;

/// Sets of streams to a slot.
const SETS: usize = 3;

/// No slot.
const NONE: u16 = u16::MAX;

/// Of a slot whose instant was withdrawn: nothing is to be remembered of it.
const WITHDRAWN: InstantKey = InstantKey { time: Nanos(i64::MIN), leap: false };

/// Most instants that can be open.
pub const MOST_OPEN: usize = NONE as usize / SLOTS_PER_OPEN;

/// Whether an instant is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// It is over, and nobody was told yet.
    Over(End),
    Closed,
}

/// Why an instant was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Every stream that was expected had come, and no other was likely to.
    Complete,
    /// Its window ended.
    Window,
    /// The run ended, or the host's clock was set.
    Cut,
}

/// An arrival and whose.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    pub(super) at: Nanos,
    pub(super) place: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) key: InstantKey,
    pub(super) state: State,
    pub(super) window: Window,
    pub(super) first: Arrival,
    pub(super) last: Arrival,
    pub(super) expected: u32,
    pub(super) present: u32,
    /// Which values are its own, while it is open or over.
    pub(super) values: u16,
    next: u16,
}

impl Slot {
    const VACANT: Self = Self {
        key: InstantKey { time: Nanos(0), leap: false },
        state: State::Closed,
        window: Window { deadline: Nanos(0), ahead: false },
        first: Arrival { at: Nanos(0), place: 0 },
        last: Arrival { at: Nanos(0), place: 0 },
        expected: 0,
        present: 0,
        values: NONE,
        next: NONE,
    };
}

/// Number of a slot.
pub(super) type SlotId = u16;

/// Sets of streams that each slot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Who is expected.
    Expected,
    /// Who came in time.
    Present,
    /// Who came when it was over.
    Late,
}

impl Set {
    const fn of(self, id: SlotId) -> usize {
        SETS * id as usize + self as usize
    }
}

/// All slots.
#[derive(Debug)]
pub(super) struct Instants {
    slots: Box<[Slot]>,
    /// [`SETS`] for each slot: who is expected, who came, who came too late.
    sets: Sets,
    buckets: Box<[u16]>,
    /// Slots that were never used stand behind this one.
    used: u16,
    /// Closed ones, the first to be used again in front.
    closed: VecDeque<u16>,
    /// Open ones, in no order.
    open: Vec<u16>,
    /// How many of them were opened by a stream that is ahead of the others.
    ahead: usize,
    /// The earliest deadline of an open one.
    next_deadline: Nanos,
    /// The latest instant of which nothing is remembered.
    forgotten: Option<InstantKey>,
    /// How far apart the instants of streams in step can be, in nanoseconds.
    span: i64,
    values: Box<[Values]>,
    /// Values that are no instant's; the last one, which is likely to be in the cache, is the next to be used.
    free_values: Vec<u16>,
}

impl Instants {
    pub(super) fn new(open: usize, streams: usize, pmus: usize, span: i64) -> Self {
        let open = open.clamp(1, MOST_OPEN);
        let slots = open * SLOTS_PER_OPEN;
        // Cannot fail: see the clamp.
        let narrow = |wide: usize| u16::try_from(wide).unwrap_or(NONE);
        Self {
            slots: vec![Slot::VACANT; slots].into(),
            sets: Sets::new(SETS * slots, streams),
            buckets: vec![NONE; (2 * slots).next_power_of_two()].into(),
            used: 0,
            closed: VecDeque::with_capacity(slots),
            open: Vec::with_capacity(open),
            ahead: 0,
            next_deadline: Nanos(i64::MAX),
            forgotten: None,
            span,
            values: std::iter::repeat_with(|| Values::new(streams, pmus)).take(open).collect(),
            free_values: (0..narrow(open)).rev().collect(),
        }
    }

    pub(super) fn find(&self, key: InstantKey) -> Option<SlotId> {
        let mut at = self.buckets[self.bucket(key)];
        while at != NONE {
            let slot = &self.slots[usize::from(at)];
            if slot.key == key {
                return Some(at);
            }
            at = slot.next;
        }
        None
    }

    pub(super) fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[usize::from(id)]
    }

    pub(super) fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[usize::from(id)]
    }

    /// Whether a stream is in a set of an instant.
    pub(super) fn has(&self, id: SlotId, set: Set, place: usize) -> bool {
        self.sets.has(set.of(id), place)
    }

    /// Puts a stream into a set of an instant; false where it was in already.
    pub(super) fn insert(&mut self, id: SlotId, set: Set, place: usize) -> bool {
        self.sets.insert(set.of(id), place)
    }

    /// Who was expected at an instant and did not come, as words of a set.
    pub(super) fn absent(&self, id: SlotId) -> impl Iterator<Item = u64> + use<'_> {
        let (expected, present) = (self.sets.get(Set::Expected.of(id)), self.sets.get(Set::Present.of(id)));
        expected.iter().zip(present).map(|(expected, present)| expected & !present)
    }

    /// Who came, as words of a set.
    pub(super) fn present(&self, id: SlotId) -> impl Iterator<Item = u64> + use<'_> {
        self.sets.get(Set::Present.of(id)).iter().copied()
    }

    pub(super) fn values(&self, id: SlotId) -> Option<&Values> {
        self.values.get(usize::from(self.slot(id).values))
    }

    pub(super) fn values_mut(&mut self, id: SlotId) -> Option<&mut Values> {
        let values = usize::from(self.slot(id).values);
        self.values.get_mut(values)
    }

    /// Whether an instant of which nothing is known lies before one that was forgotten: then it is over.
    pub(super) fn is_forgotten(&self, key: InstantKey) -> bool {
        self.forgotten.is_some_and(|forgotten| key <= forgotten && !self.is_of_another_time(forgotten, key))
    }

    /// What lies further apart than streams in step can be was before a clock was set.
    const fn is_of_another_time(&self, one: InstantKey, other: InstantKey) -> bool {
        one.time.since(other.time) > self.span
    }

    /// Opens an instant; none where there is no place. `expected` writes who is expected and gives how many.
    ///
    /// Streams that are ahead of the others take half of the places at most.
    pub(super) fn open(
        &mut self,
        key: InstantKey,
        window: Window,
        expected: impl FnOnce(&mut [u64]) -> u32,
    ) -> Option<SlotId> {
        if window.ahead && self.ahead * 2 >= self.values.len() {
            return None;
        }
        let values = self.free_values.pop()?;
        let Some(id) = self.vacate() else {
            self.free_values.push(values);
            return None;
        };
        self.values[usize::from(values)].clear();
        let number = expected(self.sets.get_mut(Set::Expected.of(id)));
        self.sets.get_mut(Set::Present.of(id)).fill(0);
        self.sets.get_mut(Set::Late.of(id)).fill(0);
        let bucket = self.bucket(key);
        let next = std::mem::replace(&mut self.buckets[bucket], id);
        self.slots[usize::from(id)] =
            Slot { key, state: State::Open, window, expected: number, values, next, ..Slot::VACANT };
        self.open.push(id);
        self.ahead += usize::from(window.ahead);
        self.next_deadline = self.next_deadline.min(window.deadline);
        Some(id)
    }

    /// A slot that is over leaves the open ones; who was there is still to be told.
    pub(super) fn end(&mut self, id: SlotId, end: End) {
        let slot = &mut self.slots[usize::from(id)];
        slot.state = State::Over(end);
        self.ahead -= usize::from(slot.window.ahead);
        self.open.retain(|one| *one != id);
        self.next_deadline = self
            .open
            .iter()
            .map(|one| self.slots[usize::from(*one)].window.deadline)
            .min()
            .unwrap_or(Nanos(i64::MAX));
    }

    /// A slot that is open, as if it had never been opened: nobody will be told of it, and its instant can be opened again.
    pub(super) fn withdraw(&mut self, id: SlotId) {
        self.end(id, End::Cut);
        self.close(id);
        self.unlink(id);
        self.slots[usize::from(id)].key = WITHDRAWN;
    }

    /// All was told of it: what it held may be used again.
    pub(super) fn close(&mut self, id: SlotId) {
        let slot = &mut self.slots[usize::from(id)];
        slot.state = State::Closed;
        self.free_values.push(slot.values);
        slot.values = NONE;
        self.closed.push_back(id);
    }

    /// The earliest of the open instants whose window has ended.
    pub(super) fn due(&self, now: Nanos) -> Option<SlotId> {
        (self.next_deadline <= now).then(|| self.first_open(|slot| slot.window.deadline <= now)).flatten()
    }

    /// The earliest of the open instants.
    pub(super) fn earliest(&self) -> Option<SlotId> {
        self.first_open(|_| true)
    }

    /// The earliest of the open instants that are such.
    pub(super) fn first_open(&self, which: impl Fn(&Slot) -> bool) -> Option<SlotId> {
        let open = self.open.iter().copied().filter(|id| which(self.slot(*id)));
        open.min_by_key(|id| self.slot(*id).key)
    }

    /// A slot of which nothing is known: a fresh one, or the one that was closed first.
    fn vacate(&mut self) -> Option<SlotId> {
        if usize::from(self.used) < self.slots.len() {
            self.used += 1;
            return Some(self.used - 1);
        }
        let id = self.closed.pop_front()?;
        self.unlink(id);
        let key = self.slot(id).key;
        if key == WITHDRAWN {
            return Some(id);
        }
        self.forgotten = match self.forgotten {
            Some(forgotten) if forgotten > key && !self.is_of_another_time(forgotten, key) => Some(forgotten),
            _ => Some(key),
        };
        Some(id)
    }

    /// Takes a slot out of its chain.
    fn unlink(&mut self, id: SlotId) {
        let Slot { key, next, .. } = *self.slot(id);
        let bucket = self.bucket(key);
        if self.buckets[bucket] == id {
            self.buckets[bucket] = next;
            return;
        }
        let mut at = self.buckets[bucket];
        while at != NONE {
            let slot = &mut self.slots[usize::from(at)];
            if slot.next == id {
                slot.next = next;
                return;
            }
            at = slot.next;
        }
    }

    fn bucket(&self, key: InstantKey) -> usize {
        let mut hasher = Fold::default();
        key.hash(&mut hasher);
        // Cannot fail: the mask is that of an index.
        usize::try_from(hasher.finish() & (self.buckets.len() as u64 - 1)).unwrap_or(0)
    }
}
