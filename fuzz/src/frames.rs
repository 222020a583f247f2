//! Sound C37.118 frames of every type, small and cheap to make, by number.

use std::cell::RefCell;

use monitor_core::protocol::c37118::encode::{
    ConfigKind, Fragments, PmuSample, Preamble, StationConfig, StationConfig3, StreamConfig, StreamConfig3,
    command, config, config3, config3_whole, data, header,
};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScale3, AnalogScaling, Command, ConfigView, Coordinates, DataRate,
    DigitalChannel, Format, FragmentChecks, FrameView, IdCode, Layout, LayoutBounds, NominalFrequency,
    PhasorChannel, PhasorComponent, PhasorScale3, PhasorScaling, PhasorUnit, PmuDetails, ServiceClass, Stat,
    Text, TimeBase, TimeTag, Version,
};

/// Room for any of the frames.
const MOST: usize = 2_048;
/// Reporting rate of all streams, frames per second.
const RATE: i16 = 50;
/// Resolution of the fractions of a second.
const BASE: u32 = 1_000_000;

thread_local! {
    /// Every frame that was asked for so far, by `kind` and `at`; empty before. Writing one costs more than taking it through the pipeline does.
    static MADE: RefCell<Vec<Vec<u8>>> = RefCell::new(vec![Vec::new(); 1 << 16]);
}

/// A sound frame. Bits 0 to 2 of `kind` choose the type, bits 3 to 6 the format, bit 7 the IDCODE; `at` is the
/// reporting instant.
#[must_use]
pub fn sound(kind: u8, at: u8) -> Vec<u8> {
    MADE.with_borrow_mut(|made| {
        let frame = &mut made[usize::from(kind) << 8 | usize::from(at)];
        if frame.is_empty() {
            *frame = make(kind, at);
        }
        frame.clone()
    })
}

fn make(kind: u8, at: u8) -> Vec<u8> {
    let idcode = IdCode(7 + u16::from(kind >> 7));
    let format = Format::from_word(u16::from(kind >> 3 & 15));
    match kind & 7 {
        0 | 1 => written(|out| data_frame(out, idcode, format, at)),
        2 => written(|out| config2(out, ConfigKind::Config2, idcode, format)),
        3 => written(|out| config2(out, ConfigKind::Config1, idcode, format)),
        4 => written(|out| header(out, &preamble(idcode, at), Text::new(b"a header")).ok()),
        5 => written(|out| command(out, &preamble(idcode, at), Command::from_word(at.into()), &[]).ok()),
        6 => written(|out| {
            with_config3(idcode, format, |stream| config3(out, &preamble(idcode, 0), stream).ok())
        }),
        _ => fragments(idcode, format, at),
    }
}

/// What a writer wrote; nothing where it could not.
fn written(write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Vec<u8> {
    let mut out = vec![0; MOST];
    let length = write(&mut out).unwrap_or(0);
    out.truncate(length);
    // A target takes positions within it: never empty.
    if out.is_empty() { vec![0xAA] } else { out }
}

fn preamble(idcode: IdCode, at: u8) -> Preamble {
    let step = BASE / u32::from(RATE.unsigned_abs());
    let at = u32::from(at);
    let time = TimeTag::from_words(1_700_000_000 + at / 50, at % 50 * step);
    Preamble { version: Version::V2011, idcode, time }
}

const fn phasor(scaling: PhasorScaling) -> PhasorChannel<'static> {
    PhasorChannel { name: Text::new(b"VA"), unit: PhasorUnit::Volt, scaling }
}

