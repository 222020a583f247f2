//! Frames whose values are known: the examples of Annex D of IEEE C37.118.2, and real captures.

use crate::support::{BOUNDS, capture, encode_again_config, encode_data, layout, preamble, samples};
use monitor_core::protocol::c37118::encode::{self, EncodeError, PmuSample, Preamble};
use monitor_core::protocol::c37118::{
    AnalogKind, AnalogScaling, Command, CommandView, ConfigError, ConfigView, Continuation, DataError,
    DataView, FrameHeader, FrameKind, FrameView, HeaderView, IdCode, Layout, LayoutBounds, LayoutError,
    NominalFrequency, Phasor, PhasorFormat, PhasorScaling, PhasorUnit, TimeBase, looks_like,
};

/// Annex D, the configuration: one PMU, "Station A", integer rectangular phasors, float analogs.
const CONFIG: &str = "
    aa31 01c6 1e36 448527f0 56071098 000f4240 0001
    53746174696f6e204120202020202020 1e36 0004 0004 0003 0001
    56412020202020202020202020202020 56422020202020202020202020202020
    56432020202020202020202020202020 49312020202020202020202020202020
    414e414c4f4731202020202020202020 414e414c4f4732202020202020202020 414e414c4f4733202020202020202020
    425245414b4552203120535441545553 425245414b4552203220535441545553
    425245414b4552203320535441545553 425245414b4552203420535441545553
    425245414b4552203520535441545553 425245414b4552203620535441545553
    425245414b4552203720535441545553 425245414b4552203820535441545553
    425245414b4552203920535441545553 425245414b4552204120535441545553
    425245414b4552204220535441545553 425245414b4552204320535441545553
    425245414b4552204420535441545553 425245414b4552204520535441545553
    425245414b4552204620535441545553 425245414b4552204720535441545553
    000df847 000df847 000df847 0100b2d0 00000001 01000001 02000001 0000ffff
    0000 0016 001e d5d1";

/// Annex D, the measurements.
const DATA: &str = "
    aa01 0034 1e36 44853600 000041b1 0000
    392b0000 e36ace7c e36a3183 04440000 09c4 0000
    42c80000 447a0000 461c4000 3c12 d43f";

/// Annex D, the command: turn on transmission.
const COMMAND: &str = "aa41 0012 1e36 44856030 0f0bbfd0 0002 ce00";

/// A header frame with the command's time tag.
const HEADER: &str = "aa11 0027 1e36 44856030 0f0bbfd0 48656c6c6f2049276d20486561646572204672616d652e 17cc";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The frame of these hex digits with one byte changed and its check word made right again.
fn resealed(hex: &str, place: usize, value: u8) -> Vec<u8> {
    let mut frame = bytes(hex);
    frame[place] = value;
    encode::reseal(&mut frame);
    frame
}

fn assert_near(value: f64, known: f64, tolerance: f64) {
    assert!((value - known).abs() <= tolerance, "{value} is not {known} +- {tolerance}");
}

