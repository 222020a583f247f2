//! `run`: attach, follow, detach in one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::show::Show;
use super::{Outcome, attach, complete, demo, exit, output, signals, sources};
use crate::config::{Align, Duration, OptionDoc, Port, RunOptions, StreamRules, ports};
use crate::hwstamps::Holder;
use crate::live::{Budget, Share, Waiting, Waits};
use crate::netns::Netns;
use crate::probe::{Hook, Transport};
use crate::rt;
use crate::session::{Plan, Reading, Session, Sources};

/// Monitor C37.118 streams on interfaces: every frame with its kernel arrival time
///
/// Without --iface it makes a private network namespace with 12 simulated PMUs at 50 frames/s and monitors those.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Arguments {
    /// Interface to monitor (repeatable; 12 simulated PMUs where none is given)
    #[arg(long, value_name = "IF", add = complete::interface_names())]
    iface: Vec<String>,
    /// UDP or TCP port to match, or 'any' (repeatable; 4712 and 4713 where none is given)
    #[arg(long = "port", value_name = "N|any")]
    ports: Vec<Port>,
    /// Where packets that come in are looked at: tc (the default), or xdp, which is earlier; some drivers reset their
    /// queues when an XDP program is attached, and a VLAN tag that the card strips is not to be seen there
    #[arg(long, value_name = "tc|xdp")]
    hook: Option<Hook>,
    /// What carries frames from the kernel: ring (the default), the BPF ring; or perf, a perf buffer for each CPU, which takes
    /// `kernel.perf_event_paranoid` of at most 2
    #[arg(long, value_name = "ring|perf")]
    transport: Option<Transport>,
    /// CPU that the real-time thread is bound to
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// The real-time thread's priority under `SCHED_FIFO`, 1 to 99 (50 where none is given)
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// How the real-time thread waits for the next frame: predict (the default) learns when frames come and is awake just
    /// before, within --wait-cap; block sleeps until there is one; spin never sleeps and takes a whole CPU
    #[arg(long, value_name = "block|predict|spin")]
    wait: Option<Waiting>,
    /// What predict may take of a CPU, 0.1% to 100% (10% where none is given): beyond it the streams that cost most are
    /// not waited for awake
    #[arg(long, value_name = "PERCENT")]
    wait_cap: Option<Share>,
    /// How long a turn of the real-time thread may take, 1ns to 1s, or off (50us where none is given): one that takes longer
    /// is an overrun, told with its cause where that is known
    #[arg(long, value_name = "TIME|off")]
    budget: Option<Budget>,
    /// Let CPUs go into idle states that take long to leave: while it runs, `/dev/cpu_dma_latency` is otherwise held at 0,
    /// which keeps every CPU of the host awake and costs power
    #[arg(long)]
    allow_idle: bool,
    /// Take in what is addressed to others: for mirror ports and TAPs; undone at exit
    #[arg(long)]
    promiscuous: bool,
    /// Tell of packets of the watched flows that the kernel drops (`kfree_skb`): why, and whether before the hook (lost to
    /// the monitor) or after it (lost to another reader on this host)
    #[arg(long)]
    drops: bool,
    /// Ask the network card to stamp every packet that comes in, and say how long each took from there; what the card was asked
    /// before is put back at exit. At tc alone
    #[arg(long)]
    hw_stamps: bool,
    /// Go on where an interface goes away, and attach to it again when one of its name comes back
    #[arg(long)]
    reattach: bool,
    /// Align the streams: put the frames of one instant together, and say who was missing from it. An instant is waited
    /// for from its first arrival (relative:100ms where no WAIT is given) or from its time tag (absolute:250ms)
    #[arg(long, value_name = "WAIT", num_args = 0..=1, require_equals = true, default_missing_value = Align::DEFAULT)]
    align: Option<Align>,
    /// End after this time, such as 10s or 5min
    #[arg(long, value_name = "TIME")]
    duration: Option<Duration>,
    /// Print NDJSON: a window each second, the summary last
    #[arg(long)]
    json: bool,
    /// Print each frame (with --json an object each)
    #[arg(long)]
    frames: bool,
    /// Print plain lines even on a terminal
    #[arg(long)]
    plain: bool,
    /// Print only the summary
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    sources: sources::SourceArguments,
    /// Read options from a TOML file; those given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the options in effect as a file for --config, every key explained, and do nothing else
    #[arg(long)]
    print_config: bool,
}

