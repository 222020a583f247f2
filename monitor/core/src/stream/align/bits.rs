//! Sets of streams, by their place in the table of streams.

/// Many sets of the same size in one allocation.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    words: Box<[u64]>,
    /// Words of one set.
    width: usize,
}

impl Sets {
    pub(super) fn new(sets: usize, places: usize) -> Self {
        let width = places.div_ceil(64);
        Self { words: vec![0; sets * width].into(), width }
    }

    /// The words of a set.
    pub(super) fn get(&self, set: usize) -> &[u64] {
        &self.words[set * self.width..][..self.width]
    }

    pub(super) fn get_mut(&mut self, set: usize) -> &mut [u64] {
        &mut self.words[set * self.width..][..self.width]
    }

    pub(super) fn has(&self, set: usize, place: usize) -> bool {
        self.get(set)[place / 64] >> (place % 64) & 1 == 1
    }

    /// Puts a place in; false where it was in already.
    pub(super) fn insert(&mut self, set: usize, place: usize) -> bool {
        let word = &mut self.get_mut(set)[place / 64];
        let bit = 1 << (place % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(super) fn remove(&mut self, set: usize, place: usize) {
        self.get_mut(set)[place / 64] &= !(1 << (place % 64));
    }
}

/// The places in `words`, in their order.
pub(super) fn places(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words.enumerate().flat_map(|(index, mut word)| {
        std::iter::from_fn(move || {
            let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
            word &= word - 1;
            Some(index * 64 + bit)
        })
    })
}
