//! Puts the fragments of IPv4 (RFC 791, 815) and IPv6 (RFC 8200, 4.5) packets together again.
//!
//! Time is the packets' arrival: a packet that is not whole after [`TIMEOUT_NS`] is given up when a later fragment
//! comes. What overlaps, other than a fragment that comes twice, is given up with its packet in IPv6 (RFC 5722); in IPv4
//! the bytes that came first stay. Interfaces are not told apart: the fragments of one packet may come by two, and all
//! of them by both.
//!
//! A fragment that comes again, with the identification of its packet, is a copy of it: a mirror's, PRP's, another
//! interface's. That of the first fragment, which names the ports and begins like the first frame, stands for its
//! packet's copy.
//!
//! Whose packet it is, is known with its first fragment alone, which has the ports. What turns out to be nobody's here
//! is taken back out of the counters, as if it had never been received, so that it makes no difference in which order
//! the fragments came.

use super::lru::LruTable;
use super::pool::{Held, Pool, touched};
use super::{Seen, key};
use crate::packet::{Fragment, InterfaceId, Lan, VlanTag};
use crate::time::Nanos;

/// How long a packet may take to be whole: Linux's `ipfrag_time`. RFC 8200 allows 60 seconds.
pub const TIMEOUT_NS: i64 = 30_000_000_000;
/// Fragments of a packet that is whole already, and of which they are copies, come within this time behind the last one
/// by another interface, or within the shorter one by the same (PRP). Later ones are taken for another packet with the same
/// identification: some senders give all the same. Where it is the same packet after all, that shows when it is whole.
const COPY_NS: i64 = 100_000_000;
const COPY_HERE_NS: i64 = 2_000_000;
/// No IP packet is longer (RFC 791, 3.1).
pub(super) const LONGEST: u64 = 65_535;

/// What fragments came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Fragments that were looked at.
    pub fragments: u64,
    /// Packets that were put together.
    pub whole: u64,
    /// Packets given up because they were not whole in time.
    pub timed_out: u64,
    /// Packets given up to make place for others.
    pub evicted: u64,
    /// Packets given up because their fragments contradict each other: overlaps in IPv6, two different ends, more bytes
    /// than a packet can have.
    pub contradicting: u64,
    /// Fragments that overlap others.
    pub overlaps: u64,
    /// Fragments that came again.
    pub duplicates: u64,
    /// Packets given up because there was no place for their bytes.
    pub no_place: u64,
}

/// What the fragments of one packet share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Key {
    vlans: [Option<u16>; 2],
    source: [u8; 16],
    destination: [u8; 16],
    identification: u32,
    protocol: u8,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not whole yet.
    Gathering,
    /// It is nobody's here.
    Others,
    /// It was given up: what still comes of it is dropped.
    GivenUp,
    /// It was whole.
    Whole,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    held: Held,
    state: State,
    /// When the first of its fragments came, and by what interface; when the last one did.
    began: Nanos,
    interface: InterfaceId,
    last: Nanos,
    /// When and where the fragment came with which it begins.
    first: Option<(Nanos, Sight)>,
    /// Where the packet ends, once that is known.
    end: Option<u64>,
    /// Bytes of the payload of UDP or TCP that wait, as they were counted.
    payload: u64,
    packets: u64,
}

/// Where a fragment was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// By what interface.
    pub interface: InterfaceId,
    /// By which of PRP's networks.
    pub lan: Option<Lan>,
}

/// The fragment with which a packet begins, seen again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentCopy {
    /// Nanoseconds between the arrivals; negative where the one that was handed in first arrived later.
    pub skew_ns: i64,
    /// Where the first one was seen.
    pub first_at: Sight,
    /// Where the copy was seen.
    pub at: Sight,
}

/// What became of a fragment, in payload bytes of UDP or TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentTaken {
    /// Bytes handed in.
    pub received: u64,
    /// Bytes that were counted as received and are no more: of a packet that is nobody's, or that is whole, and counted
    /// as such packets are.
    pub taken_back: u64,
    /// Bytes seen before.
    pub duplicate: u64,
    /// Bytes given up.
    pub dropped: u64,
    /// Packets on the wire that turned out to be nobody's.
    pub ignored: u64,
    /// The packet that is whole with this fragment.
    pub whole: Option<Whole>,
    /// It begins its packet, and came before.
    pub copy: Option<FragmentCopy>,
}

/// A packet that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    place: usize,
    /// Fragments that it came in.
    pub packets: u64,
    /// Bytes of payload that they had.
    pub payload: u64,
}

/// A packet that is whole, with its bytes: of the transport's header and what follows. To be put back.
#[derive(Debug)]
pub struct Assembled {
    scratch: Vec<u8>,
    length: usize,
    place: usize,
}

