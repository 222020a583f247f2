//! `tune` killed at every point of its way, on a faked host, and undone. Nothing here changes the host that it runs on.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Output, Stdio};
use std::{env, fs, io};

use libtest_mimic::{Arguments, run};
use monitor::clock::Keeper;
use monitor::doctor::{Asked, Host, Subject};
use monitor::sys::sched::Policy;
use monitor::tune::{Plan, Store, Threads, Undone, apply, undo};
use support::trial;

/// Set in the environment of the process that tunes, and is killed: where its faked host is.
const ROOT: &str = "PMU_MONITOR_TEST_TUNE";
const STATE: &str = "state";
const THREAD: &str = "/proc/200/stat";

fn main() -> ExitCode {
    if let Some(root) = env::var_os(ROOT) {
        tune_step_by_step(Path::new(&root));
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("killed_anywhere_it_can_be_undone", &[], killed_anywhere_it_can_be_undone),
        trial("killed_in_undoing_it_is_undone_again", &[], killed_in_undoing_it_is_undone_again),
        trial("a_dry_run_writes_nothing", &[], a_dry_run_writes_nothing),
        trial("undo_without_a_record_says_so", &[], undo_without_a_record_says_so),
        trial("undo_takes_no_other_options", &[], undo_takes_no_other_options),
        trial("what_is_not_there_is_refused", &[], what_is_not_there_is_refused),
    ];
    run(&arguments, trials).exit_code()
}

/// A host of two CPUs: the card's interrupt and its thread are on the reader's.
const FILES: &[(&str, &str)] = &[
    ("/proc/sys/kernel/osrelease", "6.1.192\n"),
    ("/proc/sys/kernel/version", "#1 SMP PREEMPT_RT\n"),
    ("/proc/sys/kernel/random/boot_id", "one\n"),
    ("/sys/devices/system/cpu/online", "0-1\n"),
    ("/sys/devices/system/cpu/possible", "0-1\n"),
    ("/sys/devices/system/cpu/isolated", "\n"),
    ("/proc/irq/default_smp_affinity", "3\n"),
    ("/proc/irq/41/smp_affinity_list", "0-1\n"),
    ("/proc/irq/41/effective_affinity_list", "1\n"),
    ("/proc/interrupts", " 41: 0 1 PCI-MSIX-0000:00:03.0 0-edge eth1\n"),
    ("/sys/class/net/eth1/ifindex", "2\n"),
    ("/sys/class/net/eth1/device/irq", "0\n"),
    ("/sys/class/net/eth1/threaded", "0\n"),
    ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
    ("/proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
    ("/proc/sys/kernel/sched_rt_period_us", "1000000\n"),
    (
        THREAD,
        "200 (irq/41-eth1) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 -51 0 1 0 28 0 0 18446744073709551615 0 0 0 0 0 0 0 \
         2147483647 0 1 0 0 17 0 50 1 0 0\n",
    ),
    ("/proc/200/status", "Cpus_allowed_list:\t1\n"),
];

fn host(root: &Path) -> Host {
    Host::below(root, Keeper::default())
}

fn fake(root: &Path) {
    for (path, text) in FILES {
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Every file below a place but those of the state directory.
fn files(place: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(place).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_file() {
            found.insert(path.clone(), fs::read(&path).unwrap());
        } else if entry.file_name() != STATE {
            found.extend(files(&path));
        }
    }
    found
}

/// Threads of the faked `/proc`.
struct Faked<'a>(&'a Path);

impl Threads for Faked<'_> {
    fn set(&self, tid: u32, policy: Policy) -> io::Result<()> {
        let path = self.0.join(format!("proc/{tid}/stat"));
        let stat = fs::read_to_string(&path)?;
        let mut fields: Vec<_> = stat.split(' ').map(str::to_owned).collect();
        fields[39] = policy.priority().to_string();
        fields[40] = policy.number().to_string();
        fs::write(path, fields.join(" "))
    }
}

fn plan(root: &Path) -> Plan {
    let host = host(root);
    let asked = Asked { interfaces: vec!["eth1".to_owned()], cpu: Some(1), priority: 50 };
    Plan::of(&Subject::of(&host, &asked).unwrap())
}

