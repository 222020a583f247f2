//! A frame's time tag: SOC and FRACSEC (clause 6.2.2, Tables 2 to 4), TIME_BASE and DATA_RATE (clause 6.4, Table 9), all in exact
//! integer arithmetic.
//!
//! Stations count their fractions over different TIME_BASE values, so equal instants have unequal
//! nanoseconds. Only the *frame index*, the time tag divided by the reporting period and rounded, is the same
//! for all of them.

use core::fmt;
use core::num::{NonZeroI16, NonZeroU32};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// The 24 bits of FRACSEC, and of TIME_BASE, that are a count; the 8 above are flags.
pub const FRACTION_MASK: u32 = 0x00FF_FFFF;

/// TIME_BASE: into how many parts FRACSEC divides the second, 1 to 16 777 215.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeBase(NonZeroU32);

impl TimeBase {
    /// A count of microseconds, the commonest choice.
    pub const MICROSECONDS: Self = Self(NonZeroU32::new(1_000_000).unwrap());

    /// From the word of a configuration, whose upper 8 bits are flags and are masked away; `None` for a count
    /// of zero.
    #[must_use]
    pub const fn from_word(word: u32) -> Option<Self> {
        match NonZeroU32::new(word & FRACTION_MASK) {
            Some(parts) => Some(Self(parts)),
            None => None,
        }
    }

    /// Parts in a second.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// DATA_RATE: frames in a second where positive, seconds to a frame where negative; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataRate(NonZeroI16);

impl DataRate {
    /// From the word of a configuration; `None` for zero, which states no rate.
    #[must_use]
    pub const fn from_word(word: i16) -> Option<Self> {
        match NonZeroI16::new(word) {
            Some(rate) => Some(Self(rate)),
            None => None,
        }
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> i16 {
        self.0.get()
    }

    /// Frames in a second, as a number for people and for statistics: from 1/32 768 to 32 767.
    #[must_use]
    pub fn hz(self) -> f64 {
        let word = f64::from(self.word());
        if word > 0.0 { word } else { -1.0 / word }
    }

    /// The reporting period in nanoseconds, rounded to nearest.
    #[must_use]
    pub const fn period_ns(self) -> u64 {
        let (frames, seconds) = self.ratio();
        (seconds * NANOS_PER_SECOND as u64 + frames / 2) / frames
    }

    /// Nanoseconds since the Unix epoch of the instant with this frame index, rounded to nearest; saturates
    /// far beyond the last SOC.
    #[must_use]
    pub fn unix_ns_of_index(self, index: u64) -> i64 {
        let (frames, seconds) = self.ratio();
        let whole = u128::from(index) * u128::from(seconds) * u128::from(NANOS_PER_SECOND);
        i64::try_from((whole + u128::from(frames / 2)) / u128::from(frames)).unwrap_or(i64::MAX)
    }

    /// The rate as (frames, seconds), one of which is 1.
    const fn ratio(self) -> (u64, u64) {
        let magnitude = self.0.unsigned_abs().get() as u64;
        if self.word() > 0 { (magnitude, 1) } else { (1, magnitude) }
    }
}

/// The 8 bits above FRACSEC's count (clause 6.2.2, Table 3). Bit 7 is reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeQuality(u8);

impl TimeQuality {
    /// From the 8 bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The 8 bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Bit 6, direction: the leap second is taken away (set) rather than added. It means something where one of the
    /// other two leap bits is set.
    #[must_use]
    pub const fn leap_deletes(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Bit 5: a leap second has occurred; set in the first second after it, and for 24 hours.
    #[must_use]
    pub const fn leap_occurred(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Bit 4: a leap second is coming; set from 60 s at most, and 1 s at least, before it, until the second after it.
    #[must_use]
    pub const fn leap_pending(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Bits 3 to 0, `MSG_TQ`: how good the sender's clock says it is.
    #[must_use]
    pub const fn clock(self) -> ClockQuality {
        match self.0 & 0x0F {
            0 => ClockQuality::Locked,
            code @ 1..=0x0B => ClockQuality::Within { ns: 10_u64.pow(code as u32 - 1) },
            0x0F => ClockQuality::Fault,
            code => ClockQuality::Reserved(code),
        }
    }
}

/// `MSG_TQ` (clause 6.2.2, Table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockQuality {
    /// 0: locked to a source that is traceable to UTC.
    Locked,
    /// 1 to 0xB: not locked, and within this of UTC: from 1 ns to 10 s.
    Within {
        /// The bound in nanoseconds.
        ns: u64,
    },
    /// 0xF: clock failure, the time is not reliable.
    Fault,
    /// 0xC to 0xE, to which the standard gives no meaning.
    Reserved(u8),
}

/// SOC and FRACSEC: what a frame says that its time is. Meaningful as a time only together with the
/// [`TimeBase`] of its stream's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeTag {
    soc: u32,
    fracsec: u32,
}

impl TimeTag {
    /// From the two words of a frame.
    #[must_use]
    pub const fn from_words(soc: u32, fracsec: u32) -> Self {
        Self { soc, fracsec }
    }

