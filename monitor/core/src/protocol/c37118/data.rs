//! DATA frames (clause 6.3), read through the layout that their configuration gave: every value in SI units,
//! computed when it is asked for.
//!
//! Absent values are `None`: NaN in the float formats; 0x8000 in either part of an integer rectangular
//! phasor, in the angle of an integer polar one, and in integer FREQ and DFREQ.

mod channel;
mod error;
mod number;
mod phasor;

pub use channel::{Analogs, Digitals};
pub use error::DataError;
pub use phasor::{Coordinates, Phasor, PhasorCoordinates, Phasors};

use core::slice;

use super::format::NominalFrequency;
use super::frame::{FrameHeader, FrameKind, FrameView, IdCode};
use super::layout::{AnalogScale, LayoutRef, PhasorScale, PmuLayout, StreamLayout};
use super::stat::Stat;
use super::time::TimeTag;
use number::{float, integer};

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
        let header = FrameHeader::peek(bytes).map_err(DataError::Frame)?;
        Self::with_header(header, bytes, layout.into())
    }

    /// The DATA frame that was found, by `layout`: see [`DataView::new`].
    ///
    /// # Errors
    /// [`DataError`], as there.
    #[inline]
    pub fn of(frame: FrameView<'a>, layout: impl Into<LayoutRef<'a>>) -> Result<Self, DataError> {
        Self::with_header(*frame.header(), frame.bytes(), layout.into())
    }

    #[inline]
    fn with_header(header: FrameHeader, bytes: &'a [u8], layout: LayoutRef<'a>) -> Result<Self, DataError> {
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

pub(super) fn nominal_hz(nominal: NominalFrequency) -> f64 {
    f64::from(nominal.hz())
}
