//! The binary against the running kernel: real packets through private namespaces, every count exact.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../support/mod.rs"]
mod support;

mod align;
mod beside_aya;
mod blame;
mod broken;
mod clsact;
mod connections;
mod contention;
mod copies;
mod demo;
mod discovery;
mod drops;
mod endings;
mod flood;
mod hardware;
mod harness;
mod hostile;
mod interfaces;
mod losses;
mod matching;
mod memory;
mod offsets;
mod overruns;
#[path = "../support/packets.rs"]
#[expect(dead_code, reason = "benches need other kinds of packet")]
mod packets;
mod perf;
mod placement;
mod probed;
mod pyc37;
mod reattach;
mod refusals;
mod replay;
mod segments;
mod shot;
mod simulated;
mod simulated_tcp;
mod sizes;
mod sources;
mod streams;
mod switches;
mod tcp;
mod verifier;
mod waits;
mod wakeups;
mod wire;
mod xdp;

use std::process::ExitCode;

use libtest_mimic::{Arguments, run};

/// Most of a test's time is spent waiting for a monitor's next window.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let trials = [
        replay::trials(),
        losses::trials(),
        blame::trials(),
        drops::trials(),
        perf::trials(),
        pyc37::trials(),
        simulated::trials(),
        simulated_tcp::trials(),
        sizes::trials(),
        sources::trials(),
        tcp::trials(),
        segments::trials(),
        hostile::trials(),
        matching::trials(),
        memory::trials(),
        connections::trials(),
        flood::trials(),
        waits::trials(),
        placement::trials(),
        hardware::trials(),
        overruns::trials(),
        wakeups::trials(),
        beside_aya::trials(),
        offsets::trials(),
        streams::trials(),
        switches::trials(),
        clsact::trials(),
        contention::trials(),
        copies::trials(),
        interfaces::trials(),
        endings::trials(),
        refusals::trials(),
        broken::trials(),
        discovery::trials(),
        demo::trials(),
        align::trials(),
        verifier::trials(),
        reattach::trials(),
        xdp::trials(),
    ];
    run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
