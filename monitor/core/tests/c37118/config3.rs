//! CFG-3, written by hand after Table 10: what each byte says, and what is wrong with bytes that are none.

use monitor_core::protocol::c37118::encode::{
    self, EncodeError, Fragments, Preamble, StationConfig, StationConfig3, StreamConfig3,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogScale3, AnalogScaling, ConfigError, ConfigView, Continuation, Coordinates, DataRate,
    DataView, DigitalChannel, Format, Fragment, FragmentChecks, FragmentError, FrameKind, FrameView, IdCode,
    Layout, Modifications, NominalFrequency, PhasorChannel, PhasorComponent, PhasorFormat, PhasorScale3,
    PhasorScaling, PhasorUnit, PmuDetails, Series, SeriesError, ServiceClass, Stat, Text, TimeBase, TimeTag,
    Version,
};

use crate::support::{Sample, encode_data, layout, samples};

const PREAMBLE: Preamble = Preamble {
    version: Version::V2011,
    idcode: IdCode(60),
    time: TimeTag::from_words(1_700_000_000, 0x0F00_0000),
};

const GLOBAL_ID: [u8; 16] = *b"NSW-330kV-000042";

/// One PMU: a voltage that is turned by 30 degrees, a current, an analog, a digital status word.
fn by_hand() -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend([0xAA, 0x52, 0, 0, 0, 60]);
    frame.extend(1_700_000_000_u32.to_be_bytes());
    frame.extend(0x0F00_0000_u32.to_be_bytes());
    // CONT_IDX, TIME_BASE, NUM_PMU.
    frame.extend([0, 0, 0, 0x0F, 0x42, 0x40, 0, 1]);
    let name = |frame: &mut Vec<u8>, name: &str| {
        frame.push(u8::try_from(name.len()).unwrap());
        frame.extend(name.as_bytes());
    };
    name(&mut frame, "Zürich-Süd 380 kV, Abgang 7");
    frame.extend([0, 61]);
    frame.extend(GLOBAL_ID);
    // FORMAT: integer rectangular phasors, all integers. PHNMR, ANNMR, DGNMR.
    frame.extend([0, 0, 0, 2, 0, 1, 0, 1]);
    name(&mut frame, "Voltage L1");
    name(&mut frame, "");
    name(&mut frame, "Temperature of the transformer's oil, degrees Celsius");
    for bit in 0..16 {
        name(&mut frame, &format!("bit {bit}"));
    }
    // PHSCALE: rotated and calibrated, phase A volts, user 0x5A, Y 2.5, theta pi/6.
    frame.extend([0x02, 0x80, 0x04, 0x5A]);
    frame.extend(2.5_f32.to_be_bytes());
    frame.extend(core::f32::consts::FRAC_PI_6.to_be_bytes());
    // PHSCALE: no modification, positive sequence amperes, Y 0.5, theta 0.
    frame.extend([0, 0, 0x09, 0]);
    frame.extend(0.5_f32.to_be_bytes());
    frame.extend(0_f32.to_be_bytes());
    // ANSCALE: M 0.1, B -40.
    frame.extend(0.125_f32.to_be_bytes());
    frame.extend((-40_f32).to_be_bytes());
    // DIGUNIT.
    frame.extend([0x12, 0x34, 0xFF, 0xFF]);
    // Latitude, longitude, no elevation.
    frame.extend(47.25_f32.to_be_bytes());
    frame.extend(8.5_f32.to_be_bytes());
    frame.extend(f32::INFINITY.to_be_bytes());
    // SVC_CLASS, WINDOW, GRP_DLY, FNOM, CFGCNT, DATA_RATE.
    frame.push(b'P');
    frame.extend(40_000_i32.to_be_bytes());
    frame.extend(20_000_i32.to_be_bytes());
    frame.extend([0, 1, 0, 7, 0, 50]);
    frame.extend([0, 0]);
    let size = u16::try_from(frame.len()).unwrap();
    frame[2..4].copy_from_slice(&size.to_be_bytes());
    encode::reseal(&mut frame);
    frame
}

