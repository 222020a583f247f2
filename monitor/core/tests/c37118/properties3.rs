//! What holds for every CFG-3: it is read as written, whole or however it is cut into fragments, and no bytes panic.

use monitor_core::protocol::c37118::encode::{
    self, Fragments, Preamble, StationConfig, StationConfig3, StreamConfig3,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogScale3, AnalogScaling, ConfigView, Coordinates, DataRate, DataView, DigitalChannel,
    Format, Fragment, FragmentChecks, FrameView, IdCode, Modifications, NominalFrequency, PhasorChannel,
    PhasorComponent, PhasorScale3, PhasorUnit, PmuConfig, PmuDetails, Series, ServiceClass, Stat, TimeBase,
    TimeTag, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::{Sample, encode_data, layout, preamble, samples};

/// A station as the simulator would own it.
#[derive(Clone, Debug)]
struct Station {
    name: String,
    idcode: u16,
    format: Format,
    phasors: Vec<(String, PhasorUnit, PhasorScale3)>,
    analogs: Vec<(String, AnalogScale3)>,
    digitals: Vec<([String; 2], u16, u16)>,
    details: PmuDetails,
    nominal: NominalFrequency,
    config_count: u16,
}

#[derive(Clone, Debug)]
struct Stream {
    stations: Vec<Station>,
    time_base: u32,
    data_rate: i16,
    version: Version,
    time: (u32, u32),
}

fn name() -> impl Strategy<Value = String> {
    "\\PC{0,24}"
}

/// Large and small, of both signs, none of them absent.
fn scale() -> impl Strategy<Value = f32> {
    (select([-1.0_f32, 1.0].as_slice()), 0.01_f32..1e4).prop_map(|(sign, size)| sign * size)
}

fn phasor_scale() -> impl Strategy<Value = PhasorScale3> {
    let component = select(PhasorComponent::ALL.as_slice());
    (any::<u16>(), component, 0_u8..16, any::<u8>(), 0.01_f32..1e4, -4.0_f32..4.0).prop_map(
        |(modifications, component, reserved, user, scale, angle_rad)| PhasorScale3 {
            modifications: Modifications::from_word(modifications),
            component,
            reserved,
            user,
            scale,
            angle_rad,
        },
    )
}

fn details() -> impl Strategy<Value = PmuDetails> {
    let place = || proptest::option::of(-180.0_f32..180.0);
    let class =
        select([ServiceClass::Protection, ServiceClass::Measurement, ServiceClass::Other(0)].as_slice());
    (any::<[u8; 16]>(), place(), place(), place(), class, any::<i32>(), any::<i32>()).prop_map(
        |(global_id, latitude_deg, longitude_deg, elevation_m, service_class, window_us, group_delay_us)| {
            PmuDetails {
                global_id,
                latitude_deg,
                longitude_deg,
                elevation_m,
                service_class,
                window_us,
                group_delay_us,
            }
        },
    )
}

fn station() -> impl Strategy<Value = Station> {
    let units = select([PhasorUnit::Volt, PhasorUnit::Ampere].as_slice());
    let analog = (scale(), -1e4_f32..1e4).prop_map(|(scale, offset)| AnalogScale3 { scale, offset });
    (
        (name(), any::<u16>(), (0_u16..16).prop_map(Format::from_word)),
        vec((name(), units, phasor_scale()), 0..5),
        vec((name(), analog), 0..4),
        vec(([name(), name()], any::<u16>(), any::<u16>()), 0..3),
        details(),
        select([NominalFrequency::Hz50, NominalFrequency::Hz60].as_slice()),
        any::<u16>(),
    )
        .prop_map(
            |((name, idcode, format), phasors, analogs, digitals, details, nominal, config_count)| Station {
                name,
                idcode,
                format,
                phasors,
                analogs,
                digitals,
                details,
                nominal,
                config_count,
            },
        )
}

fn stream() -> impl Strategy<Value = Stream> {
    let version = select([Version::V2005, Version::V2011].as_slice());
    let rate = any::<i16>().prop_filter("a rate", |rate| *rate != 0);
    (vec(station(), 1..3), 1_u32..1 << 24, rate, version, any::<(u32, u32)>()).prop_map(
        |(stations, time_base, data_rate, version, time)| Stream {
            stations,
            time_base,
            data_rate,
            version,
            time,
        },
    )
}

fn checks() -> impl Strategy<Value = FragmentChecks> {
    select([FragmentChecks::Each, FragmentChecks::Last].as_slice())
}

impl Stream {
    fn preamble(&self) -> Preamble {
        let (soc, fracsec) = self.time;
        Preamble { version: self.version, idcode: IdCode(60), time: TimeTag::from_words(soc, fracsec) }
    }

    fn config(&self) -> Vec<u8> {
        let channels: Vec<_> =
            self.stations.iter().map(|s| (s.phasors(), s.analogs(), s.digitals())).collect();
        let stations: Vec<_> = self
            .stations
            .iter()
            .zip(&channels)
            .map(|(station, (phasors, analogs, digitals))| StationConfig3 {
                config: StationConfig {
                    station: station.name.as_str().into(),
                    idcode: IdCode(station.idcode),
                    format: station.format,
                    phasors,
                    analogs,
                    digitals,
                    nominal: station.nominal,
                    config_count: station.config_count,
                },
                details: station.details,
            })
            .collect();
        let stream = StreamConfig3 {
            time_base: TimeBase::from_word(self.time_base).unwrap(),
            stations: &stations,
            data_rate: DataRate::from_word(self.data_rate).unwrap(),
        };
        let mut out = vec![0; 1 << 17];
        let size = encode::config3_whole(&mut out, &self.preamble(), &stream).unwrap();
        out.truncate(size);
        out
    }
}

impl Station {
    fn phasors(&self) -> Vec<PhasorChannel<'_>> {
        self.phasors
            .iter()
            .map(|(name, unit, scale)| PhasorChannel {
                name: name.as_str().into(),
                unit: *unit,
                scaling: (*scale).into(),
            })
            .collect()
    }

    fn analogs(&self) -> Vec<AnalogChannel<'_>> {
        self.analogs
            .iter()
            .map(|(name, scale)| AnalogChannel {
                name: name.as_str().into(),
                scaling: AnalogScaling::Scale(*scale),
            })
            .collect()
    }

    fn digitals(&self) -> Vec<DigitalChannel<'_>> {
        self.digitals
            .iter()
            .map(|(names, normal, valid)| DigitalChannel {
                names: std::array::from_fn(|bit| names[bit % 2].as_str().into()),
                normal: *normal,
                valid: *valid,
            })
            .collect()
    }

    fn assert_is(&self, read: &PmuConfig<'_>) {
        assert_eq!(read.station().raw(), self.name.as_bytes());
        assert_eq!((read.idcode(), read.format()), (IdCode(self.idcode), self.format));
        assert_eq!((read.nominal(), read.config_count()), (self.nominal, self.config_count));
        assert_eq!(read.details(), Some(self.details));
        assert_eq!(read.phasors().collect::<Vec<_>>(), self.phasors());
        assert_eq!(read.analogs().collect::<Vec<_>>(), self.analogs());
        assert_eq!(read.digitals().collect::<Vec<_>>(), self.digitals());
    }
}

