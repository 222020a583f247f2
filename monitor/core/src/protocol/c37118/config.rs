//! Configuration frames (clause 6.4): how a stream's DATA frames are to be read, and what the channels are
//! called.
//!
//! CFG-1 and CFG-2 have one structure, which [`ConfigView::new`] walks once from end to end; after that its
//! iterators cannot fail. The channel types here are also what the encoders take.

use core::fmt;

use super::format::{Format, NominalFrequency, PhasorUnit};
use super::frame::{FrameKind, FrameView, HEADER_SIZE, IdCode};
use super::text::Text;
use super::time::{DataRate, TimeBase};

/// The size of a station's or channel's name in CFG-1 and CFG-2.
pub(super) const NAME_SIZE: usize = 16;

/// Bits, and so names, of one digital status word.
pub(super) const DIGITAL_BITS: usize = 16;

/// TIME_BASE 4, `NUM_PMU` 2.
pub(super) const PREFIX_SIZE: usize = 6;

/// STN 16, IDCODE 2, FORMAT 2, PHNMR 2, ANNMR 2, DGNMR 2.
pub(super) const PMU_PREFIX_SIZE: usize = NAME_SIZE + 10;

/// FNOM 2, CFGCNT 2.
pub(super) const PMU_SUFFIX_SIZE: usize = 4;

/// DATA_RATE.
pub(super) const SUFFIX_SIZE: usize = 2;

/// The size of PHUNIT, ANUNIT and DIGUNIT for each channel.
pub(super) const UNIT_SIZE: usize = 4;

/// A whole configuration frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ConfigView<'a> {
    frame: FrameView<'a>,
    time_base: TimeBase,
    num_pmu: u16,
    blocks: &'a [u8],
    data_rate: i16,
}

impl<'a> ConfigView<'a> {
    /// The configuration in `frame`, a CFG-1 or CFG-2.
    ///
    /// # Errors
    /// [`ConfigError`]: another kind of frame, a CFG-3, no TIME_BASE, no PMU, or counts that do not add up to
    /// the frame's size.
    pub fn new(frame: FrameView<'a>) -> Result<Self, ConfigError> {
        match frame.kind() {
            FrameKind::Config1 | FrameKind::Config2 => {}
            FrameKind::Config3 => return Err(ConfigError::Unsupported { kind: FrameKind::Config3 }),
            kind => return Err(ConfigError::NotConfiguration { kind }),
        }
        let mut reader = Reader { rest: frame.body(), at: HEADER_SIZE, pmu: None };
        let time_base = u32::from_be_bytes(*reader.array("TIME_BASE")?);
        let num_pmu = u16::from_be_bytes(*reader.array("NUM_PMU")?);
        let time_base = TimeBase::from_word(time_base).ok_or(ConfigError::TimeBase)?;
        if num_pmu == 0 {
            return Err(ConfigError::NoPmu);
        }
        let blocks = reader.rest;
        for pmu in 1..=num_pmu {
            reader.pmu = Some(pmu);
            PmuConfig::read(&mut reader)?;
        }
        reader.pmu = None;
        let data_rate = i16::from_be_bytes(*reader.array("DATA_RATE")?);
        if !reader.rest.is_empty() {
            return Err(ConfigError::Excess { at: reader.at, left: reader.rest.len() });
        }
        Ok(Self { frame, time_base, num_pmu, blocks, data_rate })
    }

    /// The frame that holds it.
    #[must_use]
    pub const fn frame(&self) -> FrameView<'a> {
        self.frame
    }

    /// CFG-1 (what the sender could send) or CFG-2 (what it sends).
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.frame.kind()
    }

    /// The stream's IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.frame.idcode()
    }

    /// TIME_BASE without its flags.
    #[must_use]
    pub const fn time_base(&self) -> TimeBase {
        self.time_base
    }

    /// `NUM_PMU`, at least 1.
    #[must_use]
    pub const fn num_pmu(&self) -> u16 {
        self.num_pmu
    }

    /// DATA_RATE; `None` where it is 0 and so states no rate. The frames can be read without it.
    #[must_use]
    pub const fn data_rate(&self) -> Option<DataRate> {
        DataRate::from_word(self.data_rate)
    }

    /// The PMUs in the order of their blocks in DATA frames.
    #[must_use]
    pub const fn pmus(&self) -> PmuConfigs<'a> {
        PmuConfigs { rest: self.blocks, left: self.num_pmu }
    }
}

/// The PMUs of a configuration, in order.
#[derive(Clone, Debug)]
pub struct PmuConfigs<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Iterator for PmuConfigs<'a> {
    type Item = PmuConfig<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: the view was made by reading these very blocks.
        let mut reader = Reader { rest: self.rest, at: 0, pmu: None };
        let pmu = PmuConfig::read(&mut reader).ok()?;
        self.rest = reader.rest;
        Some(pmu)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for PmuConfigs<'_> {}

