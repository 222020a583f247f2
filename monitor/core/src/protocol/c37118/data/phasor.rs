//! Phasors: numbers in SI units, in the coordinates in which they were sent or as magnitude and angle.

use core::f64::consts::TAU;
use core::slice;

use super::super::format::{PhasorFormat, PhasorUnit};
use super::super::layout::PhasorScale;
use super::ANGLE_BITS_PER_RAD;
use super::number::{float, integer, present};

/// A phasor in SI units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phasor {
    /// V or A.
    pub unit: PhasorUnit,
    /// Root mean square, in [`Phasor::unit`].
    pub magnitude: f64,
    /// Radians, -pi to pi where the sender keeps to the standard.
    pub angle_rad: f64,
}

/// A phasor's two numbers in SI units, in the coordinates of its format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coordinates {
    /// V or A.
    Rectangular {
        /// The real part.
        re: f64,
        /// The imaginary part.
        im: f64,
    },
    /// V or A, and radians.
    Polar {
        /// Root mean square.
        magnitude: f64,
        /// Radians.
        angle_rad: f64,
    },
}

impl Coordinates {
    /// As (magnitude, angle in rad). Nothing overflows: the parts come from 32-bit floats at most.
    #[must_use]
    #[inline]
    pub fn polar(self) -> (f64, f64) {
        match self {
            Self::Rectangular { re, im } => ((re * re + im * im).sqrt(), im.atan2(re)),
            Self::Polar { magnitude, angle_rad } => (magnitude, angle_rad),
        }
    }

    /// Turned by an angle in rad, forward where positive. An angle that was within -pi and pi is so afterwards.
    #[must_use]
    pub fn turned(self, by_rad: f64) -> Self {
        match self {
            Self::Rectangular { re, im } => {
                let (sine, cosine) = by_rad.sin_cos();
                Self::Rectangular { re: re * cosine - im * sine, im: im * cosine + re * sine }
            }
            Self::Polar { magnitude, angle_rad } => {
                let angle = angle_rad + by_rad;
                let turns = (angle / TAU).round();
                Self::Polar { magnitude, angle_rad: angle - turns * TAU }
            }
        }
    }

    /// As (real part, imaginary part).
    #[must_use]
    #[inline]
    pub fn rectangular(self) -> (f64, f64) {
        match self {
            Self::Rectangular { re, im } => (re, im),
            Self::Polar { magnitude, angle_rad } => {
                (magnitude * angle_rad.cos(), magnitude * angle_rad.sin())
            }
        }
    }
}

/// The phasors of one PMU as magnitude and angle, in order; `None` for one that is absent.
#[derive(Clone, Debug)]
pub struct Phasors<'a>(pub(super) PhasorCoordinates<'a>);

impl Iterator for Phasors<'_> {
    type Item = Option<Phasor>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (unit, coordinates) = self.0.step()?;
        Some(coordinates.map(|coordinates| {
            let (magnitude, angle_rad) = coordinates.polar();
            Phasor { unit, magnitude, angle_rad }
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Phasors<'_> {}

/// The phasors of one PMU as they were sent, in order; `None` for one that is absent.
#[derive(Clone, Debug)]
pub struct PhasorCoordinates<'a> {
    pub(super) format: PhasorFormat,
    pub(super) bytes: &'a [u8],
    pub(super) scales: slice::Iter<'a, PhasorScale>,
}

impl PhasorCoordinates<'_> {
    #[inline]
    fn step(&mut self) -> Option<(PhasorUnit, Option<Coordinates>)> {
        let PhasorScale { per_bit, angle_rad: turn, unit } = *self.scales.next()?;
        let sent = match self.format {
            PhasorFormat::IntRectangular => {
                let [re, im] = self.split()?;
                integer(re, per_bit)
                    .zip(integer(im, per_bit))
                    .map(|(re, im)| Coordinates::Rectangular { re, im })
            }
            PhasorFormat::IntPolar => {
                let [magnitude, angle] = self.split()?;
                present(f64::from(u16::from_be_bytes(magnitude)) * per_bit)
                    .zip(integer(angle, 1.0))
                    .map(|(magnitude, angle)| (magnitude, angle / ANGLE_BITS_PER_RAD))
                    .map(|(magnitude, angle_rad)| Coordinates::Polar { magnitude, angle_rad })
            }
            PhasorFormat::FloatRectangular => {
                let [re, im] = self.split()?;
                float(re, per_bit).zip(float(im, per_bit)).map(|(re, im)| Coordinates::Rectangular { re, im })
            }
            PhasorFormat::FloatPolar => {
                let [magnitude, angle] = self.split()?;
                float(magnitude, per_bit)
                    .zip(float(angle, 1.0))
                    .map(|(magnitude, angle_rad)| Coordinates::Polar { magnitude, angle_rad })
            }
        };
        if turn == 0.0 {
            return Some((unit, sent));
        }
        Some((unit, sent.map(|sent| sent.turned(-f64::from(turn)))))
    }

    /// The next phasor's two numbers, of `N` bytes each.
    #[inline]
    fn split<const N: usize>(&mut self) -> Option<[[u8; N]; 2]> {
        let (first, rest) = self.bytes.split_first_chunk()?;
        let (second, rest) = rest.split_first_chunk()?;
        self.bytes = rest;
        Some([*first, *second])
    }
}

impl Iterator for PhasorCoordinates<'_> {
    type Item = Option<Coordinates>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.step().map(|(_, coordinates)| coordinates)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.scales.size_hint()
    }
}

impl ExactSizeIterator for PhasorCoordinates<'_> {}