fn config2(out: &mut [u8], kind: ConfigKind, idcode: IdCode, format: Format) -> Option<usize> {
    let phasors = [phasor(PhasorScaling::Unit { factor: 915_527 }); 2];
    let scaling = AnalogScaling::Unit { kind: AnalogKind::Rms, scale: 100 };
    let analogs = [AnalogChannel { name: Text::new(b"P"), scaling }];
    let digitals = [DigitalChannel { names: [Text::new(b"BREAKER"); 16], normal: 0, valid: 0xFFFF }];
    let stations = [station(idcode, format, &phasors, &analogs, &digitals)];
    let stream = StreamConfig {
        time_base: TimeBase::from_word(BASE)?,
        stations: &stations,
        data_rate: DataRate::from_word(RATE)?,
    };
    config(out, &preamble(idcode, 0), kind, &stream).ok()
}

fn station<'a>(
    idcode: IdCode,
    format: Format,
    phasors: &'a [PhasorChannel<'a>],
    analogs: &'a [AnalogChannel<'a>],
    digitals: &'a [DigitalChannel<'a>],
) -> StationConfig<'a> {
    StationConfig {
        station: Text::new(b"Aldermere"),
        idcode,
        format,
        phasors,
        analogs,
        digitals,
        nominal: NominalFrequency::from_word(1),
        config_count: 1,
    }
}

fn with_config3<T>(
    idcode: IdCode,
    format: Format,
    write: impl FnOnce(&StreamConfig3<'_>) -> Option<T>,
) -> Option<T> {
    let scaling = PhasorScaling::Scale(PhasorScale3::new(PhasorComponent::Positive, 2.5));
    let phasors = [phasor(scaling); 2];
    let analogs = [AnalogChannel {
        name: Text::new(b"P"),
        scaling: AnalogScaling::Scale(AnalogScale3 { scale: 2.0, offset: 1.0 }),
    }];
    let digitals = [DigitalChannel { names: [Text::new(b""); 16], normal: 0, valid: 0xFFFF }];
    let config = station(idcode, format, &phasors, &analogs, &digitals);
    let details = PmuDetails {
        global_id: [7; 16],
        latitude_deg: None,
        longitude_deg: Some(1.0),
        elevation_m: None,
        service_class: ServiceClass::Measurement,
        window_us: 40_000,
        group_delay_us: 20_000,
    };
    let stations = [StationConfig3 { config, details }];
    write(&StreamConfig3 {
        time_base: TimeBase::from_word(BASE)?,
        stations: &stations,
        data_rate: DataRate::from_word(RATE)?,
    })
}

/// The fragments of a CFG-3, one behind the other; those of one kind of check or of the other.
fn fragments(idcode: IdCode, format: Format, at: u8) -> Vec<u8> {
    let whole = written(|out| {
        with_config3(idcode, format, |stream| config3_whole(out, &preamble(idcode, 0), stream).ok())
    });
    let checks = if at & 1 == 0 { FragmentChecks::Each } else { FragmentChecks::Last };
    let mut cut = Fragments::new(&whole, checks);
    let mut all = Vec::new();
    let mut out = [0; MOST];
    while let Some(Ok(length)) = cut.write_next(60 + u16::from(at), &mut out) {
        all.extend(out.iter().take(length));
    }
    if all.is_empty() { vec![0xAA] } else { all }
}

fn data_frame(out: &mut [u8], idcode: IdCode, format: Format, at: u8) -> Option<usize> {
    let mut bytes = vec![0; MOST];
    let length = config2(&mut bytes, ConfigKind::Config2, idcode, format)?;
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 2, analogs: 1 });
    layout.fill(&ConfigView::new(FrameView::new(bytes.get(..length)?).ok()?).ok()?).ok()?;
    let phasors = [Some(Coordinates::Polar { magnitude: 76_210.0, angle_rad: 0.5 }), None];
    let analogs = [Some(7.0)];
    let sample = PmuSample {
        stat: Stat::from_word(0),
        phasors: &phasors,
        frequency_hz: Some(50.01),
        rocof_hz_per_s: Some(0.0),
        analogs: &analogs,
        digitals: &[0x5AAA],
    };
    data(out, &preamble(idcode, at), &layout, &[sample]).ok()
}
