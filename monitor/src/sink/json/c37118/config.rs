//! The line `c37118.config`.

use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScale3, AnalogScaling, ConfigView, DataRate, DigitalChannel, Format,
    FrameKind, PhasorChannel, PhasorFormat, PhasorScale3, PhasorScaling, PmuDetails, Text,
};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// V or A to a bit, for each unit of PHUNIT's low 24 bits (clause 6.4).
const PHUNIT_STEP: f64 = 1e-5;

/// All but what every line has.
pub(super) struct Entries<'a> {
    pub(super) kind: FrameKind,
    pub(super) view: &'a Result<ConfigView<'a>, &'static str>,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { kind, view } = self;
        let mut map = serializer.serialize_map(None)?;
        let version = match kind {
            FrameKind::Config1 => 1_u8,
            FrameKind::Config3 => 3,
            _ => 2,
        };
        map.serialize_entry("version", &version)?;
        let known = view.as_ref().ok();
        map.serialize_entry("time_base", &known.map(|view| view.time_base().get()))?;
        map.serialize_entry("data_rate", &known.map(|view| view.data_rate().map(DataRate::word)))?;
        if known.is_some_and(|view| view.data_rate().is_none()) {
            // It lays DATA out all the same.
            map.serialize_entry("fault", "data_rate")?;
        }
        match view {
            Ok(view) => map.serialize_entry("pmus", &PmuConfigs(view))?,
            Err(reason) => {
                map.serialize_entry("pmus", &None::<()>)?;
                map.serialize_entry("reason", reason)?;
            }
        }
        map.end()
    }
}

struct PmuConfigs<'a>(&'a ConfigView<'a>);

impl Serialize for PmuConfigs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.pmus().map(|pmu| PmuConfigLine {
            idcode: pmu.idcode().0,
            station: pmu.station().to_string(),
            format: FormatLine::from(pmu.format()),
            nominal_hz: pmu.nominal().hz(),
            phasors: pmu.phasors().map(PhasorLine::from).collect(),
            analogs: pmu.analogs().map(AnalogLine::from).collect(),
            digitals: pmu.digitals().map(DigitalLine::from).collect(),
            config_count: pmu.config_count(),
            details: pmu.details().map(DetailLine::from),
        }))
    }
}

/// One PMU of a configuration. Configurations are rare: their names are copied.
#[derive(serde::Serialize)]
struct PmuConfigLine {
    idcode: u16,
    station: String,
    format: FormatLine,
    nominal_hz: u8,
    phasors: Vec<PhasorLine>,
    analogs: Vec<AnalogLine>,
    digitals: Vec<DigitalLine>,
    config_count: u16,
    /// Version 3 alone.
    #[serde(flatten)]
    details: Option<DetailLine>,
}

/// What a CFG-3 says of a PMU beyond a CFG-2.
#[derive(serde::Serialize)]
struct DetailLine {
    /// 16 bytes, hexadecimal.
    global_id: String,
    /// Null where not specified.
    latitude_deg: Option<f32>,
    longitude_deg: Option<f32>,
    elevation_m: Option<f32>,
    /// "P" or "M"; null for a class that the standard does not know.
    service_class: Option<&'static str>,
    window_us: i32,
    group_delay_us: i32,
}

impl From<PmuDetails> for DetailLine {
    fn from(details: PmuDetails) -> Self {
        let PmuDetails {
            global_id,
            latitude_deg,
            longitude_deg,
            elevation_m,
            service_class,
            window_us,
            group_delay_us,
        } = details;
        Self {
            global_id: format!("{:032x}", u128::from_be_bytes(global_id)),
            latitude_deg,
            longitude_deg,
            elevation_m,
            service_class: service_class.symbol(),
            window_us,
            group_delay_us,
        }
    }
}

/// The word FORMAT and what it says.
#[derive(serde::Serialize)]
struct FormatLine {
    word: u16,
    phasors: &'static str,
    frequency: &'static str,
    analogs: &'static str,
}