#[test]
fn annex_d_configuration() {
    let frame = bytes(CONFIG);
    assert_eq!(frame.len(), 454);
    let view = ConfigView::new(FrameView::new(&frame).unwrap()).unwrap();
    assert_eq!(view.kind(), FrameKind::Config2);
    assert_eq!(view.idcode(), IdCode(7734));
    assert_eq!(view.time_base(), TimeBase::MICROSECONDS);
    assert_eq!(view.data_rate().unwrap().word(), 30);
    assert_eq!(view.num_pmu(), 1);
    let pmu = view.pmus().next().unwrap();
    assert_eq!(pmu.station().as_str(), Some("Station A"));
    assert_eq!(pmu.idcode(), IdCode(7734));
    assert_eq!(pmu.format().phasors(), PhasorFormat::IntRectangular);
    assert!(pmu.format().analogs_float() && !pmu.format().frequency_float());
    assert_eq!((pmu.nominal(), pmu.config_count()), (NominalFrequency::Hz60, 22));

    let phasors: Vec<_> = pmu.phasors().map(|p| (p.name.to_string(), p.unit, p.scaling)).collect();
    let voltage = |name: &str| (name.to_owned(), PhasorUnit::Volt, PhasorScaling::from(915_527));
    assert_eq!(
        phasors,
        [
            voltage("VA"),
            voltage("VB"),
            voltage("VC"),
            ("I1".to_owned(), PhasorUnit::Ampere, PhasorScaling::from(45_776))
        ]
    );
    let analogs: Vec<_> = pmu.analogs().map(|a| (a.name.to_string(), a.scaling)).collect();
    let analog = |name: &str, kind, scale| (name.to_owned(), AnalogScaling::Unit { kind, scale });
    assert_eq!(
        analogs,
        [
            analog("ANALOG1", AnalogKind::PointOnWave, 1),
            analog("ANALOG2", AnalogKind::Rms, 1),
            analog("ANALOG3", AnalogKind::Peak, 1),
        ]
    );
    let digital = pmu.digitals().next().unwrap();
    assert_eq!(digital.names[0].as_str(), Some("BREAKER 1 STATUS"));
    assert_eq!(digital.names[15].as_str(), Some("BREAKER G STATUS"));
    assert_eq!((digital.normal, digital.valid), (0, 0xFFFF));

    assert_eq!(encode_again_config(&view), frame);
}

#[test]
fn annex_d_data() {
    let (config, frame) = (bytes(CONFIG), bytes(DATA));
    let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
    assert_eq!(layout.stream().unwrap().data_framesize, 52);
    let proved = FrameView::new(&frame).unwrap();
    let view = DataView::new(proved.bytes(), &layout).unwrap();
    assert_eq!(view.unix_ns(), 1_149_580_800_016_817_000);
    // 16.817 ms at 30 frames/s is nearer to the second frame of the second (33.3 ms) than to the first.
    assert_eq!(view.frame_index(), Some(1_149_580_800 * 30 + 1));

    let pmu = view.pmus().next().unwrap();
    assert_eq!(pmu.stat().word(), 0);
    let phasors: Vec<Phasor> = pmu.phasors().map(Option::unwrap).collect();
    for (phasor, angle) in phasors.iter().zip([0.0, -120.0, 120.0]) {
        assert_eq!(phasor.unit, PhasorUnit::Volt);
        assert_near(phasor.magnitude, 134_000.0, 20.0);
        assert_near(phasor.angle_rad.to_degrees(), angle, 0.01);
    }
    assert_eq!(phasors[3].unit, PhasorUnit::Ampere);
    assert_near(phasors[3].magnitude, 1092.0 * 0.45776, 1e-9);
    assert_near(phasors[3].angle_rad, 0.0, 0.0);
    assert_near(pmu.frequency_hz().unwrap(), 62.5, 1e-12);
    assert_near(pmu.rocof_hz_per_s().unwrap(), 0.0, 0.0);
    let analogs: Vec<_> = pmu.analogs().collect();
    assert_eq!(analogs, [Some(100.0), Some(1000.0), Some(10_000.0)]);
    assert_eq!(pmu.digitals().collect::<Vec<_>>(), [0x3C12]);

    assert_eq!(encode_data(&preamble(proved), &layout, &samples(&view)).unwrap(), frame);
}

#[test]
fn annex_d_command_and_a_header() {
    let frame = bytes(COMMAND);
    let proved = FrameView::new(&frame).unwrap();
    let command = CommandView::new(proved).unwrap();
    assert_eq!((command.command(), command.extended()), (Command::TurnOn, [].as_slice()));
    let mut out = [0; 18];
    assert_eq!(encode::command(&mut out, &preamble(proved), Command::TurnOn, &[]), Ok(18));
    assert_eq!(out.as_slice(), frame);

    let frame = bytes(HEADER);
    let proved = FrameView::new(&frame).unwrap();
    let text = HeaderView::new(proved).unwrap().text();
    assert_eq!(text.as_str(), Some("Hello I'm Header Frame."));
    let mut out = [0; 39];
    assert_eq!(encode::header(&mut out, &preamble(proved), text), Ok(39));
    assert_eq!(out.as_slice(), frame);
    assert!(CommandView::new(proved).is_err());
}

