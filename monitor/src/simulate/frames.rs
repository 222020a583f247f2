//! One simulated stream's frames, by the same encoders that the tests of the decoder use: of one PMU, or of several
//! in one frame as a PDC sends them on.

use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, EncodeError, Fragments, PmuSample, Preamble, StationConfig, StationConfig3,
    StreamConfig, StreamConfig3,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScale3, AnalogScaling, ConfigView, Coordinates, DigitalChannel,
    FragmentChecks, FrameView, IdCode, Layout, LayoutBounds, PhasorChannel, PhasorComponent, PhasorFormat,
    PhasorScale3, PhasorScaling, PhasorUnit, PmuDetails, Stat, Text, TimeBase, TimeTag, Version,
};

use super::error::{Error, Undescribed};
use super::instant::{ReportingInstant, ReportingRate};
use super::shape::Shape;
use super::station::{GridState, Measurement, Station};

/// Room for the frames of one PMU with the usual channels; a larger frame makes room for itself.
const USUAL_FRAME: usize = 2048;

/// PHUNIT counts in 10^-5 V or A.
const PHUNIT_PER_UNIT: f64 = 1e5;

/// Names of the digital status word's bits, the least significant first.
const DIGITAL_NAMES: [&str; 16] = [
    "CB 1 CLOSED",
    "CB 2 CLOSED",
    "ISOL 1 CLOSED",
    "ISOL 2 CLOSED",
    "PROT TRIP",
    "TAP MOVING",
    "GPS ALARM",
    "DC SUPPLY LOW",
    "SPARE 9",
    "SPARE 10",
    "SPARE 11",
    "SPARE 12",
    "SPARE 13",
    "SPARE 14",
    "SPARE 15",
    "SPARE 16",
];
/// What [`Station::PHASORS`] are.
const COMPONENTS: [PhasorComponent; Station::PHASORS.len()] = [
    PhasorComponent::PhaseA,
    PhasorComponent::PhaseB,
    PhasorComponent::PhaseC,
    PhasorComponent::Positive,
    PhasorComponent::PhaseA,
    PhasorComponent::PhaseB,
    PhasorComponent::PhaseC,
    PhasorComponent::Positive,
];
const DIGITALS_NORMAL: u16 = 0x000F;
const DIGITALS_VALID: u16 = 0x00FF;

/// What a stream's frames say of it, apart from its stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The stream's IDCODE.
    pub idcode: IdCode,
    /// DATA_RATE.
    pub rate: ReportingRate,
    /// TIME_BASE.
    pub time_base: TimeBase,
    /// The channels of each PMU.
    pub shape: Shape,
    /// CFGCNT of each PMU: how often its configuration has changed.
    pub config_count: u16,
}

/// Writes the frames of one stream into a buffer of its own.
#[derive(Debug)]
pub struct Frames {
    stations: Vec<Station>,
    description: Description,
    layout: Layout,
    buffer: Vec<u8>,
    /// The values of all stations at one instant, station after station.
    values: Values,
}

#[derive(Debug, Default)]
struct Values {
    stats: Vec<(Stat, f64, f64)>,
    phasors: Vec<Option<Coordinates>>,
    analogs: Vec<Option<f64>>,
    digitals: Vec<u16>,
}

impl Frames {
    /// For the stream of one `station`, which reports at `rate`: its own IDCODE, microseconds, the usual channels.
    ///
    /// # Errors
    /// [`Error::Station`] where the model asks for what the encoder cannot write.
    pub fn new(station: Station, rate: ReportingRate) -> Result<Self, Error> {
        let description = Description {
            idcode: station.idcode(),
            rate,
            time_base: ReportingInstant::TIME_BASE,
            shape: Shape::USUAL,
            config_count: 0,
        };
        Self::of_stream(vec![station], description)
    }

    /// For the stream of all `stations`.
    ///
    /// # Errors
    /// [`Error::Station`] where frames would be larger than FRAMESIZE can say, or there is no station.
    pub fn of_stream(stations: Vec<Station>, description: Description) -> Result<Self, Error> {
        let pmus = narrow(stations.len());
        let bounds = LayoutBounds {
            pmus,
            phasors: pmus.saturating_mul(description.shape.phasors()),
            analogs: pmus.saturating_mul(description.shape.analogs()),
        };
        let layout = Layout::with_capacity(bounds);
        let (buffer, values) = (vec![0; USUAL_FRAME], Values::default());
        let mut frames = Self { stations, description, layout, buffer, values };
        match frames.lay_out() {
            Ok(()) => Ok(frames),
            Err(source) => Err(Error::Station { station: frames.name().to_owned(), source }),
        }
    }

