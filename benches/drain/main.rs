//! What a frame costs the thread that reads it: drained alone, drained with a reading of the clock and the check of its CRC,
//! and through the live loop to the event; by the ring and by the perf buffer. And how many frames a second are taken
//! without one being lost.
//!
//! All in one run and in alternating blocks, so that what else the machine does falls on all of them. What is measured,
//! and what is not, is said in docs/benchmarks.md. With `--check` a figure beyond its limit is a failure.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to tell but where")]

#[path = "../ending.rs"]
mod ending;
mod suite;

use std::process::ExitCode;

use clap::Parser as _;
use suite::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let results = suite::run(&options);
    results.print_table();
    ending::end(&results.json(), options.json.as_deref(), options.check && !results.all_hold())
}
