//! Smallest, mean, largest and standard deviation of spans of time, in constant memory.

use super::report::Spread;

/// Adds up spans of time in nanoseconds.
///
/// Sums are of the distances from the first span, so that squares stay small and the deviation exact, however many
/// there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    count: u64,
    first: i64,
    min: i64,
    max: i64,
    sum: f64,
    squares: f64,
}

impl Tally {
    pub(super) const fn new() -> Self {
        Self { count: 0, first: 0, min: i64::MAX, max: i64::MIN, sum: 0.0, squares: 0.0 }
    }

    /// Adds one.
    #[inline]
    pub(super) fn add(&mut self, ns: i64) {
        if self.count == 0 {
            self.first = ns;
        }
        self.count += 1;
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
        let distance = exact(ns.saturating_sub(self.first));
        self.sum += distance;
        self.squares += distance * distance;
    }

    /// What they amount to.
    pub(super) fn spread(&self) -> Spread {
        let Self { count, first, min, max, sum, squares } = *self;
        if count == 0 {
            return Spread::default();
        }
        let number = exact(i64::try_from(count).unwrap_or(i64::MAX));
        let mean = sum / number;
        let variance = (squares / number - mean * mean).max(0.0);
        let rounded = |value: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a cast saturates, and spans are far below 2^63 ns"
            )]
            let whole = value.round() as i64;
            whole
        };
        let deviation = rounded(variance.sqrt()).unsigned_abs();
        Spread { count, min, mean: first.saturating_add(rounded(mean)), max, deviation }
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days; beyond, a part in 10^16 is nothing")]
pub(super) const fn exact(ns: i64) -> f64 {
    ns as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_summed_up() {
        let mut tally = Tally::new();
        assert_eq!(tally.spread(), Spread::default());
        // Days, and two microseconds between them.
        let base = 400_000_000_000_000;
        for ns in [base - 1_000, base + 1_000, base - 1_000, base + 1_000] {
            tally.add(ns);
        }
        let spread = Spread { count: 4, min: base - 1_000, mean: base, max: base + 1_000, deviation: 1_000 };
        assert_eq!(tally.spread(), spread);
    }

    #[test]
    fn a_single_span_does_not_deviate() {
        let mut tally = Tally::new();
        tally.add(-7);
        assert_eq!(tally.spread(), Spread { count: 1, min: -7, mean: -7, max: -7, deviation: 0 });
    }
}
