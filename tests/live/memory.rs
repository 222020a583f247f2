//! What a monitor holds in memory: within what it may, and no more after many frames than after few.

use std::fs;

use libtest_mimic::Trial;

use crate::harness::{Monitor, Running};
use crate::simulated::simulate;
use crate::support::{Need, trial};
use crate::wire::{PDC, PORT, addressed_pair};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("memory_is_bounded_and_does_not_grow_with_frames", NEEDS, memory_is_bounded_and_flat)]
}

/// What 12 PMUs may take in all is 48 MiB; 8 of them are the ring, which counts twice, and 6 the pages of an optimized
/// program's file. A program that is not optimized has more of those, so they are left out here.
const ANONYMOUS_KIB: u64 = (48 - 8 - 6) << 10;
/// What waited for an output at the worst moment so far, which the heap does not give back. Some 50 bytes kept of each
/// frame would be more.
const GROWTH_KIB: u64 = 512;

fn memory_is_bounded_and_flat() {
    let pair = addressed_pair();
    let mut monitor = Monitor::on(&pair).args(["--frames"]).start().attached();
    let to = format!("{PDC}:{PORT}");
    let frames_for = |seconds: &str| {
        let arguments = ["--to", &to, "--pmus", "12", "--rate", "240", "--duration", seconds];
        simulate(&pair, &arguments).frames()
    };
    let first = frames_for("1s");
    monitor.counted("frames.found", first);
    let early = anonymous_kib(&monitor);
    let then = frames_for("4s");
    monitor.counted("frames.found", first + then);
    let late = anonymous_kib(&monitor);
    assert!(50 * then > GROWTH_KIB << 10, "{then} frames are too few to show growth");
    assert!(late < ANONYMOUS_KIB, "{late} KiB");
    assert!(late <= early + GROWTH_KIB, "{early} KiB after {first} frames, {late} KiB after {then} more");
    monitor.stop().adds_up();
}

/// Resident pages that are no file's (`proc_pid_status(5)`, `RssAnon`).
fn anonymous_kib(monitor: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", monitor.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
