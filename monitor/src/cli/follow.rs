//! `follow`: reads an instance that is attached.

use std::path::PathBuf;

use clap::Args;

use super::show::Show;
use super::{Outcome, complete, run, signals, sources};
use crate::config::{Align, Duration, InstanceName, RunOptions};
use crate::live::{Budget, Share, Waiting};
use crate::session::Session;

/// Follow an attached instance: read what it keeps, until Ctrl-C
///
/// The instance stays attached when this ends, however it ends. One reader at a time.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Arguments {
    /// Name of the instance of `attach` and `follow` ("default" where none is given)
    #[arg(long, value_name = "NAME", add = complete::instances())]
    instance: Option<InstanceName>,
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
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let options = arguments.options()?;
    if let Some(wrong) = run::of_run_alone(&options) {
        return Ok(run::usage(wrong));
    }
    if options.reads {
        return Ok(run::usage(run::READS_ARE_OF_RUN));
    }
    let request = match run::request(&options) {
        Ok(request) => request,
        Err(wrong) => return Ok(run::usage(&wrong)),
    };
    let requests = match sources::requests(&options) {
        Ok(requests) => requests,
        Err(wrong) => return Ok(run::usage(&wrong)),
    };
    let stop = signals::stop_flag().map_err(|error| format!("cannot catch signals: {error}"))?;
    let name = options.instance.clone().unwrap_or_default();
    let name = name.as_str();
    let show = Show::of(&options);
    let sources = sources::gather(&options, requests, true)?;
    let reading = run::reading(&options, request, sources)?;
    let session = Session::follow(name, &reading, show.sinks()?, show.notices());
    show.drive(session, &format!("instance {name}"), &stop, || Ok(()))
}

impl Arguments {
    fn options(&self) -> Result<RunOptions, String> {
        let given = RunOptions {
            instance: self.instance.clone(),
            cpu: self.cpu,
            priority: self.priority,
            wait: self.wait,
            wait_cap: self.wait_cap,
            budget: self.budget,
            allow_idle: self.allow_idle,
            reattach: self.reattach,
            align: self.align,
            duration: self.duration,
            json: self.json,
            frames: self.frames,
            plain: self.plain,
            quiet: self.quiet,
            ..self.sources.clone().into_options()
        };
        run::overlay(self.config.as_deref(), given)
    }
}
