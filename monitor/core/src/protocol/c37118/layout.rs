//! The numbers of a configuration that reading DATA frames takes: formats, places, scales, and no names.
//!
//! A layout lies in memory that is kept: its own ([`Layout`]), or one that many share
//! ([`LayoutArena`](super::LayoutArena)). Either takes it once, at start, and writes configurations into it without
//! allocating; both are read through a [`LayoutRef`]. The size of the DATA frames is predicted exactly, and what it
//! does not predict is not read by it.

use core::fmt;

use super::config::{AnalogScaling, ConfigView, PhasorChannel, PhasorScaling, PmuConfig};
use super::data::{DIGITAL_SIZE, STAT_SIZE};
use super::format::{Format, NominalFrequency, PhasorFormat, PhasorUnit};
use super::frame::{FrameKind, HEADER_SIZE, IdCode, MIN_FRAME_SIZE};
use super::time::{DataRate, TimeBase};

/// Units of PHUNIT's low 24 bits to a V or A (clause 6.4). Dividing by it rounds once; 10^-5 is no exact number.
const PHUNIT_PER_UNIT: f64 = 1e5;

/// How much a [`Layout`] can hold. It costs 22 bytes for each PMU, and 16 for each phasor and each analog, all taken
/// when the layout is made. Digital words cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutBounds {
    /// PMUs in the stream.
    pub pmus: u16,
    /// Phasors of all its PMUs together.
    pub phasors: u16,
    /// Analogs of all its PMUs together.
    pub analogs: u16,
}

impl LayoutBounds {
    /// Memory of one layout with these bounds, in bytes.
    #[must_use]
    pub const fn memory(&self) -> usize {
        size_of::<Layout>()
            + self.pmus as usize * size_of::<PmuLayout>()
            + self.phasors as usize * size_of::<PhasorScale>()
            + self.analogs as usize * size_of::<AnalogScale>()
    }
}

const _: () =
    assert!(size_of::<PmuLayout>() == 22 && size_of::<PhasorScale>() == 16 && size_of::<AnalogScale>() == 16);

/// What holds for the whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLayout {
    /// The stream's IDCODE.
    pub idcode: IdCode,
    /// TIME_BASE.
    pub time_base: TimeBase,
    /// DATA_RATE; `None` where the configuration states none.
    pub data_rate: Option<DataRate>,
    /// FRAMESIZE of the stream's DATA frames.
    pub data_framesize: u16,
}

impl StreamLayout {
    /// What `config` says of the stream: above all how large its DATA frames are.
    ///
    /// # Errors
    /// [`LayoutError::Capability`] for a CFG-1, [`LayoutError::FrameTooLarge`].
    pub fn of(config: &ConfigView<'_>) -> Result<Self, LayoutError> {
        Measured::of(config).map(|measured| measured.stream)
    }
}

/// One PMU's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmuLayout {
    idcode: IdCode,
    format: Format,
    nominal: NominalFrequency,
    config_count: u16,
    phasors: u16,
    analogs: u16,
    digitals: u16,
    offset: u16,
    size: u16,
    first_phasor: u16,
    first_analog: u16,
}

impl PmuLayout {
    /// What stands in memory that was not used yet.
    pub(super) const fn blank(idcode: IdCode, format: Format, nominal: NominalFrequency) -> Self {
        Self {
            idcode,
            format,
            nominal,
            config_count: 0,
            phasors: 0,
            analogs: 0,
            digitals: 0,
            offset: 0,
            size: 0,
            first_phasor: 0,
            first_analog: 0,
        }
    }

    /// The PMU's own IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.idcode
    }

    /// How its values are written.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// What integer FREQ is counted from.
    #[must_use]
    pub const fn nominal(&self) -> NominalFrequency {
        self.nominal
    }

    /// CFGCNT.
    #[must_use]
    pub const fn config_count(&self) -> u16 {
        self.config_count
    }

    /// Number of phasors.
    #[must_use]
    pub const fn phasors(&self) -> u16 {
        self.phasors
    }

    /// Number of analogs.
    #[must_use]
    pub const fn analogs(&self) -> u16 {
        self.analogs
    }

    /// Number of digital status words.
    #[must_use]
    pub const fn digitals(&self) -> u16 {
        self.digitals
    }

    /// Where its block begins in a DATA frame, in bytes from SYNC.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Bytes of its block.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size as usize
    }
}

