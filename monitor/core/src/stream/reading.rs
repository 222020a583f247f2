//! The numbers of one DATA frame, read as it arrives.

use std::hint::black_box;

use super::{ClockState, StatCounts};
use crate::protocol::c37118::{Coordinates, DataStatus, DataView, PmuView, Stat};

/// What at least one PMU of a frame says in its STAT: one bit for each counter of [`StatCounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatFlags(u8);

impl StatFlags {
    const DATA_ERROR: u8 = 1;
    const TEST_OR_ABSENT: u8 = 1 << 1;

    /// With what one PMU says added. Bits 13 to 9 of STAT become bits 6 to 2.
    #[must_use]
    const fn with(self, stat: Stat) -> Self {
        let status = match stat.data_status() {
            DataStatus::Good => 0,
            DataStatus::PmuError | DataStatus::Error => Self::DATA_ERROR,
            DataStatus::TestOrAbsent => Self::TEST_OR_ABSENT,
        };
        let [high, _] = stat.word().to_be_bytes();
        Self(self.0 | status | high << 1 & 0b0111_1100)
    }

    /// Counts the frame.
    pub(super) fn count(self, counts: &mut StatCounts) {
        let StatCounts {
            data_error,
            test_or_absent,
            sync_lost,
            sorted_by_arrival,
            trigger,
            config_change,
            modified,
        } = counts;
        let counters =
            [data_error, test_or_absent, modified, config_change, trigger, sorted_by_arrival, sync_lost];
        for (bit, counter) in counters.into_iter().enumerate() {
            *counter += u64::from(self.0 >> bit & 1);
        }
    }
}

/// What is kept of the last frame: its first PMU's values, to show how the stream runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Frequency in Hz, absolute; none where absent.
    pub frequency_hz: Option<f64>,
    /// Rate of change of frequency in Hz/s; none where absent.
    pub rocof_hz_per_s: Option<f64>,
    /// STAT.
    pub stat: u16,
    /// The 8 quality bits of FRACSEC.
    pub time_quality: u8,
    /// What it says of its clock: the worst of its PMUs.
    pub clock: ClockState,
    /// What any of its PMUs says in STAT.
    pub flags: StatFlags,
}

impl Reading {
    /// Reads every value of every PMU, as the detectors will: a frame counts as decoded when this is done.
    #[must_use]
    #[inline]
    pub fn take(view: &DataView<'_>) -> Self {
        let mut first = None;
        let mut sum = 0.0;
        let (mut clock, mut flags) = (ClockState::of(view.time().quality()), StatFlags::default());
        for pmu in view.pmus() {
            let values = Values::of(&pmu);
            (clock, flags) = (clock.worse(pmu.stat()), flags.with(pmu.stat()));
            sum += values.sum;
            first.get_or_insert(values);
        }
        // Without this the compiler may leave out what nobody uses yet.
        black_box(sum);
        let time_quality = view.time().quality().bits();
        let Values { frequency_hz, rocof_hz_per_s, stat, sum: _ } = first.unwrap_or_default();
        Self { frequency_hz, rocof_hz_per_s, stat, time_quality, clock, flags }
    }
}

#[derive(Clone, Copy, Default)]
struct Values {
    frequency_hz: Option<f64>,
    rocof_hz_per_s: Option<f64>,
    stat: u16,
    sum: f64,
}

impl Values {
    #[inline]
    fn of(pmu: &PmuView<'_>) -> Self {
        let (frequency_hz, rocof_hz_per_s) = (pmu.frequency_hz(), pmu.rocof_hz_per_s());
        let first = frequency_hz.unwrap_or(0.0) + rocof_hz_per_s.unwrap_or(0.0);
        let mut sum = pmu.coordinates().fold(first, |sum, phasor| match phasor {
            Some(Coordinates::Rectangular { re, im }) => sum + re + im,
            Some(Coordinates::Polar { magnitude, angle_rad }) => sum + magnitude + angle_rad,
            None => sum,
        });
        sum += pmu.analogs().flatten().sum::<f64>();
        sum += pmu.digitals().map(f64::from).sum::<f64>();
        Self { frequency_hz, rocof_hz_per_s, stat: pmu.stat().word(), sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_counts_once_a_frame() {
        for (words, expected) in [
            (&[0x0000_u16, 0x01FF][..], StatCounts::default()),
            (&[0x4000, 0xC000], StatCounts { data_error: 1, ..StatCounts::default() }),
            (&[0x8000], StatCounts { test_or_absent: 1, ..StatCounts::default() }),
            (&[0x2000, 0x2000], StatCounts { sync_lost: 1, ..StatCounts::default() }),
            (&[0x1000], StatCounts { sorted_by_arrival: 1, ..StatCounts::default() }),
            (&[0x0800, 0x0400], StatCounts { trigger: 1, config_change: 1, ..StatCounts::default() }),
            (&[0x0200], StatCounts { modified: 1, ..StatCounts::default() }),
        ] {
            let flags = words.iter().fold(StatFlags::default(), |all, word| all.with(Stat::from_word(*word)));
            let mut counts = StatCounts::default();
            flags.count(&mut counts);
            assert_eq!(counts, expected, "{words:x?}");
        }
    }
}
