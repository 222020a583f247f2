//! Encoders: frames written into the caller's buffer, for the simulator and the tests.
//!
//! Each returns the frame's length. Nothing is allocated, cut or wrapped: what does not fit, a frame into its
//! buffer or a value into its field, is an [`EncodeError`], and the buffer then holds nothing of use. The
//! channel types are those that [`super::ConfigView`] yields, so that what was read can be written again.

use core::fmt;

use super::command::Command;
use super::config::{
    AnalogChannel, DIGITAL_BITS, DigitalChannel, NAME_SIZE, PMU_PREFIX_SIZE, PMU_SUFFIX_SIZE, PREFIX_SIZE,
    PhasorChannel, SUFFIX_SIZE, UNIT_SIZE,
};
use super::crc;
use super::data::{
    ABSENT, ANGLE_BITS_PER_RAD, Coordinates, FREQUENCY_BITS_PER_HZ, ROCOF_BITS_PER_HZ_PER_S, nominal_hz,
};
use super::format::{Format, NominalFrequency, PhasorFormat};
use super::frame::{CHECK_SIZE, FrameHeader, FrameKind, IdCode, MIN_FRAME_SIZE, Version};
use super::layout::{AnalogScale, Layout, PhasorScale, PmuLayout};
use super::stat::Stat;
use super::text::Text;
use super::time::{DataRate, TimeBase, TimeTag};

/// The largest value of a field of 24 bits: PHUNIT's factor.
const FACTOR_MAX: u32 = (1 << 24) - 1;

/// ANUNIT's scale is a signed number of 24 bits.
const SCALE_RANGE: core::ops::RangeInclusive<i32> = -(1 << 23)..=(1 << 23) - 1;

/// What every frame begins with, apart from its type and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// The edition to claim.
    pub version: Version,
    /// The stream's IDCODE.
    pub idcode: IdCode,
    /// SOC and FRACSEC.
    pub time: TimeTag,
}

impl From<&FrameHeader> for Preamble {
    fn from(header: &FrameHeader) -> Self {
        Self { version: header.version, idcode: header.idcode, time: header.time }
    }
}

/// What a CFG-1 or CFG-2 frame says.
#[derive(Clone, Copy, Debug)]
pub struct StreamConfig<'a> {
    /// TIME_BASE.
    pub time_base: TimeBase,
    /// The PMUs, 1 to 65535.
    pub stations: &'a [StationConfig<'a>],
    /// DATA_RATE.
    pub data_rate: DataRate,
}

/// What a CFG-1 or CFG-2 frame says of one PMU.
#[derive(Clone, Copy, Debug)]
pub struct StationConfig<'a> {
    /// STN, 16 bytes at most.
    pub station: Text<'a>,
    /// The PMU's own IDCODE.
    pub idcode: IdCode,
    /// How its values are written.
    pub format: Format,
    /// The phasor channels.
    pub phasors: &'a [PhasorChannel<'a>],
    /// The analog channels.
    pub analogs: &'a [AnalogChannel<'a>],
    /// The digital status words.
    pub digitals: &'a [DigitalChannel<'a>],
    /// FNOM.
    pub nominal: NominalFrequency,
    /// CFGCNT.
    pub config_count: u16,
}

/// CFG-1 or CFG-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// What the sender could send.
    Config1,
    /// What the sender sends.
    Config2,
}

/// One PMU's measurements at one instant, in SI units. `None` is written as the standard's absent value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PmuSample<'a> {
    /// STAT.
    pub stat: Stat,
    /// The phasors, in either coordinates whatever the format: as many as the layout says.
    pub phasors: &'a [Option<Coordinates>],
    /// The frequency in Hz, absolute.
    pub frequency_hz: Option<f64>,
    /// The rate of change of frequency in Hz/s.
    pub rocof_hz_per_s: Option<f64>,
    /// The analogs: as many as the layout says. An integer analog cannot be absent.
    pub analogs: &'a [Option<f64>],
    /// The digital status words: as many as the layout says.
    pub digitals: &'a [u16],
}

