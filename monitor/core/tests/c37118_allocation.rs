//! Reading C37.118 takes no memory: with every allocation counted, frames are proved, layouts filled again and
//! values read, and the count does not move. Each thread counts its own, so the test's surroundings do not.
#![expect(unsafe_code, reason = "an allocator that counts is an implementation of an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::cell::Cell;
use std::hint::black_box;

use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, Fragments, PmuSample, Preamble, StationConfig, StationConfig3, StreamConfig,
    StreamConfig3,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScale3, AnalogScaling, Command, CommandView, ConfigView, Coordinates,
    DataRate, DataView, DigitalChannel, Format, Fragment, FragmentChecks, FrameView, HeaderView, IdCode,
    Layout, LayoutBounds, NominalFrequency, PhasorChannel, PhasorComponent, PhasorFormat, PhasorScale3,
    PhasorScaling, PhasorUnit, PmuDetails, Series, Stat, Text, TimeBase, TimeTag, Version,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same.
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, place: *mut u8, block: Block) {
        // SAFETY: `place` came from the system's allocator, by `alloc` above.
        unsafe { System.dealloc(place, block) }
    }
}

const PREAMBLE: Preamble =
    Preamble { version: Version::V2011, idcode: IdCode(7), time: TimeTag::from_words(1_700_000_000, 20_000) };

/// Two PMUs, the first as large as the layout allows.
fn write_config(out: &mut [u8], phasors: PhasorFormat, floats: bool) -> usize {
    let format = Format::new(phasors, floats, floats);
    let station = StationConfig {
        station: "Station".into(),
        idcode: IdCode(8),
        format,
        phasors: &[PhasorChannel {
            name: Text::new(b"VA"),
            unit: PhasorUnit::Volt,
            scaling: PhasorScaling::Unit { factor: 1000 },
        }; 3],
        analogs: &[AnalogChannel {
            name: Text::new(b"P"),
            scaling: AnalogScaling::Unit { kind: AnalogKind::Rms, scale: 1 },
        }; 2],
        digitals: &[DigitalChannel { names: [Text::new(b"breaker"); 16], normal: 0, valid: 1 }],
        nominal: NominalFrequency::Hz50,
        config_count: 1,
    };
    let stream = StreamConfig {
        time_base: TimeBase::MICROSECONDS,
        stations: &[station, station],
        data_rate: DataRate::from_word(50).expect("not zero"),
    };
    encode::config(out, &PREAMBLE, ConfigKind::Config2, &stream).expect("it fits")
}

/// The same as a CFG-3, scaled and turned.
fn write_config3(out: &mut [u8], phasors: PhasorFormat, floats: bool) -> usize {
    let scale = PhasorScale3 { angle_rad: 0.5, ..PhasorScale3::new(PhasorComponent::PhaseA, 0.01) };
    let phasor = PhasorChannel { name: Text::new(b"VA"), unit: PhasorUnit::Volt, scaling: scale.into() };
    let scaling = AnalogScaling::Scale(AnalogScale3 { scale: 0.5, offset: 1.0 });
    let config = StationConfig {
        station: "Station".into(),
        idcode: IdCode(8),
        format: Format::new(phasors, floats, floats),
        phasors: &[phasor; 3],
        analogs: &[AnalogChannel { name: Text::new(b"P"), scaling }; 2],
        digitals: &[DigitalChannel { names: [Text::new(b"breaker"); 16], normal: 0, valid: 1 }],
        nominal: NominalFrequency::Hz50,
        config_count: 1,
    };
    let station = StationConfig3 { config, details: PmuDetails::default() };
    let stream = StreamConfig3 {
        time_base: TimeBase::MICROSECONDS,
        stations: &[station, station],
        data_rate: DataRate::from_word(50).expect("not zero"),
    };
    encode::config3(out, &PREAMBLE, &stream).expect("it fits")
}

