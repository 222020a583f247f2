//! What a configuration takes as a layout, and the layout's entries, one after the other.

use super::super::config::{ConfigView, PmuConfig};
use super::super::data::{DIGITAL_SIZE, STAT_SIZE};
use super::super::frame::{FrameKind, HEADER_SIZE, MIN_FRAME_SIZE};
use super::{AnalogScale, LayoutBounds, LayoutError, PhasorScale, PmuLayout, StreamLayout};

/// What a configuration amounts to: how much room its layout takes, and what holds for the whole stream.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Measured {
    pub(in super::super) pmus: usize,
    pub(in super::super) phasors: usize,
    pub(in super::super) analogs: usize,
    pub(in super::super) stream: StreamLayout,
}

impl Measured {
    /// Of a configuration that lays out DATA frames of a possible size.
    pub(in super::super) fn of(config: &ConfigView<'_>) -> Result<Self, LayoutError> {
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
    pub(in super::super) fn within(&self, bounds: LayoutBounds) -> Result<(), LayoutError> {
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
pub(in super::super) fn pmu_layouts(config: &ConfigView<'_>) -> impl Iterator<Item = PmuLayout> {
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
pub(in super::super) fn phasor_scales(config: &ConfigView<'_>) -> impl Iterator<Item = PhasorScale> {
    config.pmus().flat_map(|pmu| {
        let format = pmu.format().phasors();
        pmu.phasors().map(move |channel| PhasorScale::new(format, &channel))
    })
}

/// The scales of all analogs of all PMUs.
pub(in super::super) fn analog_scales(config: &ConfigView<'_>) -> impl Iterator<Item = AnalogScale> {
    config.pmus().flat_map(|pmu| pmu.analogs().map(|channel| AnalogScale::from(channel.scaling)))
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