    /// From its parts; `None` where `fraction` needs more than 24 bits.
    #[must_use]
    pub const fn new(soc: u32, fraction: u32, quality: TimeQuality) -> Option<Self> {
        if fraction > FRACTION_MASK {
            return None;
        }
        Some(Self { soc, fracsec: (quality.bits() as u32) << 24 | fraction })
    }

    /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted: up to 2106-02-07.
    #[must_use]
    pub const fn soc(self) -> u32 {
        self.soc
    }

    /// The count over TIME_BASE, 24 bits. The standard keeps it below TIME_BASE; devices may not.
    #[must_use]
    pub const fn fraction(self) -> u32 {
        self.fracsec & FRACTION_MASK
    }

    /// The word FRACSEC: quality and count.
    #[must_use]
    pub const fn fracsec(self) -> u32 {
        self.fracsec
    }

    /// The quality bits.
    #[must_use]
    pub const fn quality(self) -> TimeQuality {
        TimeQuality(self.fracsec.to_be_bytes()[0])
    }

    /// Nanoseconds since the Unix epoch (UTC, leap seconds not counted), rounded to nearest. The largest time
    /// tag lies below 2^62, so nothing overflows.
    #[must_use]
    pub const fn unix_ns(self, base: TimeBase) -> i64 {
        let nanos = NANOS_PER_SECOND as i64;
        let base = base.get() as i64;
        self.soc as i64 * nanos + (self.fraction() as i64 * nanos + base / 2) / base
    }

    /// The rounded frame index: the time tag counted in reporting periods since the Unix epoch, rounded to
    /// nearest. Frames of one instant have one index whatever their TIME_BASE, provided that the rate is the
    /// same; consecutive frames differ by one. A tag just below a second's end rounds into the next second.
    #[must_use]
    pub const fn frame_index(self, base: TimeBase, rate: DataRate) -> u64 {
        let (frames, seconds) = rate.ratio();
        let base = base.get() as u64;
        let (soc, fraction) = (self.soc as u64, self.fraction() as u64);
        if seconds == 1 {
            return soc * frames + (fraction * frames + base / 2) / base;
        }
        let period = seconds * base;
        (soc * base + fraction + period / 2) / period
    }
}

impl fmt::Display for TimeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SOC {} + {}/TIME_BASE", self.soc, self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL_BASE: u32 = 0x00FF_FFFF;

    fn base(parts: u32) -> TimeBase {
        TimeBase::from_word(parts).unwrap()
    }

    fn rate(word: i16) -> DataRate {
        DataRate::from_word(word).unwrap()
    }

    fn tag(soc: u32, fraction: u32) -> TimeTag {
        TimeTag::new(soc, fraction, TimeQuality::default()).unwrap()
    }

    #[test]
    fn flags_of_time_base_are_masked_and_zero_is_refused() {
        assert_eq!(TimeBase::from_word(0x7F0F_4240), Some(TimeBase::MICROSECONDS));
        assert_eq!(TimeBase::from_word(0xFF00_0000), None);
        assert_eq!(DataRate::from_word(0), None);
    }

