//! A table of keys with a fixed number of places, from which the one that was used longest ago can be taken out.
//!
//! Keys stand in one of two ranks, each in the order of last use: what has not shown yet that it is worth its place,
//! and what has. The first rank is emptied first, so that a flood of newcomers costs no one who is known. Every step is
//! bounded, but for walks over one bucket's chain, of which keys made to collide can make the whole table.

use std::hash::{Hash, Hasher};

use crate::fold::Fold;

/// No place.
const NONE: u32 = u32::MAX;

/// How much a key is worth its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Nothing is known of it.
    New = 0,
    /// It has shown itself.
    Proven = 1,
}

#[derive(Clone, Copy, Debug)]
struct Place<K> {
    key: K,
    rank: Rank,
    /// The next in the same bucket; for a place that is free, the next free one.
    chained: u32,
    older: u32,
    newer: u32,
}

/// The ends of a rank's order.
#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

/// Keys and the places at which their owner keeps what belongs to them.
#[derive(Clone, Debug)]
pub(super) struct LruTable<K> {
    places: Vec<Place<K>>,
    free: u32,
    ranks: [Ends; 2],
    /// A power of two, at least the capacity.
    buckets: Vec<u32>,
}

impl<K: Copy + Default + Eq + Hash> LruTable<K> {
    /// With place for `capacity` keys, at least one and at most 2^31; all of its memory is written to.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 1 << 31);
        let last = capacity - 1;
        let place = |number: usize| Place {
            key: K::default(),
            rank: Rank::New,
            chained: u32::try_from(number + 1).ok().filter(|_| number < last).unwrap_or(NONE),
            older: NONE,
            newer: NONE,
        };
        Self {
            places: (0..capacity).map(place).collect(),
            free: 0,
            ranks: [Ends { oldest: NONE, newest: NONE }; 2],
            buckets: vec![NONE; capacity.next_power_of_two()],
        }
    }

    /// The place of a key.
    pub(super) fn find(&self, key: &K) -> Option<usize> {
        let mut at = self.buckets[self.bucket(key)];
        while at != NONE {
            let place = &self.places[at as usize];
            if place.key == *key {
                return Some(at as usize);
            }
            at = place.chained;
        }
        None
    }

    /// Whether there is no place for another key.
    pub(super) fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// The place that goes first when one is needed: of the lower rank, used longest ago.
    pub(super) fn oldest(&self) -> Option<usize> {
        self.ranks.iter().find(|ends| ends.oldest != NONE).map(|ends| ends.oldest as usize)
    }

    /// Gives a place to a key that has none, as just used and of the lower rank; none where the table is full.
    pub(super) fn insert(&mut self, key: K) -> Option<usize> {
        let bucket = self.bucket(&key);
        let new = Place { key, rank: Rank::New, chained: self.buckets[bucket], older: NONE, newer: NONE };
        let at = self.free;
        let place = self.places.get_mut(at as usize)?;
        self.free = place.chained;
        *place = new;
        self.buckets[bucket] = at;
        self.link(at);
        Some(at as usize)
    }

    /// Marks a place as just used.
    pub(super) fn touch(&mut self, place: usize) {
        let Place { rank, newer, .. } = self.places[place];
        if newer != NONE {
            let at = u32::try_from(place).unwrap_or(NONE);
            self.unlink(at);
            self.places[place].rank = rank;
            self.link(at);
        }
    }

    /// Puts a place into a rank, as just used.
    pub(super) fn set_rank(&mut self, place: usize, rank: Rank) {
        if self.places[place].rank != rank {
            let at = u32::try_from(place).unwrap_or(NONE);
            self.unlink(at);
            self.places[place].rank = rank;
            self.link(at);
        }
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, place: usize) {
        let at = u32::try_from(place).unwrap_or(NONE);
        let bucket = self.bucket(&self.places[place].key);
        let chained = self.places[place].chained;
        if self.buckets[bucket] == at {
            self.buckets[bucket] = chained;
        } else {
            let mut before = self.buckets[bucket];
            while self.places[before as usize].chained != at {
                before = self.places[before as usize].chained;
            }
            self.places[before as usize].chained = chained;
        }
        self.unlink(at);
        self.places[place].chained = self.free;
        self.free = at;
    }

    fn bucket(&self, key: &K) -> usize {
        let mut hasher = Fold::default();
        key.hash(&mut hasher);
        usize::try_from(hasher.finish() & (self.buckets.len() as u64 - 1)).unwrap_or(0)
    }

    /// Makes a place the newest of its rank.
    fn link(&mut self, at: u32) {
        let rank = self.places[at as usize].rank as usize;
        let newest = std::mem::replace(&mut self.ranks[rank].newest, at);
        (self.places[at as usize].older, self.places[at as usize].newer) = (newest, NONE);
        if newest == NONE {
            self.ranks[rank].oldest = at;
        } else {
            self.places[newest as usize].newer = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Place { rank, older, newer, .. } = self.places[at as usize];
        let ends = &mut self.ranks[rank as usize];
        if older == NONE {
            ends.oldest = newer;
        } else {
            self.places[older as usize].newer = newer;
        }
        if newer == NONE {
            ends.newest = older;
        } else {
            self.places[newer as usize].older = older;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What may be done to a table.
    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Insert(u8),
        Touch(u8),
        Prove(u8),
        Remove(u8),
        RemoveOldest,
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let key = 0..12_u8;
        prop_oneof![
            4 => key.clone().prop_map(Deed::Insert),
            3 => key.clone().prop_map(Deed::Touch),
            1 => key.clone().prop_map(Deed::Prove),
            1 => key.prop_map(Deed::Remove),
            1 => Just(Deed::RemoveOldest),
        ]
    }

    /// The same in two vectors: the front was used longest ago.
    #[derive(Debug, Default)]
    struct Model([Vec<u8>; 2]);

    impl Model {
        fn take(&mut self, key: u8) -> Option<usize> {
            let rank = self.0.iter().position(|rank| rank.contains(&key))?;
            self.0[rank].retain(|other| *other != key);
            Some(rank)
        }

        fn keys(&self) -> Vec<u8> {
            self.0.concat()
        }
    }

    proptest! {
        #[test]
        fn it_does_as_two_lists_do(capacity in 1..7_usize, deeds in prop::collection::vec(deed(), 0..80)) {
            let (mut table, mut model) = (LruTable::new(capacity), Model::default());
            for deed in deeds {
                match deed {
                    Deed::Insert(key) if table.find(&key).is_none() => {
                        prop_assert_eq!(table.is_full(), model.keys().len() == capacity);
                        prop_assert_eq!(table.insert(key).is_none(), table.is_full() && model.keys().len() == capacity);
                        if model.keys().len() < capacity {
                            model.0[0].push(key);
                        }
                    }
                    Deed::Insert(key) | Deed::Touch(key) => {
                        if let Some(rank) = model.take(key) {
                            model.0[rank].push(key);
                            table.touch(table.find(&key).expect("it is there"));
                        }
                    }
                    Deed::Prove(key) => if let Some(rank) = model.take(key) {
                        if rank == 1 { model.0[1].push(key); table.touch(table.find(&key).expect("it is there")); }
                        else { model.0[1].push(key); table.set_rank(table.find(&key).expect("it is there"), Rank::Proven); }
                    },
                    Deed::Remove(key) => if model.take(key).is_some() {
                        table.remove(table.find(&key).expect("it is there"));
                    },
                    Deed::RemoveOldest => if let Some(key) = model.keys().first().copied() {
                        model.take(key);
                        table.remove(table.oldest().expect("there is one"));
                    },
                }
                prop_assert_eq!(table.oldest().map(|place| table.places[place].key), model.keys().first().copied());
                for key in 0..12 {
                    prop_assert_eq!(table.find(&key).is_some(), model.keys().contains(&key));
                }
            }
        }
    }
}
