//! DATA frames (clause 6.3), read through the layout that their configuration gave: every value in SI units,
//! computed when it is asked for.
//!
//! Absent values are `None`: NaN in the float formats; 0x8000 in either part of an integer rectangular
//! phasor, in the angle of an integer polar one, and in integer FREQ and DFREQ.

use core::f64::consts::TAU;
use core::fmt;
use core::slice;

use super::format::{NominalFrequency, PhasorFormat, PhasorUnit};
use super::frame::{FrameError, FrameHeader, FrameKind, IdCode};
use super::layout::{AnalogScale, LayoutRef, PhasorScale, PmuLayout, StreamLayout};
use super::stat::Stat;
use super::time::TimeTag;

/// The size of STAT in bytes.
pub(super) const STAT_SIZE: usize = 2;

/// The size of a digital status word in bytes.
pub(super) const DIGITAL_SIZE: usize = 2;

/// What stands in a 16-bit integer for a value that is absent.
pub(super) const ABSENT: i16 = i16::MIN;

/// Bits of an integer angle to a radian.
pub(super) const ANGLE_BITS_PER_RAD: f64 = 1e4;

/// Bits of integer FREQ to a Hz.
pub(super) const FREQUENCY_BITS_PER_HZ: f64 = 1e3;

/// Bits of integer DFREQ to a Hz/s.
pub(super) const ROCOF_BITS_PER_HZ_PER_S: f64 = 1e2;

/// A DATA frame and the layout that reads it, both borrowed.
#[derive(Clone, Copy, Debug)]
pub struct DataView<'a> {
    header: FrameHeader,
    bytes: &'a [u8],
    layout: LayoutRef<'a>,
    stream: &'a StreamLayout,
}

impl<'a> DataView<'a> {
    /// The DATA frame that `bytes` is, by `layout`. The check word is not computed: it was when the frame was
    /// found ([`super::FrameView`]). That the layout is this stream's is the caller's to know; a layout of
    /// another stream that happens to predict the same size cannot be told apart here.
    ///
    /// # Errors
    /// [`DataError`]: no frame, a frame of another kind, or a size that `layout` does not predict (an empty one
    /// predicts none).
    #[inline]
    pub fn new(bytes: &'a [u8], layout: impl Into<LayoutRef<'a>>) -> Result<Self, DataError> {
        let layout = layout.into();
        let header = FrameHeader::peek(bytes).map_err(DataError::Frame)?;
        if header.kind != FrameKind::Data {
            return Err(DataError::NotData { kind: header.kind });
        }
        match layout.stream() {
            Some(stream) if stream.data_framesize == header.framesize && header.size() == bytes.len() => {
                Ok(Self { header, bytes, layout, stream })
            }
            stream => Err(DataError::SizeMismatch {
                predicted: stream.map(|stream| stream.data_framesize),
                framesize: header.framesize,
                present: bytes.len(),
            }),
        }
    }

    /// The common header.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The stream's IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.header.idcode
    }

    /// SOC and FRACSEC.
    #[must_use]
    pub const fn time(&self) -> TimeTag {
        self.header.time
    }

    /// The time tag in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ns(&self) -> i64 {
        self.header.time.unix_ns(self.stream.time_base)
    }

    /// The rounded frame index ([`TimeTag::frame_index`]); `None` where the configuration states no rate.
    #[must_use]
    pub fn frame_index(&self) -> Option<u64> {
        self.stream.data_rate.map(|rate| self.header.time.frame_index(self.stream.time_base, rate))
    }

    /// What the layout says of the whole stream.
    #[must_use]
    pub const fn stream(&self) -> &'a StreamLayout {
        self.stream
    }

    /// The PMUs' measurements, in the configuration's order.
    #[must_use]
    #[inline]
    pub fn pmus(&self) -> PmuViews<'a> {
        PmuViews { bytes: self.bytes, layout: self.layout, pmus: self.layout.pmus().iter() }
    }
}