/// Writes a DATA frame as `layout` says.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, an empty layout, other numbers of PMUs or channels than the
/// layout's, a value that its field cannot hold.
pub fn data(
    out: &mut [u8],
    preamble: &Preamble,
    layout: &Layout,
    samples: &[PmuSample<'_>],
) -> Result<usize, EncodeError> {
    let stream = layout.stream().ok_or(EncodeError::NoLayout)?;
    expect_count("PMUs", None, layout.pmus().len(), samples.len())?;
    let mut frame = Frame::begin(out, FrameKind::Data, preamble, usize::from(stream.data_framesize))?;
    for (number, (pmu, sample)) in (1..).zip(layout.pmus().iter().zip(samples)) {
        let mut block = Block { frame: &mut frame, pmu, number };
        block.write(sample, layout.phasor_scales(pmu), layout.analog_scales(pmu))?;
    }
    frame.finish()
}

/// Writes a CFG-1 or CFG-2 frame.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, a frame beyond 65535 bytes, a name beyond 16 bytes, a factor or
/// scale beyond its 24 bits.
pub fn config(
    out: &mut [u8],
    preamble: &Preamble,
    kind: ConfigKind,
    stream: &StreamConfig<'_>,
) -> Result<usize, EncodeError> {
    let kind = match kind {
        ConfigKind::Config1 => FrameKind::Config1,
        ConfigKind::Config2 => FrameKind::Config2,
    };
    let stations: usize = stream.stations.iter().map(station_size).sum();
    let mut frame = Frame::begin(out, kind, preamble, MIN_FRAME_SIZE + PREFIX_SIZE + stations + SUFFIX_SIZE)?;
    frame.put(&stream.time_base.get().to_be_bytes())?;
    frame.put_count(stream.stations.len())?;
    for (number, station) in (1..).zip(stream.stations) {
        frame.put_station(station, number)?;
    }
    frame.put(&stream.data_rate.word().to_be_bytes())?;
    frame.finish()
}

/// Writes a HDR frame.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, a text beyond 65519 bytes.
pub fn header(out: &mut [u8], preamble: &Preamble, text: Text<'_>) -> Result<usize, EncodeError> {
    let mut frame = Frame::begin(out, FrameKind::Header, preamble, MIN_FRAME_SIZE + text.raw().len())?;
    frame.put(text.raw())?;
    frame.finish()
}

/// Writes a CMD frame; `extended` stands behind CMD, and is empty but for [`Command::Extended`].
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, extended data beyond 65517 bytes.
pub fn command(
    out: &mut [u8],
    preamble: &Preamble,
    command: Command,
    extended: &[u8],
) -> Result<usize, EncodeError> {
    let size = FrameKind::Command.min_size() + extended.len();
    let mut frame = Frame::begin(out, FrameKind::Command, preamble, size)?;
    frame.put(&command.word().to_be_bytes())?;
    frame.put(extended)?;
    frame.finish()
}

/// Writes CHK anew over the last two bytes, after a byte of `frame` was changed on purpose. Fewer than two
/// bytes are left alone.
pub fn reseal(frame: &mut [u8]) {
    if let Some((checked, check)) = frame.split_last_chunk_mut::<CHECK_SIZE>() {
        *check = crc::checksum(checked).to_be_bytes();
    }
}

/// Bytes of a PMU's block in a CFG-1 or CFG-2.
fn station_size(station: &StationConfig<'_>) -> usize {
    let names = station.phasors.len() + station.analogs.len() + station.digitals.len() * DIGITAL_BITS;
    let units = station.phasors.len() + station.analogs.len() + station.digitals.len();
    PMU_PREFIX_SIZE + names * NAME_SIZE + units * UNIT_SIZE + PMU_SUFFIX_SIZE
}

fn expect_count(
    what: &'static str,
    pmu: Option<u16>,
    expected: usize,
    given: usize,
) -> Result<(), EncodeError> {
    if expected == given { Ok(()) } else { Err(EncodeError::Count { what, pmu, expected, given }) }
}

/// A frame being written: its bytes, and how many of them there are.
struct Frame<'o> {
    bytes: &'o mut [u8],
    at: usize,
}