#[test]
fn shared_examples_are_these_examples() {
    for (name, own) in [
        ("pypmu_cfg.hex", CONFIG),
        ("pypmu_data.hex", DATA),
        ("pypmu_cf.hex", COMMAND),
        ("pypmu_hf.hex", HEADER),
    ] {
        let Some(shared) = capture(name) else { return };
        assert_eq!(bytes(&String::from_utf8(shared).unwrap()), bytes(own), "{name}");
    }
}

#[test]
fn two_pmus_of_one_stream() {
    let (Some(config), Some(data)) = (capture("pypmu_cfg_multi.hex"), capture("pypmu_data_multi.hex")) else {
        return;
    };
    let [config, data] = [config, data].map(|hex| bytes(&String::from_utf8(hex).unwrap()));
    let view = ConfigView::new(FrameView::new(&config).unwrap()).unwrap();
    assert_eq!(encode_again_config(&view), config);
    let layout = layout(&view);
    let places: Vec<_> = layout.pmus().iter().map(|pmu| (pmu.offset(), pmu.size())).collect();
    assert_eq!(places, [(14, 36), (50, 36)]);
    let frame = FrameView::new(&data).unwrap();
    let view = DataView::new(&data, &layout).unwrap();
    let samples = samples(&view);
    assert_eq!(samples[0], samples[1]);
    assert_eq!(encode_data(&preamble(frame), &layout, &samples).unwrap(), data);
}

/// Every frame in `bytes`, found by its looks and proved by its check word; what lies between is passed over.
fn frames(bytes: &[u8]) -> Vec<FrameView<'_>> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        rest = match FrameView::split(rest) {
            Ok((frame, behind)) => {
                found.push(frame);
                behind
            }
            Err(_) => &rest[1..],
        };
    }
    found
}

#[test]
fn real_frames_are_counted_read_and_written_again() {
    // A capture file is searched as it is: no frame of these three is cut by a packet's end. The last of them
    // holds three TCP retransmissions, so frames are counted by their bytes.
    for (name, data, commands) in [
        ("C37.118_1PMU_UDP.pcap", 356, 4),
        ("C37.118_1PMU_TCP.pcap", 252, 3),
        ("c37_1100_clean_tcp.pcap", 422, 3),
    ] {
        let Some(file) = capture(name) else { return };
        let mut frames = frames(&file);
        frames.sort_by_key(FrameView::bytes);
        frames.dedup_by_key(|frame| frame.bytes());
        let count = |kind| frames.iter().filter(|frame| frame.kind() == kind).count();
        assert_eq!(count(FrameKind::Data), data, "{name}");
        assert_eq!(count(FrameKind::Config2), 1, "{name}");
        assert_eq!(count(FrameKind::Command), commands, "{name}");
        let config = frames.iter().find(|frame| frame.kind() == FrameKind::Config2).unwrap();
        let config = ConfigView::new(*config).unwrap();
        assert_eq!(encode_again_config(&config), config.frame().bytes(), "{name}");
        let layout = layout(&config);
        for frame in frames.iter().filter(|frame| frame.kind() == FrameKind::Data) {
            let view = DataView::new(frame.bytes(), &layout).unwrap();
            assert_eq!(
                encode_data(&preamble(*frame), &layout, &samples(&view)).unwrap(),
                frame.bytes(),
                "{name}"
            );
        }
    }
}

#[test]
fn ieee_1344_is_refused() {
    let Some(file) = capture("ieee1344_negative.bin") else { return };
    assert_eq!(FrameView::new(&file).unwrap_err().name(), "sync");
    assert!(frames(&file).is_empty());
    let mut mixed = file;
    mixed.extend(bytes(DATA));
    assert_eq!(frames(&mixed).len(), 1, "the frame behind them is found");
}

