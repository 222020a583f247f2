//! CFG-1 and CFG-2 (clause 6.4, Table 8).

use super::super::config::{
    AnalogChannel, AnalogScaling, DIGITAL_BITS, DigitalChannel, NAME_SIZE, PMU_SUFFIX_SIZE, PREFIX_SIZE,
    PhasorChannel, PhasorScaling, SUFFIX_SIZE, UNIT_SIZE,
};
use super::super::format::{Format, NominalFrequency};
use super::super::frame::{FrameKind, IdCode, MIN_FRAME_SIZE};
use super::super::text::Text;
use super::super::time::{DataRate, TimeBase};
use super::writer::Frame;
use super::{EncodeError, Preamble};

/// The largest value of a field of 24 bits: PHUNIT's factor.
const FACTOR_MAX: u32 = (1 << 24) - 1;

/// ANUNIT's scale is a signed number of 24 bits.
const SCALE_RANGE: core::ops::RangeInclusive<i32> = -(1 << 23)..=(1 << 23) - 1;

/// STN 16, IDCODE 2, FORMAT 2, PHNMR 2, ANNMR 2, DGNMR 2.
const PMU_PREFIX_SIZE: usize = NAME_SIZE + 10;

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

/// What a CFG-1 or CFG-2 frame says of one PMU, and a CFG-3 too ([`StationConfig3`](super::StationConfig3)).
#[derive(Clone, Copy, Debug)]
pub struct StationConfig<'a> {
    /// STN: 16 bytes at most, in CFG-3 255.
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

/// Writes a CFG-1 or CFG-2 frame.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, a frame beyond 65535 bytes, a name beyond 16 bytes, a factor or
/// scale beyond its 24 bits, a channel that is scaled as in CFG-3.
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
        put_station(&mut frame, station, number)?;
    }
    frame.put(&stream.data_rate.word().to_be_bytes())?;
    frame.finish()
}

/// Bytes of a PMU's block in a CFG-1 or CFG-2.
fn station_size(station: &StationConfig<'_>) -> usize {
    let names = station.phasors.len() + station.analogs.len() + station.digitals.len() * DIGITAL_BITS;
    let units = station.phasors.len() + station.analogs.len() + station.digitals.len();
    PMU_PREFIX_SIZE + names * NAME_SIZE + units * UNIT_SIZE + PMU_SUFFIX_SIZE
}

fn put_station(frame: &mut Frame<'_>, station: &StationConfig<'_>, number: u16) -> Result<(), EncodeError> {
    let StationConfig { station: name, idcode, format, phasors, analogs, digitals, nominal, config_count } =
        *station;
    frame.put_name(name, number)?;
    frame.put(&idcode.0.to_be_bytes())?;
    frame.put(&format.word().to_be_bytes())?;
    frame.put_count(phasors.len())?;
    frame.put_count(analogs.len())?;
    frame.put_count(digitals.len())?;
    let names = phasors.iter().map(|channel| channel.name).chain(analogs.iter().map(|channel| channel.name));
    for name in names.chain(digitals.iter().flat_map(|channel| channel.names)) {
        frame.put_name(name, number)?;
    }
    for (place, channel) in (1..).zip(phasors) {
        frame.put(&phasor_unit(channel, number, place)?)?;
    }
    for (place, channel) in (1..).zip(analogs) {
        frame.put(&analog_unit(channel, number, place)?)?;
    }
    for channel in digitals {
        frame.put(&channel.normal.to_be_bytes())?;
        frame.put(&channel.valid.to_be_bytes())?;
    }
    frame.put(&nominal.word().to_be_bytes())?;
    frame.put(&config_count.to_be_bytes())
}

/// PHUNIT.
fn phasor_unit(channel: &PhasorChannel<'_>, pmu: u16, place: usize) -> Result<[u8; UNIT_SIZE], EncodeError> {
    const FIELD: &str = "PHUNIT";
    let PhasorScaling::Unit { factor } = channel.scaling else {
        return Err(EncodeError::Scaling { field: FIELD, pmu, channel: place });
    };
    if factor > FACTOR_MAX {
        return Err(EncodeError::Range { field: FIELD, pmu, channel: None, value: factor.into() });
    }
    let [_, high, mid, low] = factor.to_be_bytes();
    Ok([channel.unit.byte(), high, mid, low])
}

/// ANUNIT.
fn analog_unit(channel: &AnalogChannel<'_>, pmu: u16, place: usize) -> Result<[u8; UNIT_SIZE], EncodeError> {
    const FIELD: &str = "ANUNIT";
    let AnalogScaling::Unit { kind, scale } = channel.scaling else {
        return Err(EncodeError::Scaling { field: FIELD, pmu, channel: place });
    };
    if !SCALE_RANGE.contains(&scale) {
        return Err(EncodeError::Range { field: FIELD, pmu, channel: None, value: scale.into() });
    }
    let [_, high, mid, low] = scale.to_be_bytes();
    Ok([kind.byte(), high, mid, low])
}
