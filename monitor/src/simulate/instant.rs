//! The grid of reporting instants: frame k of a second is at k / rate (IEEE C37.118.1, clause 5.4.1).

use monitor_core::protocol::c37118::{DataRate, TimeBase, TimeQuality, TimeTag};

/// Seconds of a day, leap seconds not counted, as SOC does not count them.
const SECONDS_PER_DAY: u32 = 86_400;

/// Frames in a second: 10 to 240.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportingRate(u16);

impl ReportingRate {
    /// 50 frames/s.
    pub const FIFTY: Self = Self(50);
    /// The fewest frames in a second.
    pub const LEAST: u16 = 10;
    /// The most frames in a second.
    pub const MOST: u16 = 240;

    /// `None` outside of 10 to 240.
    #[must_use]
    pub const fn new(frames_per_second: u16) -> Option<Self> {
        if frames_per_second < Self::LEAST || frames_per_second > Self::MOST {
            return None;
        }
        Some(Self(frames_per_second))
    }

    /// Frames in a second.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// As DATA_RATE of a configuration.
    ///
    /// # Panics
    /// Never: 10 to 240 are rates.
    #[must_use]
    pub fn data_rate(self) -> DataRate {
        let word = i16::try_from(self.0).ok();
        word.and_then(DataRate::from_word).expect("10 to 240 fit 16 bits and are not 0")
    }
}

/// One instant of the grid, known by its frame index: reporting periods since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportingInstant {
    index: u64,
    rate: ReportingRate,
}

impl ReportingInstant {
    /// TIME_BASE of a simulated stream that is not given another.
    pub const TIME_BASE: TimeBase = TimeBase::MICROSECONDS;

    /// The instant with this frame index.
    #[must_use]
    pub const fn new(index: u64, rate: ReportingRate) -> Self {
        Self { index, rate }
    }

    /// The first instant that is not before `unix_ns`, nanoseconds since the Unix epoch; the epoch itself for
    /// times before it.
    #[must_use]
    pub fn at_or_after(unix_ns: i64, rate: ReportingRate) -> Self {
        const NANOS: u128 = 1_000_000_000;
        let unix_ns = u128::try_from(unix_ns).unwrap_or(0);
        let index = (unix_ns * u128::from(rate.0)).div_ceil(NANOS);
        Self { index: u64::try_from(index).unwrap_or(u64::MAX), rate }
    }

    /// The first instant that is not before `unix_ns`, which may itself be an instant's nanoseconds rounded up.
    #[must_use]
    pub fn at_or_about(unix_ns: i64, rate: ReportingRate) -> Self {
        Self::at_or_after(unix_ns.saturating_sub(1), rate)
    }

    /// The instant that is nearest to `unix_ns`.
    #[must_use]
    pub fn nearest(unix_ns: i64, rate: ReportingRate) -> Self {
        Self::at_or_after(unix_ns.saturating_sub(rate.data_rate().period_ns().cast_signed() / 2), rate)
    }

    /// The instant of a DATA frame, found by rounding as TIME_BASE need not hold it exactly.
    #[must_use]
    pub fn of_tag(tag: TimeTag, rate: ReportingRate) -> Self {
        Self { index: tag.frame_index(Self::TIME_BASE, rate.data_rate()), rate }
    }

    /// One reporting period later.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { index: self.index + 1, rate: self.rate }
    }

    /// So many reporting periods later.
    #[must_use]
    pub const fn after(self, periods: u64) -> Self {
        Self { index: self.index.saturating_add(periods), rate: self.rate }
    }

    /// The frame index.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// The reporting rate.
    #[must_use]
    pub const fn rate(self) -> ReportingRate {
        self.rate
    }

    /// Nanoseconds since the Unix epoch, rounded to nearest.
    #[must_use]
    pub fn unix_ns(self) -> i64 {
        self.rate.data_rate().unix_ns_of_index(self.index)
    }

    /// SOC and FRACSEC: the fraction rounded to nearest, the clock locked. SOC ends in the year 2106.
    #[must_use]
    pub fn time_tag(self) -> TimeTag {
        self.time_tag_over(Self::TIME_BASE)
    }

    /// The same, counted over another TIME_BASE.
    #[must_use]
    pub fn time_tag_over(self, base: TimeBase) -> TimeTag {
        let rate = u64::from(self.rate.0);
        let fraction = (self.index % rate * u64::from(base.get()) + rate / 2) / rate;
        tag(self.index / rate, fraction)
    }

    /// Whether it is the first instant of a span of `seconds` (counted from the Unix epoch), such as a minute.
    #[must_use]
    pub fn begins_span_of(self, seconds: u32) -> bool {
        self.index.is_multiple_of(u64::from(self.rate.0) * u64::from(seconds.max(1)))
    }

    /// Its place in the day, of which tones turn a whole number of times.
    pub(super) fn of_day(self) -> PlaceInDay {
        let length = SECONDS_PER_DAY * u32::from(self.rate.0);
        // What is left of a division by 32 bits fits them.
        let place = u32::try_from(self.index % u64::from(length)).unwrap_or(0);
        PlaceInDay { place, length }
    }
}

