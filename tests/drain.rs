//! The bench of draining, for a moment and without limits of time: in each way, by both transports, every frame is taken and
//! right, or the kernel counts it as lost.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../benches/drain/suite/mod.rs"]
#[expect(dead_code, reason = "the bench judges and prints what the test only runs")]
mod suite;
mod support;

use std::process::ExitCode;

use clap::Parser as _;
use libtest_mimic::{Arguments, run};
use suite::Options;
use support::{Need, trial};

fn main() -> ExitCode {
    const NEEDS: &[Need] = &[Need::Root, Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus];
    let trials =
        vec![trial("every_way_to_drain_takes_every_frame", NEEDS, every_way_to_drain_takes_every_frame)];
    run(&Arguments::from_args(), trials).exit_code()
}

fn every_way_to_drain_takes_every_frame() {
    let options = Options::parse_from(["drain", "--quick"]);
    let results = suite::run(&options).json();
    let figures = results["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 2 * 4, "two transports, four ways: {results:#}");
    // That each frame was found right in each way is asserted by the bench itself.
    assert!(figures.iter().all(|one| one["frames"].as_u64() > Some(1_000)), "{results:#}");
    for one in results["sustained"].as_array().unwrap() {
        let [sent, taken, lost] =
            ["frames_sent", "frames_taken", "frames_lost"].map(|count| one[count].as_u64().unwrap());
        assert!(sent > 0 && sent == taken + lost, "{one:#}");
    }
}
