//! How soon a reader sees a frame after the kernel has received it: the BPF ring with its three ways to wait, beside packet
//! sockets with theirs, under several models of arrivals.
//!
//! One receiver at a time, in blocks of some seconds that alternate in a shuffled order, so that what else the machine does
//! falls on all of them. What is measured, and what is not, is said in docs/benchmarks.md. With `--check` a figure beyond
//! its limit is a failure.
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