impl<'o> Frame<'o> {
    fn begin(
        out: &'o mut [u8],
        kind: FrameKind,
        preamble: &Preamble,
        size: usize,
    ) -> Result<Self, EncodeError> {
        let framesize = u16::try_from(size).map_err(|_| EncodeError::FrameTooLarge { size })?;
        let present = out.len();
        let bytes = out.get_mut(..size).ok_or(EncodeError::BufferTooSmall { needed: size, present })?;
        let Preamble { version, idcode, time } = *preamble;
        let header = FrameHeader { kind, version, framesize, idcode, time };
        let mut frame = Self { bytes, at: 0 };
        frame.put(&header.sync().to_be_bytes())?;
        frame.put(&framesize.to_be_bytes())?;
        frame.put(&idcode.0.to_be_bytes())?;
        frame.put(&time.soc().to_be_bytes())?;
        frame.put(&time.fracsec().to_be_bytes())?;
        Ok(frame)
    }

    fn put(&mut self, field: &[u8]) -> Result<(), EncodeError> {
        let needed = self.at + field.len();
        let present = self.bytes.len();
        let place =
            self.bytes.get_mut(self.at..needed).ok_or(EncodeError::BufferTooSmall { needed, present })?;
        place.copy_from_slice(field);
        self.at = needed;
        Ok(())
    }

    fn put_count(&mut self, count: usize) -> Result<(), EncodeError> {
        // Every channel takes more than one byte, so a frame of 65535 bytes cannot hold a larger count.
        let count = u16::try_from(count).map_err(|_| EncodeError::FrameTooLarge { size: count })?;
        self.put(&count.to_be_bytes())
    }

    fn put_name(&mut self, name: Text<'_>, pmu: u16) -> Result<(), EncodeError> {
        let raw = name.raw();
        let mut field = [b' '; NAME_SIZE];
        field
            .get_mut(..raw.len())
            .ok_or(EncodeError::NameTooLong { pmu, length: raw.len() })?
            .copy_from_slice(raw);
        self.put(&field)
    }

    fn put_station(&mut self, station: &StationConfig<'_>, number: u16) -> Result<(), EncodeError> {
        let StationConfig {
            station: name,
            idcode,
            format,
            phasors,
            analogs,
            digitals,
            nominal,
            config_count,
        } = *station;
        self.put_name(name, number)?;
        self.put(&idcode.0.to_be_bytes())?;
        self.put(&format.word().to_be_bytes())?;
        self.put_count(phasors.len())?;
        self.put_count(analogs.len())?;
        self.put_count(digitals.len())?;
        let names =
            phasors.iter().map(|channel| channel.name).chain(analogs.iter().map(|channel| channel.name));
        for name in names.chain(digitals.iter().flat_map(|channel| channel.names)) {
            self.put_name(name, number)?;
        }
        for channel in phasors {
            self.put(&phasor_unit(channel, number)?)?;
        }
        for channel in analogs {
            self.put(&analog_unit(channel, number)?)?;
        }
        for channel in digitals {
            self.put(&channel.normal.to_be_bytes())?;
            self.put(&channel.valid.to_be_bytes())?;
        }
        self.put(&nominal.word().to_be_bytes())?;
        self.put(&config_count.to_be_bytes())
    }

    fn finish(mut self) -> Result<usize, EncodeError> {
        let written = self.bytes.get(..self.at).unwrap_or_default();
        let check = crc::checksum(written);
        self.put(&check.to_be_bytes())?;
        Ok(self.at)
    }
}

/// PHUNIT.
fn phasor_unit(channel: &PhasorChannel<'_>, pmu: u16) -> Result<[u8; UNIT_SIZE], EncodeError> {
    if channel.factor > FACTOR_MAX {
        return Err(EncodeError::Range { field: "PHUNIT", pmu, channel: None, value: channel.factor.into() });
    }
    let [_, high, mid, low] = channel.factor.to_be_bytes();
    Ok([channel.unit.byte(), high, mid, low])
}

/// ANUNIT.
fn analog_unit(channel: &AnalogChannel<'_>, pmu: u16) -> Result<[u8; UNIT_SIZE], EncodeError> {
    if !SCALE_RANGE.contains(&channel.scale) {
        return Err(EncodeError::Range { field: "ANUNIT", pmu, channel: None, value: channel.scale.into() });
    }
    let [_, high, mid, low] = channel.scale.to_be_bytes();
    Ok([channel.kind.byte(), high, mid, low])
}

/// One PMU's block of a DATA frame being written.
struct Block<'f, 'o> {
    frame: &'f mut Frame<'o>,
    pmu: &'f PmuLayout,
    number: u16,
}

