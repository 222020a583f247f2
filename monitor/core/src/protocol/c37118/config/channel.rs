//! The channels of one PMU: phasors, analogs, digital status words.

use super::super::format::PhasorUnit;
use super::super::text::Text;
use super::names::Names;
use super::scaling::{
    ANSCALE_SIZE, AnalogKind, AnalogScale3, AnalogScaling, PHSCALE_SIZE, PhasorScale3, PhasorScaling,
    UNIT_SIZE,
};

/// Bits, and so names, of one digital status word.
pub(in super::super) const DIGITAL_BITS: usize = 16;

/// One phasor channel: its CHNAM, and PHUNIT or PHSCALE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhasorChannel<'a> {
    /// The channel's name: 16 bytes at most in CFG-1 and CFG-2, 255 in CFG-3.
    pub name: Text<'a>,
    /// What it measures.
    pub unit: PhasorUnit,
    /// How its numbers are scaled: by PHUNIT in CFG-1 and CFG-2, by PHSCALE in CFG-3.
    pub scaling: PhasorScaling,
}

/// One analog channel: its CHNAM, and ANUNIT or ANSCALE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalogChannel<'a> {
    /// The channel's name: 16 bytes at most in CFG-1 and CFG-2, 255 in CFG-3.
    pub name: Text<'a>,
    /// How its numbers are scaled: by ANUNIT in CFG-1 and CFG-2, by ANSCALE in CFG-3.
    pub scaling: AnalogScaling,
}

/// One digital status word: its 16 names and DIGUNIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigitalChannel<'a> {
    /// The bits' names, the least significant bit's first.
    pub names: [Text<'a>; DIGITAL_BITS],
    /// The bits' normal states.
    pub normal: u16,
    /// The bits that are in use.
    pub valid: u16,
}

/// The scalings of one kind of channel, one behind another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Units<'a> {
    /// PHUNIT or ANUNIT.
    Unit(&'a [[u8; UNIT_SIZE]]),
    /// PHSCALE.
    PhasorScale(&'a [[u8; PHSCALE_SIZE]]),
    /// ANSCALE.
    AnalogScale(&'a [[u8; ANSCALE_SIZE]]),
}

impl Units<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::Unit(units) => units.len(),
            Self::PhasorScale(units) => units.len(),
            Self::AnalogScale(units) => units.len(),
        }
    }
}

/// The phasor channels of one PMU, in order.
#[derive(Clone, Debug)]
pub struct PhasorChannels<'a> {
    pub(super) names: Names<'a>,
    pub(super) units: Units<'a>,
}

impl<'a> Iterator for PhasorChannels<'a> {
    type Item = PhasorChannel<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (unit, scaling) = match &mut self.units {
            Units::Unit(units) => {
                let [unit, high, mid, low] = split(units)?;
                let factor = u32::from_be_bytes([0, high, mid, low]);
                (PhasorUnit::from_byte(unit), PhasorScaling::Unit { factor })
            }
            Units::PhasorScale(units) => {
                let (unit, scale) = PhasorScale3::read(split(units)?);
                (unit, PhasorScaling::Scale(scale))
            }
            Units::AnalogScale(_) => return None,
        };
        Some(PhasorChannel { name: self.names.next()?, unit, scaling })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.units.len(), Some(self.units.len()))
    }
}

impl ExactSizeIterator for PhasorChannels<'_> {}

/// The analog channels of one PMU, in order.
#[derive(Clone, Debug)]
pub struct AnalogChannels<'a> {
    pub(super) names: Names<'a>,
    pub(super) units: Units<'a>,
}

impl<'a> Iterator for AnalogChannels<'a> {
    type Item = AnalogChannel<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let scaling = match &mut self.units {
            Units::Unit(units) => {
                let [kind, high, mid, low] = split(units)?;
                // Shifted down from the top, the 24 bits keep their sign.
                let scale = i32::from_be_bytes([high, mid, low, 0]) >> 8;
                AnalogScaling::Unit { kind: AnalogKind::from_byte(kind), scale }
            }
            Units::AnalogScale(units) => AnalogScaling::Scale(AnalogScale3::read(split(units)?)),
            Units::PhasorScale(_) => return None,
        };
        Some(AnalogChannel { name: self.names.next()?, scaling })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.units.len(), Some(self.units.len()))
    }
}

impl ExactSizeIterator for AnalogChannels<'_> {}

/// The digital status words of one PMU, in order.
#[derive(Clone, Debug)]
pub struct DigitalChannels<'a> {
    pub(super) names: Names<'a>,
    pub(super) units: &'a [[u8; UNIT_SIZE]],
}

impl<'a> Iterator for DigitalChannels<'a> {
    type Item = DigitalChannel<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let [n0, n1, v0, v1] = split(&mut self.units)?;
        let mut names = [Text::default(); DIGITAL_BITS];
        for name in &mut names {
            *name = self.names.next()?;
        }
        Some(DigitalChannel {
            names,
            normal: u16::from_be_bytes([n0, n1]),
            valid: u16::from_be_bytes([v0, v1]),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.units.len(), Some(self.units.len()))
    }
}

impl ExactSizeIterator for DigitalChannels<'_> {}

fn split<const N: usize>(units: &mut &[[u8; N]]) -> Option<[u8; N]> {
    let (unit, rest) = units.split_first()?;
    *units = rest;
    Some(*unit)
}