/// Cuts a CFG-3 and puts it together again.
fn cut_and_put_together(whole: &[u8], checks: FragmentChecks, buffer: &mut [u8]) -> usize {
    let (mut fragments, mut out, mut series) = (Fragments::new(whole, checks), [0; 90], None::<Series>);
    while let Some(length) = fragments.write_next(90, &mut out) {
        let fragment = Fragment::new(&out[..length.expect("it fits")]).expect("a fragment");
        match &mut series {
            None => series = Some(Series::begin(&fragment, buffer).expect("the first")),
            Some(series) => {
                if let Some(length) = series.push(&fragment, buffer).expect("the next") {
                    return length;
                }
            }
        }
    }
    0
}

fn write_data(out: &mut [u8], layout: &Layout) -> usize {
    let sample = PmuSample {
        stat: Stat::from_word(0),
        phasors: &[Some(Coordinates::Polar { magnitude: 230.0, angle_rad: 1.0 }); 3],
        frequency_hz: Some(50.01),
        rocof_hz_per_s: Some(-0.02),
        analogs: &[Some(1.0), Some(2.0)],
        digitals: &[3],
    };
    encode::data(out, &PREAMBLE, layout, &[sample, sample]).expect("it fits")
}

/// Proves and reads one frame; what comes out of it is added up, so that all of it is computed.
fn read(bytes: &[u8], layout: &mut Layout) -> f64 {
    let frame = FrameView::new(bytes).expect("a frame");
    if let Ok(config) = ConfigView::new(frame) {
        layout.fill(&config).expect("it fits");
        return config.pmus().map(|pmu| f64::from(u32::from(pmu.station().as_str().is_some()))).sum();
    }
    if let Ok(command) = CommandView::new(frame) {
        return command.command().word().into();
    }
    if let Ok(header) = HeaderView::new(frame) {
        return f64::from(u32::from(header.text().as_str().is_some()));
    }
    let view = DataView::new(bytes, &*layout).expect("DATA");
    view.pmus()
        .map(|pmu| {
            let phasors: f64 =
                pmu.phasors().flatten().map(|phasor| phasor.magnitude + phasor.angle_rad).sum();
            let analogs: f64 = pmu.analogs().flatten().sum();
            let digitals: f64 = pmu.digitals().map(f64::from).sum();
            phasors
                + analogs
                + digitals
                + pmu.frequency_hz().unwrap_or(0.0)
                + pmu.rocof_hz_per_s().unwrap_or(0.0)
        })
        .sum()
}

#[test]
fn reading_and_writing_allocate_nothing() {
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 2, phasors: 6, analogs: 4 });
    let (mut config, mut data, mut other) = ([0; 2048], [0; 512], [0; 512]);
    let mut whole = [0; 2048];
    let made = ALLOCATIONS.get();
    assert!(made >= 3, "the layout's memory is counted: {made}");

    for phasors in PhasorFormat::ALL {
        for floats in [false, true] {
            let size = write_config(&mut config, phasors, floats);
            black_box(read(&config[..size], &mut layout));
            let size = write_data(&mut data, &layout);
            black_box(read(&data[..size], &mut layout));
            let size = write_config3(&mut config, phasors, floats);
            black_box(read(&config[..size], &mut layout));
            for checks in [FragmentChecks::Each, FragmentChecks::Last] {
                let length = cut_and_put_together(&config[..size], checks, &mut whole);
                assert!(whole[..length] == config[..size], "the same frame");
            }
            black_box(Fragment::new(&config[..size]).unwrap_err());
            let size = write_data(&mut data, &layout);
            black_box(read(&data[..size], &mut layout));
            // The refusals cost no memory either.
            data[size - 1] ^= 1;
            black_box(FrameView::new(&data[..size]).unwrap_err());
            black_box(DataView::new(&config, &layout).unwrap_err());
            let size = encode::command(&mut other, &PREAMBLE, Command::SendConfig2, &[]).unwrap();
            black_box(read(&other[..size], &mut layout));
            let size = encode::header(&mut other, &PREAMBLE, "a header".into()).unwrap();
            black_box(read(&other[..size], &mut layout));
        }
    }

    let after = ALLOCATIONS.get();
    assert_eq!(after, made, "reading and writing frames allocated");
}