/// One PMU of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct PmuConfig<'a> {
    station: &'a [u8],
    idcode: u16,
    format: u16,
    names: [&'a [u8]; 3],
    units: [&'a [u8]; 3],
    nominal: u16,
    config_count: u16,
}

impl<'a> PmuConfig<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ConfigError> {
        let station = reader.take(NAME_SIZE, "STN")?;
        let idcode = reader.word("IDCODE")?;
        let format = reader.word("FORMAT")?;
        let phasors = usize::from(reader.word("PHNMR")?);
        let analogs = usize::from(reader.word("ANNMR")?);
        let digitals = usize::from(reader.word("DGNMR")?);
        // Nothing overflows: each count is below 2^16, and is multiplied by 256 at most.
        let names = [
            reader.take(phasors * NAME_SIZE, "CHNAM of the phasors (PHNMR)")?,
            reader.take(analogs * NAME_SIZE, "CHNAM of the analogs (ANNMR)")?,
            reader.take(digitals * DIGITAL_BITS * NAME_SIZE, "CHNAM of the digitals (DGNMR)")?,
        ];
        let units = [
            reader.take(phasors * UNIT_SIZE, "PHUNIT")?,
            reader.take(analogs * UNIT_SIZE, "ANUNIT")?,
            reader.take(digitals * UNIT_SIZE, "DIGUNIT")?,
        ];
        let nominal = reader.word("FNOM")?;
        let config_count = reader.word("CFGCNT")?;
        Ok(Self { station, idcode, format, names, units, nominal, config_count })
    }

    /// The station's name, STN.
    #[must_use]
    pub const fn station(&self) -> Text<'a> {
        Text::new(self.station)
    }

    /// This PMU's own IDCODE, which is not the stream's.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        IdCode(self.idcode)
    }

    /// FORMAT.
    #[must_use]
    pub const fn format(&self) -> Format {
        Format::from_word(self.format)
    }

    /// FNOM.
    #[must_use]
    pub const fn nominal(&self) -> NominalFrequency {
        NominalFrequency::from_word(self.nominal)
    }

    /// CFGCNT: how often the configuration was changed.
    #[must_use]
    pub const fn config_count(&self) -> u16 {
        self.config_count
    }

    /// The phasor channels.
    #[must_use]
    pub const fn phasors(&self) -> PhasorChannels<'a> {
        let ([names, _, _], [units, _, _]) = (self.names, self.units);
        PhasorChannels { names, units }
    }

    /// The analog channels.
    #[must_use]
    pub const fn analogs(&self) -> AnalogChannels<'a> {
        let ([_, names, _], [_, units, _]) = (self.names, self.units);
        AnalogChannels { names, units }
    }

    /// The digital status words.
    #[must_use]
    pub const fn digitals(&self) -> DigitalChannels<'a> {
        let ([_, _, names], [_, _, units]) = (self.names, self.units);
        DigitalChannels { names, units }
    }
}

/// One phasor channel: its CHNAM and PHUNIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhasorChannel<'a> {
    /// The channel's name; 16 bytes at most in CFG-1 and CFG-2.
    pub name: Text<'a>,
    /// What it measures.
    pub unit: PhasorUnit,
    /// The low 24 bits of PHUNIT: 10^-5 V or A to a bit of the integer formats; the float formats ignore it.
    pub factor: u32,
}

/// One analog channel: its CHNAM and ANUNIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalogChannel<'a> {
    /// The channel's name; 16 bytes at most in CFG-1 and CFG-2.
    pub name: Text<'a>,
    /// How the value was taken.
    pub kind: AnalogKind,
    /// The low 24 bits of ANUNIT, signed: a scaling whose meaning the user defines. Decoding does not apply it.
    pub scale: i32,
}

/// The most significant byte of ANUNIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnalogKind {
    /// 0: a single point on the wave.
    PointOnWave,
    /// 1: root mean square.
    Rms,
    /// 2: peak.
    Peak,
    /// 3 to 64 reserved, 65 to 255 the user's own.
    Other(u8),
}

impl AnalogKind {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::PointOnWave,
            1 => Self::Rms,
            2 => Self::Peak,
            other => Self::Other(other),
        }
    }

    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::PointOnWave => 0,
            Self::Rms => 1,
            Self::Peak => 2,
            Self::Other(byte) => byte,
        }
    }
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

/// The phasor channels of one PMU, in order.
#[derive(Clone, Debug)]
pub struct PhasorChannels<'a> {
    names: &'a [u8],
    units: &'a [u8],
}

impl<'a> Iterator for PhasorChannels<'a> {
    type Item = PhasorChannel<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = split_name(&mut self.names)?;
        let [unit, high, mid, low] = split_unit(&mut self.units)?;
        let factor = u32::from_be_bytes([0, high, mid, low]);
        Some(PhasorChannel { name, unit: PhasorUnit::from_byte(unit), factor })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        channels(self.units)
    }
}

impl ExactSizeIterator for PhasorChannels<'_> {}

/// The analog channels of one PMU, in order.
#[derive(Clone, Debug)]
pub struct AnalogChannels<'a> {
    names: &'a [u8],
    units: &'a [u8],
}

