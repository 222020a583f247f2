//! One simulated station's frames, by the same encoders that the tests of the decoder use.

use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, EncodeError, Preamble, StationConfig, StreamConfig,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScaling, ConfigView, DigitalChannel, FrameView, Layout, LayoutBounds,
    PhasorChannel, PhasorScaling, PhasorUnit, Text, TimeTag, Version,
};

use super::error::{Error, Undescribed};
use super::instant::{ReportingInstant, ReportingRate};
use super::station::{GridState, Station};

/// Room for the largest frame: a CFG-2 has some 600 bytes.
const LARGEST_FRAME: usize = 2048;

/// CFGCNT: the configuration has never changed.
const CONFIG_COUNT: u16 = 0;

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
const DIGITALS_NORMAL: u16 = 0x000F;
const DIGITALS_VALID: u16 = 0x00FF;

/// Writes the frames of one station into a buffer of its own.
#[derive(Debug)]
pub struct Frames {
    station: Station,
    rate: ReportingRate,
    layout: Layout,
    buffer: Vec<u8>,
}

impl Frames {
    /// For `station`, which reports at `rate`.
    ///
    /// # Errors
    /// [`Error::Station`] where the model asks for what the encoder cannot write.
    pub fn new(station: Station, rate: ReportingRate) -> Result<Self, Error> {
        let bounds = LayoutBounds {
            pmus: 1,
            phasors: narrow(Station::PHASORS.len()),
            analogs: narrow(Station::ANALOGS.len()),
        };
        let layout = Layout::with_capacity(bounds);
        let mut frames = Self { station, rate, layout, buffer: vec![0; LARGEST_FRAME] };
        match frames.lay_out() {
            Ok(()) => Ok(frames),
            Err(source) => Err(Error::Station { station: frames.station.name().to_owned(), source }),
        }
    }

    /// Takes the layout from the CFG-2 as a receiver would, so that the two cannot disagree.
    fn lay_out(&mut self) -> Result<(), Undescribed> {
        let size = self.config2(TimeTag::default())?.len();
        let frame = FrameView::new(self.buffer.get(..size).unwrap_or_default())?;
        self.layout.fill(&ConfigView::new(frame)?)?;
        Ok(())
    }

    /// The station.
    #[must_use]
    pub const fn station(&self) -> &Station {
        &self.station
    }

    /// CFG-2 with the time tag `at`.
    ///
    /// # Errors
    /// None after [`Frames::new`] has written one.
    pub fn config2(&mut self, at: TimeTag) -> Result<&[u8], EncodeError> {
        let Self { station, rate, layout: _, buffer } = self;
        let phasors: [_; Station::PHASORS.len()] = std::array::from_fn(|place| PhasorChannel {
            name: Text::from(Station::PHASORS[place]),
            unit: if place < Station::VOLTAGES { PhasorUnit::Volt } else { PhasorUnit::Ampere },
            scaling: PhasorScaling::Unit { factor: factor(station.most(place)) },
        });
        let analogs = Station::ANALOGS.map(|name| AnalogChannel {
            name: name.into(),
            scaling: AnalogScaling::Unit { kind: AnalogKind::Rms, scale: 1 },
        });
        let digitals = [DigitalChannel {
            names: DIGITAL_NAMES.map(Text::from),
            normal: DIGITALS_NORMAL,
            valid: DIGITALS_VALID,
        }];
        let stations = [StationConfig {
            station: Text::from(station.name()),
            idcode: station.idcode(),
            format: station.format(),
            phasors: &phasors,
            analogs: &analogs,
            digitals: &digitals,
            nominal: station.nominal(),
            config_count: CONFIG_COUNT,
        }];
        let stream = StreamConfig {
            time_base: ReportingInstant::TIME_BASE,
            stations: &stations,
            data_rate: rate.data_rate(),
        };
        let size = encode::config(buffer, &preamble(station, at), ConfigKind::Config2, &stream)?;
        Ok(written(buffer, size))
    }

    /// HDR with the time tag `at`: what the station is.
    ///
    /// # Errors
    /// None that the text can cause.
    pub fn header(&mut self, at: TimeTag) -> Result<&[u8], EncodeError> {
        let Self { station, rate, layout: _, buffer } = self;
        let text = format!(
            "{}, {} kV, {} Hz, {} frames/s, simulated by pmu-monitor",
            station.name(),
            station.voltage_kv(),
            station.nominal().hz(),
            rate.get(),
        );
        let size = encode::header(buffer, &preamble(station, at), Text::from(text.as_str()))?;
        Ok(written(buffer, size))
    }

    /// DATA of `instant`, while the grid does `grid`.
    ///
    /// # Errors
    /// A measurement that its field cannot hold: a bug of the model.
    pub fn data(&mut self, instant: ReportingInstant, grid: GridState) -> Result<&[u8], EncodeError> {
        let Self { station, rate: _, layout, buffer } = self;
        let measured = station.measure(instant, grid);
        let preamble = preamble(station, instant.time_tag());
        let size = encode::data(buffer, &preamble, layout, &[measured.sample()])?;
        Ok(written(buffer, size))
    }
}

fn preamble(station: &Station, time: TimeTag) -> Preamble {
    Preamble { version: Version::V2011, idcode: station.idcode(), time }
}

fn written(buffer: &[u8], size: usize) -> &[u8] {
    buffer.get(..size).unwrap_or_default()
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
    use monitor_core::protocol::c37118::{DataView, FrameKind, HeaderView};

    use super::super::station::{Fleet, FleetPlan};
    use super::*;

    #[test]
    fn every_station_of_the_largest_fleet_can_be_written() {
        let nominal = monitor_core::protocol::c37118::NominalFrequency::Hz60;
        let fleet = Fleet::new(&FleetPlan { seed: 9, pmus: 1000, first_idcode: 1, nominal }).unwrap();
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
        let nominal = monitor_core::protocol::c37118::NominalFrequency::Hz50;
        let fleet = Fleet::new(&FleetPlan { seed: 9, pmus: 1, first_idcode: 7, nominal }).unwrap();
        let mut frames = Frames::new(fleet.stations()[0].clone(), ReportingRate::FIFTY).unwrap();
        let tag = TimeTag::from_words(1_790_000_000, 5);
        let bytes = frames.config2(tag).unwrap();
        let config = ConfigView::new(FrameView::new(bytes).unwrap()).unwrap();
        assert_eq!(config.frame().time(), tag);
        assert_eq!(config.data_rate().unwrap().word(), 50);
        let pmu = config.pmus().next().unwrap();
        assert_eq!((pmu.station(), pmu.idcode()), (Text::from("Aldermere"), config.idcode()));
        let names: Vec<_> = pmu.phasors().map(|channel| channel.name.to_string()).collect();
        assert_eq!(names, Station::PHASORS);
        let text = HeaderView::new(FrameView::new(frames.header(tag).unwrap()).unwrap()).unwrap();
        assert!(text.text().to_string().starts_with("Aldermere, "), "{}", text.text());
    }
}
