//! What holds for every frame: it encodes and decodes to itself, no bytes panic, and damage is seen.

use core::ops::Range;

use monitor_core::protocol::c37118::encode::{self, ConfigKind, Preamble, StationConfig, StreamConfig};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScaling, Command, CommandView, ConfigView, Coordinates, DataRate,
    DataView, DigitalChannel, Format, FrameHeader, FrameView, HeaderView, IdCode, Layout, NominalFrequency,
    PhasorChannel, PhasorFormat, PhasorScaling, PhasorUnit, Stat, Text, TimeBase, TimeTag, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Sample, encode_again_config, encode_data, layout, samples};

/// A station as the simulator would own it.
#[derive(Clone, Debug)]
struct Station {
    name: String,
    idcode: u16,
    format: Format,
    phasors: Vec<(String, PhasorUnit, u32)>,
    analogs: Vec<(String, AnalogKind, i32)>,
    digitals: Vec<(String, u16, u16)>,
    nominal: NominalFrequency,
    config_count: u16,
}

#[derive(Clone, Debug)]
struct Stream {
    stations: Vec<Station>,
    time_base: u32,
    data_rate: i16,
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9 ]{0,16}"
}

fn formats() -> impl Strategy<Value = Format> {
    (select(PhasorFormat::ALL.as_slice()), any::<bool>(), any::<bool>())
        .prop_map(|(phasors, analogs, frequency)| Format::new(phasors, analogs, frequency))
}

fn station() -> impl Strategy<Value = Station> {
    let units = select([PhasorUnit::Volt, PhasorUnit::Ampere].as_slice());
    let kinds = select(
        [AnalogKind::PointOnWave, AnalogKind::Rms, AnalogKind::Peak, AnalogKind::Other(200)].as_slice(),
    );
    (
        (name(), any::<u16>(), formats()),
        vec((name(), units, 1_u32..1 << 24), 0..5),
        vec((name(), kinds, -(1_i32 << 23)..1 << 23), 0..4),
        vec((name(), any::<u16>(), any::<u16>()), 0..3),
        select([NominalFrequency::Hz50, NominalFrequency::Hz60].as_slice()),
        any::<u16>(),
    )
        .prop_map(|((name, idcode, format), phasors, analogs, digitals, nominal, config_count)| {
            Station { name, idcode, format, phasors, analogs, digitals, nominal, config_count }
        })
}

fn stream() -> impl Strategy<Value = Stream> {
    (vec(station(), 1..5), 1_u32..1 << 24, any::<i16>().prop_filter("a rate", |rate| *rate != 0))
        .prop_map(|(stations, time_base, data_rate)| Stream { stations, time_base, data_rate })
}

fn preamble() -> impl Strategy<Value = Preamble> {
    (select([Version::V2005, Version::V2011].as_slice()), any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
        |(version, idcode, soc, fracsec)| Preamble {
            version,
            idcode: IdCode(idcode),
            time: TimeTag::from_words(soc, fracsec),
        },
    )
}

impl Stream {
    fn config(&self, preamble: &Preamble) -> Vec<u8> {
        struct Channels<'a>(Vec<PhasorChannel<'a>>, Vec<AnalogChannel<'a>>, Vec<DigitalChannel<'a>>);
        let channels: Vec<_> =
            self.stations.iter().map(|s| Channels(s.phasors(), s.analogs(), s.digitals())).collect();
        let stations: Vec<_> = self
            .stations
            .iter()
            .zip(&channels)
            .map(|(station, Channels(phasors, analogs, digitals))| StationConfig {
                station: station.name.as_str().into(),
                idcode: IdCode(station.idcode),
                format: station.format,
                phasors,
                analogs,
                digitals,
                nominal: station.nominal,
                config_count: station.config_count,
            })
            .collect();
        let stream = StreamConfig {
            time_base: TimeBase::from_word(self.time_base).unwrap(),
            stations: &stations,
            data_rate: DataRate::from_word(self.data_rate).unwrap(),
        };
        let mut out = vec![0; 65_535];
        let size = encode::config(&mut out, preamble, ConfigKind::Config2, &stream).unwrap();
        out.truncate(size);
        out
    }
}

