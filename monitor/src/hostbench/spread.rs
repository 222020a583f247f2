//! How measured values are spread: moments that are exact, a histogram of whole microseconds as cyclictest has it, and
//! one of three digits for percentiles. Nothing is allocated after it is made.

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

/// Microseconds that have a count each, as many as cyclictest's histograms usually have; what is longer is counted
/// together. 40 KB.
pub(super) const MICROSECONDS: usize = 10_000;
/// For percentiles: 1 ns to 10 s with three digits, 100 KiB. Longer ones are held at 10 s; their maximum is exact.
const BOUNDS: (u64, u64, u8) = (1, 10_000_000_000, 3);

/// Values in nanoseconds. The histograms have them without their sign.
#[derive(Debug, Clone)]
pub struct Spread {
    count: u32,
    min: i64,
    max: i64,
    sum: i128,
    squares: u128,
    microseconds: Vec<u32>,
    above: u32,
    percentiles: Histogram<u32>,
}

impl Spread {
    /// An empty one, of which every page has been touched.
    pub(super) fn new() -> Self {
        let (low, high, digits) = BOUNDS;
        let mut percentiles = Histogram::new_with_bounds(low, high, digits)
            .expect("the bounds are constants in the range it takes");
        // These write every count: memory that is only allocated has no pages yet.
        percentiles.clear();
        let mut microseconds = vec![0; MICROSECONDS];
        crate::rt::prefault(&mut microseconds);
        Self {
            count: 0,
            min: i64::MAX,
            max: i64::MIN,
            sum: 0,
            squares: 0,
            microseconds,
            above: 0,
            percentiles,
        }
    }

    /// Counts one value.
    pub(super) fn record(&mut self, ns: i64) {
        self.count += 1;
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
        let length = ns.unsigned_abs();
        self.sum += i128::from(ns);
        self.squares += u128::from(length) * u128::from(length);
        let microsecond = usize::try_from(length / 1000).unwrap_or(usize::MAX);
        match self.microseconds.get_mut(microsecond) {
            Some(count) => *count += 1,
            None => self.above += 1,
        }
        self.percentiles.saturating_record(length);
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The smallest; none where nothing was counted, as with the others.
    #[must_use]
    pub fn min_ns(&self) -> Option<i64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest.
    #[must_use]
    pub fn max_ns(&self) -> Option<i64> {
        (self.count > 0).then_some(self.max)
    }

    /// The largest without sign: how far off the worst one was.
    #[must_use]
    pub fn farthest_ns(&self) -> Option<u64> {
        (self.count > 0).then(|| self.min.unsigned_abs().max(self.max.unsigned_abs()))
    }

    /// The mean.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds: 53 bits are 104 days")]
    pub fn average_ns(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / f64::from(self.count))
    }

    /// The standard deviation of all values (not an estimate from a sample).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the difference is taken before, in integers")]
    pub fn deviation_ns(&self) -> Option<f64> {
        let (count, sum) = (u128::from(self.count), self.sum.unsigned_abs());
        let variance = (count * self.squares).saturating_sub(sum * sum) as f64;
        (self.count > 0).then(|| variance.sqrt() / f64::from(self.count))
    }

    /// The value without sign that this share (0 to 1) of all do not exceed, to three digits.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> Option<u64> {
        // A bucket's upper end can lie above what was measured.
        Some(self.percentiles.value_at_quantile(share).min(self.farthest_ns()?))
    }

    /// Microseconds, rounded down, with how many values there are, empty ones left out.
    #[must_use]
    pub fn histogram(&self) -> Vec<(usize, u32)> {
        self.microseconds.iter().copied().enumerate().filter(|&(_, count)| count > 0).collect()
    }

    pub(super) fn percentiles(&self) -> &Histogram<u32> {
        &self.percentiles
    }
}

/// As it stands in JSON.
#[derive(Serialize)]
struct Fields {
    count: u32,
    min_ns: Option<i64>,
    avg_ns: Option<i64>,
    max_ns: Option<i64>,
    sd_ns: Option<i64>,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    p999_ns: Option<u64>,
    histogram_us: Vec<(usize, u32)>,
    histogram_above: u32,
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "between values that are i64 themselves")]
        let whole = |ns: f64| ns.round() as i64;
        let fields = Fields {
            count: self.count,
            min_ns: self.min_ns(),
            avg_ns: self.average_ns().map(whole),
            max_ns: self.max_ns(),
            sd_ns: self.deviation_ns().map(whole),
            p50_ns: self.quantile_ns(0.5),
            p99_ns: self.quantile_ns(0.99),
            p999_ns: self.quantile_ns(0.999),
            histogram_us: self.histogram(),
            histogram_above: self.above,
        };
        fields.serialize(serializer)
    }
}

#[cfg(test)]
pub(super) fn spread_of(values: &[i64]) -> Spread {
    let mut spread = Spread::new();
    for &ns in values {
        spread.record(ns);
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_values() {
        let spread = spread_of(&[2000, 4000, 4000, 4000, 5000, 5000, 7000, 9000]);
        assert_eq!((spread.min_ns(), spread.max_ns()), (Some(2000), Some(9000)));
        assert_eq!((spread.average_ns(), spread.deviation_ns()), (Some(5000.0), Some(2000.0)));
        let around = spread_of(&[-3000, 1000, -1000, 3000]);
        assert_eq!((around.average_ns(), around.farthest_ns()), (Some(0.0), Some(3000)));
        assert_eq!(around.deviation_ns().map(|ns| ns.powi(2).round()), Some(5_000_000.0));
    }

    #[test]
    fn every_value_is_in_the_histogram_or_above_it() {
        let longest = i64::try_from(MICROSECONDS).unwrap() * 1000;
        let spread = spread_of(&[0, 999, 1000, -1999, longest - 1, longest, i64::from(u32::MAX) * 10]);
        assert_eq!(spread.histogram(), [(0, 2), (1, 2), (MICROSECONDS - 1, 1)]);
        assert_eq!((spread.count(), spread.above), (7, 2));
        assert_eq!(spread.percentiles.len(), 7);
        assert_eq!(spread.farthest_ns(), Some(u64::from(u32::MAX) * 10));
    }

    #[test]
    fn quantiles_do_not_exceed_what_was_measured() {
        let spread = spread_of(&(1..=1000).map(|n| n * 1001).collect::<Vec<_>>());
        assert_eq!(spread.quantile_ns(1.0), Some(1_001_000));
        let median = spread.quantile_ns(0.5).unwrap();
        assert!((500_000..=501_500).contains(&median), "{median}");
    }

    #[test]
    fn nothing_counted_is_no_value() {
        let empty = Spread::new();
        assert_eq!((empty.min_ns(), empty.deviation_ns(), empty.quantile_ns(0.5)), (None, None, None));
        let json = serde_json::to_value(&empty).unwrap();
        assert!(json["max_ns"].is_null() && json["histogram_us"] == serde_json::json!([]), "{json}");
    }
}
