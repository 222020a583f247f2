//! docs/capabilities.md by experiment: each command as an ordinary user, with exactly the capabilities named there,
//! and with each of them taken away.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;
#[path = "support/wire.rs"]
mod wire;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;

use libtest_mimic::{Arguments, run};
use serde_json::Value;
use support::{Need, trial};
use tempfile::TempDir;
use wire::{Wire, signal};

const SERVICE: &str = include_str!("../docs/pmu-monitor.service");
const CAPABILITIES: &str = include_str!("../docs/capabilities.md");

/// What `run --iface` has, as setpriv writes it.
const FULL: [&str; 5] = ["bpf", "perfmon", "net_admin", "sys_nice", "ipc_lock"];
/// The user that owns nothing.
const NOBODY: &str = "65534";
const PMUS: u64 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let live = &[Need::Root, Need::Bpf, Need::RealTime, Need::Veth, Need::Setpriv];
    let file = [&live[..], &[Need::Setcap]].concat();
    let plain = &[Need::Root, Need::Setpriv];
    let trials = vec![
        trial("the_services_capabilities_are_enough", live, the_services_capabilities_are_enough),
        trial("three_are_enough_to_count", live, three_are_enough_to_count),
        trial("without_real_time_the_run_goes_on", live, without_real_time_the_run_goes_on),
        trial("without_locked_memory_the_run_goes_on", live, without_locked_memory_the_run_goes_on),
        trial("each_that_cannot_be_missing_is_named", live, each_that_cannot_be_missing_is_named),
        trial("promiscuous_mode_takes_net_raw", live, promiscuous_mode_takes_net_raw),
        trial("the_perf_buffer_takes_locked_memory", live, the_perf_buffer_takes_locked_memory),
        trial("the_demo_takes_sys_admin", live, the_demo_takes_sys_admin),
        trial("the_self_test_takes_sys_admin", live, the_self_test_takes_sys_admin),
        trial("the_files_capabilities_are_enough", &file, the_files_capabilities_are_enough),
        trial("the_service_has_what_the_table_says", &[], the_service_has_what_the_table_says),
        trial("an_instance_takes_what_a_run_takes", live, an_instance_takes_what_a_run_takes),
        trial("an_instance_at_xdp_takes_no_more", live, an_instance_at_xdp_takes_no_more),
        trial("attaching_again_takes_none", live, attaching_again_takes_none),
        trial("pins_take_a_bpffs_of_ones_own", live, pins_take_a_bpffs_of_ones_own),
        trial("a_containers_capabilities_are_told_from_the_hosts", live, a_containers_capabilities_are_told),
        trial("the_rest_takes_none", plain, the_rest_takes_none),
    ];
    run(&arguments, trials).exit_code()
}

/// The program where every user can reach it, which the build's directory need not be.
struct Program {
    place: TempDir,
}

impl Program {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_pmu-monitor"), place.path().join("pmu-monitor")).unwrap();
        Self { place }
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("pmu-monitor")
    }

    /// As an ordinary user with exactly these capabilities, and limits that give nothing of what they would.
    fn with(&self, held: &[&str]) -> Command {
        let set = held.iter().fold("-all".to_owned(), |set, one| format!("{set},+{one}"));
        let mut command = ordinary();
        command.arg("--no-new-privs");
        for kind in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.args([kind, &set]);
        }
        command.arg(self.path());
        command
    }
}

fn ordinary() -> Command {
    let mut command = Command::new("prlimit");
    command.args(["--memlock=65536:65536", "--rtprio=0:0", "setpriv"]);
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    command
}

fn without(left_out: &str) -> Vec<&'static str> {
    FULL.into_iter().filter(|one| *one != left_out).collect()
}

/// What a watched run came to.
struct Watched {
    status: Option<i32>,
    summary: Value,
    said: String,
    /// `Uid` and `CapEff` of /proc/PID/status while it ran.
    rights: [String; 2],
}