impl Block<'_, '_> {
    fn write(
        &mut self,
        sample: &PmuSample<'_>,
        phasors: &[PhasorScale],
        analogs: &[AnalogScale],
    ) -> Result<(), EncodeError> {
        expect_count("phasors", Some(self.number), phasors.len(), sample.phasors.len())?;
        expect_count("analogs", Some(self.number), analogs.len(), sample.analogs.len())?;
        expect_count("digitals", Some(self.number), self.pmu.digitals().into(), sample.digitals.len())?;
        self.frame.put(&sample.stat.word().to_be_bytes())?;
        for (channel, (phasor, scale)) in (1..).zip(sample.phasors.iter().zip(phasors)) {
            self.put_phasor(*phasor, scale, channel)?;
        }
        self.put_frequency(sample)?;
        for (channel, (analog, scale)) in (1..).zip(sample.analogs.iter().zip(analogs)) {
            self.put_analog(*analog, scale, channel)?;
        }
        for word in sample.digitals {
            self.frame.put(&word.to_be_bytes())?;
        }
        Ok(())
    }

    fn put_phasor(
        &mut self,
        phasor: Option<Coordinates>,
        scale: &PhasorScale,
        channel: u16,
    ) -> Result<(), EncodeError> {
        let field = Field { name: "PHASORS", pmu: self.number, channel: Some(channel) };
        let format = self.pmu.format().phasors();
        let (first, second) = match format {
            PhasorFormat::IntRectangular | PhasorFormat::FloatRectangular => {
                phasor.map(Coordinates::rectangular)
            }
            PhasorFormat::IntPolar | PhasorFormat::FloatPolar => phasor.map(Coordinates::polar),
        }
        .unzip();
        match format {
            PhasorFormat::IntRectangular => {
                self.frame.put(&field.integer(first, scale.per_bit.recip())?)?;
                self.frame.put(&field.integer(second, scale.per_bit.recip())?)
            }
            PhasorFormat::IntPolar => {
                self.frame.put(&field.unsigned(first, scale.per_bit.recip())?)?;
                self.frame.put(&field.integer(second, ANGLE_BITS_PER_RAD)?)
            }
            PhasorFormat::FloatRectangular | PhasorFormat::FloatPolar => {
                self.frame.put(&field.float(first)?)?;
                self.frame.put(&field.float(second)?)
            }
        }
    }

    fn put_frequency(&mut self, sample: &PmuSample<'_>) -> Result<(), EncodeError> {
        let frequency = Field { name: "FREQ", pmu: self.number, channel: None };
        let rocof = Field { name: "DFREQ", pmu: self.number, channel: None };
        if self.pmu.format().frequency_float() {
            self.frame.put(&frequency.float(sample.frequency_hz)?)?;
            return self.frame.put(&rocof.float(sample.rocof_hz_per_s)?);
        }
        let deviation = sample.frequency_hz.map(|hz| hz - nominal_hz(self.pmu.nominal()));
        self.frame.put(&frequency.integer(deviation, FREQUENCY_BITS_PER_HZ)?)?;
        self.frame.put(&rocof.integer(sample.rocof_hz_per_s, ROCOF_BITS_PER_HZ_PER_S)?)
    }

    fn put_analog(
        &mut self,
        analog: Option<f64>,
        scale: &AnalogScale,
        channel: u16,
    ) -> Result<(), EncodeError> {
        let field = Field { name: "ANALOG", pmu: self.number, channel: Some(channel) };
        if self.pmu.format().analogs_float() {
            return self.frame.put(&field.float(analog)?);
        }
        let value = analog.ok_or(field.out_of_range(f64::NAN))? * scale.per_bit.recip();
        let bits = whole(value, i16::MIN.into(), i16::MAX.into()).ok_or(field.out_of_range(value))?;
        #[expect(clippy::cast_possible_truncation, reason = "`whole` has shown that it fits")]
        self.frame.put(&(bits as i16).to_be_bytes())
    }
}

/// Which field a value is written to, for the error that says so.
#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    pmu: u16,
    channel: Option<u16>,
}

impl Field {
    const fn out_of_range(self, value: f64) -> EncodeError {
        EncodeError::Range { field: self.name, pmu: self.pmu, channel: self.channel, value }
    }