    /// Takes the layout from the CFG-2 as a receiver would, so that the two cannot disagree.
    fn lay_out(&mut self) -> Result<(), Undescribed> {
        let size = self.config2(TimeTag::default())?.len();
        let frame = FrameView::new(self.buffer.get(..size).unwrap_or_default())?;
        self.layout.fill(&ConfigView::new(frame)?)?;
        Ok(())
    }

    fn name(&self) -> &str {
        self.stations.first().map_or("", Station::name)
    }

    /// The stations, in the order of their blocks.
    #[must_use]
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// What its frames say of the stream.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// CFG-1 with the time tag `at`. Its PMUs can send no more than they do.
    ///
    /// # Errors
    /// None after [`Frames::of_stream`] has written a configuration.
    pub fn config1(&mut self, at: TimeTag) -> Result<&[u8], EncodeError> {
        self.config(ConfigKind::Config1, at)
    }

    /// CFG-2 with the time tag `at`.
    ///
    /// # Errors
    /// None after [`Frames::of_stream`] has written one.
    pub fn config2(&mut self, at: TimeTag) -> Result<&[u8], EncodeError> {
        self.config(ConfigKind::Config2, at)
    }

    /// CFG-3 with the time tag `at`, handed to `take` frame by frame: one, or where it has more than `most` bytes
    /// fragments of at most so many.
    ///
    /// # Errors
    /// [`EncodeError`]: a `most` that has no room for a byte of content.
    pub fn config3(
        &mut self,
        at: TimeTag,
        most: u16,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), EncodeError> {
        let Self { stations, description, layout: _, buffer, values: _ } = self;
        let names = Names::of(description.shape);
        let channels: Vec<_> = stations.iter().map(|station| names.channels3(station)).collect();
        let digitals = digitals(description.shape);
        let configs: Vec<_> = stations
            .iter()
            .zip(&channels)
            .map(|(station, (phasors, analogs))| StationConfig3 {
                config: station_config(station, description, phasors, analogs, &digitals),
                details: details(station),
            })
            .collect();
        let stream = StreamConfig3 {
            time_base: description.time_base,
            stations: &configs,
            data_rate: description.rate.data_rate(),
        };
        let preamble = preamble(description, at);
        let whole = write(buffer, |buffer| encode::config3_whole(buffer, &preamble, &stream))?;
        if whole.len() <= most.into() {
            take(whole);
            return Ok(());
        }
        let mut fragments = Fragments::new(whole, FragmentChecks::Each);
        let mut fragment = vec![0; most.into()];
        while let Some(size) = fragments.write_next(most, &mut fragment) {
            take(fragment.get(..size?).unwrap_or_default());
        }
        Ok(())
    }

    fn config(&mut self, kind: ConfigKind, at: TimeTag) -> Result<&[u8], EncodeError> {
        let Self { stations, description, layout: _, buffer, values: _ } = self;
        let Description { shape, .. } = *description;
        let names = Names::of(shape);
        let channels: Vec<_> = stations.iter().map(|station| names.channels(station)).collect();
        let digitals = digitals(shape);
        let configs: Vec<_> = stations
            .iter()
            .zip(&channels)
            .map(|(station, (phasors, analogs))| {
                station_config(station, description, phasors, analogs, &digitals)
            })
            .collect();
        let stream = StreamConfig {
            time_base: description.time_base,
            stations: &configs,
            data_rate: description.rate.data_rate(),
        };
        let preamble = preamble(description, at);
        write(buffer, |buffer| encode::config(buffer, &preamble, kind, &stream))
    }

