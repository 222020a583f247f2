//! The numbers of one DATA frame, read as it arrives.

use std::hint::black_box;

use crate::protocol::c37118::{Coordinates, DataView, PmuView};

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
}

impl Reading {
    /// Reads every value of every PMU, as the detectors will: a frame counts as decoded when this is done.
    #[must_use]
    pub fn take(view: &DataView<'_>) -> Self {
        let mut first = None;
        let mut sum = 0.0;
        for pmu in view.pmus() {
            let values = Values::of(&pmu);
            sum += values.sum;
            first.get_or_insert(values);
        }
        // Without this the compiler may leave out what nobody uses yet.
        black_box(sum);
        let time_quality = view.time().quality().bits();
        let Values { frequency_hz, rocof_hz_per_s, stat, sum: _ } = first.unwrap_or_default();
        Self { frequency_hz, rocof_hz_per_s, stat, time_quality }
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
    fn of(pmu: &PmuView<'_>) -> Self {
        let (frequency_hz, rocof_hz_per_s) = (pmu.frequency_hz(), pmu.rocof_hz_per_s());
        let mut sum = frequency_hz.unwrap_or(0.0) + rocof_hz_per_s.unwrap_or(0.0);
        for phasor in pmu.coordinates().flatten() {
            sum += match phasor {
                Coordinates::Rectangular { re, im } => re + im,
                Coordinates::Polar { magnitude, angle_rad } => magnitude + angle_rad,
            };
        }
        sum += pmu.analogs().flatten().sum::<f64>();
        sum += pmu.digitals().map(f64::from).sum::<f64>();
        Self { frequency_hz, rocof_hz_per_s, stat: pmu.stat().word(), sum }
    }
}
