//! Plain lines for people: one for each frame, abridged to a terminal's width.

mod instant;

use std::fmt::Write as _;
use std::io::{self, Write};

use monitor_core::event::{Addresses, Class, Classes, EventKind, FrameEvent, Outcome};
use monitor_core::protocol::c37118::{
    CommandView, ConfigView, DataView, FrameKind, FrameView, HeaderView, PmuView,
};

use super::{Sink, Utc};
use crate::capture::UNKNOWN_ARRIVAL;
use crate::hub::{Item, PmuNames, Summary};

/// Phasors shown of a PMU; the others are said to be there.
const PHASORS_SHOWN: usize = 3;
/// PMUs shown of a frame.
const PMUS_SHOWN: usize = 1;
/// Wide enough for two IPv4 endpoints.
const ADDRESSES_WIDTH: usize = 43;

/// Writes a line for each frame to an output, which should be buffered.
pub struct Text<W> {
    out: W,
    /// Whether aligned instants have lines too.
    instants: bool,
    /// Kept, so that a line costs no allocation.
    line: String,
}

impl<W: Write> Text<W> {
    /// To that output.
    pub const fn new(out: W) -> Self {
        Self { out, instants: false, line: String::new() }
    }

    /// With a line for each aligned instant, or without.
    #[must_use]
    pub fn with_instants(self, instants: bool) -> Self {
        Self { instants, ..self }
    }
}

impl<W: Write + Send> Sink for Text<W> {
    fn name(&self) -> &'static str {
        "text"
    }

    fn wants(&self) -> Classes {
        let frames = Classes::NONE.with(Class::Frame).with(Class::Config);
        if self.instants { frames.with(Class::Instant) } else { frames }
    }

    fn take(&mut self, item: &Item<'_>) -> io::Result<()> {
        self.line.clear();
        let written = match item.event.kind {
            EventKind::Frame(frame, outcome) => describe(&mut self.line, item, &frame, outcome),
            EventKind::Instant(instant) => self::instant::describe(&mut self.line, item, &instant),
            _ => Ok(()),
        };
        // Writing to a String does not fail.
        if written.is_err() || self.line.is_empty() {
            return Ok(());
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        self.out.flush()
    }
}

fn describe(line: &mut String, item: &Item<'_>, frame: &FrameEvent, outcome: Outcome) -> std::fmt::Result {
    let view = FrameView::without_check(item.bytes);
    let name = match (outcome, &view) {
        (Outcome::Invalid(_), _) => "BAD",
        // A unit that stands for frames that were not looked at.
        (Outcome::Undecoded(_), _) if frame.frame_type.is_none() => return Ok(()),
        (_, Ok(view)) => view.kind().name(),
        (_, Err(_)) => return Ok(()),
    };
    if item.event.arrival == UNKNOWN_ARRIVAL {
        write!(line, "{:<29}", "(no time)")?;
    } else {
        write!(line, "{}", Utc(item.event.arrival))?;
    }
    let idcode = frame.idcode.map_or_else(|| "-".to_owned(), |idcode| idcode.to_string());
    write!(line, "  {:<ADDRESSES_WIDTH$}  {name:<5}  {idcode:>5}  ", addresses(frame))?;
    match (outcome, view) {
        (Outcome::Invalid(reason), _) => write!(line, "not sound: {}", reason.name()),
        (Outcome::Undecoded(reason), _) => write!(line, "not decoded: {}", reason.name()),
        (Outcome::Decoded, Ok(view)) => body(line, item, view),
        (Outcome::Decoded, Err(_)) => Ok(()),
    }
}

fn addresses(frame: &FrameEvent) -> String {
    match frame.addresses {
        Addresses::Ip { source, destination } => format!("{source} > {destination}"),
        Addresses::Ethernet { .. } => String::new(),
    }
}

fn body(line: &mut String, item: &Item<'_>, frame: FrameView<'_>) -> std::fmt::Result {
    match frame.kind() {
        FrameKind::Data => data(line, item),
        FrameKind::Config1 | FrameKind::Config2 | FrameKind::Config3 => match ConfigView::new(frame) {
            Ok(view) => config(line, &view),
            Err(error) => write!(line, "not decoded: {error}"),
        },
        FrameKind::Header => HeaderView::new(frame).map_or(Ok(()), |view| write!(line, "{}", view.text())),
        FrameKind::Command => {
            CommandView::new(frame).map_or(Ok(()), |view| write!(line, "{}", view.command().name()))
        }
    }
}

fn data(line: &mut String, item: &Item<'_>) -> std::fmt::Result {
    let Some(config) = item.config else { return write!(line, "its configuration was lost") };
    let Ok(view) = DataView::new(item.bytes, &config.layout) else { return Ok(()) };
    for (pmu, names) in view.pmus().zip(&config.pmus).take(PMUS_SHOWN) {
        measurements(line, &pmu, names)?;
    }
    match config.pmus.len().saturating_sub(PMUS_SHOWN) {
        0 => Ok(()),
        more => write!(line, "  +{more} PMUs"),
    }
}

fn measurements(line: &mut String, pmu: &PmuView<'_>, names: &PmuNames) -> std::fmt::Result {
    write!(line, "{}  {:04x}", names.station, pmu.stat().word())?;
    match pmu.frequency_hz() {
        Some(hz) => write!(line, "  {hz:.3} Hz")?,
        None => write!(line, "  - Hz")?,
    }
    match pmu.rocof_hz_per_s() {
        Some(rocof) => write!(line, "  {rocof:+.2} Hz/s")?,
        None => write!(line, "  - Hz/s")?,
    }
    for (phasor, name) in pmu.phasors().zip(&names.phasors).take(PHASORS_SHOWN) {
        match phasor {
            Some(phasor) => {
                let (magnitude, unit) = (phasor.magnitude, phasor.unit.symbol());
                write!(line, "  {name} {magnitude:.2} {unit} {:+.2}°", phasor.angle_rad.to_degrees())?;
            }
            None => write!(line, "  {name} -")?,
        }
    }
    match names.phasors.len().saturating_sub(PHASORS_SHOWN) {
        0 => Ok(()),
        more => write!(line, "  +{more} phasors"),
    }
}

fn config(line: &mut String, view: &ConfigView<'_>) -> std::fmt::Result {
    match view.data_rate() {
        Some(rate) => write!(line, "{} frames/s", rate.hz())?,
        None => write!(line, "no rate")?,
    }
    for pmu in view.pmus().take(PMUS_SHOWN) {
        let (phasors, analogs, digitals) = (pmu.phasors().len(), pmu.analogs().len(), pmu.digitals().len());
        write!(
            line,
            "  {} ({}): {phasors} phasors, {analogs} analogs, {digitals} digital words",
            pmu.station(),
            pmu.idcode().0
        )?;
    }
    match usize::from(view.num_pmu()).saturating_sub(PMUS_SHOWN) {
        0 => Ok(()),
        more => write!(line, "  +{more} PMUs"),
    }
}
