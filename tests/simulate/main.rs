//! Simulated stations over private veth pairs, by every transport.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod datagrams;
mod seeds;

use std::process::ExitCode;

use libtest_mimic::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [datagrams::trials(), connections::trials(), seeds::trials()];
    run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