impl Assembled {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.scratch[..self.length]
    }
}

impl Slot {
    /// What a fragment that came before is a copy of, where its packet begins with it.
    fn copied(&self, fragment: &Fragment<'_>, arrival: Nanos, at: Sight) -> Option<FragmentCopy> {
        let (first, first_at) = self.first.filter(|_| fragment.offset == 0)?;
        Some(FragmentCopy { skew_ns: arrival.since(first), first_at, at })
    }
}

/// All packets of which fragments were seen.
#[derive(Debug)]
pub(super) struct Fragments {
    table: LruTable<Key>,
    slots: Vec<Slot>,
    /// Bytes of payload that wait.
    buffered: u64,
    counts: FragmentCounts,
    scratch: Vec<u8>,
}

impl Fragments {
    /// Of `capacity` packets, which are the holders in the pool from `first_holder` on.
    pub(super) fn new(capacity: usize, first_holder: usize) -> Self {
        let slot = |number| Slot {
            held: Held::nothing(first_holder + number),
            state: State::Gathering,
            began: Nanos(0),
            interface: InterfaceId::default(),
            last: Nanos(0),
            first: None,
            end: None,
            payload: 0,
            packets: 0,
        };
        Self {
            table: LruTable::new(capacity),
            slots: (0..capacity.max(1)).map(slot).collect(),
            buffered: 0,
            counts: FragmentCounts::default(),
            scratch: touched(usize::try_from(LONGEST).unwrap_or(usize::MAX)),
        }
    }

    pub(super) const fn buffered(&self) -> u64 {
        self.buffered
    }

    pub(super) const fn counts(&self) -> FragmentCounts {
        self.counts
    }

    /// Takes a fragment. `ours` says whether its packet is asked for, where the fragment has what tells.
    pub(super) fn push(
        &mut self,
        pool: &mut Pool,
        tags: [Option<VlanTag>; 2],
        fragment: &Fragment<'_>,
        seen: &Seen,
        lan: Option<Lan>,
        ours: Option<bool>,
    ) -> FragmentTaken {
        self.counts.fragments += 1;
        let mut taken = FragmentTaken::default();
        self.expire(pool, seen.arrival, &mut taken);
        let place = self.place(pool, tags, fragment, seen, &mut taken);
        let payload = fragment.data().len() as u64;
        self.slots[place].packets += 1;
        self.slots[place].last = seen.arrival;
        let at = Sight { interface: seen.interface, lan };
        match (self.slots[place].state, ours) {
            (State::Others, _) => taken.ignored += 1,
            (State::Gathering, Some(false)) => self.ignore(pool, place, &mut taken),
            (State::Gathering, _) => {
                taken.received += payload;
                self.gather(pool, place, fragment, (seen, at), &mut taken);
            }
            (State::GivenUp, _) => {
                taken.received += payload;
                taken.dropped += payload;
            }
            (State::Whole, _) => {
                self.counts.duplicates += 1;
                taken.received += payload;
                taken.duplicate += payload;
                taken.copy = self.slots[place].copied(fragment, seen.arrival, at);
            }
        }
        taken
    }

    /// The bytes of a packet that is whole.
    pub(super) fn assemble(&mut self, pool: &Pool, whole: &Whole) -> Assembled {
        let mut scratch = std::mem::take(&mut self.scratch);
        let Slot { held, end, .. } = &self.slots[whole.place];
        let length = pool.copy(held, 0..end.unwrap_or(0), &mut scratch).len();
        Assembled { scratch, length, place: whole.place }
    }

    /// When and where a range of an assembled packet's bytes was seen.
    pub(super) fn seen(&self, pool: &Pool, assembled: &Assembled, range: std::ops::Range<usize>) -> Seen {
        let range = range.start as u64..range.end as u64;
        pool.seen(&self.slots[assembled.place].held, range)
    }

    /// Takes an assembled packet back.
    pub(super) fn put_back(&mut self, pool: &mut Pool, assembled: Assembled) {
        let Assembled { scratch, place, .. } = assembled;
        self.scratch = scratch;
        pool.clear(&mut self.slots[place].held);
    }