fn store(root: &Path) -> Store {
    Store::in_directory(&root.join(STATE))
}

/// The process that is killed: says each step, and goes on when told to.
fn tune_step_by_step(root: &Path) {
    let wait = || {
        println!("step");
        io::stdout().flush().unwrap();
        io::stdin().lines().next();
    };
    if env::args().any(|argument| argument == "undo") {
        undo(&host(root), &Faked(root), &store(root), &mut |_, _| wait()).unwrap();
    } else {
        apply(&host(root), &Faked(root), &store(root), &plan(root).changes, &mut |_| wait()).unwrap();
    }
}

/// Lets one do so many steps and kills it. Whether it came that far.
fn killed_after(root: &Path, what: &str, steps: usize) -> bool {
    let mut own = Command::new(env::current_exe().unwrap());
    own.arg(what).env(ROOT, root).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = own.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let came = (0..steps).all(|step| next_step(&mut child, &mut said, step > 0));
    child.kill().unwrap();
    child.wait().unwrap();
    came
}

fn next_step(child: &mut Child, said: &mut BufReader<ChildStdout>, go_on: bool) -> bool {
    if go_on {
        // One that has ended does not read.
        let _ = child.stdin.as_mut().unwrap().write_all(b"\n");
    }
    let mut line = String::new();
    said.read_line(&mut line).unwrap() > 0
}

fn undone(root: &Path) -> Undone {
    undo(&host(root), &Faked(root), &store(root), &mut |_, _| {}).unwrap()
}

fn killed_anywhere_it_can_be_undone() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    fake(root);
    let before = files(root);
    // Each change has two steps: written down, and made.
    let steps = 2 * plan(root).changes.len();
    assert!(steps >= 12, "{:?}", plan(root));
    for step in 1..=steps {
        assert!(killed_after(root, "tune", step), "step {step} of {steps}");
        assert_eq!(files(root) != before, step > 1, "step {step} of {steps}");
        assert_eq!(undone(root), Undone::Through { complete: true }, "step {step} of {steps}");
        assert_eq!(files(root), before, "step {step} of {steps}");
        assert_eq!(fs::read_dir(root.join(STATE)).unwrap().count(), 0, "step {step} of {steps}");
    }
    assert!(!killed_after(root, "tune", steps + 1));
}

/// Killed again and again, each time one step further on, and tuned in between.
fn killed_in_undoing_it_is_undone_again() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    fake(root);
    let before = files(root);
    let changes = plan(root).changes.len();
    for step in 1..=changes {
        assert!(killed_after(root, "tune", 2 * changes - step));
        killed_after(root, "undo", step);
        killed_after(root, "tune", step);
        assert_eq!(undone(root), Undone::Through { complete: true }, "step {step}");
        assert_eq!(files(root), before, "step {step}");
    }
}

fn monitor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pmu-monitor")).arg("tune").args(arguments).output().unwrap()
}

/// On this host: what it would do, and that it does not.
fn a_dry_run_writes_nothing() {
    const SYSCTLS: [&str; 2] =
        ["/proc/sys/kernel/sched_rt_runtime_us", "/proc/sys/kernel/sched_rt_period_us"];
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let now = || SYSCTLS.map(|path| fs::read_to_string(path).unwrap());
    let before = now();
    let output = monitor(&["--dry-run", "--state", state.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = str::from_utf8(&output.stdout).unwrap();
    let planned = |line: &str| line.starts_with("echo ") || line.starts_with("chrt --fifo --pid ");
    assert!(text == "nothing to change\n" || text.lines().all(planned), "{text}");
    assert_eq!((now(), state.exists()), (before, false));
}

fn undo_without_a_record_says_so() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let output = monitor(&["--undo", "--state", state.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"nothing to put back\n"[..]));
    assert!(!state.exists());
}

fn undo_takes_no_other_options() {
    for other in [&["--dry-run"][..], &["--cpu", "0"], &["--iface", "eth1"]] {
        let output = monitor(&[&["--undo"], other].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

fn what_is_not_there_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let output = monitor(&["--iface", "no-such-one", "--state", state.to_str().unwrap()]);
    let said = str::from_utf8(&output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.contains("no-such-one") && !state.exists(), "{said}");
}
