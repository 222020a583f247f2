//! The lines `c37118.data`, `.config`, `.header`, `.command` and `.invalid`.

mod config;

use std::fmt::{self, Display};

use monitor_core::event::{Addresses, FrameEvent, Outcome, Stages};
use monitor_core::protocol::c37118::{
    CommandView, ConfigView, DataView, FrameHeader, FrameKind, FrameView, HeaderView, Phasor, PhasorUnit,
    PmuView,
};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::capture::UNKNOWN_ARRIVAL;
use crate::hub::{Config, Item, PmuNames};

/// A frame's line.
pub(super) struct Line<'a> {
    item: &'a Item<'a>,
    frame: FrameEvent,
    body: Body<'a>,
}

enum Body<'a> {
    Data { header: FrameHeader, values: Result<(DataView<'a>, &'a Config), &'static str> },
    Config { kind: FrameKind, view: Result<ConfigView<'a>, &'static str> },
    Header(HeaderView<'a>),
    Command(CommandView<'a>),
    Invalid(&'static str),
}

impl<'a> Line<'a> {
    /// None for what is no frame: a unit that only stands for frames (a TCP segment) has counters, but no line.
    pub(super) fn new(item: &'a Item<'a>, frame: FrameEvent, outcome: Outcome) -> Option<Self> {
        let body = match outcome {
            Outcome::Invalid(reason) => Body::Invalid(reason.name()),
            Outcome::Decoded => Body::sound(item, None)?,
            Outcome::Undecoded(_) if frame.frame_type.is_none() => return None,
            Outcome::Undecoded(reason) => Body::sound(item, Some(reason.name()))?,
        };
        Some(Self { item, frame, body })
    }
}

impl<'a> Body<'a> {
    /// A frame that was proved; `reason` where its values are not known.
    fn sound(item: &'a Item<'a>, reason: Option<&'static str>) -> Option<Self> {
        let frame = FrameView::without_check(item.bytes).ok()?;
        Some(match frame.kind() {
            FrameKind::Data => Self::Data { header: *frame.header(), values: values(item, reason) },
            kind @ (FrameKind::Config1 | FrameKind::Config2 | FrameKind::Config3) => Self::Config {
                kind,
                view: reason.map_or_else(|| ConfigView::new(frame).map_err(|error| error.name()), Err),
            },
            FrameKind::Header => Self::Header(HeaderView::new(frame).ok()?),
            FrameKind::Command => Self::Command(CommandView::new(frame).ok()?),
        })
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Data { .. } => "c37118.data",
            Self::Config { .. } => "c37118.config",
            Self::Header(_) => "c37118.header",
            Self::Command(_) => "c37118.command",
            Self::Invalid(_) => "c37118.invalid",
        }
    }
}

fn values<'a>(
    item: &'a Item<'a>,
    reason: Option<&'static str>,
) -> Result<(DataView<'a>, &'a Config), &'static str> {
    if let Some(reason) = reason {
        return Err(reason);
    }
    // Decoded where it was read, but its configuration never arrived here: the control lane was full.
    let config = item.config.ok_or("configuration_lost")?;
    let view = DataView::new(item.bytes, &config.layout).map_err(|error| error.name())?;
    Ok((view, config))
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.body.kind())?;
        self.common(&mut map)?;
        map.serialize_entry("idcode", &self.frame.idcode)?;
        match &self.body {
            Body::Data { header, values } => self.data(&mut map, header, values)?,
            Body::Config { kind, view } => config::entries(&mut map, *kind, view)?,
            Body::Header(view) => map.serialize_entry("text", &Shown(view.text()))?,
            Body::Command(view) => {
                map.serialize_entry("command", &view.command().word())?;
                map.serialize_entry("name", view.command().name())?;
                if !view.extended().is_empty() {
                    map.serialize_entry("extended_hex", &Shown(Hex(view.extended())))?;
                }
            }
            Body::Invalid(error) => map.serialize_entry("error", error)?,
        }
        map.end()
    }
}