fn view(frame: &[u8]) -> ConfigView<'_> {
    ConfigView::new(FrameView::new(frame).unwrap()).unwrap()
}

fn assert_near(value: f64, known: f64) {
    assert!((value - known).abs() <= 1e-6, "{value} is not {known}");
}

#[test]
fn every_field_is_read_and_written_again() {
    let frame = by_hand();
    let config = view(&frame);
    assert_eq!((config.kind(), config.idcode(), config.num_pmu()), (FrameKind::Config3, IdCode(60), 1));
    assert_eq!((config.time_base(), config.data_rate().unwrap().word()), (TimeBase::MICROSECONDS, 50));
    let pmu = config.pmus().next().unwrap();
    assert_eq!(pmu.station().as_str(), Some("Zürich-Süd 380 kV, Abgang 7"));
    assert_eq!((pmu.idcode(), pmu.config_count()), (IdCode(61), 7));
    assert_eq!(pmu.nominal(), NominalFrequency::Hz50);
    assert_eq!(pmu.format(), Format::new(PhasorFormat::IntRectangular, false, false));
    let details = pmu.details().unwrap();
    assert_eq!(
        details,
        PmuDetails {
            global_id: GLOBAL_ID,
            latitude_deg: Some(47.25),
            longitude_deg: Some(8.5),
            elevation_m: None,
            service_class: ServiceClass::Protection,
            window_us: 40_000,
            group_delay_us: 20_000,
        }
    );
    let phasors: Vec<PhasorChannel<'_>> = pmu.phasors().collect();
    let voltage = PhasorScale3 {
        modifications: Modifications::from_word(0x0280),
        component: PhasorComponent::PhaseA,
        reserved: 0,
        user: 0x5A,
        scale: 2.5,
        angle_rad: core::f32::consts::FRAC_PI_6,
    };
    let current = PhasorScale3::new(PhasorComponent::Positive, 0.5);
    let channel = |name, unit, scale| PhasorChannel {
        name: Text::new(name),
        unit,
        scaling: PhasorScaling::Scale(scale),
    };
    assert_eq!(
        phasors,
        [channel(b"Voltage L1", PhasorUnit::Volt, voltage), channel(b"", PhasorUnit::Ampere, current)]
    );
    let modifications: Vec<_> = voltage.modifications.names().collect();
    assert_eq!(modifications, ["magnitude_calibrated", "phase_rotated"]);
    let analogs: Vec<AnalogChannel<'_>> = pmu.analogs().collect();
    assert_eq!(analogs[0].scaling, AnalogScaling::Scale(AnalogScale3 { scale: 0.125, offset: -40.0 }));
    let digitals: Vec<DigitalChannel<'_>> = pmu.digitals().collect();
    assert_eq!((digitals[0].normal, digitals[0].valid), (0x1234, 0xFFFF));
    assert_eq!(digitals[0].names[15].as_str(), Some("bit 15"));

    let station = StationConfig3 {
        config: StationConfig {
            station: pmu.station(),
            idcode: pmu.idcode(),
            format: pmu.format(),
            phasors: &phasors,
            analogs: &analogs,
            digitals: &digitals,
            nominal: pmu.nominal(),
            config_count: pmu.config_count(),
        },
        details,
    };
    let stream = StreamConfig3 {
        time_base: config.time_base(),
        stations: &[station],
        data_rate: config.data_rate().unwrap(),
    };
    let mut out = vec![0; frame.len()];
    assert_eq!(encode::config3(&mut out, &PREAMBLE, &stream), Ok(frame.len()));
    assert_eq!(out, frame);
}

