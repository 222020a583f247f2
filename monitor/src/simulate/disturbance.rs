//! What is done to a measurement: the grid disturbed, or only what the PMU says of it.

use super::fault::{FaultKind, Window};
use super::tones::Motion;

/// The sum of what is done to one PMU at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Disturbance {
    /// Added to the frequency, with its slope and its integral.
    pub(super) frequency: Motion,
    /// Added to DFREQ alone, Hz/s.
    pub(super) rocof: f64,
    /// Added to all angles, rad.
    pub(super) angle_rad: f64,
    /// Voltages are multiplied by it.
    pub(super) voltage: f64,
    /// Bits of STAT that are set.
    pub(super) stat: u16,
    /// Bits of STAT that are cleared before.
    pub(super) stat_clear: u16,
}

impl Disturbance {
    /// Nothing is done.
    pub(super) const NONE: Self = Self {
        frequency: Motion { value: 0.0, slope: 0.0, integral: 0.0 },
        rocof: 0.0,
        angle_rad: 0.0,
        voltage: 1.0,
        stat: 0,
        stat_clear: 0,
    };

    /// Adds one fault at true time `ns`. A step and a ramp of the frequency leave something behind when they are over:
    /// angles that have turned, and a frequency that has come to where it is.
    pub(super) fn add(&mut self, kind: FaultKind, window: Window, origin_ns: i64, ns: i64) {
        let begin = window.from_ns.max(origin_ns);
        let inside = seconds(begin, ns.min(window.until_ns));
        let behind = seconds(window.until_ns, ns);
        let during = window.contains(ns);
        match kind {
            FaultKind::FrequencyStep { hz } => {
                let value = if during { hz } else { 0.0 };
                self.frequency = self.frequency.plus(Motion { value, slope: 0.0, integral: hz * inside });
            }
            FaultKind::FrequencyRamp { hz_per_s } => {
                let value = hz_per_s * inside;
                let integral = value * inside / 2.0 + value * behind;
                let slope = if during { hz_per_s } else { 0.0 };
                self.frequency = self.frequency.plus(Motion { value, slope, integral });
            }
            _ if !during => {}
            FaultKind::Rocof { hz_per_s } => self.rocof += hz_per_s,
            FaultKind::PhaseStep { rad } => self.angle_rad += rad,
            FaultKind::Sag { depth } => self.voltage *= 1.0 - depth,
            FaultKind::Stat { bits, clear } => {
                self.stat |= bits;
                self.stat_clear |= clear;
            }
            _ => {}
        }
    }
}

/// From one time to another, not below 0.
fn seconds(from_ns: i64, to_ns: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a run's nanoseconds: 104 days have 53 bits")]
    let ns = to_ns.saturating_sub(from_ns).max(0) as f64;
    ns * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(kind: FaultKind, ns: i64) -> Disturbance {
        let mut sum = Disturbance::NONE;
        sum.add(kind, Window { from_ns: SECOND, until_ns: 3 * SECOND }, 0, ns);
        sum
    }

    #[test]
    fn slopes_and_integrals_fit_the_frequency() {
        const STEP: i64 = SECOND / 1000;
        for kind in [FaultKind::FrequencyStep { hz: 0.5 }, FaultKind::FrequencyRamp { hz_per_s: -2.0 }] {
            for ns in [SECOND / 2, SECOND + SECOND / 2, 5 * SECOND] {
                let (before, after) = (at(kind, ns).frequency, at(kind, ns + STEP).frequency);
                let mean = (after.integral - before.integral) / 1e-3;
                assert!((mean - f64::midpoint(before.value, after.value)).abs() < 1e-6, "{kind:?} at {ns}");
                assert!(((after.value - before.value) / 1e-3 - before.slope).abs() < 1e-6);
            }
        }
        let left = |kind| at(kind, 9 * SECOND).frequency.value;
        assert!((left(FaultKind::FrequencyRamp { hz_per_s: -2.0 }) + 4.0).abs() < 1e-9);
        assert!(left(FaultKind::FrequencyStep { hz: 0.5 }).abs() < 1e-9);
    }

    #[test]
    fn the_rest_lasts_for_its_time() {
        for kind in [
            FaultKind::Sag { depth: 0.3 },
            FaultKind::Stat { bits: 4, clear: 2 },
            FaultKind::PhaseStep { rad: 1.0 },
        ] {
            assert_eq!(at(kind, 0), Disturbance::NONE);
            assert_eq!(at(kind, 3 * SECOND), Disturbance::NONE);
            assert_ne!(at(kind, 2 * SECOND), Disturbance::NONE);
        }
    }
}
