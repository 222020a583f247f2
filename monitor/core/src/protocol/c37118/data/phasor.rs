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

#[inline]
fn int_rectangular([re, im]: [[u8; 2]; 2], per_bit: f64) -> Option<Coordinates> {
    let (re, im) = (integer(re, per_bit)?, integer(im, per_bit)?);
    Some(Coordinates::Rectangular { re, im })
}

#[inline]
fn int_polar([magnitude, angle]: [[u8; 2]; 2], per_bit: f64) -> Option<Coordinates> {
    let magnitude = present(f64::from(u16::from_be_bytes(magnitude)) * per_bit)?;
    let angle_rad = integer(angle, 1.0)? / ANGLE_BITS_PER_RAD;
    Some(Coordinates::Polar { magnitude, angle_rad })
}

#[inline]
fn float_rectangular([re, im]: [[u8; 4]; 2], per_bit: f64) -> Option<Coordinates> {
    let (re, im) = (float(re, per_bit)?, float(im, per_bit)?);
    Some(Coordinates::Rectangular { re, im })
}

#[inline]
fn float_polar([magnitude, angle]: [[u8; 4]; 2], per_bit: f64) -> Option<Coordinates> {
    let (magnitude, angle_rad) = (float(magnitude, per_bit)?, float(angle, 1.0)?);
    Some(Coordinates::Polar { magnitude, angle_rad })
}

/// As a CFG-3's PHSCALE says that the phasor was turned.
#[inline]
fn turned(sent: Option<Coordinates>, turn: f32) -> Option<Coordinates> {
    if turn == 0.0 { sent } else { sent.map(|sent| sent.turned(-f64::from(turn))) }
}

impl PhasorCoordinates<'_> {
    #[inline]
    fn step(&mut self) -> Option<(PhasorUnit, Option<Coordinates>)> {
        let PhasorScale { per_bit, angle_rad: turn, unit } = *self.scales.next()?;
        let sent = match self.format {
            PhasorFormat::IntRectangular => int_rectangular(self.split()?, per_bit),
            PhasorFormat::IntPolar => int_polar(self.split()?, per_bit),
            PhasorFormat::FloatRectangular => float_rectangular(self.split()?, per_bit),
            PhasorFormat::FloatPolar => float_polar(self.split()?, per_bit),
        };
        Some((unit, turned(sent, turn)))
    }

    /// All that are left, of one format.
    #[inline]
    fn fold_read<const N: usize, B>(
        self,
        read: impl Fn([[u8; N]; 2], f64) -> Option<Coordinates>,
        first: B,
        mut each: impl FnMut(B, Option<Coordinates>) -> B,
    ) -> B {
        let (numbers, _) = self.bytes.as_chunks::<N>();
        let (pairs, _) = numbers.as_chunks::<2>();
        pairs.iter().zip(self.scales).fold(first, |before, (pair, scale)| {
            each(before, turned(read(*pair, scale.per_bit), scale.angle_rad))
        })
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

    /// The format is looked at once, not for each phasor.
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, first: B, each: F) -> B {
        match self.format {
            PhasorFormat::IntRectangular => self.fold_read(int_rectangular, first, each),
            PhasorFormat::IntPolar => self.fold_read(int_polar, first, each),
            PhasorFormat::FloatRectangular => self.fold_read(float_rectangular, first, each),
            PhasorFormat::FloatPolar => self.fold_read(float_polar, first, each),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.scales.size_hint()
    }
}

impl ExactSizeIterator for PhasorCoordinates<'_> {}
