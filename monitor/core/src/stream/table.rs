//! A hash table of keys with a fixed number of places: open addressing, nothing removed, nothing allocated after it
//! was made.

use std::hash::{Hash, Hasher};
use std::hint::black_box;

use crate::fold::Fold;

/// Keys in the order in which they came, and where to find them.
#[derive(Clone, Debug)]
pub(super) struct KeyTable<K> {
    keys: Vec<K>,
    capacity: usize,
    /// A key's place in `keys` plus 1; 0 where the bucket is free. A power of two, at least twice the capacity.
    buckets: Vec<u32>,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It was there.
    Known(usize),
    /// It was put there now.
    New(usize),
    /// There is no place left.
    Full,
}

impl<K: Copy + Eq + Hash> KeyTable<K> {
    /// With place for `capacity` keys, at most 2^31. Writes to all of its memory, so that a new key meets no page that
    /// was never touched; `blank` is what it writes.
    pub(super) fn new(capacity: usize, blank: K) -> Self {
        let capacity = capacity.min(1 << 31);
        let mut buckets = vec![0; (capacity * 2).next_power_of_two().max(2)];
        // What is zeroed at its making has no pages yet, and the compiler must not know that it is zero already.
        black_box(&mut buckets).fill(0);
        let mut keys = vec![blank; capacity];
        black_box(&mut keys).clear();
        Self { keys, capacity, buckets }
    }

    pub(super) fn keys(&self) -> &[K] {
        &self.keys
    }

    pub(super) fn find(&self, key: &K) -> Option<usize> {
        match self.probe(key) {
            (Some(place), _) => Some(place),
            (None, _) => None,
        }
    }

    pub(super) fn insert(&mut self, key: &K) -> Entry {
        let (place, bucket) = self.probe(key);
        if let Some(place) = place {
            return Entry::Known(place);
        }
        if self.keys.len() == self.capacity {
            return Entry::Full;
        }
        let place = self.keys.len();
        self.keys.push(*key);
        self.buckets[bucket] = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        Entry::New(place)
    }

    /// The key's place, or none, and the bucket at which the search ended. Half of the buckets are free, so it ends.
    fn probe(&self, key: &K) -> (Option<usize>, usize) {
        let mask = self.buckets.len() - 1;
        let mut hasher = Fold::default();
        key.hash(&mut hasher);
        let mut bucket = usize::try_from(hasher.finish() & mask as u64).unwrap_or(0);
        loop {
            let Some(place) = (self.buckets[bucket] as usize).checked_sub(1) else { return (None, bucket) };
            if self.keys[place] == *key {
                return (Some(place), bucket);
            }
            bucket = (bucket + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_the_bound_holds() {
        let mut table = KeyTable::new(100, 0);
        for key in 0..100_u32 {
            assert_eq!(table.find(&key), None);
            assert_eq!(table.insert(&key), Entry::New(key as usize));
        }
        assert_eq!(table.insert(&100), Entry::Full);
        for key in 0..100_u32 {
            assert_eq!(table.insert(&key), Entry::Known(key as usize));
            assert_eq!(table.find(&key), Some(key as usize));
        }
        assert_eq!(table.find(&100), None);
        assert_eq!(table.keys().len(), 100);
    }

    #[test]
    fn a_table_without_places_is_full() {
        let mut table = KeyTable::new(0, 0);
        assert_eq!(table.find(&1_u8), None);
        assert_eq!(table.insert(&1_u8), Entry::Full);
    }
}
