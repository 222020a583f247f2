//! Where the real-time thread runs while it runs: it is moved, its CPU goes, what serves the interface comes to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use monitor::netns::{Pair, private_pair};

use crate::harness::{Monitor, Report, Running, until};
use crate::support::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus, Need::Taskset];
    const SYSFS: &[Need] =
        &[Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus, Need::Taskset, Need::Unshare];
    const GUEST: &[Need] = &[Need::Bpf, Need::Veth, Need::RealTime, Need::Guest];
    vec![
        trial("a_thread_that_is_moved_is_bound_again", NEEDS, a_thread_that_is_moved_is_bound_again),
        trial("the_wait_follows_a_napi_thread", SYSFS, the_wait_follows_a_napi_thread),
        trial("a_cpu_that_goes_offline_degrades_the_run", GUEST, a_cpu_that_goes_offline_degrades_the_run),
    ]
}

/// The number of a thread of that name among those of a directory of `/proc`.
fn thread_named(tasks: &Path, is_it: impl Fn(&str) -> bool) -> Option<u32> {
    let tasks = fs::read_dir(tasks).unwrap().filter_map(Result::ok);
    let mut found = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        is_it(name.trim_end()).then(|| task.file_name().to_str()?.parse().ok())?
    });
    found.next()
}

fn real_time_thread(running: &Running) -> u32 {
    let tasks = PathBuf::from(format!("/proc/{}/task", running.pid()));
    thread_named(&tasks, |name| name == "pmu-realtime").unwrap()
}

fn bind(tid: u32, cpus: &str) {
    let output = Command::new("taskset").args(["-pc", cpus, &tid.to_string()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn cpus_of(tid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
}

/// How often the run was off its CPU, or fell back: times, over, now.
fn lapses(report: &Report, what: &str) -> [u64; 3] {
    let lapses = &report.summary()["rt"][what];
    let [times, over] = ["times", "over"].map(|one| lapses[one].as_u64().unwrap());
    [times, over, u64::from(lapses["now"].as_bool().unwrap())]
}

fn a_thread_that_is_moved_is_bound_again() {
    let mut running = Monitor::here(&["run", "--json", "--cpu", "1", "--wait", "block"]).start().attached();
    let thread = real_time_thread(&running);
    assert_eq!(cpus_of(thread), "1");
    bind(thread, "0");
    running.complained(&["bound to CPU 1 again", "on CPUs 0"]);
    assert_eq!(cpus_of(thread), "1");
    let report = running.stop().adds_up();
    assert_eq!(report.summary()["rt"]["cpu"], 1);
    assert_eq!(lapses(&report, "off_cpu"), [1, 1, 0]);
    assert!(report.summary()["rt"]["fallen_back"].is_null(), "it was to sleep anyway");
}

/// Threads of an XDP program's NAPI, whose interface no other test has a namesake of.
fn let_threads_poll(pair: &Pair) {
    let set = "mount -t sysfs none /sys && echo 1 > /sys/class/net/threaded1/threaded";
    let command = || Command::new("unshare").args(["--mount", "sh", "-c", set]).output().unwrap();
    let output = pair.monitor.run(command).unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn the_wait_follows_a_napi_thread() {
    let pair = private_pair("stations0", "threaded1").unwrap();
    let wait = ["--hook", "xdp", "--cpu", "1", "--wait", "predict"];
    let mut running = Monitor::on(&pair).args(wait).start().attached();
    let_threads_poll(&pair);
    running.complained(&["DEGRADED", "wait predict is not used", "CPU 1 serves thread napi/threaded1-"]);
    let mut thread = None;
    until("the NAPI thread is there", || {
        thread = thread_named(Path::new("/proc"), |name| name.starts_with("napi/threaded1-"));
        thread.is_some()
    });
    bind(thread.unwrap(), "0");
    running.complained(&["wait predict is used again"]);
    let report = running.stop().adds_up();
    assert_eq!(report.summary()["rt"]["wait"], "predict");
    assert!(report.summary()["rt"]["wait_refused"].is_null());
    assert_eq!(lapses(&report, "fallen_back"), [1, 1, 0]);
    assert_eq!(lapses(&report, "off_cpu"), [0, 0, 0]);
}

const ONLINE: &str = "/sys/devices/system/cpu/cpu1/online";

/// Brings the CPU back whatever becomes of the test.
struct CpuBack;

impl Drop for CpuBack {
    fn drop(&mut self) {
        let _ = fs::write(ONLINE, "1");
    }
}

fn a_cpu_that_goes_offline_degrades_the_run() {
    let mut running = Monitor::here(&["run", "--json", "--cpu", "1"]).start().attached();
    let thread = real_time_thread(&running);
    let back = CpuBack;
    fs::write(ONLINE, "0").unwrap();
    running.complained(&["DEGRADED", "lost CPU 1 (it went offline)", "CPUs 0"]);
    running.complained(&["DEGRADED", "wait predict is not used", "one CPU"]);
    let packets = running.newest("packets.submitted");
    running.counted("packets.submitted", packets + 1);
    drop(back);
    running.complained(&["bound to CPU 1 again"]);
    running.complained(&["wait predict is used again"]);
    assert_eq!(cpus_of(thread), "1");
    let report = running.stop().adds_up();
    assert_eq!(lapses(&report, "off_cpu"), [1, 1, 0]);
    assert_eq!(lapses(&report, "fallen_back"), [1, 1, 0]);
    let refused = report.summary()["rt"]["refused"].as_array().unwrap();
    assert!(refused.iter().any(|one| one.as_str().unwrap().contains("lost CPU 1")), "{refused:?}");
}
