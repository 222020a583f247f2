//! What a frame costs the thread that reads it: drained alone, drained with a reading of the clock and the check of its CRC,
//! and through the live loop to the event; by the ring and by the perf buffer. And how many frames a second are taken
//! without one being lost.
//!
//! All in one run and in alternating blocks, so that what else the machine does falls on all of them. What is measured,
//! and what is not, is said in docs/benchmarks.md. With `--check` a figure beyond its limit is a failure.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to tell but where")]

mod suite;

use std::process::ExitCode;

use clap::Parser as _;
use suite::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let results = suite::run(&options);
    results.print_table();
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{}\n", results.json())).unwrap_or_else(|error| {
            panic!("cannot write {}: {error}; name a file in a directory that is there", file.display())
        });
    }
    if options.check && !results.all_hold() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
