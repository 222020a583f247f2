//! The lines `c37118.data`, `.config`, `.header`, `.command` and `.invalid`.

mod config;

use std::fmt::{self, Display};
use std::io;

use monitor_core::event::{Addresses, FrameEvent, Outcome, Stages};
use monitor_core::protocol::c37118::{
    CommandView, ConfigView, DataView, FrameHeader, FrameKind, FrameView, HeaderView, Phasor, PhasorUnit,
    PmuView,
};
use serde::ser::{Serialize, Serializer};

use super::text::{Text, key};
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

    /// How its line begins.
    const fn begin(&self) -> &'static str {
        match self {
            Self::Data { .. } => "{\"kind\":\"c37118.data\"",
            Self::Config { .. } => "{\"kind\":\"c37118.config\"",
            Self::Header(_) => "{\"kind\":\"c37118.header\"",
            Self::Command(_) => "{\"kind\":\"c37118.command\"",
            Self::Invalid(_) => "{\"kind\":\"c37118.invalid\"",
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

impl Line<'_> {
    /// Writes it behind nothing.
    pub(super) fn write(&self, text: &mut Text) -> io::Result<()> {
        text.raw(self.body.begin());
        self.common(text)?;
        text.raw(key!("idcode"));
        text.value(&self.frame.idcode)?;
        match &self.body {
            Body::Data { header, values } => self.data(text, header, values)?,
            Body::Config { kind, view } => text.entries(&config::Entries { kind: *kind, view })?,
            Body::Header(view) => {
                text.raw(key!("text"));
                text.value(&Shown(view.text()))?;
            }
            Body::Command(view) => {
                text.raw(key!("command"));
                text.value(&view.command().word())?;
                text.raw(key!("name"));
                text.value(view.command().name())?;
                if !view.extended().is_empty() {
                    text.raw(key!("extended_hex"));
                    text.value(&Shown(Hex(view.extended())))?;
                }
            }
            Body::Invalid(error) => {
                text.raw(key!("error"));
                text.value(error)?;
            }
        }
        text.raw("}");
        Ok(())
    }

    fn common(&self, text: &mut Text) -> io::Result<()> {
        let event = self.item.event;
        let arrival = (event.arrival != UNKNOWN_ARRIVAL).then_some(event.arrival.0);
        text.raw(key!("arrival_ns"));
        text.value(&arrival)?;
        if event.first_arrival != event.arrival {
            text.raw(key!("first_arrival_ns"));
            text.value(&event.first_arrival.0)?;
        }
        text.raw(key!("transport"));
        text.value(self.frame.transport.name())?;
        match self.frame.addresses {
            Addresses::Ip { source, destination } => {
                text.raw(key!("src"));
                text.address(source)?;
                text.raw(key!("dst"));
                text.address(destination)?;
            }
            Addresses::Ethernet { source, destination } => {
                text.raw(key!("src"));
                text.value(&Shown(Mac(source)))?;
                text.raw(key!("dst"));
                text.value(&Shown(Mac(destination)))?;
            }
        }
        if let Some(interface) = self.item.interface {
            text.raw(key!("iface"));
            text.value(&**interface)?;
        }
        if event.stages.iter().next().is_some() {
            text.raw(key!("stages_ns"));
            text.value(&StageMap(&event.stages))?;
        }
        Ok(())
    }

    fn data(
        &self,
        text: &mut Text,
        header: &FrameHeader,
        values: &Result<(DataView<'_>, &Config), &'static str>,
    ) -> io::Result<()> {
        let time = header.time;
        let known = values.as_ref().ok();
        let time_ns = known.map(|(view, _)| view.unix_ns());
        let arrival = self.item.event.arrival;
        let lateness =
            time_ns.filter(|_| arrival != UNKNOWN_ARRIVAL).map(|tag| arrival.0.saturating_sub(tag));
        text.raw(key!("soc"));
        text.value(&time.soc())?;
        text.raw(key!("fraction"));
        text.value(&time.fraction())?;
        text.raw(key!("time_base"));
        text.value(&known.map(|(view, _)| view.stream().time_base.get()))?;
        text.raw(key!("time_ns"));
        text.value(&time_ns)?;
        text.raw(key!("time_quality"));
        text.value(&time.quality().bits())?;
        text.raw(key!("lateness_ns"));
        text.value(&lateness)?;
        text.raw(key!("config_source"));
        text.value(&known.map(|(_, config)| config.source.name()))?;
        text.raw(key!("pmus"));
        match values {
            Ok((view, config)) => text.sequence(view.pmus().zip(&config.pmus), pmu),
            Err(reason) => {
                text.raw(concat!("null", key!("reason")));
                text.value(reason)
            }
        }
    }
}

/// One PMU's values.
fn pmu(text: &mut Text, (view, names): (PmuView<'_>, &PmuNames)) -> io::Result<()> {
    text.raw("{\"idcode\":");
    text.value(&view.idcode().0)?;
    text.raw(key!("station"));
    text.value(&*names.station)?;
    text.raw(key!("stat"));
    text.value(&view.stat().word())?;
    text.raw(key!("phasors"));
    let units = view.phasor_scales().iter().map(|scale| scale.unit);
    text.sequence(names.phasors.iter().zip(units).zip(view.phasors()), phasor)?;
    text.raw(key!("frequency_hz"));
    text.value(&view.frequency_hz())?;
    text.raw(key!("rocof_hz_per_s"));
    text.value(&view.rocof_hz_per_s())?;
    text.raw(key!("analogs"));
    text.sequence(names.analogs.iter().zip(view.analogs()), |text, (name, value)| {
        text.raw("{\"name\":");
        text.value(&**name)?;
        text.raw(key!("value"));
        text.value(&value)?;
        text.raw("}");
        Ok(())
    })?;
    text.raw(key!("digitals"));
    text.sequence(view.digitals(), |text, word| text.value(&word))?;
    text.raw("}");
    Ok(())
}

type NamedPhasor<'a> = ((&'a Box<str>, PhasorUnit), Option<Phasor>);

fn phasor(text: &mut Text, ((name, unit), phasor): NamedPhasor<'_>) -> io::Result<()> {
    text.raw("{\"name\":");
    text.value(&**name)?;
    text.raw(key!("unit"));
    text.value(unit.symbol())?;
    text.raw(key!("magnitude"));
    text.value(&phasor.map(|phasor| phasor.magnitude))?;
    text.raw(key!("angle_rad"));
    text.value(&phasor.map(|phasor| phasor.angle_rad))?;
    text.raw("}");
    Ok(())
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