impl<'a> Iterator for AnalogChannels<'a> {
    type Item = AnalogChannel<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = split_name(&mut self.names)?;
        let [kind, high, mid, low] = split_unit(&mut self.units)?;
        // Shifted down from the top, the 24 bits keep their sign.
        let scale = i32::from_be_bytes([high, mid, low, 0]) >> 8;
        Some(AnalogChannel { name, kind: AnalogKind::from_byte(kind), scale })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        channels(self.units)
    }
}

impl ExactSizeIterator for AnalogChannels<'_> {}

/// The digital status words of one PMU, in order.
#[derive(Clone, Debug)]
pub struct DigitalChannels<'a> {
    names: &'a [u8],
    units: &'a [u8],
}

impl<'a> Iterator for DigitalChannels<'a> {
    type Item = DigitalChannel<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let [n0, n1, v0, v1] = split_unit(&mut self.units)?;
        let mut names = [Text::default(); DIGITAL_BITS];
        for name in &mut names {
            *name = split_name(&mut self.names)?;
        }
        Some(DigitalChannel {
            names,
            normal: u16::from_be_bytes([n0, n1]),
            valid: u16::from_be_bytes([v0, v1]),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        channels(self.units)
    }
}

impl ExactSizeIterator for DigitalChannels<'_> {}

fn split_name<'a>(names: &mut &'a [u8]) -> Option<Text<'a>> {
    let (name, rest) = names.split_at_checked(NAME_SIZE)?;
    *names = rest;
    Some(Text::new(name))
}

fn split_unit(units: &mut &[u8]) -> Option<[u8; UNIT_SIZE]> {
    let (unit, rest) = units.split_first_chunk()?;
    *units = rest;
    Some(*unit)
}

const fn channels(units: &[u8]) -> (usize, Option<usize>) {
    let left = units.len() / UNIT_SIZE;
    (left, Some(left))
}

/// Takes field after field, and knows where it stands.
struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
    pmu: Option<u16>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, needed: usize, field: &'static str) -> Result<&'a [u8], ConfigError> {
        let Some((taken, rest)) = self.rest.split_at_checked(needed) else {
            return Err(ConfigError::Short {
                field,
                pmu: self.pmu,
                at: self.at,
                needed,
                present: self.rest.len(),
            });
        };
        (self.rest, self.at) = (rest, self.at + needed);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<&'a [u8; N], ConfigError> {
        let (at, present) = (self.at, self.rest.len());
        let taken = self.take(N, field)?;
        taken.first_chunk().ok_or(ConfigError::Short { field, pmu: self.pmu, at, needed: N, present })
    }

    fn word(&mut self, field: &'static str) -> Result<u16, ConfigError> {
        self.array(field).map(|word| u16::from_be_bytes(*word))
    }
}

/// Why a frame is not a configuration that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A frame of another kind.
    NotConfiguration {
        /// What it is.
        kind: FrameKind,
    },
    /// A configuration whose structure is not read here: CFG-3.
    Unsupported {
        /// What it is.
        kind: FrameKind,
    },
    /// TIME_BASE counts zero parts to the second.
    TimeBase,
    /// `NUM_PMU` is zero.
    NoPmu,
    /// A field reaches beyond the frame: a count is too large or the frame too short.
    Short {
        /// The field, and the count that sizes it.
        field: &'static str,
        /// The PMU it belongs to, from 1; `None` for the stream's own fields.
        pmu: Option<u16>,
        /// Where it begins, in bytes from SYNC.
        at: usize,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that are left before CHK.
        present: usize,
    },
    /// Bytes are left behind DATA_RATE: a count is too small or the frame too long.
    Excess {
        /// Where they begin, in bytes from SYNC.
        at: usize,
        /// How many there are.
        left: usize,
    },
}

impl ConfigError {
    /// The name that other programs rely on: `not_configuration`, `unsupported`, `time_base`, `no_pmu`,
    /// `short`, `excess`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotConfiguration { .. } => "not_configuration",
            Self::Unsupported { .. } => "unsupported",
            Self::TimeBase => "time_base",
            Self::NoPmu => "no_pmu",
            Self::Short { .. } => "short",
            Self::Excess { .. } => "excess",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfiguration { kind } => write!(f, "a {kind} frame is not a configuration"),
            Self::Unsupported { kind } => write!(f, "{kind} is not read; ask the sender for CFG-2"),
            Self::TimeBase => f.write_str("TIME_BASE is 0, so no time can be computed"),
            Self::NoPmu => f.write_str("NUM_PMU is 0"),
            Self::Short { field, pmu, at, needed, present } => {
                write!(f, "{field} takes {needed} bytes at {at}, where the frame has {present}")?;
                pmu.map_or(Ok(()), |pmu| write!(f, " (PMU {pmu})"))
            }
            Self::Excess { at, left } => write!(f, "{left} bytes are left at {at}, behind DATA_RATE"),
        }
    }
}

impl core::error::Error for ConfigError {}