#[test]
fn impossible_configurations_are_named() {
    // Places by CONFIG: TIME_BASE 14, NUM_PMU 18, PHNMR 40, DGNMR 44.
    for (place, value, error) in [
        (18, 0x02, ConfigError::Short { field: "STN", pmu: Some(2), at: 450, needed: 16, present: 2 }),
        (19, 0x00, ConfigError::NoPmu),
        (41, 0x05, ConfigError::Short { field: "DIGUNIT", pmu: Some(1), at: 446, needed: 4, present: 6 }),
        (
            40,
            0xFF,
            ConfigError::Short {
                field: "CHNAM of the phasors (PHNMR)",
                pmu: Some(1),
                at: 46,
                needed: 0xFF04 * 16,
                present: 406,
            },
        ),
        (45, 0x00, ConfigError::Excess { at: 192, left: 260 }),
    ] {
        let frame = resealed(CONFIG, place, value);
        let found = ConfigView::new(FrameView::new(&frame).unwrap()).unwrap_err();
        if place == 18 || place == 41 {
            // Which field the frame ends in depends on what the bytes there happen to say.
            assert_eq!(found.name(), error.name(), "byte {place}: {found}");
        } else {
            assert_eq!(found, error, "byte {place}");
        }
    }
    let mut frame = bytes(CONFIG);
    frame[15..18].fill(0);
    encode::reseal(&mut frame);
    assert_eq!(ConfigView::new(FrameView::new(&frame).unwrap()).unwrap_err(), ConfigError::TimeBase);
    // As a CFG-3 its first word is CONT_IDX.
    let third = resealed(CONFIG, 1, 0x52);
    let error = ConfigView::new(FrameView::new(&third).unwrap()).unwrap_err();
    assert_eq!(error, ConfigError::Fragment { continuation: Continuation::Next(15) });
    let data = bytes(DATA);
    assert_eq!(ConfigView::new(FrameView::new(&data).unwrap()).unwrap_err().name(), "not_configuration");
}

#[test]
fn a_rate_of_zero_still_lays_out() {
    let mut frame = bytes(CONFIG);
    frame[450..452].fill(0);
    encode::reseal(&mut frame);
    let view = ConfigView::new(FrameView::new(&frame).unwrap()).unwrap();
    assert_eq!(view.data_rate(), None);
    let layout = layout(&view);
    let data = bytes(DATA);
    assert_eq!(DataView::new(&data, &layout).unwrap().frame_index(), None);
}

#[test]
fn a_layout_takes_only_what_fits_and_keeps_what_it_had() {
    let config = bytes(CONFIG);
    let view = ConfigView::new(FrameView::new(&config).unwrap()).unwrap();
    for (bounds, name) in [
        (LayoutBounds { pmus: 0, ..BOUNDS }, "too_many_pmus"),
        (LayoutBounds { phasors: 3, ..BOUNDS }, "too_many_phasors"),
        (LayoutBounds { analogs: 2, ..BOUNDS }, "too_many_analogs"),
    ] {
        assert_eq!(Layout::with_capacity(bounds).fill(&view).unwrap_err().name(), name);
    }
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 4, analogs: 3 });
    layout.fill(&view).unwrap();
    let first = resealed(CONFIG, 1, 0x21);
    let capability = ConfigView::new(FrameView::new(&first).unwrap()).unwrap();
    assert_eq!(layout.fill(&capability), Err(LayoutError::Capability));
    let data = bytes(DATA);
    assert!(DataView::new(&data, &layout).is_ok());
    layout.clear();
    let error = DataView::new(&data, &layout).unwrap_err();
    assert_eq!(error, DataError::SizeMismatch { predicted: None, framesize: 52, present: 52 });
}

#[test]
fn data_of_another_size_are_not_read() {
    let config = bytes(CONFIG);
    let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
    let mut longer = bytes(DATA);
    longer.extend([0, 0]);
    longer[3] += 2;
    encode::reseal(&mut longer);
    let frame = FrameView::new(&longer).unwrap();
    assert_eq!(DataView::new(frame.bytes(), &layout).unwrap_err().name(), "size_mismatch");
    assert_eq!(DataView::new(&bytes(DATA)[..51], &layout).unwrap_err().name(), "size_mismatch");
    assert_eq!(DataView::new(&config, &layout).unwrap_err().name(), "not_data");
    assert_eq!(DataView::new(&[0; 52], &layout).unwrap_err().name(), "sync");
}