/// What `view` says, written again.
fn encode_again(view: &ConfigView<'_>) -> Vec<u8> {
    let channels: Vec<(PmuConfig<'_>, Vec<_>, Vec<_>, Vec<_>)> = view
        .pmus()
        .map(|pmu| (pmu, pmu.phasors().collect(), pmu.analogs().collect(), pmu.digitals().collect()))
        .collect();
    let stations: Vec<_> = channels
        .iter()
        .map(|(pmu, phasors, analogs, digitals)| StationConfig3 {
            config: StationConfig {
                station: pmu.station(),
                idcode: pmu.idcode(),
                format: pmu.format(),
                phasors,
                analogs,
                digitals,
                nominal: pmu.nominal(),
                config_count: pmu.config_count(),
            },
            details: pmu.details().unwrap(),
        })
        .collect();
    let stream = StreamConfig3 {
        time_base: view.time_base(),
        stations: &stations,
        data_rate: view.data_rate().unwrap(),
    };
    let mut out = vec![0; 1 << 17];
    let size = encode::config3_whole(&mut out, &preamble(view.frame()), &stream).unwrap();
    out.truncate(size);
    out
}

/// Cuts `whole` into fragments of these sizes in turn.
fn cut(whole: &[u8], checks: FragmentChecks, sizes: &[u16]) -> Vec<Vec<u8>> {
    let mut fragments = Fragments::new(whole, checks);
    let mut out = vec![0; 65_535];
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(|| {
        let length = fragments.write_next(*sizes.next()?, &mut out)?.unwrap();
        Some(out[..length].to_vec())
    })
    .collect()
}

/// The frame that the fragments become, if they become one.
fn put_together(fragments: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 1 << 17];
    let mut series = Series::begin(&Fragment::new(fragments.first()?).ok()?, &mut buffer).ok()?;
    for fragment in &fragments[1..] {
        if let Some(length) = series.push(&Fragment::new(fragment).ok()?, &mut buffer).ok()? {
            buffer.truncate(length);
            return Some(buffer);
        }
    }
    None
}

