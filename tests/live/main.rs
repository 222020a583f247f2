//! The binary against the running kernel: real packets through private namespaces, every count exact.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod clsact;
mod discovery;
mod endings;
mod flood;
mod harness;
mod interfaces;
mod matching;
mod offsets;
mod probed;
mod refusals;
mod replay;
mod sizes;
mod wakeups;
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
        wakeups::trials(),
        offsets::trials(),
        clsact::trials(),
        interfaces::trials(),
        endings::trials(),
        refusals::trials(),
        broken::trials(),
        discovery::trials(),
    ];
    run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
