//! The real-time thread makes no system call but its wait, a write that wakes the outputs where they sleep, and one
//! getrusage(2) for a turn beyond its budget.

use std::fs;

use libc::c_long;
use libtest_mimic::Trial;
use monitor::probe::SystemCalls;

use crate::harness::{BINARY, Monitor, Running};
use crate::support::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth, Need::OwnPids];
    const NEEDS_2: &[Need] = &[Need::Bpf, Need::Veth, Need::OwnPids, Need::TwoCpus];
    vec![
        trial("waiting_by_predict_it_makes_no_other_system_call", NEEDS, || only_its_own("predict")),
        trial("waiting_by_block_it_makes_no_other_system_call", NEEDS, || only_its_own("block")),
        trial("waiting_by_spin_it_makes_no_other_system_call", NEEDS_2, || only_its_own("spin")),
    ]
}

/// Frames that 12 simulated PMUs send in some two seconds.
const FRAMES: u64 = 1200;

/// The real-time thread of a monitor.
fn real_time_thread(running: &Running) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid())).unwrap().map(Result::unwrap);
    let is_it = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim_end() == "pmu-realtime")
    };
    let found: Vec<_> = tasks.filter(is_it).collect();
    let [thread] = &found[..] else { panic!("{found:?} of {BINARY}") };
    thread.file_name().to_str().unwrap().parse().unwrap()
}

fn only_its_own(wait: &str) {
    let mut running = Monitor::here(&["run", "--json", "--wait", wait]).start().attached();
    let calls = SystemCalls::of_thread(real_time_thread(&running)).unwrap();
    running.counted("frames.found", FRAMES);
    let counts = calls.counts().unwrap();
    let report = running.stop().adds_up();
    let times = |call: c_long| {
        let of = |&&(number, _): &&(u32, u64)| c_long::from(number) == call;
        counts.iter().find(of).map_or(0, |(_, times)| *times)
    };
    let rt = &report.summary()["rt"];
    let count = |of: &serde_json::Value| of.as_u64().unwrap_or_else(|| panic!("{rt:#}"));
    let asleep = times(libc::SYS_ppoll) + times(libc::SYS_clock_nanosleep);
    let (wakes, usage) = (times(libc::SYS_write), times(libc::SYS_getrusage));
    let others: u64 = counts.iter().map(|(_, times)| times).sum::<u64>() - asleep - wakes - usage;
    assert_eq!(others, 0, "by number: {counts:?}");
    let overruns = count(&rt["overruns"]["count"]);
    assert!(usage <= overruns, "{usage} for {overruns} overruns");
    // Nor does it wait more often than it says, but for the looks of a wait in two steps.
    assert!(asleep <= 2 * count(&rt["sleeps"]) + 2, "{asleep}: {rt:#}");
    assert!(wait == "spin" || asleep > 0, "what counts has seen nothing: {counts:?}");
    assert!(wakes <= count(&rt["turns"]), "{wakes}: {rt:#}");
}