proptest! {
    #[test]
    fn a_third_configuration_is_read_as_written(stream in stream()) {
        let frame = stream.config();
        let view = ConfigView::new(FrameView::new(&frame).unwrap()).unwrap();
        prop_assert_eq!(Preamble::from(view.frame().header()), stream.preamble());
        prop_assert_eq!(view.time_base().get(), stream.time_base);
        prop_assert_eq!(view.data_rate().unwrap().word(), stream.data_rate);
        prop_assert_eq!(view.pmus().len(), stream.stations.len());
        for (station, read) in stream.stations.iter().zip(view.pmus()) {
            station.assert_is(&read);
        }
        prop_assert_eq!(encode_again(&view), frame);
    }

    #[test]
    fn any_cutting_gives_the_same_frame(stream in stream(), checks in checks(), sizes in vec(20_u16..500, 1..6)) {
        let whole = stream.config();
        let fragments = cut(&whole, checks, &sizes);
        prop_assert!(fragments.len() > 1);
        prop_assert_eq!(put_together(&fragments), Some(whole));
    }

    /// A burst of up to 16 bits in one fragment, anywhere: the check words see it, and what they do not run over
    /// (the later headers, where only the last fragment has a check) says nothing.
    #[test]
    fn damaged_fragments_become_nothing_or_the_same(
        stream in stream(),
        checks in checks(),
        sizes in vec(20_u16..500, 1..6),
        fragment: Index,
        place: Index,
        burst in 1_u16..,
    ) {
        let whole = stream.config();
        let mut fragments = cut(&whole, checks, &sizes);
        let fragment = fragment.get_mut(&mut fragments);
        let place = place.index(fragment.len() - 1);
        for (byte, flipped) in fragment[place..].iter_mut().zip(burst.to_be_bytes()) {
            *byte ^= flipped;
        }
        if let Some(found) = put_together(&fragments) {
            prop_assert_eq!(found, whole);
        }
    }

    #[test]
    fn no_fragments_panic(parts in vec((any::<u16>(), vec(any::<u8>(), 0..80), any::<bool>()), 1..6), room in 0_usize..200) {
        let mut buffer = vec![0; room];
        let mut series = None;
        for (index, content, sealed) in parts {
            let mut bytes = [&[0xAA, 0x52, 0, 0, 0, 60][..], &[0; 8], &index.to_be_bytes(), &content].concat();
            let size = u16::try_from(bytes.len()).unwrap();
            bytes[2..4].copy_from_slice(&size.to_be_bytes());
            if sealed {
                encode::reseal(&mut bytes);
            }
            let Ok(fragment) = Fragment::new(&bytes) else { continue };
            series = match series {
                None => Series::begin(&fragment, &mut buffer).ok(),
                Some(mut series) => Series::push(&mut series, &fragment, &mut buffer).ok().map(|_| series),
            };
        }
    }

    #[test]
    fn a_changed_third_configuration_does_not_panic(stream in stream(), changes in vec((any::<Index>(), any::<u8>()), 1..6)) {
        let mut frame = stream.config();
        for (place, value) in changes {
            let place = 14 + place.index(frame.len() - 16);
            frame[place] = value;
            encode::reseal(&mut frame);
            let Ok(view) = ConfigView::new(FrameView::new(&frame).unwrap()) else { continue };
            for pmu in view.pmus() {
                prop_assert_eq!(pmu.phasors().count(), pmu.phasors().len());
                prop_assert_eq!(pmu.analogs().count(), pmu.analogs().len());
                prop_assert_eq!(pmu.digitals().count(), pmu.digitals().len());
                let _ = (pmu.station().to_string(), pmu.details());
            }
            let _ = monitor_core::protocol::c37118::Layout::with_capacity(crate::support::BOUNDS).fill(&view);
        }
    }

    /// What is measured comes back to within half a unit of what the frame can say, times Y.
    #[test]
    fn scaled_and_turned_values_come_back(
        stations in vec(station(), 1..4),
        magnitude in 0.0..32_000.0_f64,
        angle_rad in -core::f64::consts::PI..core::f64::consts::PI,
        raw_analog in -32_000.0..32_000.0_f64,
    ) {
        let stream = Stream { stations, time_base: 1_000_000, data_rate: 50, version: Version::V2011, time: (0, 0) };
        let config = stream.config();
        let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
        let written: Vec<Sample> = stream
            .stations
            .iter()
            .map(|station| Sample {
                stat: Stat::default(),
                phasors: station
                    .phasors
                    .iter()
                    .map(|(_, _, scale)| {
                        Some(Coordinates::Polar { magnitude: magnitude * f64::from(scale.scale), angle_rad })
                    })
                    .collect(),
                frequency_hz: None,
                rocof_hz_per_s: None,
                analogs: station
                    .analogs
                    .iter()
                    .map(|(_, scale)| Some(raw_analog * f64::from(scale.scale) + f64::from(scale.offset)))
                    .collect(),
                digitals: vec![7; station.digitals.len()],
            })
            .collect();
        let frame = encode_data(&stream.preamble(), &layout, &written).unwrap();
        let read = samples(&DataView::new(&frame, &layout).unwrap());
        for ((read, written), station) in read.iter().zip(&written).zip(&stream.stations) {
            for ((read, written), (_, _, scale)) in read.phasors.iter().zip(&written.phasors).zip(&station.phasors) {
                let ((re, im), (true_re, true_im)) = (read.unwrap().rectangular(), written.unwrap().rectangular());
                let error = (re - true_re).hypot(im - true_im);
                let bound = (1.0 + magnitude * 1e-4) * f64::from(scale.scale);
                prop_assert!(error <= bound, "{error} above {bound} by {scale:?} in {:?}", station.format);
            }
            for ((read, written), (_, scale)) in read.analogs.iter().zip(&written.analogs).zip(&station.analogs) {
                let error = (read.unwrap() - written.unwrap()).abs();
                prop_assert!(error <= 0.5001 * f64::from(scale.scale).abs(), "{error} by {scale:?}");
            }
        }
    }
}