/// The PMUs of a DATA frame, in order.
#[derive(Clone, Debug)]
pub struct PmuViews<'a> {
    bytes: &'a [u8],
    layout: LayoutRef<'a>,
    pmus: slice::Iter<'a, PmuLayout>,
}

impl<'a> Iterator for PmuViews<'a> {
    type Item = PmuView<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let pmu = self.pmus.next()?;
        PmuView::new(self.bytes, self.layout, pmu)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pmus.size_hint()
    }
}

impl ExactSizeIterator for PmuViews<'_> {}

/// One PMU's measurements at one instant.
#[derive(Clone, Copy, Debug)]
pub struct PmuView<'a> {
    pmu: &'a PmuLayout,
    phasor_scales: &'a [PhasorScale],
    analog_scales: &'a [AnalogScale],
    stat: Stat,
    phasors: &'a [u8],
    frequency: &'a [u8],
    analogs: &'a [u8],
    digitals: &'a [u8],
}

impl<'a> PmuView<'a> {
    /// Cuts the PMU's block out of the frame. Never `None`: the frame has the size that the layout adds up to.
    #[inline]
    fn new(bytes: &'a [u8], layout: LayoutRef<'a>, pmu: &'a PmuLayout) -> Option<Self> {
        let format = pmu.format();
        let block = bytes.get(pmu.offset()..)?.get(..pmu.size())?;
        let (stat, block) = block.split_first_chunk()?;
        let (phasors, block) =
            block.split_at_checked(usize::from(pmu.phasors()) * format.phasors().size())?;
        let (frequency, block) = block.split_at_checked(2 * format.frequency_size())?;
        let (analogs, digitals) =
            block.split_at_checked(usize::from(pmu.analogs()) * format.analog_size())?;
        Some(Self {
            pmu,
            phasor_scales: layout.phasor_scales(pmu),
            analog_scales: layout.analog_scales(pmu),
            stat: Stat::from_word(u16::from_be_bytes(*stat)),
            phasors,
            frequency,
            analogs,
            digitals,
        })
    }

    /// What the layout says of this PMU.
    #[must_use]
    pub const fn layout(&self) -> &'a PmuLayout {
        self.pmu
    }

    /// The PMU's own IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.pmu.idcode()
    }

    /// STAT.
    #[must_use]
    pub const fn stat(&self) -> Stat {
        self.stat
    }

    /// The phasors as magnitude and angle, whatever they were sent as.
    #[must_use]
    #[inline]
    pub fn phasors(&self) -> Phasors<'a> {
        Phasors(self.coordinates())
    }

    /// The phasors in the coordinates in which they were sent: nothing is lost, and nothing costs trigonometry (but
    /// where a CFG-3 asks for a rectangular phasor to be turned).
    #[must_use]
    #[inline]
    pub fn coordinates(&self) -> PhasorCoordinates<'a> {
        PhasorCoordinates {
            format: self.pmu.format().phasors(),
            bytes: self.phasors,
            scales: self.phasor_scales.iter(),
        }
    }

    /// What the phasors measure, in their order.
    #[must_use]
    pub const fn phasor_scales(&self) -> &'a [PhasorScale] {
        self.phasor_scales
    }

    /// The frequency in Hz, absolute.
    #[must_use]
    #[inline]
    pub fn frequency_hz(&self) -> Option<f64> {
        if self.pmu.format().frequency_float() {
            return float(*self.frequency.first_chunk()?, 1.0);
        }
        let deviation = integer(*self.frequency.first_chunk()?, 1.0)? / FREQUENCY_BITS_PER_HZ;
        Some(nominal_hz(self.pmu.nominal()) + deviation)
    }

    /// The rate of change of frequency in Hz/s.
    #[must_use]
    #[inline]
    pub fn rocof_hz_per_s(&self) -> Option<f64> {
        if self.pmu.format().frequency_float() {
            return float(*self.frequency.last_chunk()?, 1.0);
        }
        Some(integer(*self.frequency.last_chunk()?, 1.0)? / ROCOF_BITS_PER_HZ_PER_S)
    }

    /// The analogs: as sent by CFG-2, whose scaling is the user's own and is not applied; scaled by ANSCALE of CFG-3.
    #[must_use]
    #[inline]
    pub fn analogs(&self) -> Analogs<'a> {
        Analogs {
            float: self.pmu.format().analogs_float(),
            bytes: self.analogs,
            scales: self.analog_scales.iter(),
        }
    }

    /// The digital status words.
    #[must_use]
    #[inline]
    pub fn digitals(&self) -> Digitals<'a> {
        Digitals(self.digitals)
    }
}

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
pub struct Phasors<'a>(PhasorCoordinates<'a>);

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
    format: PhasorFormat,
    bytes: &'a [u8],
    scales: slice::Iter<'a, PhasorScale>,
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

