//! The binary against the running kernel: real packets through private namespaces, every count exact.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../support/mod.rs"]
mod support;

mod endings;
mod flood;
mod harness;
mod matching;
mod refusals;
mod replay;
mod sizes;
mod wire;

use std::process::ExitCode;

use libtest_mimic::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [
        replay::trials(),
        sizes::trials(),
        matching::trials(),
        flood::trials(),
        endings::trials(),
        refusals::trials(),
    ];
    run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
