//! A quantity that wanders: a sum of sines whose value, slope and integral are all exact.
//!
//! A random walk that is stepped would have to be stepped through every instant and differentiated by
//! differences. A sum of sines with random phases, weighted as the spectrum of an Ornstein-Uhlenbeck process is,
//! looks the same, is bounded, and gives frequency, ROCOF and phase angle that fit each other at any instant.
//! Every tone turns a whole number of times a day, so midnight is no step.

use std::f64::consts::TAU;

use super::instant::{PlaceInDay, ReportingInstant};
use super::random::Random;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// The sum.
#[derive(Clone, Debug)]
pub(super) struct Tones(Vec<Tone>);

#[derive(Clone, Copy, Debug)]
struct Tone {
    cycles_per_day: u32,
    amplitude: f64,
    /// At midnight, in turns.
    phase: f64,
}

/// What a quantity does at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Motion {
    /// In the quantity's unit.
    pub(super) value: f64,
    /// Unit per second.
    pub(super) slope: f64,
    /// Unit times second, with a mean of 0.
    pub(super) integral: f64,
}

/// From which tones to which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    /// Turns a day of the lowest octave's beginning.
    pub(super) slowest: u32,
    /// Octaves from there.
    pub(super) octaves: u32,
    /// Tones in each octave.
    pub(super) in_octave: u32,
    /// Turns a day above which the spectrum falls off.
    pub(super) corner: u32,
}

impl Tones {
    /// Tones of `band` at random places, whose sum never leaves `bound` on either side of 0.
    pub(super) fn wandering(random: &mut Random, band: Band, bound: f64) -> Self {
        let mut tones: Vec<Tone> = (0..band.octaves)
            .flat_map(|octave| (0..band.in_octave).map(move |_| band.slowest << octave))
            .map(|from| {
                let cycles_per_day = random.whole(from, from * 2);
                let ratio = f64::from(cycles_per_day) / f64::from(band.corner);
                // Power for each octave of a Lorentz spectrum.
                let amplitude = (ratio / (1.0 + ratio * ratio)).sqrt();
                Tone { cycles_per_day, amplitude, phase: random.between(0.0, 1.0) }
            })
            .collect();
        let sum: f64 = tones.iter().map(|tone| tone.amplitude).sum();
        for tone in &mut tones {
            tone.amplitude *= bound / sum;
        }
        Self(tones)
    }

    pub(super) fn at(&self, instant: ReportingInstant) -> Motion {
        let place = instant.of_day();
        self.0.iter().map(|tone| tone.at(place)).fold(Motion::default(), Motion::plus)
    }
}

impl Tone {
    fn at(&self, place: PlaceInDay) -> Motion {
        let (sine, cosine) = (TAU * (place.turn(self.cycles_per_day) + self.phase)).sin_cos();
        let rad_per_s = TAU * f64::from(self.cycles_per_day) / SECONDS_PER_DAY;
        Motion {
            value: self.amplitude * sine,
            slope: self.amplitude * rad_per_s * cosine,
            integral: -self.amplitude / rad_per_s * cosine,
        }
    }
}

impl Motion {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
            integral: self.integral + other.integral,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::instant::ReportingRate;
    use super::*;

    const BAND: Band = Band { slowest: 72, octaves: 8, in_octave: 2, corner: 1440 };

    fn row(seconds: u64) -> impl Iterator<Item = Motion> {
        let tones = Tones::wandering(&mut Random::of(&[3]), BAND, 0.1);
        let rate = ReportingRate::new(100).unwrap();
        // From a quarter of an hour before midnight.
        let first = (86_400 * 20_000 - 900) * 100;
        (first..first + seconds * 100).map(move |index| tones.at(ReportingInstant::new(index, rate)))
    }

    #[test]
    fn slope_and_integral_fit_the_value_across_midnight() {
        const PERIOD: f64 = 0.01;
        let all: Vec<Motion> = row(1800).collect();
        for pair in all.windows(2) {
            let [before, after] = pair else { panic!("windows of two") };
            let slope = (after.value - before.value) / PERIOD;
            assert!((slope - f64::midpoint(before.slope, after.slope)).abs() < 1e-6);
            let mean = (after.integral - before.integral) / PERIOD;
            assert!((mean - f64::midpoint(before.value, after.value)).abs() < 1e-6);
        }
    }

    #[test]
    fn it_wanders_within_its_bound() {
        let values: Vec<f64> = row(1800).map(|motion| motion.value).collect();
        assert!(values.iter().all(|value| value.abs() <= 0.1));
        let (least, most) = values.iter().fold((0.0, 0.0), |(l, m): (f64, f64), &v| (l.min(v), m.max(v)));
        assert!(most - least > 0.02, "{least} to {most}");
    }
}