/// What a phasor's numbers are scaled and turned by, and what it measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhasorScale {
    /// V or A to a unit of what stands in the frame. By PHUNIT of CFG-2 for the integer formats, and 1 for the float
    /// formats, which are in V and A already; by PHSCALE's Y of CFG-3 for all of them. NaN, which makes every value
    /// absent, where PHSCALE is no number.
    pub per_bit: f64,
    /// In rad, subtracted from the angle: PHSCALE's theta of CFG-3; 0 by CFG-2.
    pub angle_rad: f32,
    /// What it measures.
    pub unit: PhasorUnit,
}

impl PhasorScale {
    fn new(format: PhasorFormat, channel: &PhasorChannel<'_>) -> Self {
        let (per_bit, angle_rad) = match channel.scaling {
            PhasorScaling::Unit { factor } if format.is_integer() => {
                (f64::from(factor) / PHUNIT_PER_UNIT, 0.0)
            }
            PhasorScaling::Unit { .. } => (1.0, 0.0),
            PhasorScaling::Scale(scale) if scale.scale.is_finite() && scale.angle_rad.is_finite() => {
                (scale.scale.into(), scale.angle_rad)
            }
            PhasorScaling::Scale(_) => (f64::NAN, 0.0),
        };
        Self { per_bit, angle_rad, unit: channel.unit }
    }
}

/// What an analog's numbers are scaled and moved by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalogScale {
    /// Units to a unit of what stands in the frame: 1 by CFG-2, whose scaling is the user's own and not applied;
    /// ANSCALE's M by CFG-3. NaN, which makes every value absent, where ANSCALE is no number.
    pub per_bit: f64,
    /// Added after that: ANSCALE's B by CFG-3; 0 by CFG-2.
    pub offset: f32,
}

impl From<AnalogScaling> for AnalogScale {
    fn from(scaling: AnalogScaling) -> Self {
        match scaling {
            AnalogScaling::Unit { .. } => Self { per_bit: 1.0, offset: 0.0 },
            AnalogScaling::Scale(scale) if scale.scale.is_finite() && scale.offset.is_finite() => {
                Self { per_bit: scale.scale.into(), offset: scale.offset }
            }
            AnalogScaling::Scale(_) => Self { per_bit: f64::NAN, offset: 0.0 },
        }
    }
}

/// A configuration's numbers, in memory that is kept.
#[derive(Debug)]
pub struct Layout {
    bounds: LayoutBounds,
    stream: Option<StreamLayout>,
    pmus: Vec<PmuLayout>,
    phasors: Vec<PhasorScale>,
    analogs: Vec<AnalogScale>,
}

impl Layout {
    /// An empty layout; the only place that allocates.
    #[must_use]
    pub fn with_capacity(bounds: LayoutBounds) -> Self {
        Self {
            bounds,
            stream: None,
            pmus: Vec::with_capacity(bounds.pmus.into()),
            phasors: Vec::with_capacity(bounds.phasors.into()),
            analogs: Vec::with_capacity(bounds.analogs.into()),
        }
    }

    /// Takes over the numbers of `config`, without allocating.
    ///
    /// # Errors
    /// [`LayoutError`], and the layout is as it was before.
    pub fn fill(&mut self, config: &ConfigView<'_>) -> Result<(), LayoutError> {
        let measured = Measured::of(config)?;
        measured.within(self.bounds)?;
        self.clear();
        self.pmus.extend(pmu_layouts(config));
        self.phasors.extend(phasor_scales(config));
        self.analogs.extend(analog_scales(config));
        self.stream = Some(measured.stream);
        Ok(())
    }

    /// Empties the layout, so that it reads nothing; its memory is kept.
    pub fn clear(&mut self) {
        let Self { bounds: _, stream, pmus, phasors, analogs } = self;
        *stream = None;
        pmus.clear();
        phasors.clear();
        analogs.clear();
    }

