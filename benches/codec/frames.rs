//! The frames that are measured: DATA of the shapes that public captures have, in every format of their phasors.

use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, PmuSample, Preamble, StationConfig, StreamConfig,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScaling, ConfigView, Coordinates, DataRate, DigitalChannel, Format,
    FrameView, IdCode, Layout, LayoutBounds, NominalFrequency, PhasorChannel, PhasorFormat, PhasorScaling,
    PhasorUnit, Stat, Text, TimeBase, TimeTag, Version,
};

const PREAMBLE: Preamble = Preamble {
    version: Version::V2011,
    idcode: IdCode(60),
    time: TimeTag::from_words(1_700_000_000, 20_000),
};

/// Phasors and analogs of each PMU, beside one digital status word, and whether FREQ and DFREQ are floats.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    channels: &'static [(usize, usize)],
    frequency_float: bool,
}

/// The stream of one PMU that `C37.118_1PMU_UDP.pcap` holds, and the one of four of `C37.118_4in1PMU_TCP.pcap`.
pub(crate) const SHAPES: [Shape; 2] = [
    Shape { name: "1 PMU", channels: &[(3, 0)], frequency_float: false },
    Shape { name: "4 PMUs", channels: &[(3, 0), (14, 8), (14, 4), (14, 0)], frequency_float: false },
];

/// A frame and what reads it.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) layout: Layout,
}

/// Every shape in every format.
pub(crate) fn subjects() -> Vec<Subject> {
    SHAPES.iter().flat_map(|shape| PhasorFormat::ALL.map(|phasors| Subject::new(shape, phasors))).collect()
}

impl Subject {
    fn new(shape: &Shape, phasors: PhasorFormat) -> Self {
        let floats = !phasors.is_integer();
        let layout = layout(shape, Format::new(phasors, floats, shape.frequency_float));
        let frame = data(shape, &layout);
        let name = format!("{}, {}", shape.name, name(phasors));
        Self { name, frame, layout }
    }
}

const fn name(phasors: PhasorFormat) -> &'static str {
    match phasors {
        PhasorFormat::IntRectangular => "integer rectangular",
        PhasorFormat::IntPolar => "integer polar",
        PhasorFormat::FloatRectangular => "float rectangular",
        PhasorFormat::FloatPolar => "float polar",
    }
}

fn layout(shape: &Shape, format: Format) -> Layout {
    let phasor = PhasorChannel {
        name: Text::new(b"VA"),
        unit: PhasorUnit::Volt,
        scaling: PhasorScaling::Unit { factor: 915_527 },
    };
    let analog = AnalogChannel {
        name: Text::new(b"P"),
        scaling: AnalogScaling::Unit { kind: AnalogKind::Rms, scale: 1 },
    };
    let digital = DigitalChannel { names: [Text::new(b"breaker"); 16], normal: 0, valid: 0xFFFF };
    let channels: Vec<_> = shape
        .channels
        .iter()
        .map(|&(phasors, analogs)| (vec![phasor; phasors], vec![analog; analogs]))
        .collect();
    let stations: Vec<_> = (61..)
        .zip(&channels)
        .map(|(idcode, (phasors, analogs))| StationConfig {
            station: Text::new(b"Station"),
            idcode: IdCode(idcode),
            format,
            phasors,
            analogs,
            digitals: std::slice::from_ref(&digital),
            nominal: NominalFrequency::Hz50,
            config_count: 1,
        })
        .collect();
    let stream = StreamConfig {
        time_base: TimeBase::MICROSECONDS,
        stations: &stations,
        data_rate: DataRate::from_word(50).expect("a rate"),
    };
    let mut frame = vec![0; 65_535];
    let size = encode::config(&mut frame, &PREAMBLE, ConfigKind::Config2, &stream).expect("a configuration");
    let config = ConfigView::new(FrameView::new(&frame[..size]).expect("a frame")).expect("a configuration");
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 4, phasors: 64, analogs: 16 });
    layout.fill(&config).expect("room");
    layout
}

fn data(shape: &Shape, layout: &Layout) -> Vec<u8> {
    let values: Vec<_> = shape
        .channels
        .iter()
        .map(|&(phasors, analogs)| {
            let phasor = |place| {
                let angle_rad = [0.3, -1.8, 2.4, -2.9][place % 4];
                Some(Coordinates::Polar {
                    magnitude: 190_000.0 - 1e3 * [1.0, 2.5, 0.5][place % 3],
                    angle_rad,
                })
            };
            ((0..phasors).map(phasor).collect::<Vec<_>>(), vec![Some(42.0); analogs])
        })
        .collect();
    let samples: Vec<_> = values
        .iter()
        .map(|(phasors, analogs)| PmuSample {
            stat: Stat::default(),
            phasors,
            frequency_hz: Some(50.012),
            rocof_hz_per_s: Some(-0.03),
            analogs,
            digitals: &[0x0F0F],
        })
        .collect();
    let mut frame = vec![0; 65_535];
    let size = encode::data(&mut frame, &PREAMBLE, layout, &samples).expect("a DATA frame");
    frame.truncate(size);
    frame
}
