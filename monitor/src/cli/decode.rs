//! `decode FILE`: a capture through the same pipeline as the live path.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use monitor_core::event::{Class, Classes, EventKind};
use monitor_core::pipeline::{Bounds, Pipeline};
use monitor_core::time::NoClock;

use super::run::overlay;
use super::{Outcome, exit, output};
use crate::capture::{Capture, CaptureError};
use crate::config::{Align, Port, RunOptions, StreamRules, ports};
use crate::hub::{Direct, Item, Summary, is_closed};
use crate::preload::{ConfigFrame, Remedy, sentence};
use crate::sink::{Json, Lines, Sink, Table, Text};

/// Decode a capture (pcap or pcapng)
///
/// Prints one line for each frame, or with --json one object.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The capture
    file: PathBuf,
    /// Print NDJSON
    #[arg(long)]
    json: bool,
    /// Print what was found in all, not each frame
    #[arg(long)]
    summary: bool,
    /// Align the streams: put the frames of one instant together, and say who was missing from it. An instant is waited
    /// for from its first arrival (relative:100ms where no WAIT is given) or from its time tag (absolute:250ms)
    #[arg(long, value_name = "WAIT", num_args = 0..=1, require_equals = true, default_missing_value = Align::DEFAULT)]
    align: Option<Align>,
    /// UDP or TCP port to look at, or 'any' (repeatable; 4712 and 4713 where none is given)
    #[arg(long = "port", value_name = "N|any")]
    ports: Vec<Port>,
    /// A CFG-2 or CFG-3 frame, raw or in hexadecimal, that lays out DATA until one is found in the capture (repeatable);
    /// with ADDRESS/IDCODE= before it those of that PMU alone
    #[arg(long, value_name = "[ADDRESS/IDCODE=]FILE")]
    config_frame: Vec<ConfigFrame>,
    /// Read ports, bounds, alignment, and names and settings of streams from a TOML file; what is given here wins
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let options = arguments.options()?;
    let bounds = options.bounds.pipeline()?;
    let streams = StreamRules::new(&options.stream)?;
    let setting = Setting { arguments, options, bounds, streams };
    let capture = Capture::open(&arguments.file).map_err(|error| error.to_string())?;
    let out = output::standard().map_err(|error| output::said(&error))?;
    let frames = !arguments.summary;
    let instants = frames && setting.options.align.is_some();
    let lines = Lines { frames, instants, overruns: false, windows: false, summary: arguments.summary };
    match (arguments.json, arguments.summary) {
        (true, _) => decode(capture, Json::new(out, lines), setting),
        (false, true) => decode(capture, Table::new(out), setting),
        (false, false) => decode(capture, Text::new(out).with_instants(instants), setting),
    }
}

impl Arguments {
    /// What was given on the command line, over what stands in the file.
    fn options(&self) -> Result<RunOptions, String> {
        let given = RunOptions { port: self.ports.clone(), align: self.align, ..RunOptions::default() };
        overlay(self.config.as_deref(), given)
    }
}

/// What the arguments amount to, the file's options among them.
struct Setting<'a> {
    arguments: &'a Arguments,
    options: RunOptions,
    bounds: Bounds,
    streams: StreamRules,
}

fn decode(mut capture: Capture<File>, sink: impl Sink, setting: Setting<'_>) -> Outcome {
    let Setting { arguments, options, bounds, streams: StreamRules { rules, names } } = setting;
    let mut pipeline = Pipeline::with_rules(ports(&options.port), &bounds, rules);
    if let Some(Align(wait)) = options.align {
        pipeline = pipeline.with_alignment(wait, &bounds);
    }
    for file in &arguments.config_frame {
        pipeline.preload(file.read().map_err(|error| error.to_string())?);
    }
    let mut direct = Direct::new(WithNews { sink, file: &arguments.file }).naming(names);
    let read = push_all(&mut capture, &mut pipeline, &mut direct);
    pipeline.finish(&mut direct);
    let summary = Summary::new(&pipeline, direct.registry());
    let mut summary = summary.with_blame(&pipeline, direct.ledger());
    summary.capture = Some(capture.counts().into());
    let written = direct.into_sink().and_then(|mut sink| sink.finish(&summary));
    match written {
        // Whoever read the output has seen enough: there is nothing more to say.
        Err(error) if is_closed(&error) => return Ok(exit::DONE),
        Err(error) => return Err(output::said(&error)),
        Ok(()) => {}
    }
    if let Some(losses) = capture.counts().losses() {
        eprintln!("pmu-monitor: {}: {losses}", arguments.file.display());
    }
    for table in &summary.unmatched {
        eprintln!("pmu-monitor: {}: {table} fits no stream that was seen", arguments.file.display());
    }
    if let Some(hint) = nothing_decoded(&summary) {
        eprintln!("pmu-monitor: {}: {hint}", arguments.file.display());
    }
    read.map_err(|error| error.to_string())?;
    Ok(if summary.unaccounted == 0 { exit::DONE } else { exit::UNACCOUNTED })
}

/// A sink, and what is new of configurations on standard error.
struct WithNews<'a, S> {
    sink: S,
    file: &'a Path,
}

impl<S: Sink> Sink for WithNews<'_, S> {
    fn name(&self) -> &'static str {
        self.sink.name()
    }

    fn wants(&self) -> Classes {
        self.sink.wants().with(Class::Config)
    }

    fn take(&mut self, item: &Item<'_>) -> io::Result<()> {
        if let (EventKind::Config(news), Some(stream)) = (item.event.kind, item.stream) {
            eprintln!("pmu-monitor: {}: {}", self.file.display(), sentence(stream, news, Remedy::Capture));
            return Ok(());
        }
        if self.sink.wants().has(item.event.kind.class()) { self.sink.take(item) } else { Ok(()) }
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.sink.finish(summary)
    }
}

/// Where not one frame was decoded: what is there instead, and where to look.
fn nothing_decoded(summary: &Summary) -> Option<String> {
    if summary.counters.frames.decoded > 0 {
        return None;
    }
    let mut hint = "no frame was decoded".to_owned();
    for (reason, count) in &summary.counters.frames.undecoded.0 {
        let _ = write!(hint, "; {count} left undecoded ({reason})");
    }
    if summary.packets_ignored > 0 {
        let ignored = summary.packets_ignored;
        let _ =
            write!(hint, "; {ignored} packets are of other ports or protocols: '--port any' looks into all");
    }
    Some(hint)
}

fn push_all(
    capture: &mut Capture<File>,
    pipeline: &mut Pipeline,
    direct: &mut Direct<impl Sink>,
) -> Result<(), CaptureError> {
    while let Some(record) = capture.next_record()? {
        pipeline.push(&record, &mut NoClock, direct);
        if direct.has_failed() {
            break;
        }
    }
    Ok(())
}