impl Line<'_> {
    fn common<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let event = self.item.event;
        let arrival = (event.arrival != UNKNOWN_ARRIVAL).then_some(event.arrival.0);
        map.serialize_entry("arrival_ns", &arrival)?;
        if event.first_arrival != event.arrival {
            map.serialize_entry("first_arrival_ns", &event.first_arrival.0)?;
        }
        map.serialize_entry("transport", self.frame.transport.name())?;
        match self.frame.addresses {
            Addresses::Ip { source, destination } => {
                map.serialize_entry("src", &Shown(source))?;
                map.serialize_entry("dst", &Shown(destination))?;
            }
            Addresses::Ethernet { source, destination } => {
                map.serialize_entry("src", &Shown(Mac(source)))?;
                map.serialize_entry("dst", &Shown(Mac(destination)))?;
            }
        }
        if let Some(interface) = self.item.interface {
            map.serialize_entry("iface", &**interface)?;
        }
        if event.stages.iter().next().is_some() {
            map.serialize_entry("stages_ns", &StageMap(&event.stages))?;
        }
        Ok(())
    }

    fn data<M: SerializeMap>(
        &self,
        map: &mut M,
        header: &FrameHeader,
        values: &Result<(DataView<'_>, &Config), &'static str>,
    ) -> Result<(), M::Error> {
        let time = header.time;
        let known = values.as_ref().ok();
        let time_ns = known.map(|(view, _)| view.unix_ns());
        let arrival = self.item.event.arrival;
        let lateness =
            time_ns.filter(|_| arrival != UNKNOWN_ARRIVAL).map(|tag| arrival.0.saturating_sub(tag));
        map.serialize_entry("soc", &time.soc())?;
        map.serialize_entry("fraction", &time.fraction())?;
        map.serialize_entry("time_base", &known.map(|(view, _)| view.stream().time_base.get()))?;
        map.serialize_entry("time_ns", &time_ns)?;
        map.serialize_entry("time_quality", &time.quality().bits())?;
        map.serialize_entry("lateness_ns", &lateness)?;
        map.serialize_entry("config_source", &known.map(|(_, config)| config.source.name()))?;
        match values {
            Ok((view, config)) => map.serialize_entry("pmus", &Pmus(view, config)),
            Err(reason) => {
                map.serialize_entry("pmus", &None::<()>)?;
                map.serialize_entry("reason", reason)
            }
        }
    }
}

/// Written by its `Display`.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Mac([u8; 6]);

impl Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

struct StageMap<'a>(&'a Stages);

impl Serialize for StageMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(stage, ns)| (stage.name(), ns)))
    }
}

struct Pmus<'a>(&'a DataView<'a>, &'a Config);

impl Serialize for Pmus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view, config) = self;
        serializer.collect_seq(view.pmus().zip(&config.pmus).map(|(view, names)| Pmu { view, names }))
    }
}

struct Pmu<'a> {
    view: PmuView<'a>,
    names: &'a PmuNames,
}

impl Serialize for Pmu<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { view, names } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("idcode", &view.idcode().0)?;
        map.serialize_entry("station", &*names.station)?;
        map.serialize_entry("stat", &view.stat().word())?;
        map.serialize_entry("phasors", &Phasors(self))?;
        map.serialize_entry("frequency_hz", &view.frequency_hz())?;
        map.serialize_entry("rocof_hz_per_s", &view.rocof_hz_per_s())?;
        map.serialize_entry("analogs", &Analogs(self))?;
        map.serialize_entry("digitals", &Digitals(view))?;
        map.end()
    }
}

struct Phasors<'a>(&'a Pmu<'a>);

impl Serialize for Phasors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Pmu { view, names } = self.0;
        let units = view.phasor_scales().iter().map(|scale| scale.unit);
        let rows = names.phasors.iter().zip(units).zip(view.phasors());
        serializer.collect_seq(rows.map(|((name, unit), phasor)| PhasorValue { name, unit, phasor }))
    }
}

struct PhasorValue<'a> {
    name: &'a str,
    unit: PhasorUnit,
    phasor: Option<Phasor>,
}

impl Serialize for PhasorValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { name, unit, phasor } = self;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("name", name)?;
        map.serialize_entry("unit", unit.symbol())?;
        map.serialize_entry("magnitude", &phasor.map(|phasor| phasor.magnitude))?;
        map.serialize_entry("angle_rad", &phasor.map(|phasor| phasor.angle_rad))?;
        map.end()
    }
}

struct Analogs<'a>(&'a Pmu<'a>);

impl Serialize for Analogs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Pmu { view, names } = self.0;
        let rows = names.analogs.iter().zip(view.analogs());
        serializer.collect_seq(rows.map(|(name, value)| AnalogValue { name, value }))
    }
}

#[derive(serde::Serialize)]
struct AnalogValue<'a> {
    name: &'a str,
    value: Option<f64>,
}

struct Digitals<'a>(&'a PmuView<'a>);

impl Serialize for Digitals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.digitals())
    }
}