    /// HDR with the time tag `at`: what the stream is.
    ///
    /// # Errors
    /// None that the text can cause.
    pub fn header(&mut self, at: TimeTag) -> Result<&[u8], EncodeError> {
        let Self { stations, description, layout: _, buffer, values: _ } = self;
        let (kv, hz) = stations.first().map_or((0, 0), |one| (one.voltage_kv(), one.nominal().hz()));
        let name = stations.first().map_or("", Station::name);
        let more = match stations.len() {
            0 | 1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        let rate = description.rate.get();
        let text = format!("{name}{more}, {kv} kV, {hz} Hz, {rate} frames/s, simulated by pmu-monitor");
        let preamble = preamble(description, at);
        write(buffer, |buffer| encode::header(buffer, &preamble, Text::from(text.as_str())))
    }

    /// DATA of `instant`, while the grid does `grid`.
    ///
    /// # Errors
    /// A measurement that its field cannot hold: a bug of the model.
    pub fn data(&mut self, instant: ReportingInstant, grid: GridState) -> Result<&[u8], EncodeError> {
        let tag = instant.time_tag_over(self.description.time_base);
        self.data_of(tag, |station| station.measure(instant, grid))
    }

    /// DATA with the time tag `tag`, whose values `measured` gives for each station.
    ///
    /// # Errors
    /// A measurement that its field cannot hold.
    pub(super) fn data_of(
        &mut self,
        tag: TimeTag,
        mut measured: impl FnMut(&Station) -> Measurement,
    ) -> Result<&[u8], EncodeError> {
        let Self { stations, description, layout, buffer, values } = self;
        let shape = description.shape;
        values.clear();
        for station in stations.iter() {
            values.add(&measured(station), shape);
        }
        let preamble = preamble(description, tag);
        // One PMU is the usual case, and 240 000 times a second it should not ask for memory.
        if let [_one] = stations.as_slice() {
            let samples = [values.sample(0, shape)];
            return write(buffer, |buffer| encode::data(buffer, &preamble, layout, &samples));
        }
        let samples: Vec<_> = (0..stations.len()).map(|place| values.sample(place, shape)).collect();
        write(buffer, |buffer| encode::data(buffer, &preamble, layout, &samples))
    }
}

impl Values {
    fn clear(&mut self) {
        let Self { stats, phasors, analogs, digitals } = self;
        stats.clear();
        phasors.clear();
        analogs.clear();
        digitals.clear();
    }

    /// Channels beyond those that are measured repeat them in turn.
    fn add(&mut self, measured: &Measurement, shape: Shape) {
        let Measurement { stat, phasors, frequency_hz, rocof_hz_per_s, analogs, digitals } = measured;
        self.stats.push((*stat, *frequency_hz, *rocof_hz_per_s));
        self.phasors.extend(phasors.iter().cycle().take(shape.phasors().into()));
        self.analogs.extend(analogs.iter().cycle().take(shape.analogs().into()));
        self.digitals.extend(digitals.iter().cycle().take(shape.digitals().into()));
    }

    fn sample(&self, place: usize, shape: Shape) -> PmuSample<'_> {
        let (stat, frequency_hz, rocof_hz_per_s) = self.stats.get(place).copied().unwrap_or_default();
        PmuSample {
            stat,
            phasors: own(&self.phasors, place, shape.phasors()),
            frequency_hz: Some(frequency_hz),
            rocof_hz_per_s: Some(rocof_hz_per_s),
            analogs: own(&self.analogs, place, shape.analogs()),
            digitals: own(&self.digitals, place, shape.digitals()),
        }
    }
}

/// The part of the station at `place`.
fn own<T>(all: &[T], place: usize, each: u16) -> &[T] {
    let each = usize::from(each);
    all.get(place * each..(place + 1) * each).unwrap_or_default()
}

/// The channels' names.
struct Names {
    phasors: Vec<String>,
    analogs: Vec<String>,
}

impl Names {
    fn of(shape: Shape) -> Self {
        Self {
            phasors: numbered(&Station::PHASORS, shape.phasors()),
            analogs: numbered(&Station::ANALOGS, shape.analogs()),
        }
    }

    fn channels(&self, station: &Station) -> (Vec<PhasorChannel<'_>>, Vec<AnalogChannel<'_>>) {
        let phasors = self.phasors.iter().enumerate().map(|(place, name)| {
            let place = place % Station::PHASORS.len();
            PhasorChannel {
                name: Text::from(name.as_str()),
                unit: if place < Station::VOLTAGES { PhasorUnit::Volt } else { PhasorUnit::Ampere },
                scaling: PhasorScaling::Unit { factor: factor(station.most(place)) },
            }
        });
        let analogs = self.analogs.iter().map(|name| AnalogChannel {
            name: Text::from(name.as_str()),
            scaling: AnalogScaling::Unit { kind: AnalogKind::Rms, scale: 1 },
        });
        (phasors.collect(), analogs.collect())
    }
}