    /// A signed 16-bit integer of `value` times `bits_per_unit`; absent is 0x8000, which no value becomes.
    fn integer(self, value: Option<f64>, bits_per_unit: f64) -> Result<[u8; 2], EncodeError> {
        let Some(value) = value else { return Ok(ABSENT.to_be_bytes()) };
        let bits = whole(scaled(value, bits_per_unit), f64::from(-i16::MAX), f64::from(i16::MAX))
            .ok_or(self.out_of_range(value))?;
        #[expect(clippy::cast_possible_truncation, reason = "`whole` has shown that it fits")]
        Ok((bits as i16).to_be_bytes())
    }

    /// An unsigned 16-bit integer; absent is 0, since only the angle tells that a polar phasor is absent.
    fn unsigned(self, value: Option<f64>, bits_per_unit: f64) -> Result<[u8; 2], EncodeError> {
        let value = value.unwrap_or(0.0);
        let bits =
            whole(scaled(value, bits_per_unit), 0.0, f64::from(u16::MAX)).ok_or(self.out_of_range(value))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`whole` has shown that it fits"
        )]
        Ok((bits as u16).to_be_bytes())
    }

    /// A 32-bit float, rounded to nearest; absent is NaN. A finite value may not become infinite.
    fn float(self, value: Option<f64>) -> Result<[u8; 4], EncodeError> {
        let Some(value) = value else { return Ok(f32::NAN.to_be_bytes()) };
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant, and overflow is looked for")]
        let narrow = value as f32;
        if value.is_nan() || narrow.is_infinite() && value.is_finite() {
            return Err(self.out_of_range(value));
        }
        Ok(narrow.to_be_bytes())
    }
}

/// `value` in bits. A scale of zero bits makes zero of everything, so only zero can be written with it.
fn scaled(value: f64, bits_per_unit: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value * bits_per_unit }
}

/// `value` rounded to the nearest whole number, if it lies within the range.
fn whole(value: f64, least: f64, most: f64) -> Option<f64> {
    let rounded = value.round();
    (least..=most).contains(&rounded).then_some(rounded)
}

/// Why a frame was not written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EncodeError {
    /// The buffer ends before the frame does.
    BufferTooSmall {
        /// Bytes of the frame.
        needed: usize,
        /// Bytes of the buffer.
        present: usize,
    },
    /// The frame would be larger than FRAMESIZE can say.
    FrameTooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// The layout is empty.
    NoLayout,
    /// Another number of PMUs or channels than the layout has.
    Count {
        /// What was counted.
        what: &'static str,
        /// The PMU they belong to, from 1.
        pmu: Option<u16>,
        /// The layout's number.
        expected: usize,
        /// The number given.
        given: usize,
    },
    /// A name has more than 16 bytes.
    NameTooLong {
        /// The PMU it belongs to, from 1.
        pmu: u16,
        /// Its length in bytes.
        length: usize,
    },
    /// A value that its field cannot hold.
    Range {
        /// The field.
        field: &'static str,
        /// The PMU it belongs to, from 1.
        pmu: u16,
        /// The channel, from 1, where the field has several.
        channel: Option<u16>,
        /// The value.
        value: f64,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed, present } => {
                write!(f, "the frame has {needed} bytes and the buffer {present}")
            }
            Self::FrameTooLarge { size } => {
                write!(f, "the frame would have {size} bytes, and FRAMESIZE ends at {}", u16::MAX)
            }
            Self::NoLayout => f.write_str("the layout is empty: fill it from a configuration first"),
            Self::Count { what, pmu, expected, given } => {
                write!(f, "{given} {what} are given where the layout has {expected}")?;
                pmu.map_or(Ok(()), |pmu| write!(f, " (PMU {pmu})"))
            }
            Self::NameTooLong { pmu, length } => {
                write!(f, "a name of PMU {pmu} has {length} bytes; CFG-1 and CFG-2 hold {NAME_SIZE}")
            }
            Self::Range { field, pmu, channel, value } => {
                write!(f, "{value} does not fit {field} of PMU {pmu}")?;
                channel.map_or(Ok(()), |channel| write!(f, ", channel {channel}"))
            }
        }
    }
}

impl core::error::Error for EncodeError {}