/// Runs `command` with `run --json` arguments in it on a wire: stations send once it watches, and end it.
fn watch(wire: &Wire, command: &mut Command) -> Watched {
    let mut monitor = wire.start(command);
    let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines().map(Result::unwrap);
    let Some(_first_window) = lines.next() else {
        panic!("it ended without a line: {:?}", monitor.wait_with_output().unwrap());
    };
    let rights = rights(&monitor);
    let stations = wire.start_stations(&["--pmus", &PMUS.to_string(), "--duration", "1s"]);
    let sent = String::from_utf8(stations.wait_with_output().unwrap().stdout).unwrap();
    assert!(sent.contains("sent 150 DATA"), "{sent}");
    signal(&monitor, "TERM");
    let errors = monitor.stderr.take().unwrap();
    let errors = thread::spawn(move || all_of(errors));
    let last = lines.last().unwrap();
    let status = monitor.wait().unwrap().code();
    Watched { status, summary: serde_json::from_str(&last).unwrap(), said: errors.join().unwrap(), rights }
}

fn all_of(mut stream: impl std::io::Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn rights(process: &Child) -> [String; 2] {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    ["Uid:", "CapEff:"].map(|key| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    })
}

impl Watched {
    /// Whatever it had, it saw every frame.
    fn assert_whole(&self) {
        let Self { status, summary, said, rights: [user, _] } = self;
        assert_eq!(*status, Some(0), "{said}");
        assert_eq!(user, NOBODY);
        assert_eq!(summary["frames"]["c37118.data"], 50 * PMUS, "{summary}");
        assert_eq!(summary["unaccounted"], 0, "{summary}");
        // Stamped by a program on a tracepoint, not at the hook alone.
        assert!(summary["latency_ns"]["receive_to_ring"]["count"].as_u64().unwrap() > 0, "{summary}");
    }
}

/// The mask of the kernel for these capabilities (include/uapi/linux/capability.h).
fn mask(held: &[&str]) -> String {
    let bit = |one: &&str| match *one {
        "net_admin" => 12,
        "ipc_lock" => 14,
        "sys_nice" => 23,
        "perfmon" => 38,
        "bpf" => 39,
        other => panic!("no number for {other}"),
    };
    format!("{:016x}", held.iter().map(bit).fold(0_u64, |mask, bit| mask | 1 << bit))
}

const RUN: [&str; 4] = ["run", "--iface", "eth1", "--json"];

/// The value of a key of the service's unit.
fn of_the_service(key: &str) -> &'static str {
    SERVICE.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap()
}

fn the_services_capabilities_are_enough() {
    let (wire, program) = (Wire::new(), Program::new());
    let config = program.place.path().join("run.toml");
    fs::write(&config, "iface = [\"eth1\"]\njson = true\n").unwrap();
    let start = of_the_service("ExecStart").split(' ').skip(1);
    let arguments = start.map(|word| if word.starts_with('/') { config.to_str().unwrap() } else { word });
    let held: Vec<_> = of_the_service("AmbientCapabilities").split(' ').map(short).collect();
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let watched = watch(&wire, program.with(&held).args(arguments));
    watched.assert_whole();
    assert_eq!(watched.rights[1], mask(&FULL));
    assert_eq!(watched.summary["rt"]["policy"], "SCHED_FIFO");
    assert_eq!(watched.summary["rt"]["memory_locked"], true);
}

/// `CAP_BPF` as setpriv writes it: `bpf`.
fn short(name: &str) -> String {
    name.strip_prefix("CAP_").unwrap().to_lowercase()
}

fn the_service_has_what_the_table_says() {
    let names = FULL.map(|one| format!("CAP_{}", one.to_uppercase())).join(" ");
    assert_eq!(of_the_service("AmbientCapabilities"), names);
    assert_eq!(of_the_service("CapabilityBoundingSet"), names);
    assert_eq!(of_the_service("NoNewPrivileges"), "yes");
    assert_eq!(of_the_service("StateDirectory"), "pmu-monitor");
    assert_eq!(of_the_service("StateDirectoryMode"), "0700");
    assert!(FULL.iter().all(|one| CAPABILITIES.contains(&format!("CAP_{}", one.to_uppercase()))));
}

fn three_are_enough_to_count() {
    let (wire, program) = (Wire::new(), Program::new());
    let held = ["bpf", "perfmon", "net_admin"];
    let watched = watch(&wire, program.with(&held).args(RUN));
    watched.assert_whole();
    assert_eq!(watched.rights[1], mask(&held));
}