    fn gather(
        &mut self,
        pool: &mut Pool,
        place: usize,
        fragment: &Fragment<'_>,
        (seen, at): (&Seen, Sight),
        taken: &mut FragmentTaken,
    ) {
        let slot = &mut self.slots[place];
        let payload = fragment.data().len() as u64;
        let start = u64::from(fragment.offset);
        let end = start + (fragment.payload.len() + fragment.cut) as u64;
        let again = pool.has_part(&slot.held, start, start + fragment.payload.len() as u64);
        if again || fragment.payload.is_empty() {
            self.counts.duplicates += u64::from(again);
            taken.duplicate += payload;
            taken.copy = slot.copied(fragment, seen.arrival, at).filter(|_| again);
            return;
        }
        // All but the last are of whole units of 8 bytes, and all agree on where the packet ends.
        let in_units = !fragment.more || end.is_multiple_of(8);
        let ends = if fragment.more { slot.end } else { Some(slot.end.unwrap_or(end)) };
        let reach = pool.reach(&slot.held).max(end);
        let fits =
            end <= LONGEST && ends.is_none_or(|known| reach <= known && (fragment.more || known == end));
        if !in_units || !fits {
            self.counts.contradicting += 1;
            return self.give_up(pool, place, payload, taken);
        }
        slot.end = ends;
        let overlaps = pool.holds_any(&slot.held, start..end);
        self.counts.overlaps += u64::from(overlaps);
        if overlaps && fragment.is_ipv6() {
            self.counts.contradicting += 1;
            return self.give_up(pool, place, payload, taken);
        }
        let kept = pool.keep(&mut slot.held, start, fragment.payload, seen);
        if kept.dropped > 0 {
            self.counts.no_place += 1;
            return self.give_up(pool, place, payload, taken);
        }
        let duplicate = payload.min(kept.duplicate as u64);
        taken.duplicate += duplicate;
        slot.payload += payload - duplicate;
        if fragment.offset == 0 {
            slot.first.get_or_insert((seen.arrival, at));
        }
        self.buffered += payload - duplicate;
        if slot.end.is_some_and(|end| pool.end_from(&slot.held, 0) == end) {
            let Slot { packets, payload, .. } = *slot;
            self.counts.whole += 1;
            taken.whole = Some(Whole { place, packets, payload });
            taken.taken_back += self.close(place, State::Whole);
        }
    }

    /// Gives a packet up, with a fragment of so many bytes of payload.
    fn give_up(&mut self, pool: &mut Pool, place: usize, payload: u64, taken: &mut FragmentTaken) {
        pool.clear(&mut self.slots[place].held);
        taken.dropped += payload + self.close(place, State::GivenUp);
    }

    /// The packet is nobody's here.
    fn ignore(&mut self, pool: &mut Pool, place: usize, taken: &mut FragmentTaken) {
        pool.clear(&mut self.slots[place].held);
        taken.ignored += self.slots[place].packets;
        taken.taken_back += self.close(place, State::Others);
    }

    /// Gives how many bytes of payload wait no longer.
    fn close(&mut self, place: usize, state: State) -> u64 {
        let slot = &mut self.slots[place];
        slot.state = state;
        self.buffered -= slot.payload;
        std::mem::take(&mut slot.payload)
    }

    /// The slot of a fragment's packet.
    fn place(
        &mut self,
        pool: &mut Pool,
        tags: [Option<VlanTag>; 2],
        fragment: &Fragment<'_>,
        seen: &Seen,
        taken: &mut FragmentTaken,
    ) -> usize {
        let Fragment { source, destination, identification, protocol, .. } = *fragment;
        let key = Key { vlans: key::vlans(tags), source, destination, identification, protocol };
        if let Some(place) = self.table.find(&key) {
            let slot = &self.slots[place];
            let within = if slot.interface == seen.interface { COPY_HERE_NS } else { COPY_NS };
            if slot.state != State::Whole || seen.arrival.since(slot.last).abs() < within {
                return place;
            }
            self.table.remove(place);
        }
        if self.table.is_full()
            && let Some(oldest) = self.table.oldest()
        {
            self.counts.evicted += u64::from(self.slots[oldest].state == State::Gathering);
            self.forget(pool, oldest, taken);
        }
        // There is a place: one was made.
        let place = self.table.insert(key).unwrap_or_default();
        let held = self.slots[place].held;
        self.slots[place] = Slot {
            held,
            state: State::Gathering,
            began: seen.arrival,
            interface: seen.interface,
            last: seen.arrival,
            first: None,
            end: None,
            payload: 0,
            packets: 0,
        };
        place
    }

    /// Forgets packets that have had their time.
    fn expire(&mut self, pool: &mut Pool, now: Nanos, taken: &mut FragmentTaken) {
        while let Some(oldest) = self.table.oldest() {
            let Slot { began, state, .. } = self.slots[oldest];
            if now.since(began) < TIMEOUT_NS {
                return;
            }
            self.counts.timed_out += u64::from(state == State::Gathering);
            self.forget(pool, oldest, taken);
        }
    }

    fn forget(&mut self, pool: &mut Pool, place: usize, taken: &mut FragmentTaken) {
        pool.clear(&mut self.slots[place].held);
        taken.dropped += self.close(place, State::GivenUp);
        self.table.remove(place);
    }
}
