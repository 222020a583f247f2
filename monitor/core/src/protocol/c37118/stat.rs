//! STAT, the word before each PMU's measurements in a DATA frame (clause 6.3, Table 6). The edition of 2005 has bits 8 to 6
//! reserved, and bit 13 alone to say how good the clock is.

use core::fmt;

/// One PMU's status word.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Stat(u16);

impl Stat {
    /// Bit 13: the PMU is not in step with a UTC-traceable source.
    pub const SYNC_LOST: u16 = 1 << 13;
    /// Bit 12: the data of a PDC are sorted by arrival rather than by time tag.
    pub const SORTED_BY_ARRIVAL: u16 = 1 << 12;
    /// Bit 11: the PMU saw a trigger.
    pub const TRIGGER: u16 = 1 << 11;
    /// Bit 10: the configuration changes within a minute. Clear again once it has.
    pub const CONFIG_CHANGE: u16 = 1 << 10;
    /// Bit 9: the values were changed by post-processing.
    pub const MODIFIED: u16 = 1 << 9;

    /// From the word.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        Self(word)
    }

    /// The word.
    #[must_use]
    pub const fn word(self) -> u16 {
        self.0
    }

    /// Bits 15 and 14.
    #[must_use]
    pub const fn data_status(self) -> DataStatus {
        match self.0 >> 14 {
            0 => DataStatus::Good,
            1 => DataStatus::PmuError,
            2 => DataStatus::TestOrAbsent,
            _ => DataStatus::Error,
        }
    }

    /// Bit 13: the PMU is not in step with a UTC-traceable source.
    #[must_use]
    pub const fn sync_lost(self) -> bool {
        self.0 & Self::SYNC_LOST != 0
    }

    /// Bit 12: sorted by arrival rather than by time tag.
    #[must_use]
    pub const fn sorted_by_arrival(self) -> bool {
        self.0 & Self::SORTED_BY_ARRIVAL != 0
    }

    /// Bit 11: a trigger was seen; see [`Stat::trigger_reason`].
    #[must_use]
    pub const fn trigger(self) -> bool {
        self.0 & Self::TRIGGER != 0
    }

    /// Bit 10: the configuration will change within a minute; by the standard clear again once it has, though devices
    /// leave it set for longer. The data follow the old one until the new one is sent.
    #[must_use]
    pub const fn config_change(self) -> bool {
        self.0 & Self::CONFIG_CHANGE != 0
    }

    /// Bit 9: the values were changed by post-processing.
    #[must_use]
    pub const fn modified(self) -> bool {
        self.0 & Self::MODIFIED != 0
    }

    /// Bits 8 to 6, `PMU_TQ`: 0 to 7, how good the PMU's own clock is, whoever passes the data on. See
    /// [`Stat::time_error_ns`].
    #[must_use]
    pub const fn time_quality(self) -> u8 {
        let [high, low] = self.0.to_be_bytes();
        (high & 1) << 2 | low >> 6
    }

    /// What `PMU_TQ` says: the time's largest error in nanoseconds, 100 ns to 10 ms. `None` for 0 (not used,
    /// as by senders of the 2005 edition) and 7 (more than 10 ms, or unknown).
    #[must_use]
    pub const fn time_error_ns(self) -> Option<u64> {
        match self.time_quality() {
            0 | 7 => None,
            code => Some(10_u64.pow(code as u32 + 1)),
        }
    }

    /// Bits 5 and 4: how long the PMU has been without its time source. Of the standard's four ranges, not a number.
    #[must_use]
    pub const fn unlocked_time(self) -> UnlockedTime {
        match (self.0 >> 4) & 0b11 {
            0 => UnlockedTime::LockedOrUnder10s,
            1 => UnlockedTime::From10s,
            2 => UnlockedTime::From100s,
            _ => UnlockedTime::From1000s,
        }
    }

    /// Bits 3 to 0; meaningful where [`Stat::trigger`] is set.
    #[must_use]
    pub const fn trigger_reason(self) -> TriggerReason {
        let [_, low] = self.0.to_be_bytes();
        match low & 0x0F {
            0 => TriggerReason::Manual,
            1 => TriggerReason::MagnitudeLow,
            2 => TriggerReason::MagnitudeHigh,
            3 => TriggerReason::PhaseAngleDifference,
            4 => TriggerReason::Frequency,
            5 => TriggerReason::Rocof,
            6 => TriggerReason::Reserved,
            7 => TriggerReason::Digital,
            code => TriggerReason::User(code),
        }
    }
}

impl fmt::Debug for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stat({:#06X})", self.0)
    }
}

/// Bits 15 and 14 of STAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataStatus {
    /// 0: good measurements.
    Good,
    /// 1: the PMU has an error; nothing is said of the data.
    PmuError,
    /// 2: test mode, or absent data filled in by a PDC. The values must not be used.
    TestOrAbsent,
    /// 3: the PMU has an error. The values must not be used.
    Error,
}

/// Bits 5 and 4 of STAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnlockedTime {
    /// 0: locked, or unlocked for less than 10 s.
    LockedOrUnder10s,
    /// 1: unlocked for 10 s or longer, under 100 s.
    From10s,
    /// 2: unlocked for 100 s or longer, under 1000 s.
    From100s,
    /// 3: unlocked for 1000 s or longer.
    From1000s,
}

/// Bits 3 to 0 of STAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TriggerReason {
    /// 0: set by hand.
    Manual,
    /// 1: magnitude low.
    MagnitudeLow,
    /// 2: magnitude high.
    MagnitudeHigh,
    /// 3: difference of phase angles.
    PhaseAngleDifference,
    /// 4: frequency high or low.
    Frequency,
    /// 5: ROCOF high.
    Rocof,
    /// 6: reserved.
    Reserved,
    /// 7: a digital input.
    Digital,
    /// 8 to 15: the user's own.
    User(u8),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlocked_pmu() {
        let stat = Stat::from_word(0x21F0);
        assert_eq!(stat.data_status(), DataStatus::Good);
        assert!(stat.sync_lost());
        assert!(!stat.sorted_by_arrival() && !stat.trigger() && !stat.config_change() && !stat.modified());
        assert_eq!((stat.time_quality(), stat.time_error_ns()), (7, None));
        assert_eq!(stat.unlocked_time(), UnlockedTime::From1000s);
        assert_eq!(stat.trigger_reason(), TriggerReason::Manual);
    }

    #[test]
    fn each_bit_has_its_field() {
        assert_eq!(Stat::from_word(0x4000).data_status(), DataStatus::PmuError);
        assert_eq!(Stat::from_word(0x8000).data_status(), DataStatus::TestOrAbsent);
        assert_eq!(Stat::from_word(0xC000).data_status(), DataStatus::Error);
        assert!(Stat::from_word(0x1000).sorted_by_arrival());
        assert!(Stat::from_word(0x0800).trigger());
        assert!(Stat::from_word(0x0400).config_change());
        assert!(Stat::from_word(0x0200).modified());
        assert_eq!(Stat::from_word(0x0040).time_error_ns(), Some(100));
        assert_eq!(Stat::from_word(0x0180).time_error_ns(), Some(10_000_000));
        assert_eq!(Stat::from_word(0x0010).unlocked_time(), UnlockedTime::From10s);
        assert_eq!(Stat::from_word(0x0007).trigger_reason(), TriggerReason::Digital);
        assert_eq!(Stat::from_word(0x000B).trigger_reason(), TriggerReason::User(11));
    }
}
