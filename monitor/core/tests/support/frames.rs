//! A simulated PMU: its configuration and its frames, by the encoders.

use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, PmuSample, Preamble, StationConfig, StationConfig3, StreamConfig, StreamConfig3,
};
use monitor_core::protocol::c37118::{
    ConfigView, Coordinates, DataRate, Format, FrameView, IdCode, Layout, LayoutBounds, NominalFrequency,
    PhasorChannel, PhasorComponent, PhasorScale3, PhasorScaling, PhasorUnit, PmuDetails, ServiceClass, Stat,
    Text, TimeBase, TimeQuality, TimeTag, Version,
};

/// Float values, polar phasors.
const FORMAT: Format = Format::from_word(0b1111);

/// One PMU of some float phasors.
#[derive(Debug)]
pub(crate) struct Pmu {
    pub(crate) idcode: u16,
    pub(crate) rate: DataRate,
    pub(crate) time_base: TimeBase,
    /// What its frames say of its clock and of itself.
    pub(crate) quality: TimeQuality,
    pub(crate) stat: Stat,
    /// STN, and SVC_CLASS of its CFG-3.
    pub(crate) station: &'static str,
    pub(crate) class: ServiceClass,
    layout: Layout,
    phasors: usize,
    config_count: u16,
}

impl Pmu {
    pub(crate) fn new(idcode: u16, rate: i16, phasors: usize) -> Self {
        let bounds = LayoutBounds { pmus: 1, phasors: 64, analogs: 0 };
        let mut pmu = Self {
            idcode,
            rate: DataRate::from_word(rate).expect("a rate"),
            time_base: TimeBase::MICROSECONDS,
            quality: TimeQuality::default(),
            stat: Stat::default(),
            station: "STATION",
            class: ServiceClass::Measurement,
            layout: Layout::with_capacity(bounds),
            phasors,
            config_count: 1,
        };
        pmu.lay_out();
        pmu
    }

    /// Another configuration of as many phasors as said.
    pub(crate) fn change(&mut self, phasors: usize) {
        self.phasors = phasors;
        self.config_count += 1;
        self.lay_out();
    }

    fn lay_out(&mut self) {
        let bytes = self.config(0);
        let config = ConfigView::new(FrameView::new(&bytes).expect("a frame")).expect("a configuration");
        self.layout.fill(&config).expect("place in the layout");
    }

    /// Its CFG-2, sent in the second `soc`.
    pub(crate) fn config(&self, soc: u32) -> Vec<u8> {
        self.config_of(ConfigKind::Config2, soc)
    }

    pub(crate) fn config_of(&self, kind: ConfigKind, soc: u32) -> Vec<u8> {
        let channel = PhasorChannel {
            name: Text::new(b"VA"),
            unit: PhasorUnit::Volt,
            scaling: PhasorScaling::Unit { factor: 1 },
        };
        let phasors = vec![channel; self.phasors];
        let station = StationConfig {
            station: Text::from(self.station),
            idcode: IdCode(self.idcode),
            format: FORMAT,
            phasors: &phasors,
            analogs: &[],
            digitals: &[],
            nominal: NominalFrequency::Hz50,
            config_count: self.config_count,
        };
        let stream = StreamConfig { time_base: self.time_base, stations: &[station], data_rate: self.rate };
        let mut bytes = vec![0; 4096];
        let size =
            encode::config(&mut bytes, &self.preamble(soc, 0), kind, &stream).expect("a configuration");
        bytes.truncate(size);
        bytes
    }

    /// Its CFG-3, sent in the second `soc`, whose phasors are scaled by `scale`.
    pub(crate) fn config3(&self, soc: u32, scale: f32) -> Vec<u8> {
        let scaling = PhasorScale3::new(PhasorComponent::PhaseA, scale).into();
        let phasors =
            vec![PhasorChannel { name: "VA".into(), unit: PhasorUnit::Volt, scaling }; self.phasors];
        let config = StationConfig {
            station: Text::from(self.station),
            idcode: IdCode(self.idcode),
            format: FORMAT,
            phasors: &phasors,
            analogs: &[],
            digitals: &[],
            nominal: NominalFrequency::Hz50,
            config_count: self.config_count,
        };
        let stations = [StationConfig3 {
            config,
            details: PmuDetails { service_class: self.class, ..PmuDetails::default() },
        }];
        let stream = StreamConfig3 { time_base: self.time_base, stations: &stations, data_rate: self.rate };
        let mut bytes = vec![0; 4096];
        let size = encode::config3(&mut bytes, &self.preamble(soc, 0), &stream).expect("a configuration");
        bytes.truncate(size);
        bytes
    }

    /// Its DATA frame of the instant with this frame index.
    pub(crate) fn data(&self, index: u64) -> Vec<u8> {
        let ns = u64::try_from(self.rate.unix_ns_of_index(index)).expect("an instant after 1970");
        let soc = u32::try_from(ns / 1_000_000_000).expect("an instant before 2106");
        let fraction = (ns % 1_000_000_000) * u64::from(self.time_base.get()) / 1_000_000_000;
        self.data_at(soc, u32::try_from(fraction).expect("24 bits"))
    }

    /// Its DATA frame with this time tag.
    pub(crate) fn data_at(&self, soc: u32, fraction: u32) -> Vec<u8> {
        let preamble = self.preamble(soc, fraction);
        let phasors = vec![Some(Coordinates::Polar { magnitude: 230.0, angle_rad: 0.5 }); self.phasors];
        let sample = PmuSample {
            stat: self.stat,
            phasors: &phasors,
            frequency_hz: Some(50.25),
            rocof_hz_per_s: Some(-0.5),
            analogs: &[],
            digitals: &[],
        };
        let mut bytes = vec![0; 4096];
        let size = encode::data(&mut bytes, &preamble, &self.layout, &[sample]).expect("a DATA frame");
        bytes.truncate(size);
        bytes
    }

    fn preamble(&self, soc: u32, fraction: u32) -> Preamble {
        let time = TimeTag::new(soc, fraction, self.quality).expect("24 bits");
        Preamble { version: Version::V2005, idcode: IdCode(self.idcode), time }
    }
}
