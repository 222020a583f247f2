//! The numbers of a configuration that reading DATA frames takes: formats, places, scales, and no names.
//!
//! A layout lies in memory that is kept: its own ([`Layout`]), or one that many share
//! ([`LayoutArena`](super::LayoutArena)). Either takes it once, at start, and writes configurations into it without
//! allocating; both are read through a [`LayoutRef`]. The size of the DATA frames is predicted exactly, and what it
//! does not predict is not read by it.

mod error;
mod measured;
mod scale;

pub use error::LayoutError;
pub(super) use measured::{Measured, analog_scales, phasor_scales, pmu_layouts};
pub use scale::{AnalogScale, PhasorScale};

use super::config::ConfigView;
use super::format::{Format, NominalFrequency};
use super::frame::IdCode;
use super::time::{DataRate, TimeBase};

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

#[inline]
fn slice<T>(all: &[T], first: u16, count: u16) -> &[T] {
    all.get(first.into()..).and_then(|from| from.get(..count.into())).unwrap_or_default()
}