/// An instant of a day, in reporting periods.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaceInDay {
    place: u32,
    length: u32,
}

impl PlaceInDay {
    /// How many times a tone of `cycles_per_day` has turned, without the whole turns: 0 to 1. In whole numbers,
    /// so as exact after fifty years as on the first day.
    pub(super) fn turn(self, cycles_per_day: u32) -> f64 {
        let turned = u64::from(self.place) * u64::from(cycles_per_day) % u64::from(self.length);
        f64::from(u32::try_from(turned).unwrap_or(0)) / f64::from(self.length)
    }
}

/// The time tag of an answer: `unix_ns` over `base`, which need not lie on the grid.
pub(super) fn tag_of(unix_ns: i64, base: TimeBase) -> TimeTag {
    const NANOS: u64 = 1_000_000_000;
    let ns = u64::try_from(unix_ns).unwrap_or(0);
    tag(ns / NANOS, ns % NANOS * u64::from(base.get()) / NANOS)
}

fn tag(soc: u64, fraction: u64) -> TimeTag {
    let soc = u32::try_from(soc).unwrap_or(u32::MAX);
    let fraction = u32::try_from(fraction).ok();
    fraction
        .and_then(|fraction| TimeTag::new(soc, fraction, TimeQuality::default()))
        .expect("less than TIME_BASE, a number of 24 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lie_on_the_grid_at_every_rate() {
        for rate in ReportingRate::LEAST..=ReportingRate::MOST {
            let rate = ReportingRate::new(rate).unwrap();
            let mut instant = ReportingInstant::at_or_after(1_700_000_000_000_000_000, rate);
            assert_eq!((instant.time_tag().soc(), instant.time_tag().fraction()), (1_700_000_000, 0));
            for frame in 0..u32::from(rate.get()) {
                let tag = instant.time_tag();
                let off = i64::from(tag.fraction()) * i64::from(rate.get()) - i64::from(frame) * 1_000_000;
                assert!(off.abs() * 2 <= i64::from(rate.get()), "{frame} of {}: {tag}", rate.get());
                assert_eq!(ReportingInstant::of_tag(tag, rate), instant);
                assert!((instant.unix_ns() - tag.unix_ns(ReportingInstant::TIME_BASE)).abs() <= 500);
                instant = instant.next();
            }
            assert_eq!((instant.time_tag().soc(), instant.time_tag().fraction()), (1_700_000_001, 0));
        }
    }

    #[test]
    fn the_first_instant_is_never_in_the_past() {
        for ns in [0, 1, 19_999_999, 20_000_000, 20_000_001, 1_795_000_000_123_456_789] {
            let instant = ReportingInstant::at_or_after(ns, ReportingRate::FIFTY);
            assert!((0..20_000_000).contains(&(instant.unix_ns() - ns)), "{ns}");
        }
    }

    #[test]
    fn nanoseconds_lead_back_to_their_instant() {
        for rate in ReportingRate::LEAST..=ReportingRate::MOST {
            let rate = ReportingRate::new(rate).unwrap();
            let first = ReportingInstant::at_or_after(1_700_000_000_000_000_000, rate);
            for instant in (0..rate.get()).map(|place| first.after(place.into())) {
                assert_eq!(ReportingInstant::at_or_about(instant.unix_ns(), rate), instant);
                assert_eq!(ReportingInstant::nearest(instant.unix_ns(), rate), instant);
            }
        }
    }

    #[test]
    fn a_span_begins_once() {
        let first = ReportingInstant::at_or_after(0, ReportingRate::FIFTY);
        let minute = std::iter::successors(Some(first), |instant| Some(instant.next())).take(60 * 50);
        assert_eq!(minute.clone().filter(|instant| instant.begins_span_of(60)).count(), 1);
        assert_eq!(minute.filter(|instant| instant.begins_span_of(1)).count(), 60);
    }

    #[test]
    fn rates_outside_the_bounds_are_none() {
        for rate in [0, 9, 241, u16::MAX] {
            assert_eq!(ReportingRate::new(rate), None);
        }
    }
}
