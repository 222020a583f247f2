//! A place of its own for each test: a mount namespace with an empty bpffs, and a pair of network namespaces, so that
//! the host stays as it was and tests do not meet.
//!
//! The mount namespace lives as long as a helper process whose input is a pipe of the test's: however the test ends,
//! the helper ends with it, and with the last process in the namespace the kernel takes bpffs and every pin on it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use monitor::netns::{End, Pair, private_pair};
use monitor_common::{ABI_VERSION, PacketCounters, ReaderPage};
use serde_json::Value;

use crate::older;
use crate::running::{Report, Running};
use crate::wire::{NOBODY, NOBODY_MAC, PMU};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_pmu-monitor");
/// The interface that is monitored.
pub(crate) const IFACE: &str = "eth1";
/// Where pins are, inside the namespace.
pub(crate) const ROOT: &str = "/sys/fs/bpf/pmu-monitor";

/// What has not come about after so long is not going to.
pub(crate) const HANGS: Duration = Duration::from_mins(1);
/// Between two looks at what the kernel shows.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Looks until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < HANGS, "never came about: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// What is at /sys/fs/bpf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bpffs {
    Empty,
    ReadOnly,
    Absent,
}

/// A test's own place.
pub(crate) struct Room {
    helper: Child,
    pub(crate) pair: Pair,
    /// The eBPF object to load instead of the one built in.
    object: Option<PathBuf>,
    /// Whether the binary runs as on a kernel that has no links for interfaces.
    without_links: bool,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::with(Bpffs::Empty)
    }

    pub(crate) fn with(bpffs: Bpffs) -> Self {
        let mount = match bpffs {
            Bpffs::Empty => "mount -t bpf bpf /sys/fs/bpf",
            Bpffs::ReadOnly => "mount -t bpf -o ro bpf /sys/fs/bpf",
            Bpffs::Absent => "while umount /sys/fs/bpf 2> /dev/null; do :; done",
        };
        let script = format!("{mount} && echo there && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        let mut helper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(helper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "there\n", "no mount namespace");
        Self { helper, pair: quiet_pair(), object: None, without_links: false }
    }

    /// As on a kernel before 5.7: the binary is told that there are no links.
    pub(crate) fn without_links() -> Self {
        let mut room = Self::new();
        room.without_links = true;
        room
    }

    /// From now on, loads another object.
    pub(crate) fn load(&mut self, object: &Path) {
        self.object = Some(object.to_owned());
    }

    /// A path of the namespace, as this process reaches it.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref().strip_prefix("/").unwrap().to_owned();
        PathBuf::from(format!("/proc/{}/root", self.helper.id())).join(inside)
    }

    /// An instance's directory, as this process reaches it.
    pub(crate) fn instance(&self, name: &str) -> PathBuf {
        self.path(pin(name, ""))
    }

    /// A program in the mount namespace.
    fn inside<S: AsRef<OsStr>>(&self, program: &str, arguments: &[S]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.helper.id())).arg("--");
        command.arg(program).args(arguments).stdin(Stdio::null());
        // Kept configurations are the host's, and would be found by other tests.
        command.env_remove("RUST_LOG").env_remove("PMU_MONITOR_OBJECT").env("STATE_DIRECTORY", "");
        if let Some(object) = &self.object {
            command.env("PMU_MONITOR_OBJECT", object);
        }
        command
    }

    /// Starts the binary at the monitor's end.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        self.start_at(&self.pair.monitor, arguments)
    }

    /// Starts the binary at an end.
    pub(crate) fn start_at<S: AsRef<OsStr>>(&self, end: &End, arguments: &[S]) -> Running {
        let mut command = self.inside(BINARY, arguments);
        if self.without_links {
            older::without_links(&mut command);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A child is born into the namespace of the thread that makes it.
        Running::new(end.run(move || command.spawn().unwrap()).unwrap())
    }

    /// Runs the binary at the monitor's end to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Report {
        self.start(arguments).finish()
    }

    /// Runs the binary, which must do what it is told.
    pub(crate) fn does<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Report {
        self.run(arguments).done()
    }

    /// Attaches the default instance to the interface.
    pub(crate) fn attach(&self) -> Report {
        self.does(&["attach", "--iface", IFACE])
    }

    /// Any other program at the monitor's end.
    pub(crate) fn tool(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.inside(program, arguments);
        self.pair.monitor.run(move || command.output().unwrap()).unwrap()
    }

    /// What another program prints, which must do what it is told.
    pub(crate) fn told_by(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.tool(program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What another program prints as JSON; null where it prints nothing.
    pub(crate) fn json_by(&self, program: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.told_by(program, arguments)).unwrap_or(Value::Null)
    }

    /// What bpftool prints as JSON.
    pub(crate) fn bpftool(&self, arguments: &[&str]) -> Value {
        let output = self.tool("bpftool", &[&["-j"], arguments].concat());
        assert!(output.status.success(), "bpftool {arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// `status --json`; everything adds up.
    pub(crate) fn status(&self) -> Value {
        let mut report = self.does(&["status", "--json"]);
        report.lines.remove(0)
    }

    /// `status --json` of one instance.
    pub(crate) fn status_of(&self, name: &str) -> Value {
        let status = self.status();
        let mut instances = status["instances"].as_array().unwrap().iter();
        instances.find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {status:#}")).clone()
    }

    /// Names in a directory of an instance, sorted.
    pub(crate) fn names(&self, instance: &str, directory: &str) -> Vec<String> {
        names(&self.instance(instance).join(directory))
    }

    /// All that is on the bpffs, but what the kernel itself puts on each (kernel/bpf/preload).
    pub(crate) fn pins(&self) -> Vec<String> {
        const PRELOADED: [&str; 2] = ["maps.debug", "progs.debug"];
        let mut names = names(&self.path("/sys/fs/bpf"));
        names.retain(|name| !PRELOADED.contains(&name.as_str()));
        names
    }

    /// The kernel's counters, read past the binary, over all CPUs.
    pub(crate) fn counters(&self, instance: &str) -> PacketCounters {
        const WORDS: usize = size_of::<PacketCounters>() / size_of::<u64>();
        let map = self.map(instance, "COUNTERS");
        let map = aya::maps::PerCpuArray::<_, [u64; WORDS]>::try_from(map).unwrap();
        let mut sum = [0; WORDS];
        for cpu in map.get(&0, 0).unwrap().iter() {
            sum.iter_mut().zip(cpu).for_each(|(sum, count)| *sum += count);
        }
        bytemuck::cast(sum)
    }

    /// The page between probe and reader, read past the binary.
    pub(crate) fn reader_page(&self, instance: &str) -> ReaderPage {
        let map = self.map(instance, "READER");
        let map = aya::maps::Array::<_, [u8; size_of::<ReaderPage>()]>::try_from(map).unwrap();
        bytemuck::cast(map.get(&0, 0).unwrap())
    }

    /// A pinned map.
    pub(crate) fn map(&self, instance: &str, name: &str) -> aya::maps::Map {
        let path = self.instance(instance).join("maps").join(name);
        aya::maps::Map::from_map_data(aya::maps::MapData::from_pin(path).unwrap()).unwrap()
    }

    /// A number of what bpftool says of a pin: `id`, `prog_id`.
    pub(crate) fn told(&self, kind: &str, pin: &str, field: &str) -> u64 {
        let told = self.bpftool(&[kind, "show", "pinned", pin]);
        told[field].as_u64().unwrap_or_else(|| panic!("no {field} of {pin}: {told:#}"))
    }

    /// Another veth pair between the two namespaces.
    pub(crate) fn second_interface(&mut self, station: &str, monitor: &str) {
        let netns = Arc::clone(&self.pair.monitor.shared_netns());
        self.pair.stations.links().create_veth(station, monitor, &netns).unwrap();
        self.raise(station, monitor);
    }

    /// Ups both ends of a veth pair and lets frames cross.
    pub(crate) fn raise(&mut self, station: &str, monitor: &str) {
        silence(&self.pair.stations);
        silence(&self.pair.monitor);
        self.pair.stations.links().set_up(station).unwrap();
        self.pair.monitor.links().set_up(monitor).unwrap();
        self.pair.stations.links().wait_running(station, HANGS).unwrap();
        self.pair.monitor.links().wait_running(monitor, HANGS).unwrap();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.helper.stdin.take());
        let _ = self.helper.wait();
    }
}

/// A path below an instance's directory, inside the namespace.
pub(crate) fn pin(instance: &str, below: &str) -> String {
    format!("{ROOT}/v{ABI_VERSION}/{instance}/{below}")
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A pair on which nothing is sent but what the test sends, and nobody answers: what the PMU sends goes to an address
/// that no end has.
fn quiet_pair() -> Pair {
    let mut pair = private_pair("stations0", IFACE).unwrap();
    silence(&pair.stations);
    silence(&pair.monitor);
    pair.stations.add_address(IpAddr::V4(PMU), 24).unwrap();
    pair.stations.add_neighbour(IpAddr::V4(NOBODY), NOBODY_MAC).unwrap();
    pair
}

/// Switches IPv6 off in the namespace of an end, on interfaces that there are and that come.
fn silence(end: &End) {
    let switch = |which: &str| fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    // A kernel without IPv6 is silent anyway.
    let _ = end.run(|| switch("all").and_then(|()| switch("default"))).unwrap();
}