    /// Borrows it for reading.
    #[must_use]
    #[inline]
    pub fn borrow(&self) -> LayoutRef<'_> {
        let Self { bounds: _, stream, pmus, phasors, analogs } = self;
        LayoutRef { stream: stream.as_ref(), pmus, phasors, analogs }
    }

    /// What holds for the whole stream; `None` where the layout is empty.
    #[must_use]
    pub const fn stream(&self) -> Option<&StreamLayout> {
        self.stream.as_ref()
    }

    /// The PMUs in the order of their blocks; none where the layout is empty.
    #[must_use]
    pub fn pmus(&self) -> &[PmuLayout] {
        &self.pmus
    }

    /// The phasor scales of `pmu`, one of [`Layout::pmus`].
    #[must_use]
    #[inline]
    pub fn phasor_scales(&self, pmu: &PmuLayout) -> &[PhasorScale] {
        self.borrow().phasor_scales(pmu)
    }

    /// The analog scales of `pmu`, one of [`Layout::pmus`].
    #[must_use]
    #[inline]
    pub fn analog_scales(&self, pmu: &PmuLayout) -> &[AnalogScale] {
        self.borrow().analog_scales(pmu)
    }

    /// The bounds it was made with.
    #[must_use]
    pub const fn bounds(&self) -> LayoutBounds {
        self.bounds
    }
}

/// A layout that is read, wherever its numbers lie.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayoutRef<'a> {
    pub(super) stream: Option<&'a StreamLayout>,
    pub(super) pmus: &'a [PmuLayout],
    pub(super) phasors: &'a [PhasorScale],
    pub(super) analogs: &'a [AnalogScale],
}

impl<'a> LayoutRef<'a> {
    /// What holds for the whole stream; `None` where the layout is empty.
    #[must_use]
    pub const fn stream(&self) -> Option<&'a StreamLayout> {
        self.stream
    }

    /// The PMUs in the order of their blocks; none where the layout is empty.
    #[must_use]
    pub const fn pmus(&self) -> &'a [PmuLayout] {
        self.pmus
    }

    /// The phasor scales of `pmu`, one of [`LayoutRef::pmus`].
    #[must_use]
    #[inline]
    pub fn phasor_scales(&self, pmu: &PmuLayout) -> &'a [PhasorScale] {
        slice(self.phasors, pmu.first_phasor, pmu.phasors)
    }

    /// The analog scales of `pmu`, one of [`LayoutRef::pmus`].
    #[must_use]
    #[inline]
    pub fn analog_scales(&self, pmu: &PmuLayout) -> &'a [AnalogScale] {
        slice(self.analogs, pmu.first_analog, pmu.analogs)
    }
}

impl<'a> From<&'a Layout> for LayoutRef<'a> {
    #[inline]
    fn from(layout: &'a Layout) -> Self {
        layout.borrow()
    }
}

/// What a configuration amounts to: how much room its layout takes, and what holds for the whole stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) pmus: usize,
    pub(super) phasors: usize,
    pub(super) analogs: usize,
    pub(super) stream: StreamLayout,
}

impl Measured {
    /// Of a configuration that lays out DATA frames of a possible size.
    pub(super) fn of(config: &ConfigView<'_>) -> Result<Self, LayoutError> {
        if config.kind() == FrameKind::Config1 {
            return Err(LayoutError::Capability);
        }
        let (mut phasors, mut analogs, mut size) = (0, 0, MIN_FRAME_SIZE);
        for pmu in config.pmus() {
            phasors += pmu.phasors().len();
            analogs += pmu.analogs().len();
            size += block_size(&pmu);
        }
        let stream = StreamLayout {
            idcode: config.idcode(),
            time_base: config.time_base(),
            data_rate: config.data_rate(),
            data_framesize: u16::try_from(size).map_err(|_| LayoutError::FrameTooLarge { size })?,
        };
        Ok(Self { pmus: config.num_pmu().into(), phasors, analogs, stream })
    }

    /// Whether its layout fits into these bounds.
    pub(super) fn within(&self, bounds: LayoutBounds) -> Result<(), LayoutError> {
        let within = |present: usize, bound: u16| if present > bound.into() { Err(present) } else { Ok(()) };
        let LayoutBounds { pmus, phasors, analogs } = bounds;
        within(self.pmus, pmus).map_err(|present| LayoutError::TooManyPmus { present, bound: pmus })?;
        within(self.phasors, phasors)
            .map_err(|present| LayoutError::TooManyPhasors { present, bound: phasors })?;
        within(self.analogs, analogs)
            .map_err(|present| LayoutError::TooManyAnalogs { present, bound: analogs })
    }
}