/// Said where an instance is asked for the perf buffer: it stays with the process that made it.
const PERF_IS_OF_RUN: &str = "'transport = \"perf\"' is for `run` alone, with whose process the perf buffer goes: leave it out of the file for `attach` and `follow`, which use the ring";

/// What is asked for that an instance cannot have, in a sentence.
pub(super) fn of_run_alone(options: &RunOptions) -> Option<&'static str> {
    if options.drops {
        return Some(DROPS_ARE_OF_RUN);
    }
    (options.transport == Some(Transport::Perf)).then_some(PERF_IS_OF_RUN)
}

/// Said where an instance is asked for them: its programs stay, and nobody may be there to read of drops.
const DROPS_ARE_OF_RUN: &str = "'drops' is for `run` alone, whose own process reads them: leave it out of the file for `attach` and `follow`";

impl Arguments {
    fn options(&self) -> Result<RunOptions, String> {
        let given = RunOptions {
            iface: self.iface.clone(),
            port: self.ports.clone(),
            hook: self.hook,
            transport: self.transport,
            cpu: self.cpu,
            priority: self.priority,
            wait: self.wait,
            wait_cap: self.wait_cap,
            budget: self.budget,
            allow_idle: self.allow_idle,
            promiscuous: self.promiscuous,
            drops: self.drops,
            hw_stamps: self.hw_stamps,
            reattach: self.reattach,
            align: self.align,
            duration: self.duration,
            json: self.json,
            frames: self.frames,
            plain: self.plain,
            quiet: self.quiet,
            ..self.sources.clone().into_options()
        };
        overlay(self.config.as_deref(), given)
    }
}

/// Said where the hook is at XDP, which is before the kernel has a place for the card's stamp.
const STAMPS_ARE_AT_TC: &str = "hardware stamps are not to be had at XDP: leave out --hw-stamps (`hw-stamps` in the file), or use --hook tc";

/// Whether the cards are to be asked for their stamps.
///
/// # Errors
/// Wrong usage: they are asked for where there are none.
pub(super) fn hardware_stamps(options: &RunOptions, hook: Hook) -> Result<bool, String> {
    if options.hw_stamps && hook == Hook::Xdp {
        Err(STAMPS_ARE_AT_TC.to_owned())
    } else {
        Ok(options.hw_stamps)
    }
}

/// What was given on the command line, over what stands in the file.
pub(super) fn overlay(file: Option<&Path>, given: RunOptions) -> Result<RunOptions, String> {
    let file = match file {
        Some(path) => {
            let options = RunOptions::read(path).map_err(|error| error.to_string())?;
            // Tables stand in a file alone: what is wrong with one is wrong there.
            StreamRules::new(&options.stream).map_err(|wrong| format!("{}: {wrong}", path.display()))?;
            options
        }
        None => RunOptions::default(),
    };
    Ok(file.overlaid_by(given))
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let options = arguments.options()?;
    let request = match request(&options) {
        Ok(request) => request,
        Err(wrong) => return Ok(usage(&wrong)),
    };
    if let Err(wrong) = hardware_stamps(&options, options.hook.unwrap_or_default()) {
        return Ok(usage(&wrong));
    }
    if arguments.print_config {
        return print_config(options);
    }
    let requests = match sources::requests(&options) {
        Ok(requests) => requests,
        Err(wrong) => return Ok(usage(&wrong)),
    };
    let stop = signals::stop_flag().map_err(|error| format!("cannot catch signals: {error}"))?;
    if options.iface.is_empty() {
        let mut world = demo::World::prepare()?;
        // What simulated PMUs say is worth keeping only where that is asked for.
        let sources = sources::gather(&options, requests, false)?;
        let plan = plan(&options, world.monitored().into_iter().collect(), request, sources)?;
        return watch(&options, &plan, demo::DESCRIPTION, &stop, || world.begin());
    }
    let here = Arc::new(Netns::current().map_err(|error| error.to_string())?);
    let interfaces = options.iface.iter().map(|name| (Arc::clone(&here), name.clone())).collect();
    let sources = sources::gather(&options, requests, true)?;
    let plan = plan(&options, interfaces, request, sources)?;
    watch(&options, &plan, &options.iface.join(", "), &stop, || Ok(()))
}

