//! What the tests of C37.118 share: the captures' folder, and turning what a view yields into what an encoder
//! takes.

use std::path::PathBuf;

use monitor_core::protocol::c37118::encode::{PmuSample, Preamble, StationConfig, StreamConfig};
use monitor_core::protocol::c37118::{
    AnalogChannel, ConfigView, Coordinates, DataView, DigitalChannel, FrameView, Layout, LayoutBounds,
    PhasorChannel, PmuConfig, PmuView, Stat, encode,
};

/// Bounds that every stream of the tests keeps to.
pub(crate) const BOUNDS: LayoutBounds = LayoutBounds { pmus: 16, phasors: 256, analogs: 256 };

/// The bytes of one of the captures, from the folder that `PMU_CAPTURES` names or that lies beside the project;
/// `None`, and a line that says so, where it is missing.
pub(crate) fn capture(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("PMU_CAPTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures")),
        PathBuf::from,
    );
    let path = folder.join("c37118").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            println!("skipped: {} cannot be read: {error}; set PMU_CAPTURES", path.display());
            None
        }
    }
}

/// A layout filled from `config`.
pub(crate) fn layout(config: &ConfigView<'_>) -> Layout {
    let mut layout = Layout::with_capacity(BOUNDS);
    layout.fill(config).expect("the layout has room");
    layout
}

/// What `view` says, in the encoders' terms, written again.
pub(crate) fn encode_again_config(view: &ConfigView<'_>) -> Vec<u8> {
    struct Channels<'a>(
        PmuConfig<'a>,
        Vec<PhasorChannel<'a>>,
        Vec<AnalogChannel<'a>>,
        Vec<DigitalChannel<'a>>,
    );
    let channels: Vec<_> = view
        .pmus()
        .map(|pmu| Channels(pmu, pmu.phasors().collect(), pmu.analogs().collect(), pmu.digitals().collect()))
        .collect();
    let stations: Vec<_> = channels
        .iter()
        .map(|Channels(pmu, phasors, analogs, digitals)| StationConfig {
            station: pmu.station(),
            idcode: pmu.idcode(),
            format: pmu.format(),
            phasors,
            analogs,
            digitals,
            nominal: pmu.nominal(),
            config_count: pmu.config_count(),
        })
        .collect();
    let stream = StreamConfig {
        time_base: view.time_base(),
        stations: &stations,
        data_rate: view.data_rate().expect("the frame states a rate"),
    };
    let mut out = vec![0; 65_535];
    let size = encode::config(&mut out, &preamble(view.frame()), encode::ConfigKind::Config2, &stream)
        .expect("what was read can be written");
    out.truncate(size);
    out
}

/// One PMU's values, owned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) stat: Stat,
    pub(crate) phasors: Vec<Option<Coordinates>>,
    pub(crate) frequency_hz: Option<f64>,
    pub(crate) rocof_hz_per_s: Option<f64>,
    pub(crate) analogs: Vec<Option<f64>>,
    pub(crate) digitals: Vec<u16>,
}

/// The values of every PMU of `view`.
pub(crate) fn samples(view: &DataView<'_>) -> Vec<Sample> {
    view.pmus()
        .map(|pmu| Sample {
            stat: pmu.stat(),
            phasors: phasors(&pmu),
            frequency_hz: pmu.frequency_hz(),
            rocof_hz_per_s: pmu.rocof_hz_per_s(),
            analogs: pmu.analogs().collect(),
            digitals: pmu.digitals().collect(),
        })
        .collect()
}

/// The phasors, which are the same whether they are taken one by one or all together, or some so and the rest so.
fn phasors(pmu: &PmuView<'_>) -> Vec<Option<Coordinates>> {
    let one_by_one: Vec<_> = pmu.coordinates().collect();
    for taken in 0..one_by_one.len().min(3) {
        let mut left = pmu.coordinates();
        let mut all: Vec<_> = left.by_ref().take(taken).collect();
        left.for_each(|phasor| all.push(phasor));
        assert_eq!(all, one_by_one, "behind {taken}");
    }
    one_by_one
}

/// `samples` as a frame.
pub(crate) fn encode_data(
    preamble: &Preamble,
    layout: &Layout,
    samples: &[Sample],
) -> Result<Vec<u8>, encode::EncodeError> {
    let borrowed: Vec<_> = samples
        .iter()
        .map(|sample| PmuSample {
            stat: sample.stat,
            phasors: &sample.phasors,
            frequency_hz: sample.frequency_hz,
            rocof_hz_per_s: sample.rocof_hz_per_s,
            analogs: &sample.analogs,
            digitals: &sample.digitals,
        })
        .collect();
    let mut out = vec![0; 65_535];
    let size = encode::data(&mut out, preamble, layout, &borrowed)?;
    out.truncate(size);
    Ok(out)
}

/// What an encoder needs to write `frame` again.
pub(crate) fn preamble(frame: FrameView<'_>) -> Preamble {
    Preamble::from(frame.header())
}