fn without_real_time_the_run_goes_on() {
    let (wire, program) = (Wire::new(), Program::new());
    let watched = watch(&wire, program.with(&without("sys_nice")).args(RUN));
    watched.assert_whole();
    assert_eq!(watched.summary["rt"]["policy"], "SCHED_OTHER");
    assert_eq!(watched.summary["rt"]["memory_locked"], true);
    assert!(watched.said.contains("CAP_SYS_NICE is missing"), "{}", watched.said);
    assert_eq!(watched.summary["rt"]["wait"], "block");
    let reason = watched.summary["rt"]["wait_refused"].as_str().unwrap();
    assert!(reason.starts_with("wait predict is not used"), "{reason}");
    assert!(watched.said.contains(reason), "{}", watched.said);
}

fn without_locked_memory_the_run_goes_on() {
    let (wire, program) = (Wire::new(), Program::new());
    let watched = watch(&wire, program.with(&without("ipc_lock")).args(RUN));
    watched.assert_whole();
    assert_eq!(watched.summary["rt"]["policy"], "SCHED_FIFO");
    assert_eq!(watched.summary["rt"]["memory_locked"], false);
    assert!(watched.said.contains("CAP_IPC_LOCK is missing"), "{}", watched.said);
}

/// To its end, on a wire of its own.
fn outcome(command: &mut Command) -> Output {
    Wire::new().start(command).wait_with_output().unwrap()
}

/// Status 1, nothing on standard output, and one sentence with this in it.
fn assert_refused(output: &Output, named: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let refusal = said.lines().find(|line| line.starts_with("pmu-monitor: ")).unwrap();
    assert!(named.iter().all(|name| refusal.contains(name)), "{refusal}");
}

fn each_that_cannot_be_missing_is_named() {
    let program = Program::new();
    for missing in ["bpf", "perfmon", "net_admin"] {
        let output = outcome(program.with(&without(missing)).args(RUN));
        let name = format!("pmu-monitor: CAP_{} missing", missing.to_uppercase());
        assert_refused(&output, &[&name, "setcap"]);
    }
    let output = outcome(program.with(&[]).args(RUN));
    assert_refused(&output, &["CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN missing"]);
}

fn promiscuous_mode_takes_net_raw() {
    let program = Program::new();
    let promiscuous = ["--promiscuous", "--duration", "100ms"];
    let output = outcome(program.with(&FULL).args(RUN).args(promiscuous));
    assert_refused(&output, &["eth1", "CAP_NET_RAW"]);
    let output = outcome(program.with(&[&FULL[..], &["net_raw"]].concat()).args(RUN).args(promiscuous));
    assert!(output.status.success(), "{output:?}");
}

fn the_perf_buffer_takes_locked_memory() {
    let (wire, program) = (Wire::new(), Program::new());
    let perf = ["--transport", "perf"];
    let watched = watch(&wire, program.with(&FULL).args(RUN).args(perf));
    watched.assert_whole();
    assert_eq!(watched.rights[1], mask(&FULL));
    let output = outcome(program.with(&without("ipc_lock")).args(RUN).args(perf));
    assert_refused(&output, &["perf buffer", "CAP_IPC_LOCK", "perf-bytes"]);
}