impl Station {
    fn phasors(&self) -> Vec<PhasorChannel<'_>> {
        self.phasors
            .iter()
            .map(|(name, unit, factor)| PhasorChannel {
                name: name.as_str().into(),
                unit: *unit,
                scaling: PhasorScaling::Unit { factor: *factor },
            })
            .collect()
    }

    fn analogs(&self) -> Vec<AnalogChannel<'_>> {
        self.analogs
            .iter()
            .map(|(name, kind, scale)| AnalogChannel {
                name: name.as_str().into(),
                scaling: AnalogScaling::Unit { kind: *kind, scale: *scale },
            })
            .collect()
    }

    fn digitals(&self) -> Vec<DigitalChannel<'_>> {
        self.digitals
            .iter()
            .map(|(name, normal, valid)| DigitalChannel {
                names: [Text::from(name.as_str()); 16],
                normal: *normal,
                valid: *valid,
            })
            .collect()
    }

    fn assert_is(&self, read: &monitor_core::protocol::c37118::PmuConfig<'_>) {
        assert_eq!(read.station(), Text::from(self.name.as_str()));
        assert_eq!(read.idcode(), IdCode(self.idcode));
        assert_eq!(read.format(), self.format);
        assert_eq!(read.nominal(), self.nominal);
        assert_eq!(read.config_count(), self.config_count);
        assert_eq!(read.phasors().collect::<Vec<_>>(), self.phasors());
        assert_eq!(read.analogs().collect::<Vec<_>>(), self.analogs());
        assert_eq!(read.digitals().collect::<Vec<_>>(), self.digitals());
    }
}

/// A frame with a body of any bytes whatever, of the size that `layout` predicts.
fn any_data(layout: &Layout, preamble: &Preamble, body: &[u8]) -> Vec<u8> {
    let size = usize::from(layout.stream().unwrap().data_framesize);
    let mut frame = vec![0; size];
    encode::header(&mut frame, preamble, Text::new(&vec![0; size - 16])).unwrap();
    frame[1] &= 0x0F;
    for (byte, any) in frame[14..size - 2].iter_mut().zip(body.iter().cycle()) {
        *byte = *any;
    }
    encode::reseal(&mut frame);
    frame
}

/// Everything that can be asked of bytes, by a layout that may be another stream's.
fn ask_everything(bytes: &[u8], layout: &Layout) {
    let _ = FrameHeader::peek(bytes);
    let _ = FrameView::without_check(bytes);
    if let Ok(view) = DataView::new(bytes, layout) {
        let _ = (view.unix_ns(), view.frame_index());
        for pmu in view.pmus() {
            assert_eq!(pmu.phasors().count(), pmu.layout().phasors().into());
            assert_eq!(pmu.analogs().count(), pmu.layout().analogs().into());
            assert_eq!(pmu.digitals().count(), pmu.layout().digitals().into());
            let _ = (pmu.stat().data_status(), pmu.frequency_hz(), pmu.rocof_hz_per_s());
        }
    }
    let Ok((frame, _)) = FrameView::split(bytes) else { return };
    let _ = CommandView::new(frame).map(|view| view.command().name());
    let _ = HeaderView::new(frame).map(|view| view.text().to_string());
    let Ok(config) = ConfigView::new(frame) else { return };
    for pmu in config.pmus() {
        let _ = pmu.station().to_string();
        assert_eq!(pmu.phasors().count(), pmu.phasors().len());
        assert_eq!(pmu.analogs().count(), pmu.analogs().len());
        assert_eq!(pmu.digitals().count(), pmu.digitals().len());
    }
    let _ = Layout::with_capacity(crate::support::BOUNDS).fill(&config);
}

/// A value that `format`'s phasors can hold at 1 V to a bit.
fn phasor() -> impl Strategy<Value = Coordinates> {
    (0.0..32_000.0, -core::f64::consts::PI..core::f64::consts::PI)
        .prop_map(|(magnitude, angle_rad)| Coordinates::Polar { magnitude, angle_rad })
}