#[test]
fn absent_values_are_none() {
    let config = bytes(CONFIG);
    let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
    let mut frame = bytes(DATA);
    // The imaginary part of VB, FREQ, DFREQ, and the first analog as NaN.
    frame[22..24].copy_from_slice(&[0x80, 0x00]);
    frame[32..36].copy_from_slice(&[0x80, 0x00, 0x80, 0x00]);
    frame[36..40].copy_from_slice(&[0x7F, 0xC0, 0x00, 0x00]);
    encode::reseal(&mut frame);
    let view = DataView::new(&frame, &layout).unwrap();
    let pmu = view.pmus().next().unwrap();
    let present: Vec<_> = pmu.phasors().map(|phasor| phasor.is_some()).collect();
    assert_eq!(present, [true, false, true, true]);
    assert_eq!((pmu.frequency_hz(), pmu.rocof_hz_per_s()), (None, None));
    assert_eq!(pmu.analogs().collect::<Vec<_>>(), [None, Some(1000.0), Some(10_000.0)]);
}

#[test]
fn what_does_not_fit_is_not_written() {
    let (config, data) = (bytes(CONFIG), bytes(DATA));
    let layout = layout(&ConfigView::new(FrameView::new(&config).unwrap()).unwrap());
    let frame = FrameView::new(&data).unwrap();
    let good = samples(&DataView::new(&data, &layout).unwrap()).remove(0);
    let preamble = preamble(frame);

    let mut small = [0; 51];
    let sample = PmuSample {
        stat: good.stat,
        phasors: &good.phasors,
        frequency_hz: good.frequency_hz,
        rocof_hz_per_s: good.rocof_hz_per_s,
        analogs: &good.analogs,
        digitals: &good.digitals,
    };
    let error = encode::data(&mut small, &preamble, &layout, &[sample]).unwrap_err();
    assert_eq!(error, EncodeError::BufferTooSmall { needed: 52, present: 51 });
    let mut out = [0; 52];
    let range = |sample| match encode::data(&mut out.clone(), &preamble, &layout, &[sample]) {
        Err(EncodeError::Range { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    // 60 Hz + 32.768 Hz would be 0x8000 from the other side; -32.768 Hz is the absent value itself.
    assert_eq!(range(PmuSample { frequency_hz: Some(92.768), ..sample }), "FREQ");
    assert_eq!(range(PmuSample { frequency_hz: Some(27.232), ..sample }), "FREQ");
    assert_eq!(range(PmuSample { frequency_hz: Some(f64::NAN), ..sample }), "FREQ");
    assert_eq!(range(PmuSample { rocof_hz_per_s: Some(400.0), ..sample }), "DFREQ");
    assert_eq!(range(PmuSample { analogs: &[Some(1e39), None, None], ..sample }), "ANALOG");
    let error =
        encode::data(&mut out, &preamble, &layout, &[PmuSample { digitals: &[], ..sample }]).unwrap_err();
    assert!(matches!(error, EncodeError::Count { what: "digitals", pmu: Some(1), expected: 1, given: 0 }));
    let empty = Layout::with_capacity(BOUNDS);
    assert_eq!(encode::data(&mut out, &preamble, &empty, &[]), Err(EncodeError::NoLayout));

    let text = "x".repeat(65_520);
    let error = encode::header(&mut vec![0; 70_000], &preamble, text.as_str().into()).unwrap_err();
    assert_eq!(error, EncodeError::FrameTooLarge { size: 65_536 });
}

#[test]
fn extended_commands_carry_their_bytes() {
    let data = bytes(DATA);
    let preamble = Preamble::from(&FrameHeader::peek(&data).unwrap());
    let mut out = [0; 64];
    let size = encode::command(&mut out, &preamble, Command::Extended, b"open sesame").unwrap();
    let frame = FrameView::new(&out[..size]).unwrap();
    let view = CommandView::new(frame).unwrap();
    assert_eq!((view.command(), view.extended()), (Command::Extended, b"open sesame".as_slice()));
    assert!(looks_like(&out));
}