impl Names {
    /// As CFG-3 says it: scales as floats, components by their kind.
    fn channels3(&self, station: &Station) -> (Vec<PhasorChannel<'_>>, Vec<AnalogChannel<'_>>) {
        let float = station.format().phasors();
        let float = matches!(float, PhasorFormat::FloatRectangular | PhasorFormat::FloatPolar);
        let (mut phasors, mut analogs) = self.channels(station);
        for (place, channel) in phasors.iter_mut().enumerate() {
            let component = COMPONENTS[place % COMPONENTS.len()];
            let factor = factor(station.most(place % Station::PHASORS.len()));
            #[expect(clippy::cast_possible_truncation, reason = "PHSCALE is a float of 32 bits")]
            let per_bit = (f64::from(factor) / PHUNIT_PER_UNIT) as f32;
            let scale = if float { 1.0 } else { per_bit };
            channel.scaling = PhasorScaling::Scale(PhasorScale3::new(component, scale));
        }
        for channel in &mut analogs {
            channel.scaling = AnalogScaling::Scale(AnalogScale3 { scale: 1.0, offset: 0.0 });
        }
        (phasors, analogs)
    }
}

fn digitals(shape: Shape) -> Vec<DigitalChannel<'static>> {
    let names = DIGITAL_NAMES.map(Text::from);
    let channel = DigitalChannel { names, normal: DIGITALS_NORMAL, valid: DIGITALS_VALID };
    vec![channel; shape.digitals().into()]
}

fn station_config<'a>(
    station: &'a Station,
    description: &Description,
    phasors: &'a [PhasorChannel<'a>],
    analogs: &'a [AnalogChannel<'a>],
    digitals: &'a [DigitalChannel<'a>],
) -> StationConfig<'a> {
    StationConfig {
        station: Text::from(station.name()),
        idcode: station.idcode(),
        format: station.format(),
        phasors,
        analogs,
        digitals,
        nominal: station.nominal(),
        config_count: description.config_count,
    }
}

/// Where the station is: somewhere in the country of the fleet's frequency bands, as its IDCODE says.
fn details(station: &Station) -> PmuDetails {
    const MICROS: i32 = 1_000_000;
    let idcode = station.idcode().0;
    let mut global_id = [0; 16];
    global_id[14..].copy_from_slice(&idcode.to_be_bytes());
    let spread = f32::from(idcode % 100) / 10.0;
    PmuDetails {
        global_id,
        latitude_deg: Some(-37.0 + spread),
        longitude_deg: Some(141.0 + spread),
        elevation_m: None,
        // Two cycles of measurement, half of it delay.
        window_us: 2 * MICROS / i32::from(station.nominal().hz()),
        group_delay_us: MICROS / i32::from(station.nominal().hz()),
        ..PmuDetails::default()
    }
}

/// So many names: from the second round on with a number.
fn numbered(names: &[&str], count: u16) -> Vec<String> {
    (0..usize::from(count))
        .map(|place| match (names[place % names.len()], place / names.len()) {
            (name, 0) => name.to_owned(),
            (name, round) => format!("{name} {}", round + 1),
        })
        .collect()
}

fn preamble(description: &Description, time: TimeTag) -> Preamble {
    Preamble { version: Version::V2011, idcode: description.idcode, time }
}