#[test]
fn data_are_scaled_and_turned() {
    let config = by_hand();
    let layout = layout(&view(&config));
    let mut data = vec![0xAA, 0x02, 0, 34, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0];
    data.extend([0x21, 0xF0]);
    // 1000 at 0 degrees, absent, FREQ +10 mHz, DFREQ absent, analog 800, digital.
    data.extend([0x03, 0xE8, 0, 0, 0x80, 0, 0x80, 0, 0, 10, 0x80, 0, 0x03, 0x20, 0xAB, 0xCD, 0, 0]);
    encode::reseal(&mut data);
    let view = DataView::new(FrameView::new(&data).unwrap().bytes(), &layout).unwrap();
    let pmu = view.pmus().next().unwrap();
    let phasors: Vec<_> = pmu.phasors().collect();
    let turned = phasors[0].unwrap();
    assert_eq!(turned.unit, PhasorUnit::Volt);
    assert_near(turned.magnitude, 2500.0);
    assert_near(turned.angle_rad, -core::f64::consts::FRAC_PI_6);
    assert_eq!(phasors[1], None);
    assert_near(pmu.frequency_hz().unwrap(), 50.01);
    assert_eq!(pmu.rocof_hz_per_s(), None);
    assert_eq!(pmu.analogs().collect::<Vec<_>>(), [Some(60.0)]);
    assert_eq!(pmu.digitals().collect::<Vec<_>>(), [0xABCD]);
    let samples = samples(&view);
    assert_eq!(
        encode_data(&crate::support::preamble(FrameView::new(&data).unwrap()), &layout, &samples),
        Ok(data)
    );
}

/// The formula of Table 11 holds for every format, floats included.
#[test]
fn every_format_is_scaled_and_turned_alike() {
    for format in PhasorFormat::ALL {
        for floats in [false, true] {
            let mut config = by_hand();
            let place = config.windows(8).position(|bytes| bytes == [0, 0, 0, 2, 0, 1, 0, 1]).unwrap();
            let word = Format::new(format, floats, floats).word();
            config[place..place + 2].copy_from_slice(&word.to_be_bytes());
            encode::reseal(&mut config);
            let layout = layout(&view(&config));
            let sent = Coordinates::Polar { magnitude: 10_000.0, angle_rad: -3.0 };
            let sample = Sample {
                stat: Stat::default(),
                phasors: vec![Some(sent), Some(Coordinates::Rectangular { re: -3.0, im: 4.0 })],
                frequency_hz: Some(50.5),
                rocof_hz_per_s: Some(0.25),
                analogs: vec![Some(-38.0)],
                digitals: vec![1],
            };
            let data = encode_data(&PREAMBLE, &layout, std::slice::from_ref(&sample)).unwrap();
            let raw = raw_phasor(&data[16..], format);
            // What stands in the frame is smaller by Y and ahead by theta.
            let (magnitude, angle) = raw.polar();
            assert!((magnitude - 4000.0).abs() < 1.0, "{magnitude} {format:?}");
            assert!((angle - (-3.0 + core::f64::consts::FRAC_PI_6)).abs() < 1e-3, "{angle} {format:?}");
            let view = DataView::new(&data, &layout).unwrap();
            let pmu = view.pmus().next().unwrap();
            let read: Vec<_> = pmu.phasors().map(Option::unwrap).collect();
            assert!((read[0].magnitude - 10_000.0).abs() < 2.5 && (read[0].angle_rad + 3.0).abs() < 1e-3);
            assert!((read[1].magnitude - 5.0).abs() < 0.5, "{format:?}");
            assert_eq!(pmu.analogs().collect::<Vec<_>>(), [Some(-38.0)]);
        }
    }
}