/// Says what is wrong with the usage, as clap does for a single option.
pub(super) fn usage(wrong: &str) -> u8 {
    eprintln!("pmu-monitor: {wrong}");
    exit::USAGE
}

/// Prints the options in effect, which [`request`] has checked.
fn print_config(options: RunOptions) -> Outcome {
    options.bounds.of_kernel()?;
    options.bounds.pipeline()?;
    let text = options.effective().to_toml(&option_docs());
    let mut out = output::standard().map_err(|error| output::said(&error))?;
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| output::said(&error))?;
    Ok(exit::DONE)
}

/// What the command line says of each option.
fn option_docs() -> Vec<OptionDoc> {
    // What `run` has not, `attach` has.
    let run = Arguments::augment_args(clap::Command::new("run"));
    let attach = attach::Arguments::augment_args(clap::Command::new("attach"));
    let doc = |argument: &clap::Arg| {
        let value_names = argument.get_value_names().unwrap_or_default();
        Some(OptionDoc {
            key: argument.get_long()?.to_owned(),
            help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
            value_name: value_names.iter().map(clap::builder::Str::as_str).collect(),
        })
    };
    run.get_arguments().chain(attach.get_arguments()).filter_map(doc).collect()
}

/// What the real-time thread should be given.
///
/// # Errors
/// Wrong usage: a priority or a CPU that there is not.
pub(super) fn request(options: &RunOptions) -> Result<rt::Request, String> {
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
    sources: Sources,
) -> Result<Plan, String> {
    Ok(Plan {
        interfaces,
        hook: options.hook.unwrap_or_default(),
        ports: ports(&options.port),
        transport: options.transport.unwrap_or_default(),
        sizes: options.bounds.of_kernel()?,
        promiscuous: options.promiscuous,
        drops: options.drops,
        hardware_stamps: options.hw_stamps,
        reading: reading(options, rt, sources)?,
    })
}

pub(super) fn reading(options: &RunOptions, rt: rt::Request, sources: Sources) -> Result<Reading, String> {
    let bounds = options.bounds.pipeline()?;
    let duration = options.duration.map(|duration| duration.0);
    let align = options.align.map(|align| align.0);
    let (reattach, daemons) = (options.reattach, options.clock.clone());
    let streams = StreamRules::new(&options.stream)?;
    let waits = Waits {
        waiting: options.wait.unwrap_or_default(),
        cap: options.wait_cap.unwrap_or_default(),
        ..Waits::default()
    };
    let idle_allowed = options.allow_idle;
    let budget = options.budget.unwrap_or_default();
    Ok(Reading {
        rt,
        idle_allowed,
        waits,
        budget,
        bounds,
        sources,
        align,
        streams,
        duration,
        reattach,
        daemons,
    })
}

/// Puts back what those that were killed have asked of network cards.
pub(super) fn put_back_stamps() {
    match Holder::of_host().clean_up() {
        Ok(failures) => failures.iter().for_each(|failure| tracing::warn!("{failure}")),
        Err(error) => tracing::warn!("{error}"),
    }
}

/// Attaches, lets traffic begin, runs to the end.
fn watch(
    options: &RunOptions,
    plan: &Plan,
    what: &str,
    stop: &AtomicBool,
    begin: impl FnOnce() -> Result<(), String>,
) -> Outcome {
    let show = Show::of(options);
    put_back_stamps();
    let session = Session::prepare(plan, show.sinks()?, show.notices());
    show.drive(session, what, stop, begin)
}