/// Writes into the buffer, and once more where that had to grow.
fn write(
    buffer: &mut Vec<u8>,
    encode: impl Fn(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<&[u8], EncodeError> {
    let size = match encode(buffer) {
        Err(EncodeError::BufferTooSmall { needed, .. }) => {
            buffer.resize(needed, 0);
            encode(buffer)?
        }
        other => other?,
    };
    Ok(buffer.get(..size).unwrap_or_default())
}

fn narrow(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// The factor of PHUNIT with which `most` still fits 16 bits, signed.
fn factor(most: f64) -> u32 {
    let factor = (most * PHUNIT_PER_UNIT / f64::from(i16::MAX)).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and a float saturates; the encoder refuses what exceeds 24 bits"
    )]
    {
        factor as u32
    }
}

#[cfg(test)]
mod tests {
    use monitor_core::protocol::c37118::{DataView, FrameKind, HeaderView, NominalFrequency};

    use super::super::station::{Fleet, FleetPlan};
    use super::*;

    fn fleet(pmus: u16, first_idcode: u16, nominal: NominalFrequency) -> Fleet {
        Fleet::new(&FleetPlan { seed: 9, pmus, first_idcode, nominal }).unwrap()
    }

    #[test]
    fn every_station_of_the_largest_fleet_can_be_written() {
        let fleet = fleet(1000, 1, NominalFrequency::Hz60);
        let instant = ReportingInstant::at_or_after(1_790_000_000_000_000_000, ReportingRate::FIFTY);
        for station in fleet.stations() {
            let mut frames = Frames::new(station.clone(), ReportingRate::FIFTY).unwrap();
            let bytes = frames.data(instant, fleet.grid(instant)).unwrap().to_vec();
            assert_eq!(FrameView::new(&bytes).unwrap().kind(), FrameKind::Data);
            let data = DataView::new(&bytes, &frames.layout).unwrap();
            assert_eq!((data.idcode(), data.time()), (station.idcode(), instant.time_tag()));
        }
    }

    #[test]
    fn the_configuration_says_what_the_station_is() {
        let fleet = fleet(1, 7, NominalFrequency::Hz50);
        let mut frames = Frames::new(fleet.stations()[0].clone(), ReportingRate::FIFTY).unwrap();
        let tag = TimeTag::from_words(1_790_000_000, 5);
        for kind in [FrameKind::Config1, FrameKind::Config2] {
            let bytes = match kind {
                FrameKind::Config1 => frames.config1(tag),
                _ => frames.config2(tag),
            };
            let config = ConfigView::new(FrameView::new(bytes.unwrap()).unwrap()).unwrap();
            assert_eq!((config.kind(), config.frame().time()), (kind, tag));
            assert_eq!(config.data_rate().unwrap().word(), 50);
            let pmu = config.pmus().next().unwrap();
            assert_eq!((pmu.station(), pmu.idcode()), (Text::from("Aldermere"), config.idcode()));
            let names: Vec<_> = pmu.phasors().map(|channel| channel.name.to_string()).collect();
            assert_eq!(names, Station::PHASORS);
        }
        let text = HeaderView::new(FrameView::new(frames.header(tag).unwrap()).unwrap()).unwrap();
        assert!(text.text().to_string().starts_with("Aldermere, "), "{}", text.text());
    }

    #[test]
    fn a_stream_of_several_pmus_has_their_blocks_in_order_and_any_number_of_channels() {
        for (phasors, analogs, digitals) in [(0, 0, 0), (1, 0, 2), (8, 2, 1), (19, 5, 3)] {
            let fleet = fleet(30, 61, NominalFrequency::Hz50);
            let description = Description {
                idcode: IdCode(60),
                rate: ReportingRate::FIFTY,
                time_base: TimeBase::from_word(0x00FF_FFFF).unwrap(),
                shape: Shape::new(phasors, analogs, digitals).unwrap(),
                config_count: 3,
            };
            let mut frames = Frames::of_stream(fleet.stations().to_vec(), description).unwrap();
            let instant = ReportingInstant::at_or_after(1_790_000_000_020_000_000, ReportingRate::FIFTY);
            let bytes = frames.config2(TimeTag::default()).unwrap().to_vec();
            let config = ConfigView::new(FrameView::new(&bytes).unwrap()).unwrap();
            assert_eq!((config.idcode(), config.pmus().count()), (IdCode(60), 30));
            for (pmu, station) in config.pmus().zip(fleet.stations()) {
                assert_eq!((pmu.idcode(), pmu.config_count()), (station.idcode(), 3));
                let names: std::collections::BTreeSet<_> =
                    pmu.phasors().map(|channel| channel.name.to_string()).collect();
                assert_eq!(names.len(), usize::from(phasors), "every name differs: {names:?}");
            }
            let data = frames.data(instant, fleet.grid(instant)).unwrap().to_vec();
            let view = DataView::new(&data, &frames.layout).unwrap();
            assert_eq!(view.time().fraction(), 0x00FF_FFFF / 50, "one period, over the stream's own base");
            assert_eq!(view.pmus().count(), 30);
            for pmu in view.pmus() {
                assert_eq!(pmu.coordinates().count(), usize::from(phasors));
                assert_eq!(
                    (pmu.analogs().count(), pmu.digitals().count()),
                    (analogs.into(), digitals.into())
                );
            }
        }
    }

    #[test]
    fn a_frame_beyond_framesize_is_refused_by_name() {
        let fleet = fleet(1000, 1, NominalFrequency::Hz50);
        let description = Description {
            idcode: IdCode(2000),
            rate: ReportingRate::FIFTY,
            time_base: TimeBase::MICROSECONDS,
            shape: Shape::USUAL,
            config_count: 0,
        };
        let error = Frames::of_stream(fleet.stations().to_vec(), description).unwrap_err().to_string();
        assert!(error.contains("65535"), "{error}");
    }
}