    #[test]
    fn nanoseconds_are_rounded_to_nearest() {
        assert_eq!(tag(1, 500_000).unix_ns(TimeBase::MICROSECONDS), 1_500_000_000);
        assert_eq!(tag(0, 1).unix_ns(base(3)), 333_333_333);
        assert_eq!(tag(0, 2).unix_ns(base(3)), 666_666_667);
        assert_eq!(
            tag(u32::MAX, FULL_BASE).unix_ns(base(1)),
            (i64::from(u32::MAX) + i64::from(FULL_BASE)) * 1_000_000_000
        );
    }

    #[test]
    fn quality_bits() {
        let tag = TimeTag::from_words(0, 0x7F00_0001);
        assert_eq!(tag.fraction(), 1);
        let quality = tag.quality();
        assert!(quality.leap_deletes() && quality.leap_occurred() && quality.leap_pending());
        assert_eq!(quality.clock(), ClockQuality::Fault);
        assert_eq!(TimeQuality::from_bits(0x01).clock(), ClockQuality::Within { ns: 1 });
        assert_eq!(TimeQuality::from_bits(0x0B).clock(), ClockQuality::Within { ns: 10_000_000_000 });
        assert_eq!(TimeQuality::from_bits(0x0C).clock(), ClockQuality::Reserved(0x0C));
        assert_eq!(TimeTag::new(0, 1 << 24, TimeQuality::default()), None);
    }

    #[test]
    fn both_time_bases_give_one_index_at_every_rate() {
        for frames in 1..=240_u16 {
            let rate = rate(i16::try_from(frames).unwrap());
            for frame in 0..u64::from(frames) {
                for parts in [1_000_000, FULL_BASE] {
                    let exact = frame * u64::from(parts);
                    let truncated = u32::try_from(exact / u64::from(frames)).unwrap();
                    let rounded = u32::try_from((exact + u64::from(frames) / 2) / u64::from(frames)).unwrap();
                    for fraction in [truncated, rounded] {
                        let index = tag(7, fraction).frame_index(base(parts), rate);
                        assert_eq!(index, 7 * u64::from(frames) + frame, "{frames}/s, {fraction}/{parts}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_tag_just_before_the_second_belongs_to_it() {
        assert_eq!(tag(9, 999_999).frame_index(TimeBase::MICROSECONDS, rate(50)), 500);
    }

    #[test]
    fn negative_rates_count_seconds() {
        let rate = rate(-10);
        assert_eq!(tag(1_000, 3).frame_index(TimeBase::MICROSECONDS, rate), 100);
        assert_eq!(tag(1_009, 999_999).frame_index(TimeBase::MICROSECONDS, rate), 101);
        assert_eq!(rate.period_ns(), 10_000_000_000);
        assert_eq!(rate.unix_ns_of_index(101), 1_010_000_000_000);
        assert!((rate.hz() - 0.1).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn no_words_overflow(soc: u32, fracsec: u32, parts: u32, word: i16) {
            let tag = TimeTag::from_words(soc, fracsec);
            if let (Some(base), Some(rate)) = (TimeBase::from_word(parts), DataRate::from_word(word)) {
                prop_assert!(tag.unix_ns(base) >= i64::from(soc) * 1_000_000_000);
                let _ = rate.unix_ns_of_index(tag.frame_index(base, rate));
            }
        }

        #[test]
        fn an_index_names_its_instant(soc: u32, word in 1_i16..=240, frame in 0_u64..240) {
            let rate = rate(word);
            let index = u64::from(soc) * u64::from(word.unsigned_abs()) + frame % u64::from(word.unsigned_abs());
            let at = rate.unix_ns_of_index(index);
            let tag = tag(u32::try_from(at / 1_000_000_000).unwrap(), u32::try_from(at % 1_000_000_000 / 1000).unwrap());
            prop_assert_eq!(tag.frame_index(TimeBase::MICROSECONDS, rate), index);
        }
    }
}
