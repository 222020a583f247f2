//! CFG-3 (clause 6.4, Table 10).

use super::super::config::{
    ANSCALE_SIZE, AnalogChannel, AnalogScaling, PHSCALE_SIZE, PMU_SUFFIX_SIZE, PREFIX_SIZE, PhasorChannel,
    PhasorScaling, PmuDetails, SUFFIX_SIZE, UNIT_SIZE,
};
use super::super::fragment::{CONTINUATION_SIZE, Continuation};
use super::super::frame::{FrameKind, MIN_FRAME_SIZE};
use super::super::text::Text;
use super::super::time::{DataRate, TimeBase};
use super::writer::Frame;
use super::{EncodeError, Preamble, StationConfig};

/// What a CFG-3 says.
#[derive(Clone, Copy, Debug)]
pub struct StreamConfig3<'a> {
    /// TIME_BASE.
    pub time_base: TimeBase,
    /// The PMUs, 1 to 65535.
    pub stations: &'a [StationConfig3<'a>],
    /// DATA_RATE.
    pub data_rate: DataRate,
}

/// What a CFG-3 says of one PMU.
#[derive(Clone, Copy, Debug)]
pub struct StationConfig3<'a> {
    /// What a CFG-2 says too. Its channels are scaled by PHSCALE and ANSCALE.
    pub config: StationConfig<'a>,
    /// What it says beyond that.
    pub details: PmuDetails,
}

/// Writes a CFG-3 as one frame, CONT_IDX 0.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, a frame beyond 65535 bytes (see [`config3_whole`]), a name beyond
/// 255 bytes, a channel that is scaled as in CFG-2.
pub fn config3(
    out: &mut [u8],
    preamble: &Preamble,
    stream: &StreamConfig3<'_>,
) -> Result<usize, EncodeError> {
    let size = size(stream);
    let framesize = u16::try_from(size).map_err(|_| EncodeError::FrameTooLarge { size })?;
    write(out, preamble, stream, framesize, size)
}

/// As [`config3`], of any size: a CFG-3 as [`Series`](super::super::Series) puts it together, which may have more
/// bytes than FRAMESIZE can say and cannot be sent like that. [`Fragments`](super::Fragments) cuts it.
///
/// # Errors
/// Those of [`config3`], but [`EncodeError::FrameTooLarge`].
pub fn config3_whole(
    out: &mut [u8],
    preamble: &Preamble,
    stream: &StreamConfig3<'_>,
) -> Result<usize, EncodeError> {
    let size = size(stream);
    write(out, preamble, stream, u16::try_from(size).unwrap_or(u16::MAX), size)
}

fn write(
    out: &mut [u8],
    preamble: &Preamble,
    stream: &StreamConfig3<'_>,
    framesize: u16,
    size: usize,
) -> Result<usize, EncodeError> {
    let mut frame = Frame::begin_sized(out, FrameKind::Config3, preamble, framesize, size)?;
    frame.put(&Continuation::Only.word().to_be_bytes())?;
    frame.put(&stream.time_base.get().to_be_bytes())?;
    frame.put_count(stream.stations.len())?;
    for (number, station) in (1..=u16::MAX).zip(stream.stations) {
        put_station(&mut frame, station, number)?;
    }
    frame.put(&stream.data_rate.word().to_be_bytes())?;
    frame.finish()
}

fn size(stream: &StreamConfig3<'_>) -> usize {
    let stations: usize = stream.stations.iter().map(station_size).sum();
    MIN_FRAME_SIZE + CONTINUATION_SIZE + PREFIX_SIZE + stations + SUFFIX_SIZE
}

/// All names of a PMU in the frame's order, but for the station's.
fn channel_names<'a>(config: &StationConfig<'a>) -> impl Iterator<Item = Text<'a>> {
    let phasors = config.phasors.iter().map(|channel| channel.name);
    let analogs = config.analogs.iter().map(|channel| channel.name);
    phasors.chain(analogs).chain(config.digitals.iter().flat_map(|channel| channel.names))
}

/// Bytes of a PMU's block.
fn station_size(station: &StationConfig3<'_>) -> usize {
    let config = &station.config;
    let prefixed = |name: Text<'_>| 1 + name.raw().len();
    let names = prefixed(config.station) + channel_names(config).map(prefixed).sum::<usize>();
    // IDCODE, FORMAT, PHNMR, ANNMR and DGNMR.
    let words = 5 * 2;
    names
        + words
        + station.details.global_id.len()
        + config.phasors.len() * PHSCALE_SIZE
        + config.analogs.len() * ANSCALE_SIZE
        + config.digitals.len() * UNIT_SIZE
        + PmuDetails::SIZE
        + PMU_SUFFIX_SIZE
}

fn put_station(frame: &mut Frame<'_>, station: &StationConfig3<'_>, number: u16) -> Result<(), EncodeError> {
    let StationConfig3 { config, details } = station;
    let StationConfig { station: name, idcode, format, phasors, analogs, digitals, nominal, config_count } =
        *config;
    frame.put_prefixed_name(name, number)?;
    frame.put(&idcode.0.to_be_bytes())?;
    frame.put(&details.global_id)?;
    frame.put(&format.word().to_be_bytes())?;
    frame.put_count(phasors.len())?;
    frame.put_count(analogs.len())?;
    frame.put_count(digitals.len())?;
    for name in channel_names(config) {
        frame.put_prefixed_name(name, number)?;
    }
    for (place, channel) in (1..).zip(phasors) {
        frame.put(&phasor_scale(channel, number, place)?)?;
    }
    for (place, channel) in (1..).zip(analogs) {
        frame.put(&analog_scale(channel, number, place)?)?;
    }
    for channel in digitals {
        frame.put(&channel.normal.to_be_bytes())?;
        frame.put(&channel.valid.to_be_bytes())?;
    }
    frame.put(&details.bytes())?;
    frame.put(&nominal.word().to_be_bytes())?;
    frame.put(&config_count.to_be_bytes())
}

fn phasor_scale(
    channel: &PhasorChannel<'_>,
    pmu: u16,
    place: usize,
) -> Result<[u8; PHSCALE_SIZE], EncodeError> {
    match channel.scaling {
        PhasorScaling::Scale(scale) => Ok(scale.bytes(channel.unit)),
        PhasorScaling::Unit { .. } => Err(EncodeError::Scaling { field: "PHSCALE", pmu, channel: place }),
    }
}

fn analog_scale(
    channel: &AnalogChannel<'_>,
    pmu: u16,
    place: usize,
) -> Result<[u8; ANSCALE_SIZE], EncodeError> {
    match channel.scaling {
        AnalogScaling::Scale(scale) => Ok(scale.bytes()),
        AnalogScaling::Unit { .. } => Err(EncodeError::Scaling { field: "ANSCALE", pmu, channel: place }),
    }
}