/// The PMUs' numbers, in the order of their blocks. Of a configuration that was measured: nothing is cut then, for
/// the frame's size and the counts fit 16 bits.
pub(super) fn pmu_layouts(config: &ConfigView<'_>) -> impl Iterator<Item = PmuLayout> {
    let narrow = |wide: usize| u16::try_from(wide).unwrap_or(u16::MAX);
    let (mut offset, mut first_phasor, mut first_analog) = (HEADER_SIZE, 0, 0);
    config.pmus().map(move |pmu| {
        let size = block_size(&pmu);
        let (phasors, analogs) = (pmu.phasors().len(), pmu.analogs().len());
        let layout = PmuLayout {
            idcode: pmu.idcode(),
            format: pmu.format(),
            nominal: pmu.nominal(),
            config_count: pmu.config_count(),
            phasors: narrow(phasors),
            analogs: narrow(analogs),
            digitals: narrow(pmu.digitals().len()),
            offset: narrow(offset),
            size: narrow(size),
            first_phasor: narrow(first_phasor),
            first_analog: narrow(first_analog),
        };
        offset += size;
        first_phasor += phasors;
        first_analog += analogs;
        layout
    })
}

/// The scales of all phasors of all PMUs.
pub(super) fn phasor_scales(config: &ConfigView<'_>) -> impl Iterator<Item = PhasorScale> {
    config.pmus().flat_map(|pmu| {
        let format = pmu.format().phasors();
        pmu.phasors().map(move |channel| PhasorScale::new(format, &channel))
    })
}

/// The scales of all analogs of all PMUs.
pub(super) fn analog_scales(config: &ConfigView<'_>) -> impl Iterator<Item = AnalogScale> {
    config.pmus().flat_map(|pmu| pmu.analogs().map(|channel| AnalogScale::from(channel.scaling)))
}

#[inline]
fn slice<T>(all: &[T], first: u16, count: u16) -> &[T] {
    all.get(first.into()..).and_then(|from| from.get(..count.into())).unwrap_or_default()
}

/// Bytes of a PMU's block: STAT, PHASORS, FREQ, DFREQ, ANALOG, DIGITAL.
fn block_size(pmu: &PmuConfig<'_>) -> usize {
    let format = pmu.format();
    STAT_SIZE
        + pmu.phasors().len() * format.phasors().size()
        + 2 * format.frequency_size()
        + pmu.analogs().len() * format.analog_size()
        + pmu.digitals().len() * DIGITAL_SIZE
}

/// Why a configuration is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// A CFG-1: it says what the PMU could send, and lays out nothing.
    Capability,
    /// More PMUs than the slot holds.
    TooManyPmus {
        /// PMUs of the configuration.
        present: usize,
        /// PMUs that fit.
        bound: u16,
    },
    /// More phasors than the slot holds.
    TooManyPhasors {
        /// Phasors of all PMUs together.
        present: usize,
        /// Phasors that fit.
        bound: u16,
    },
    /// More analogs than the slot holds.
    TooManyAnalogs {
        /// Analogs of all PMUs together.
        present: usize,
        /// Analogs that fit.
        bound: u16,
    },
    /// DATA frames by this configuration would be larger than FRAMESIZE can say.
    FrameTooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// The configurations in use leave no room for it, though it is within the bounds of one.
    NoRoom,
}

impl LayoutError {
    /// The name that other programs rely on: `capability`, `too_many_pmus`, `too_many_phasors`,
    /// `too_many_analogs`, `frame_too_large`, `no_room`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::TooManyPmus { .. } => "too_many_pmus",
            Self::TooManyPhasors { .. } => "too_many_phasors",
            Self::TooManyAnalogs { .. } => "too_many_analogs",
            Self::FrameTooLarge { .. } => "frame_too_large",
            Self::NoRoom => "no_room",
        }
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (present, bound, what) = match *self {
            Self::Capability => {
                return f.write_str("a CFG-1 says what could be sent; DATA are laid out by CFG-2 or CFG-3");
            }
            Self::NoRoom => {
                return f.write_str("the configurations in use leave no room for it; raise their bounds");
            }
            Self::FrameTooLarge { size } => {
                return write!(f, "DATA frames would have {size} bytes, and FRAMESIZE ends at {}", u16::MAX);
            }
            Self::TooManyPmus { present, bound } => (present, bound, "PMUs"),
            Self::TooManyPhasors { present, bound } => (present, bound, "phasors"),
            Self::TooManyAnalogs { present, bound } => (present, bound, "analogs"),
        };
        write!(f, "the configuration has {present} {what}, and the bound for a stream is {bound}; raise it")
    }
}

impl core::error::Error for LayoutError {}