proptest! {
    #[test]
    fn a_configuration_is_read_as_written(stream in stream(), preamble in preamble()) {
        let frame = stream.config(&preamble);
        let view = ConfigView::new(FrameView::new(&frame).unwrap()).unwrap();
        prop_assert_eq!(Preamble::from(view.frame().header()), preamble);
        prop_assert_eq!(view.time_base().get(), stream.time_base);
        prop_assert_eq!(view.data_rate().unwrap().word(), stream.data_rate);
        prop_assert_eq!(view.pmus().len(), stream.stations.len());
        for (station, read) in stream.stations.iter().zip(view.pmus()) {
            station.assert_is(&read);
        }
        prop_assert_eq!(encode_again_config(&view), frame);
    }

    #[test]
    fn any_measurements_are_written_as_read(
        stream in stream(),
        preamble in preamble(),
        body in vec(any::<u8>(), 1..200),
    ) {
        let config = stream.config(&preamble);
        let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
        let frame = any_data(&layout, &preamble, &body);
        let values = samples(&DataView::new(FrameView::new(&frame).unwrap().bytes(), &layout).unwrap());
        // An integer analog has no absent value, and every other value has a place.
        let again = encode_data(&preamble, &layout, &values).unwrap();
        prop_assert_eq!(&samples(&DataView::new(&again, &layout).unwrap()), &values);
        let all_present = values.iter().all(|pmu| {
            pmu.frequency_hz.is_some()
                && pmu.rocof_hz_per_s.is_some()
                && pmu.phasors.iter().all(Option::is_some)
                && pmu.analogs.iter().all(Option::is_some)
        });
        if all_present {
            prop_assert_eq!(again, frame);
        }
    }

    #[test]
    fn values_come_back_within_half_a_bit(
        formats in vec(formats(), 1..4),
        phasor in phasor(),
        deviation in -30.0_f64..30.0,
        rocof in -300.0_f64..300.0,
        analog in -32_000.0_f64..32_000.0,
        absent: bool,
        preamble in preamble(),
    ) {
        let station = |format| Station {
            name: "S".into(),
            idcode: 1,
            format,
            phasors: vec![("V".into(), PhasorUnit::Volt, 100_000)],
            analogs: vec![("A".into(), AnalogKind::Rms, 0)],
            digitals: vec![("D".into(), 0, 0xFFFF)],
            nominal: NominalFrequency::Hz50,
            config_count: 1,
        };
        let stations: Vec<_> = formats.into_iter().map(station).collect();
        let stream = Stream { stations, time_base: 1_000_000, data_rate: 50 };
        let config = stream.config(&preamble);
        let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
        let sample = Sample {
            stat: Stat::from_word(0x21F0),
            phasors: vec![(!absent).then_some(phasor)],
            frequency_hz: (!absent).then_some(50.0 + deviation),
            rocof_hz_per_s: (!absent).then_some(rocof),
            analogs: vec![Some(analog)],
            digitals: vec![0xA55A],
        };
        let frame = encode_data(&preamble, &layout, &vec![sample.clone(); stream.stations.len()]).unwrap();
        let view = DataView::new(FrameView::new(&frame).unwrap().bytes(), &layout).unwrap();
        for (pmu, station) in view.pmus().zip(&stream.stations) {
            prop_assert_eq!(pmu.stat(), sample.stat);
            prop_assert_eq!(pmu.digitals().collect::<Vec<_>>(), sample.digitals.clone());
            prop_assert_eq!(pmu.analogs().len(), 1);
            prop_assert!((pmu.analogs().next().unwrap().unwrap() - analog).abs() <= 0.5 + 1e-9);
            let read = pmu.phasors().next().unwrap();
            if absent {
                prop_assert_eq!((read, pmu.frequency_hz(), pmu.rocof_hz_per_s()), (None, None, None));
                continue;
            }
            let (hz, slope) = if station.format.frequency_float() { (4e-6, 2e-5) } else { (5e-4, 5e-3) };
            prop_assert!((pmu.frequency_hz().unwrap() - 50.0 - deviation).abs() <= hz + 1e-9);
            prop_assert!((pmu.rocof_hz_per_s().unwrap() - rocof).abs() <= slope + 1e-9);
            let read = read.unwrap();
            prop_assert_eq!(read.unit, PhasorUnit::Volt);
            let polar = Coordinates::Polar { magnitude: read.magnitude, angle_rad: read.angle_rad };
            let ((re, im), (true_re, true_im)) = (polar.rectangular(), phasor.rectangular());
            let error = (re - true_re).hypot(im - true_im);
            let (magnitude, _) = phasor.polar();
            let bound = match station.format.phasors() {
                PhasorFormat::IntRectangular => 0.5_f64.hypot(0.5),
                PhasorFormat::IntPolar => 0.5 + magnitude * 0.5e-4,
                PhasorFormat::FloatRectangular | PhasorFormat::FloatPolar => 2e-7 * magnitude,
            };
            prop_assert!(error <= bound + 1e-9, "{error} above {bound} in {:?}", station.format);
        }
    }

    #[test]
    fn commands_and_texts_come_back(
        preamble in preamble(),
        word: u16,
        extended in vec(any::<u8>(), 0..100),
        text in "\\PC{0,60}",
    ) {
        let mut out = [0; 512];
        let size = encode::command(&mut out, &preamble, Command::from_word(word), &extended).unwrap();
        let frame = FrameView::new(&out[..size]).unwrap();
        prop_assert_eq!(Preamble::from(frame.header()), preamble);
        let view = CommandView::new(frame).unwrap();
        prop_assert_eq!((view.command().word(), view.extended()), (word, extended.as_slice()));
        let size = encode::header(&mut out, &preamble, text.as_str().into()).unwrap();
        let frame = FrameView::new(&out[..size]).unwrap();
        prop_assert_eq!(HeaderView::new(frame).unwrap().text().raw(), text.as_bytes());
    }

    #[test]
    fn no_bytes_panic(stream in stream(), preamble in preamble(), bytes in vec(any::<u8>(), 0..300)) {
        let config = stream.config(&preamble);
        let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
        ask_everything(&bytes, &layout);
        // The same bytes with a header and a check word that let them in.
        let mut frame = bytes;
        frame.resize(frame.len().max(16), 0);
        let size = u16::try_from(frame.len()).unwrap();
        for kind in 0..8 {
            frame[..2].copy_from_slice(&[0xAA, kind << 4 | 1]);
            frame[2..4].copy_from_slice(&size.to_be_bytes());
            encode::reseal(&mut frame);
            ask_everything(&frame, &layout);
        }
    }

    #[test]
    fn a_changed_configuration_does_not_panic(
        stream in stream(),
        preamble in preamble(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut frame = stream.config(&preamble);
        let empty = Layout::with_capacity(crate::support::BOUNDS);
        for (place, value) in changes {
            let place = 14 + place.index(frame.len() - 16);
            frame[place] = value;
            encode::reseal(&mut frame);
            ask_everything(&frame, &empty);
        }
    }

    #[test]
    fn another_streams_layout_reads_or_refuses(one in stream(), other in stream(), preamble in preamble(), body in vec(any::<u8>(), 1..50)) {
        let [one, other] = [one, other].map(|stream| stream.config(&preamble));
        let [one, other] = [&one, &other].map(|frame| layout(&ConfigView::new(FrameView::new(frame).unwrap()).unwrap()));
        ask_everything(&any_data(&one, &preamble, &body), &other);
    }

    #[test]
    fn a_cut_frame_is_refused(stream in stream(), preamble in preamble(), cut: (proptest::sample::Index, proptest::sample::Index)) {
        let frame = stream.config(&preamble);
        let (a, b) = (cut.0.index(frame.len()), cut.1.index(frame.len()));
        let Range { start, end } = a.min(b)..a.max(b) + 1;
        let rest = [&frame[..start], &frame[end..]].concat();
        prop_assert!(FrameView::new(&rest).is_err());
    }

    /// Bursts of up to 16 bits are what a CRC of 16 bits always sees.
    #[test]
    fn damage_is_refused(stream in stream(), preamble in preamble(), place: proptest::sample::Index, burst in 1_u16..) {
        let mut frame = stream.config(&preamble);
        let place = place.index(frame.len() - 1);
        for (byte, flipped) in frame[place..].iter_mut().zip(burst.to_be_bytes()) {
            *byte ^= flipped;
        }
        prop_assert!(FrameView::new(&frame).is_err());
    }
}