/// The analogs of one PMU, in order; `None` for one that is absent (NaN).
#[derive(Clone, Debug)]
pub struct Analogs<'a> {
    float: bool,
    bytes: &'a [u8],
    scales: slice::Iter<'a, AnalogScale>,
}

impl Iterator for Analogs<'_> {
    type Item = Option<f64>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let AnalogScale { per_bit, offset } = *self.scales.next()?;
        let offset = f64::from(offset);
        if self.float {
            let (value, rest) = self.bytes.split_first_chunk()?;
            self.bytes = rest;
            return Some(float(*value, per_bit).map(|value| value + offset));
        }
        let (value, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        // The standard keeps no integer for an absent analog, so all of them are values.
        Some(present(f64::from(i16::from_be_bytes(*value)) * per_bit + offset))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.scales.size_hint()
    }
}

impl ExactSizeIterator for Analogs<'_> {}

/// The digital status words of one PMU, in order.
#[derive(Clone, Debug)]
pub struct Digitals<'a>(&'a [u8]);

impl Iterator for Digitals<'_> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*word))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.len() / DIGITAL_SIZE;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Digitals<'_> {}

pub(super) fn nominal_hz(nominal: NominalFrequency) -> f64 {
    f64::from(nominal.hz())
}

/// A 16-bit integer times `per_bit`.
#[inline]
fn integer(bytes: [u8; 2], per_bit: f64) -> Option<f64> {
    let value = i16::from_be_bytes(bytes);
    present(f64::from(value) * per_bit).filter(|_| value != ABSENT)
}

/// A float times `per_bit`. Widened first, so exact: the product of two 32-bit floats fits 64 bits.
#[inline]
fn float(bytes: [u8; 4], per_bit: f64) -> Option<f64> {
    present(f64::from(f32::from_be_bytes(bytes)) * per_bit)
}

/// Absent where it is no number: the value was NaN, or its scale is.
#[inline]
fn present(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

/// Why bytes are not DATA of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataError {
    /// Not a frame.
    Frame(FrameError),
    /// A frame of another kind.
    NotData {
        /// What it is.
        kind: FrameKind,
    },
    /// The layout predicts another size: it is not this stream's, or the configuration has changed.
    SizeMismatch {
        /// FRAMESIZE by the layout; `None` where it is empty.
        predicted: Option<u16>,
        /// FRAMESIZE of the frame.
        framesize: u16,
        /// Bytes given.
        present: usize,
    },
}

impl DataError {
    /// The name that other programs rely on: that of the [`FrameError`], `not_data` or `size_mismatch`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Frame(error) => error.name(),
            Self::NotData { .. } => "not_data",
            Self::SizeMismatch { .. } => "size_mismatch",
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::NotData { kind } => write!(f, "a {kind} frame holds no measurements"),
            Self::SizeMismatch { predicted: Some(predicted), framesize, present } => {
                write!(
                    f,
                    "the configuration predicts {predicted} bytes, FRAMESIZE is {framesize}, {present} are there"
                )
            }
            Self::SizeMismatch { predicted: None, framesize, .. } => {
                write!(f, "there is no configuration by which to read the {framesize} bytes")
            }
        }
    }
}

impl core::error::Error for DataError {}
