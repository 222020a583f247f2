//! Repeatable numbers: each is a function of a seed and of what it is for, so that nothing depends on the order
//! in which numbers are drawn elsewhere. For looks, not for secrets.

/// `SplitMix64` (Steele, Lea and Flood, 2014): its increment and its finisher's two factors.
const INCREMENT: u64 = 0x9E37_79B9_7F4A_7C15;
const FACTORS: [u64; 2] = [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB];

/// What numbers are drawn for: parts of their keys.
pub(super) mod purpose {
    pub(in crate::simulate) const GRID: u64 = 1;
    pub(in crate::simulate) const STATION: u64 = 2;
    pub(in crate::simulate) const NOISE: u64 = 3;
    pub(in crate::simulate) const TAP: u64 = 4;
    /// Whether a fault falls on a frame.
    pub(in crate::simulate) const WHETHER: u64 = 5;
    /// How a fault falls on it.
    pub(in crate::simulate) const FAULT: u64 = 6;
    /// How a connection's bytes are cut.
    pub(in crate::simulate) const SEGMENT: u64 = 7;
}

/// A row of numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The row that belongs to `key`; another key, another row.
    pub(super) fn of(key: &[u64]) -> Self {
        Self(key.iter().fold(0, |state, &word| finish(state.wrapping_add(INCREMENT) ^ word)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(INCREMENT);
        finish(self.0)
    }

    /// Evenly from `low` up to, and without, `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        let unit = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
        low + (high - low) * unit
    }

    /// Evenly from `low` up to, and without, `high`; `low` where the range is empty.
    pub(super) fn whole(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)).max(1);
        // Less than the span, which has 32 bits.
        low + u32::try_from(self.next() % span).unwrap_or(0)
    }

    /// One of `choices`.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let count = u32::try_from(choices.len()).ok()?;
        choices.get(usize::try_from(self.whole(0, count)).ok()?).copied()
    }
}

const fn finish(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(FACTORS[0]);
    word = (word ^ (word >> 27)).wrapping_mul(FACTORS[1]);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_repeat_and_differ_by_key() {
        let row = |key: &[u64]| {
            let mut random = Random::of(key);
            [(); 4].map(|()| random.next())
        };
        assert_eq!(row(&[1, 2]), row(&[1, 2]));
        assert_ne!(row(&[1, 2]), row(&[2, 1]));
        assert_ne!(row(&[0]), row(&[0, 0]));
    }

    #[test]
    fn numbers_fill_their_range() {
        let mut random = Random::of(&[7]);
        let numbers: Vec<f64> = (0..10_000).map(|_| random.between(-2.0, 4.0)).collect();
        assert!(numbers.iter().all(|number| (-2.0..4.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
        assert!((0..1_000).all(|_| (5..8).contains(&random.whole(5, 8))));
    }
}