impl From<Format> for FormatLine {
    fn from(format: Format) -> Self {
        let number = |float| if float { "float32" } else { "int16" };
        Self {
            word: format.word(),
            phasors: match format.phasors() {
                PhasorFormat::IntRectangular => "int16_rectangular",
                PhasorFormat::IntPolar => "int16_polar",
                PhasorFormat::FloatRectangular => "float32_rectangular",
                PhasorFormat::FloatPolar => "float32_polar",
            },
            frequency: number(format.frequency_float()),
            analogs: number(format.analogs_float()),
        }
    }
}

#[derive(serde::Serialize)]
struct PhasorLine {
    name: String,
    unit: &'static str,
    /// V or A to a unit of what stands in DATA: by versions 1 and 2 of the integer formats only.
    scale: Finite,
    /// Version 3 alone.
    #[serde(flatten)]
    more: Option<PhasorMore>,
}

/// What PHSCALE says beyond the scale.
#[derive(serde::Serialize)]
struct PhasorMore {
    /// Subtracted from the angle.
    angle_offset_rad: Finite,
    component: &'static str,
    modifications: Vec<&'static str>,
    /// The byte at the user's disposal.
    user: u8,
}

impl From<PhasorChannel<'_>> for PhasorLine {
    fn from(channel: PhasorChannel<'_>) -> Self {
        let (scale, more) = match channel.scaling {
            PhasorScaling::Unit { factor } => (Finite(f64::from(factor) * PHUNIT_STEP), None),
            PhasorScaling::Scale(scale) => (Finite(scale.scale.into()), Some(PhasorMore::from(scale))),
        };
        Self { name: text(channel.name), unit: channel.unit.symbol(), scale, more }
    }
}

impl From<PhasorScale3> for PhasorMore {
    fn from(scale: PhasorScale3) -> Self {
        Self {
            angle_offset_rad: Finite(scale.angle_rad.into()),
            component: scale.component.name(),
            modifications: scale.modifications.names().collect(),
            user: scale.user,
        }
    }
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum AnalogLine {
    /// Versions 1 and 2.
    Unit {
        name: String,
        #[serde(rename = "type")]
        kind: &'static str,
        /// ANUNIT's low 24 bits, whose meaning the user defines.
        scale: i32,
    },
    /// Version 3: the value is what stands in DATA times `scale` plus `offset`.
    Scale { name: String, scale: Finite, offset: Finite },
}

impl From<AnalogChannel<'_>> for AnalogLine {
    fn from(channel: AnalogChannel<'_>) -> Self {
        let name = text(channel.name);
        match channel.scaling {
            AnalogScaling::Unit { kind, scale } => Self::Unit { name, kind: kind_name(kind), scale },
            AnalogScaling::Scale(AnalogScale3 { scale, offset }) => {
                Self::Scale { name, scale: Finite(scale.into()), offset: Finite(offset.into()) }
            }
        }
    }
}

const fn kind_name(kind: AnalogKind) -> &'static str {
    match kind {
        AnalogKind::PointOnWave => "point_on_wave",
        AnalogKind::Rms => "rms",
        AnalogKind::Peak => "peak",
        AnalogKind::Other(_) => "other",
    }
}

/// A number that a frame may hold as NaN or infinity, for which JSON has only null.
struct Finite(f64);

impl Serialize for Finite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.is_finite().then_some(self.0).serialize(serializer)
    }
}

#[derive(serde::Serialize)]
struct DigitalLine {
    /// The bits' names, the least significant bit's first.
    names: Vec<String>,
    normal: u16,
    valid: u16,
}

impl From<DigitalChannel<'_>> for DigitalLine {
    fn from(channel: DigitalChannel<'_>) -> Self {
        Self {
            names: channel.names.into_iter().map(text).collect(),
            normal: channel.normal,
            valid: channel.valid,
        }
    }
}

fn text(name: Text<'_>) -> String {
    name.to_string()
}
