//! How a PMU's numbers are written (FORMAT, FNOM, PHUNIT of clause 6.4): what configuration, layout, data and
//! encoders all speak of.

use core::fmt;

/// Coordinates and number format of a PMU's phasors: bits 1 and 0 of FORMAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhasorFormat {
    /// Real and imaginary part, 16-bit integers scaled by PHUNIT.
    IntRectangular,
    /// Magnitude, 16-bit unsigned scaled by PHUNIT, and angle, 16-bit signed in 10^-4 rad.
    IntPolar,
    /// Real and imaginary part, 32-bit floats in V or A.
    FloatRectangular,
    /// Magnitude in V or A and angle in rad, 32-bit floats.
    FloatPolar,
}

impl PhasorFormat {
    /// All four, in the order of the FORMAT bits.
    pub const ALL: [Self; 4] =
        [Self::IntRectangular, Self::IntPolar, Self::FloatRectangular, Self::FloatPolar];

    /// 16-bit integers rather than 32-bit floats.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::IntRectangular | Self::IntPolar)
    }

    /// Bytes of one phasor in a DATA frame.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::IntRectangular | Self::IntPolar => 4,
            Self::FloatRectangular | Self::FloatPolar => 8,
        }
    }
}

/// FORMAT: how one PMU's values stand in DATA frames. Bits 15 to 4 mean nothing and are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format(u16);

impl Format {
    const POLAR: u16 = 1 << 0;
    const PHASORS_FLOAT: u16 = 1 << 1;
    const ANALOGS_FLOAT: u16 = 1 << 2;
    const FREQUENCY_FLOAT: u16 = 1 << 3;

    /// From the word of a configuration.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        Self(word)
    }

    /// From its parts; `float` or 16-bit integer for the analogs, and for FREQ and DFREQ.
    #[must_use]
    pub const fn new(phasors: PhasorFormat, analogs_float: bool, frequency_float: bool) -> Self {
        let phasors = match phasors {
            PhasorFormat::IntRectangular => 0,
            PhasorFormat::IntPolar => Self::POLAR,
            PhasorFormat::FloatRectangular => Self::PHASORS_FLOAT,
            PhasorFormat::FloatPolar => Self::PHASORS_FLOAT | Self::POLAR,
        };
        let analogs = if analogs_float { Self::ANALOGS_FLOAT } else { 0 };
        let frequency = if frequency_float { Self::FREQUENCY_FLOAT } else { 0 };
        Self(phasors | analogs | frequency)
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> u16 {
        self.0
    }

    /// How the phasors are written.
    #[must_use]
    pub const fn phasors(self) -> PhasorFormat {
        match (self.0 & Self::PHASORS_FLOAT != 0, self.0 & Self::POLAR != 0) {
            (false, false) => PhasorFormat::IntRectangular,
            (false, true) => PhasorFormat::IntPolar,
            (true, false) => PhasorFormat::FloatRectangular,
            (true, true) => PhasorFormat::FloatPolar,
        }
    }

    /// Analogs are 32-bit floats rather than 16-bit integers.
    #[must_use]
    pub const fn analogs_float(self) -> bool {
        self.0 & Self::ANALOGS_FLOAT != 0
    }

    /// FREQ and DFREQ are 32-bit floats (Hz, Hz/s) rather than 16-bit integers (mHz from nominal, 0.01 Hz/s).
    #[must_use]
    pub const fn frequency_float(self) -> bool {
        self.0 & Self::FREQUENCY_FLOAT != 0
    }

    /// Bytes of one analog in a DATA frame.
    #[must_use]
    pub const fn analog_size(self) -> usize {
        if self.analogs_float() { 4 } else { 2 }
    }

    /// Bytes of FREQ, and of DFREQ, in a DATA frame.
    #[must_use]
    pub const fn frequency_size(self) -> usize {
        if self.frequency_float() { 4 } else { 2 }
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format")
            .field("phasors", &self.phasors())
            .field("analogs_float", &self.analogs_float())
            .field("frequency_float", &self.frequency_float())
            .finish()
    }
}

/// FNOM bit 0: the frequency that integer FREQ is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NominalFrequency {
    /// Bit 0 set.
    Hz50,
    /// Bit 0 clear.
    Hz60,
}

impl NominalFrequency {
    /// From the word of a configuration; bits 15 to 1 are reserved.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        if word & 1 == 1 { Self::Hz50 } else { Self::Hz60 }
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> u16 {
        match self {
            Self::Hz50 => 1,
            Self::Hz60 => 0,
        }
    }

    /// 50 or 60.
    #[must_use]
    pub const fn hz(self) -> u8 {
        match self {
            Self::Hz50 => 50,
            Self::Hz60 => 60,
        }
    }
}

/// What a phasor measures: the most significant byte of PHUNIT, 0 for volts. Any other value is taken as
/// amperes, of which the standard knows 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhasorUnit {
    /// Voltage in V.
    Volt,
    /// Current in A.
    Ampere,
}

impl PhasorUnit {
    pub(super) const fn from_byte(byte: u8) -> Self {
        if byte == 0 { Self::Volt } else { Self::Ampere }
    }

    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Volt => 0,
            Self::Ampere => 1,
        }
    }

    /// The unit's symbol, "V" or "A".
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Volt => "V",
            Self::Ampere => "A",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_parts() {
        for word in 0..16 {
            let format = Format::from_word(word);
            assert_eq!(
                Format::new(format.phasors(), format.analogs_float(), format.frequency_float()).word(),
                word
            );
        }
        assert_eq!(Format::from_word(0xFFF3).phasors(), PhasorFormat::FloatPolar);
        assert!(!Format::from_word(0xFFF3).analogs_float());
    }
}
