//! A hash table of keys with a fixed number of places: open addressing, nothing removed, nothing allocated after it
//! was made.

use std::hash::{Hash, Hasher};
use std::hint::black_box;

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

/// Multiplies eight bytes at a time and folds the product. The same in every run, so that a capture always gives the
/// same; a sender who makes keys collide costs at most a walk over the table, whose size is bounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold(u64);

impl Default for Fold {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Fold {
    /// An odd constant with as many ones as zeros, well spread.
    const FACTOR: u64 = 0xD6E8_FEB8_6659_FD93;

    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(Self::FACTOR);
        let [b0, b1, b2, b3, b4, b5, b6, b7, high @ ..] = product.to_le_bytes();
        let low = [b0, b1, b2, b3, b4, b5, b6, b7];
        self.0 = u64::from_le_bytes(low) ^ u64::from_le_bytes(high).rotate_left(23);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
    }

    // What keys are made of beside byte arrays, whose lengths come this way too: one step each.
    fn write_u16(&mut self, word: u16) {
        self.mix(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_usize(word.cast_unsigned());
    }

    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(0);
        last.0
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
