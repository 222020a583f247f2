//! `run`: attach, follow, detach in one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::{Outcome, demo, exit, output, signals};
use crate::config::{Duration, Port, RunOptions, ports};
use crate::netns::Netns;
use crate::rt;
use crate::session::{Notices, Plan, Session};
use crate::sink::{Json, Lines, Sink, Text};
use crate::ui::{self, Plain, RunInfo, Screen, SharedRunInfo};
use monitor_core::pipeline::Ports;

/// Monitor C37.118 streams on interfaces: every frame with its kernel arrival time
///
/// Without --iface it makes a private network namespace with 12 simulated PMUs at 50 frames/s and monitors those.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Arguments {
    /// Interface to monitor (repeatable)
    #[arg(long, value_name = "IF")]
    iface: Vec<String>,
    /// UDP or TCP port to match, or 'any' (repeatable; 4712 and 4713 where none is given)
    #[arg(long = "port", value_name = "N|any")]
    ports: Vec<Port>,
    /// CPU that the real-time thread is bound to
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Its priority under `SCHED_FIFO`, 1 to 99 (50 where none is given)
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Take in what is addressed to others: for mirror ports and TAPs; undone at exit
    #[arg(long)]
    promiscuous: bool,
    /// End after this time, such as 10s or 5min
    #[arg(long, value_name = "TIME")]
    duration: Option<Duration>,
    /// Print NDJSON: a window each second, the summary last
    #[arg(long)]
    json: bool,
    /// Print each frame
    #[arg(long)]
    frames: bool,
    /// Print plain lines even on a terminal
    #[arg(long)]
    plain: bool,
    /// Print only the summary
    #[arg(long)]
    quiet: bool,
    /// Read options from a TOML file; those given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    fn options(&self) -> Result<RunOptions, String> {
        let given = RunOptions {
            iface: self.iface.clone(),
            port: self.ports.clone(),
            cpu: self.cpu,
            priority: self.priority,
            promiscuous: self.promiscuous,
            duration: self.duration,
            json: self.json,
            frames: self.frames,
            plain: self.plain,
            quiet: self.quiet,
            bounds: crate::config::BoundsTable::default(),
        };
        let file = match &self.config {
            Some(path) => RunOptions::read(path).map_err(|error| error.to_string())?,
            None => RunOptions::default(),
        };
        Ok(file.overlaid_by(given))
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let options = arguments.options()?;
    let request = request(&options)?;
    let stop = signals::stop_flag().map_err(|error| format!("cannot catch signals: {error}"))?;
    if options.iface.is_empty() {
        let mut world = demo::World::prepare()?;
        let plan = plan(&options, world.monitored().into_iter().collect(), request)?;
        return watch(&options, &plan, demo::DESCRIPTION, &stop, || world.begin());
    }
    let here = Arc::new(Netns::current().map_err(|error| error.to_string())?);
    let interfaces = options.iface.iter().map(|name| (Arc::clone(&here), name.clone())).collect();
    let plan = plan(&options, interfaces, request)?;
    watch(&options, &plan, &options.iface.join(", "), &stop, || Ok(()))
}

fn request(options: &RunOptions) -> Result<rt::Request, String> {
    let default = rt::Request::default();
    let request =
        rt::Request { priority: options.priority.unwrap_or(default.priority), cpu: options.cpu, ..default };
    request.check().map_err(|error| error.to_string())?;
    Ok(request)
}

fn plan(
    options: &RunOptions,
    interfaces: Vec<(Arc<Netns>, String)>,
    rt: rt::Request,
) -> Result<Plan, String> {
    Ok(Plan {
        interfaces,
        hook: crate::probe::Hook::Tc,
        ports: ports(&options.port),
        rt,
        ring_bytes: options.bounds.ring_bytes()?,
        bounds: options.bounds.pipeline()?,
        promiscuous: options.promiscuous,
        duration: options.duration.map(|duration| duration.0),
    })
}

/// Attaches, lets traffic begin, runs to the end.
fn watch(
    options: &RunOptions,
    plan: &Plan,
    what: &str,
    stop: &AtomicBool,
    begin: impl FnOnce() -> Result<(), String>,
) -> Outcome {
    let lines = options.json || options.plain || options.frames || options.quiet;
    let screen = !lines && ui::is_fit_for_a_screen();
    let notices = Notices::new(!screen);
    let shared = SharedRunInfo::default();
    let sinks = sinks(options, screen, &shared)?;
    let session = Session::prepare(plan, sinks, notices).map_err(|error| error.to_string())?;
    let mut traffic = Ok(());
    let started = |granted: &rt::Outcome| {
        if options.json {
            granted.refusals.iter().for_each(|refusal| tracing::warn!("{refusal}"));
        }
        let _ = shared.set(info(what, &plan.ports).with_rt(granted));
        traffic = begin();
        if traffic.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let report = session.run(stop, started).map_err(|error| error.to_string())?;
    traffic?;
    match report.failed {
        Some(reason) => Err(reason),
        None if report.summary.unaccounted > 0 => Ok(exit::UNACCOUNTED),
        None => Ok(exit::DONE),
    }
}

/// What a person is told at the start.
fn info(what: &str, ports: &Ports) -> RunInfo {
    let expects = match ports {
        Ports::Any => "C37.118 on any port".to_owned(),
        Ports::Set(ports) => {
            let numbers = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            format!("C37.118 on port{} {numbers}", if ports.len() == 1 { "" } else { "s" })
        }
    };
    RunInfo {
        what: what.to_owned(),
        expects,
        hook: "tc".to_owned(),
        wait: "block".to_owned(),
        ..RunInfo::default()
    }
}

fn sinks(options: &RunOptions, screen: bool, info: &SharedRunInfo) -> Result<Vec<Box<dyn Sink>>, String> {
    let out = || output::standard().map_err(|error| output::said(&error));
    if options.json {
        let lines = Lines { frames: options.frames, windows: !options.quiet, summary: true };
        return Ok(vec![Box::new(Json::new(out()?, lines))]);
    }
    if screen {
        let screen = Screen::new(Arc::clone(info)).map_err(|error| output::said(&error))?;
        return Ok(vec![Box::new(screen)]);
    }
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if options.frames {
        sinks.push(Box::new(Text::new(out()?)));
    }
    let info = Arc::clone(info);
    let plain = if options.quiet { Plain::summary_only(out()?, info) } else { Plain::new(out()?, info) };
    sinks.push(Box::new(plain));
    Ok(sinks)
}
