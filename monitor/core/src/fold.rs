//! The hash of the tables: cheap, and the same in every run.

use std::hash::Hasher;

/// Multiplies eight bytes at a time and folds the product. The same in every run, so that a capture always gives the
/// same; a sender who makes keys collide costs at most a walk over the table, whose size is bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold(u64);

impl Default for Fold {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Fold {
    /// An odd constant with as many ones as zeros, well spread.
    const FACTOR: u64 = 0xD6E8_FEB8_6659_FD93;

    /// The digest of what is compared and not looked up by a few of its bits: without the last step.
    #[inline]
    pub(crate) const fn digest(self) -> u64 {
        self.0
    }

    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(Self::FACTOR);
        let [b0, b1, b2, b3, b4, b5, b6, b7, high @ ..] = product.to_le_bytes();
        let low = [b0, b1, b2, b3, b4, b5, b6, b7];
        self.0 = u64::from_le_bytes(low) ^ u64::from_le_bytes(high).rotate_left(23);
    }
}

impl Hasher for Fold {
    #[inline]
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
    #[inline]
    fn write_u16(&mut self, word: u16) {
        self.mix(word.into());
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_usize(word.cast_unsigned());
    }

    #[inline]
    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(0);
        last.0
    }
}