fn the_demo_takes_sys_admin() {
    let program = Program::new();
    let demo = ["run", "--json", "--duration", "1s"];
    let output = program.with(&FULL).args(demo).output().unwrap();
    assert_refused(&output, &["CAP_SYS_ADMIN", "--iface"]);
    let output = program.with(&[&FULL[..], &["sys_admin"]].concat()).args(demo).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn the_self_test_takes_sys_admin() {
    let program = Program::new();
    let short = ["--duration", "100ms"];
    let skipped = "self-test of the kernel stamps was skipped";
    let said = |held: &[&str]| {
        let output = outcome(program.with(held).args(RUN).args(short));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let without = said(&FULL);
    assert!(without.contains(skipped) && without.contains("CAP_SYS_ADMIN"), "{without}");
    let with = said(&[&FULL[..], &["sys_admin"]].concat());
    assert!(!with.contains(skipped), "{with}");
}

fn the_files_capabilities_are_enough() {
    let (wire, program) = (Wire::new(), Program::new());
    let line = CAPABILITIES.lines().map(str::trim).find(|line| line.starts_with("setcap ")).unwrap();
    let capabilities = line.split(' ').nth(1).unwrap();
    set_file_capabilities(capabilities, &program.path());
    let watched = watch(&wire, ordinary().arg(program.path()).args(RUN));
    watched.assert_whole();
    assert_eq!(watched.rights[1], mask(&FULL));
    // The line that a refusal gives is the same.
    let output = outcome(Program::new().with(&without("bpf")).args(RUN));
    assert_refused(&output, &[capabilities]);
}

fn set_file_capabilities(capabilities: &str, file: &Path) {
    let status = Command::new("setcap").arg(capabilities).arg(file).status().unwrap();
    assert!(status.success(), "setcap: {status}");
}

fn a_containers_capabilities_are_told() {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_pmu-monitor")]);
    let output = unshare.args(["run", "--iface", "lo"]).output().unwrap();
    assert_refused(&output, &["user namespace", "in the host's own"]);
}

/// A bpffs of its own at the usual place, in a mount namespace that lives as long as this does: pins made in there
/// are nobody else's, and go with it.
struct Bpffs(Child);

impl Bpffs {
    fn mounted(mode: &str) -> Self {
        let script =
            format!("mount -t bpf -o mode={mode} bpf /sys/fs/bpf && echo mounted && exec sleep infinity");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", &script]).stdout(Stdio::piped());
        let mut holder = unshare.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n");
        Self(holder)
    }

    /// The same command where this file system is.
    fn inside(&self, command: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.arg(format!("--mount=/proc/{}/ns/mnt", self.0.id()));
        nsenter.arg(command.get_program()).args(command.get_args());
        nsenter
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ATTACH: [&str; 3] = ["attach", "--iface", "eth1"];

fn an_instance_takes_what_a_run_takes() {
    const NEEDED: [&str; 3] = ["bpf", "perfmon", "net_admin"];
    let (wire, program, bpffs) = (Wire::new(), Program::new(), Bpffs::mounted("1777"));
    let done = |held: &[&str], arguments: &[&str]| {
        let mut command = bpffs.inside(program.with(held).args(arguments));
        wire.start(&mut command).wait_with_output().unwrap()
    };
    for missing in NEEDED {
        let held: Vec<_> = NEEDED.into_iter().filter(|one| *one != missing).collect();
        assert_refused(&done(&held, &ATTACH), &[&format!("CAP_{} missing", missing.to_uppercase())]);
    }
    let attached = done(&NEEDED, &ATTACH);
    assert!(attached.status.success(), "{attached:?}");

    let watched = watch(&wire, &mut bpffs.inside(program.with(&[]).args(["follow", "--json"])));
    watched.assert_whole();
    assert_eq!(watched.rights[1], mask(&[]));
    assert_eq!(watched.summary["rt"]["policy"], "SCHED_OTHER");
    for name in ["CAP_SYS_NICE", "CAP_IPC_LOCK"] {
        assert!(watched.said.contains(&format!("{name} is missing")), "{}", watched.said);
    }
    let watched =
        watch(&wire, &mut bpffs.inside(program.with(&["sys_nice", "ipc_lock"]).args(["follow", "--json"])));
    assert_eq!(watched.status, Some(0), "{}", watched.said);
    assert_eq!(watched.summary["rt"]["policy"], "SCHED_FIFO");
    assert_eq!(watched.summary["rt"]["memory_locked"], true);

    for arguments in [&["status"][..], &["detach"]] {
        let output = done(&[], arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("default"), "{arguments:?}: {output:?}");
    }
}

fn an_instance_at_xdp_takes_no_more() {
    const NEEDED: [&str; 3] = ["bpf", "perfmon", "net_admin"];
    let (wire, program, bpffs) = (Wire::new(), Program::new(), Bpffs::mounted("1777"));
    let done = |held: &[&str], arguments: &[&str]| {
        let mut command = bpffs.inside(program.with(held).args(arguments));
        wire.start(&mut command).wait_with_output().unwrap()
    };
    let attached = done(&NEEDED, &[&ATTACH[..], &["--hook", "xdp"]].concat());
    assert!(attached.status.success(), "{attached:?}");
    // Once more, for the programs to be compared.
    let renewed = done(&NEEDED, &ATTACH);
    assert!(String::from_utf8_lossy(&renewed.stdout).contains("counters go on"), "{renewed:?}");
    watch(&wire, &mut bpffs.inside(program.with(&[]).args(["follow", "--json"]))).assert_whole();
    let detached = done(&[], &["detach"]);
    assert!(detached.status.success(), "{detached:?}");
    let run = [&RUN[..], &["--hook", "xdp"]].concat();
    watch(&wire, program.with(&NEEDED).args(run)).assert_whole();
}

/// Puts another pair in the place of the wire's.
fn renew(wire: &mut Wire) {
    let netns = wire.pair.monitor.shared_netns();
    let links = wire.pair.stations.links();
    links.delete("stations0").unwrap();
    links.create_veth("stations0", "eth1", &netns).unwrap();
    links.set_up("stations0").unwrap();
    wire.pair.monitor.links().set_up("eth1").unwrap();
}

/// With the programs that are pinned, an instance is attached to again by whom the pins belong to.
fn attaching_again_takes_none() {
    const NEEDED: [&str; 3] = ["bpf", "perfmon", "net_admin"];
    let (mut wire, program, bpffs) = (Wire::new(), Program::new(), Bpffs::mounted("1777"));
    let done = |wire: &Wire, held: &[&str], arguments: &[&str]| {
        let mut command = bpffs.inside(program.with(held).args(arguments));
        wire.start(&mut command).wait_with_output().unwrap()
    };
    let state = |wire: &Wire| {
        let output = done(wire, &[], &["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["instances"][0]["interfaces"][0]["state"].as_str().unwrap().to_owned()
    };
    for hook in ["tc", "xdp"] {
        let attached = done(&wire, &NEEDED, &[&ATTACH[..], &["--hook", hook]].concat());
        assert!(attached.status.success(), "{attached:?}");
        renew(&mut wire);
        assert_eq!(state(&wire), "replaced");
        let followed = done(&wire, &[], &["follow", "--json", "--reattach", "--duration", "300ms"]);
        assert!(followed.status.success(), "{followed:?}");
        assert_eq!(state(&wire), "attached", "{followed:?}");
        // By `attach` it takes what attaching takes, since the programs are brought up to date too.
        renew(&mut wire);
        let refused = done(&wire, &["perfmon", "net_admin"], &["attach", "--reattach"]);
        assert_refused(&refused, &["CAP_BPF missing"]);
        let again = done(&wire, &NEEDED, &["attach", "--reattach"]);
        assert!(again.status.success() && state(&wire) == "attached", "{again:?}");
        assert!(done(&wire, &[], &["detach"]).status.success());
    }
}

fn pins_take_a_bpffs_of_ones_own() {
    let (wire, program, bpffs) = (Wire::new(), Program::new(), Bpffs::mounted("0700"));
    let done = |held: &[&str], arguments: &[&str]| {
        let mut command = bpffs.inside(program.with(held).args(arguments));
        wire.start(&mut command).wait_with_output().unwrap()
    };
    assert_refused(&done(&FULL, &ATTACH), &["/sys/fs/bpf"]);
    let more = [&FULL[..], &["dac_override"]].concat();
    for arguments in [&ATTACH[..], &["detach"]] {
        let output = done(&more, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

fn the_rest_takes_none() {
    let program = Program::new();
    let empty = program.place.path().join("empty.pcap");
    // Magic number, version 2.4, zone, accuracy, longest packet, Ethernet.
    let header: [u32; 6] = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 65_535, 1];
    fs::write(&empty, header.map(u32::to_le_bytes).concat()).unwrap();
    let empty = empty.to_str().unwrap();
    for arguments in [
        &["run", "--print-config"][..],
        &["decode", "--summary", empty],
        &["completions", "bash"],
        &["man"],
        &["simulate", "--to", "127.0.0.1:4713", "--duration", "100ms"],
    ] {
        let output = program.with(&[]).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}