fn raw_phasor(bytes: &[u8], format: PhasorFormat) -> Coordinates {
    let int = |at: usize| f64::from(i16::from_be_bytes(bytes[at..at + 2].try_into().unwrap()));
    let float = |at: usize| f64::from(f32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()));
    match format {
        PhasorFormat::IntRectangular => Coordinates::Rectangular { re: int(0), im: int(2) },
        PhasorFormat::IntPolar => Coordinates::Polar { magnitude: int(0), angle_rad: int(2) / 1e4 },
        PhasorFormat::FloatRectangular => Coordinates::Rectangular { re: float(0), im: float(4) },
        PhasorFormat::FloatPolar => Coordinates::Polar { magnitude: float(0), angle_rad: float(4) },
    }
}

#[test]
fn a_scale_that_is_no_number_makes_its_channel_absent() {
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut config = by_hand();
        let place =
            |bytes: &[u8], config: &[u8]| config.windows(bytes.len()).position(|at| at == bytes).unwrap();
        let scale = place(&2.5_f32.to_be_bytes(), &config);
        config[scale..scale + 4].copy_from_slice(&broken.to_be_bytes());
        let offset = place(&(-40_f32).to_be_bytes(), &config);
        config[offset..offset + 4].copy_from_slice(&broken.to_be_bytes());
        encode::reseal(&mut config);
        let layout = layout(&view(&config));
        let mut data = vec![0xAA, 0x02, 0, 34, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        data.extend([0, 3, 0, 4, 0, 6, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        encode::reseal(&mut data);
        let view = DataView::new(&data, &layout).unwrap();
        let pmu = view.pmus().next().unwrap();
        let magnitudes: Vec<_> = pmu.phasors().map(|phasor| phasor.map(|phasor| phasor.magnitude)).collect();
        assert_eq!(magnitudes, [None, Some(5.0)], "{broken}");
        assert_eq!(pmu.analogs().collect::<Vec<_>>(), [None]);
    }
}

#[test]
fn names_that_are_no_text_are_shown_and_lengths_that_lie_are_named() {
    let mut config = by_hand();
    // STN begins behind CONT_IDX, TIME_BASE and NUM_PMU.
    config[23] = 0xFF;
    encode::reseal(&mut config);
    let shown = view(&config).pmus().next().unwrap().station();
    assert_eq!(shown.as_str(), None);
    assert!(shown.to_string().starts_with('\u{FFFD}'));

    let mut config = by_hand();
    config[22] = 255;
    encode::reseal(&mut config);
    let error = ConfigView::new(FrameView::new(&config).unwrap()).unwrap_err();
    assert_eq!(error.name(), "short");
    let mut config = by_hand();
    let place = config.windows(8).position(|bytes| bytes == [0, 0, 0, 2, 0, 1, 0, 1]).unwrap();
    config[place + 6..place + 8].copy_from_slice(&[0xFF, 0xFF]);
    encode::reseal(&mut config);
    let error = ConfigView::new(FrameView::new(&config).unwrap()).unwrap_err();
    let ConfigError::Short { field, pmu, .. } = error else { panic!("{error}") };
    assert_eq!((field, pmu), ("CHNAM of the digitals (DGNMR)", Some(1)));
}

/// A CFG-3 of as many PMUs as take it beyond what FRAMESIZE can say.
fn large(pmus: u16) -> Vec<u8> {
    let names: Vec<String> = (0..16).map(|bit| format!("{bit:0>250}")).collect();
    let digital =
        DigitalChannel { names: std::array::from_fn(|bit| names[bit].as_str().into()), normal: 0, valid: 1 };
    let phasor = PhasorChannel {
        name: "VA".into(),
        unit: PhasorUnit::Volt,
        scaling: PhasorScale3::new(PhasorComponent::PhaseA, 1.0).into(),
    };
    let (phasors, digitals) = ([phasor], [digital]);
    let stations: Vec<_> = (1..=pmus)
        .map(|idcode| StationConfig3 {
            config: StationConfig {
                station: "a station".into(),
                idcode: IdCode(idcode),
                format: Format::from_word(15),
                phasors: &phasors,
                analogs: &[],
                digitals: &digitals,
                nominal: NominalFrequency::Hz60,
                config_count: 0,
            },
            details: PmuDetails::default(),
        })
        .collect();
    let stream = StreamConfig3 {
        time_base: TimeBase::MICROSECONDS,
        stations: &stations,
        data_rate: DataRate::from_word(-10).unwrap(),
    };
    let mut out = vec![0; 1 << 20];
    let error = encode::config3(&mut out, &PREAMBLE, &stream);
    let size = encode::config3_whole(&mut out, &PREAMBLE, &stream).unwrap();
    assert_eq!(error, if size > 65_535 { Err(EncodeError::FrameTooLarge { size }) } else { Ok(size) });
    out.truncate(size);
    out
}

/// All fragments of `whole`, `size` bytes each at most.
fn cut(whole: &[u8], checks: FragmentChecks, size: u16) -> Vec<Vec<u8>> {
    let mut fragments = Fragments::new(whole, checks);
    let mut all = Vec::new();
    let mut out = vec![0; 65_535];
    while let Some(length) = fragments.write_next(size, &mut out) {
        all.push(out[..length.unwrap()].to_vec());
    }
    all
}

fn put_together(fragments: &[Vec<u8>], buffer: &mut [u8]) -> Result<Option<usize>, SeriesError> {
    let mut series = Series::begin(&Fragment::new(&fragments[0]).unwrap(), buffer)?;
    let mut whole = None;
    for fragment in &fragments[1..] {
        assert_eq!(whole, None, "the last fragment ends the series");
        whole = series.push(&Fragment::new(fragment).unwrap(), buffer)?;
    }
    Ok(whole)
}

#[test]
fn fragments_become_one_frame_whichever_has_a_check() {
    for (whole, size) in [(by_hand(), 60), (by_hand(), 20), (large(40), 65_535), (large(3), 1_400)] {
        for checks in [FragmentChecks::Each, FragmentChecks::Last] {
            let fragments = cut(&whole, checks, size);
            assert!(fragments.len() > 1);
            let places: Vec<_> = fragments.iter().map(|bytes| Fragment::new(bytes).unwrap()).collect();
            assert_eq!(places[0].continuation(), Continuation::First);
            assert_eq!(places[places.len() - 1].continuation(), Continuation::Last);
            let mut buffer = vec![0; whole.len()];
            let length = put_together(&fragments, &mut buffer).unwrap().unwrap();
            assert_eq!(buffer[..length], whole);
            let frame = FrameView::reassembled(&buffer[..length]).unwrap();
            let config = ConfigView::new(frame).unwrap();
            assert!(
                Layout::with_capacity(crate::support::BOUNDS).fill(&config).is_ok() || config.num_pmu() > 16
            );
            // One byte less is no room for it.
            let error = put_together(&fragments, &mut vec![0; whole.len() - 1]).unwrap_err();
            assert_eq!(error.name(), "too_large");
        }
    }
}

#[test]
fn fragments_out_of_place_are_named() {
    let whole = by_hand();
    let mut buffer = vec![0; 4096];
    assert_eq!(Fragment::new(&whole).unwrap_err(), FragmentError::Whole);
    for checks in [FragmentChecks::Each, FragmentChecks::Last] {
        let fragments = cut(&whole, checks, 80);
        let second = Fragment::new(&fragments[1]).unwrap();
        let error = Series::begin(&second, &mut buffer).unwrap_err();
        assert_eq!(error, SeriesError::Order { expected: 1, found: Continuation::Next(2) });
        let mut lost = fragments.clone();
        lost.remove(1);
        let error = put_together(&lost, &mut buffer).unwrap_err();
        assert_eq!(error, SeriesError::Order { expected: 2, found: Continuation::Next(3) });
        let mut without_middle = fragments.clone();
        without_middle.drain(1..fragments.len() - 1);
        let found = put_together(&without_middle, &mut buffer);
        match checks {
            // CONT_IDX does not say how many there are: nothing but the content can tell.
            FragmentChecks::Each => {
                let frame = FrameView::reassembled(&buffer[..found.unwrap().unwrap()]).unwrap();
                assert!(ConfigView::new(frame).is_err());
            }
            FragmentChecks::Last => assert_eq!(found, Err(SeriesError::Crc { fragment: None })),
        }
        let mut damaged = fragments.clone();
        damaged[1][40] ^= 1;
        assert_eq!(put_together(&damaged, &mut buffer).unwrap_err().name(), "crc");
        let mut foreign = fragments;
        foreign[1][5] ^= 1;
        assert_eq!(put_together(&foreign, &mut buffer).unwrap_err().name(), "idcode");
    }
    let mut out = [0; 64];
    let error = Fragments::new(&whole, FragmentChecks::Each).write_next(18, &mut out).unwrap().unwrap_err();
    assert_eq!(error, EncodeError::FragmentTooSmall { size: 18, least: 20 });
    let error = Fragments::new(&whole, FragmentChecks::Each).write_next(100, &mut out).unwrap().unwrap_err();
    assert_eq!(error, EncodeError::BufferTooSmall { needed: 100, present: 64 });
}

#[test]
fn more_fragments_than_the_index_counts_are_refused() {
    let whole = large(40);
    let mut fragments = Fragments::new(&whole, FragmentChecks::Each);
    let mut out = [0; 20];
    let error = std::iter::from_fn(|| fragments.write_next(20, &mut out)).find_map(Result::err);
    assert_eq!(error, Some(EncodeError::TooManyFragments));
}

#[test]
fn scalings_of_the_other_version_are_refused() {
    let frame = by_hand();
    let config = view(&frame);
    let pmu = config.pmus().next().unwrap();
    let phasors: Vec<_> = pmu.phasors().collect();
    let analogs = pmu.analogs().map(|analog| AnalogChannel { name: "A".into(), ..analog });
    let analogs: Vec<_> = analogs.collect();
    let station = StationConfig {
        station: "S".into(),
        idcode: IdCode(1),
        format: pmu.format(),
        phasors: &phasors,
        analogs: &analogs,
        digitals: &[],
        nominal: NominalFrequency::Hz50,
        config_count: 0,
    };
    let mut out = [0; 1024];
    let second = |station| {
        let stream = encode::StreamConfig {
            time_base: TimeBase::MICROSECONDS,
            stations: &[station],
            data_rate: DataRate::from_word(50).unwrap(),
        };
        encode::config(&mut [0; 1024], &PREAMBLE, encode::ConfigKind::Config2, &stream)
    };
    assert_eq!(second(station), Err(EncodeError::Scaling { field: "PHUNIT", pmu: 1, channel: 1 }));
    let error = second(StationConfig { phasors: &[], ..station });
    assert_eq!(error, Err(EncodeError::Scaling { field: "ANUNIT", pmu: 1, channel: 1 }));
    let channel = PhasorChannel { name: "V".into(), unit: PhasorUnit::Volt, scaling: 1.into() };
    let name = "x".repeat(256);
    for (config, error) in [
        (
            StationConfig { phasors: &[phasors[0], channel], ..station },
            EncodeError::Scaling { field: "PHSCALE", pmu: 1, channel: 2 },
        ),
        (
            StationConfig { station: name.as_str().into(), ..station },
            EncodeError::NameTooLong { pmu: 1, length: 256, bound: 255 },
        ),
    ] {
        let stream = StreamConfig3 {
            time_base: TimeBase::MICROSECONDS,
            stations: &[StationConfig3 { config, details: PmuDetails::default() }],
            data_rate: DataRate::from_word(50).unwrap(),
        };
        assert_eq!(encode::config3(&mut out, &PREAMBLE, &stream), Err(error));
    }
}
