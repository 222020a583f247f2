//! `bench host`: is this host fit for a real-time reader.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Outcome, exit, output, run, signals};
use crate::config::BenchOptions;
use crate::hostbench::{self, INTERVALS_US, LOOPS, Report, Settings};
use crate::sys::sched::FIFO_PRIORITIES;

/// Measure this host's real-time behaviour
///
/// Task latency as cyclictest measures it, the jitter of a 10 kHz loop, allocation and priority inversion, beside
/// published figures and with a verdict. Takes about two minutes; Ctrl-C ends it with what there is. See docs/host.md.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to measure
    what: What,
    /// CPU to measure on (repeatable: the task latency on each at the same time, the rest on the first; the first CPU
    /// that this process may use where none is given)
    #[arg(long = "cpu", value_name = "N")]
    cpus: Vec<usize>,
    /// Priority of the measuring thread under `SCHED_FIFO`, 1 to 99 (99 where none is given)
    #[arg(long, value_name = "N",
        value_parser = clap::value_parser!(u8).range(i64::from(*FIFO_PRIORITIES.start())..=i64::from(*FIFO_PRIORITIES.end())))]
    priority: Option<u8>,
    /// Time between two wake-ups for the task latency, microseconds, 100 to 1000000 (1000 where none is given)
    #[arg(long, value_name = "US", value_parser = clap::value_parser!(u32).range(INTERVALS_US))]
    interval: Option<u32>,
    /// Wake-ups, and samples of the 10 kHz loop (100000 where none is given); at most 10000 allocations and 100 rounds of
    /// priority inversion
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(LOOPS))]
    loops: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the percentiles of each measurement into this directory, which is made where it is not there
    #[arg(long, value_name = "DIR")]
    hgrm: Option<PathBuf>,
    /// Read options from a TOML file; those given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const PRIORITY: u8 = 99;
const INTERVAL_US: u32 = 1000;
const LOOPS_DEFAULT: u32 = 100_000;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// This host, with nothing of the monitor running
    Host,
}

impl Arguments {
    /// What was given on the command line, over what stands in the file.
    fn options(&self) -> Result<BenchOptions, String> {
        let file = match &self.config {
            Some(path) => BenchOptions::read(path).map_err(|error| error.to_string())?,
            None => BenchOptions::default(),
        };
        Ok(file.overlaid_by(BenchOptions {
            cpu: self.cpus.clone(),
            priority: self.priority,
            interval: self.interval,
            loops: self.loops,
            json: self.json,
            hgrm: self.hgrm.clone(),
        }))
    }
}

fn settings(options: &BenchOptions) -> Result<Settings, String> {
    let cpus = if options.cpu.is_empty() {
        let first = hostbench::first_allowed_cpu();
        vec![first.map_err(|error| {
            format!("cannot ask which CPUs this process may use: {error}; give one with --cpu")
        })?]
    } else {
        options.cpu.clone()
    };
    Ok(Settings {
        cpus,
        priority: options.priority.unwrap_or(PRIORITY),
        interval_ns: u64::from(options.interval.unwrap_or(INTERVAL_US)) * 1000,
        loops: options.loops.unwrap_or(LOOPS_DEFAULT),
    })
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let What::Host = arguments.what;
    let options = arguments.options()?;
    let settings = settings(&options)?;
    if let Some(directory) = &options.hgrm {
        fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
    }
    let stop = signals::stop_flag().map_err(|error| format!("cannot catch signals: {error}"))?;
    let seconds = settings.duration().as_secs() + 1;
    let mut announced = false;
    let report = hostbench::measure(settings, &stop, |what| {
        if !announced {
            announced = true;
            eprintln!("measuring for about {seconds} s; Ctrl-C ends it with what there is");
        }
        eprintln!("measuring {what}");
    });
    let report = match report {
        Ok(report) => report,
        // What no host, or not this one, has.
        Err(wrong @ (hostbench::Error::Request(_) | hostbench::Error::Twice(_))) => {
            return Ok(run::usage(&wrong.to_string()));
        }
        Err(error) => return Err(error.to_string()),
    };
    let text = if options.json {
        serde_json::to_string(&report).map_err(|error| error.to_string())?
    } else {
        report.to_string()
    };
    // First what took two minutes; then what may still go wrong.
    output::line(text.trim_end())?;
    if let Some(directory) = &options.hgrm {
        write_hgrm(&report, directory)?;
    }
    Ok(exit::DONE)
}

fn write_hgrm(report: &Report, directory: &Path) -> Result<(), String> {
    let files = report.write_hgrm(directory).map_err(|(path, error)| cannot_write(&path, &error))?;
    for path in files {
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    format!(
        "cannot write to {}: {error}; give a directory with --hgrm that may be written to",
        path.display()
    )
}
