//! The command line: one file for each verb, which parses its arguments, calls the library and prints.

mod attach;
mod bench;
pub mod complete;
mod completions;
mod decode;
mod demo;
mod detach;
mod doctor;
pub mod exit;
mod follow;
mod logging;
mod man;
mod output;
mod run;
mod show;
mod signals;
mod simulate;
mod sources;
mod status;
mod tune;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Every PMU frame with its kernel arrival time.
#[derive(Debug, Parser)]
#[command(name = "pmu-monitor", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Arguments),
    Attach(attach::Arguments),
    Follow(follow::Arguments),
    Status(status::Arguments),
    Detach(detach::Arguments),
    Decode(decode::Arguments),
    Simulate(simulate::Arguments),
    Doctor(doctor::Arguments),
    Tune(tune::Arguments),
    Bench(bench::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// What a verb came to: an exit status of [`exit`], or one sentence that says what, where and the remedy.
type Outcome = Result<u8, String>;

/// Parses the command line and runs its verb. Wrong usage ends the process here, with status 2.
#[must_use]
pub fn main() -> ExitCode {
    complete::answer();
    let arguments = Arguments::parse();
    logging::start();
    let outcome = match arguments.verb {
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Attach(arguments) => attach::run(&arguments),
        Verb::Follow(arguments) => follow::run(&arguments),
        Verb::Status(arguments) => status::run(&arguments),
        Verb::Detach(arguments) => detach::run(&arguments),
        Verb::Decode(arguments) => decode::run(&arguments),
        Verb::Simulate(arguments) => simulate::run(&arguments),
        Verb::Doctor(arguments) => doctor::run(&arguments),
        Verb::Tune(arguments) => tune::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
        Verb::Man(arguments) => man::run(&arguments),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(message) => {
            eprintln!("pmu-monitor: {message}");
            ExitCode::from(exit::FAILED)
        }
    }
}
