//! What the integration tests share: saying what a test needs, and listing it as ignored, with the reason, where the
//! machine does not have it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fmt, fs};

use libtest_mimic::{Failed, Trial};
use monitor::netns::private_pair;
use monitor::sys::caps::{Capabilities, Capability};
use monitor::sys::sched::CpuList;

/// Something that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// User 0, whatever its capabilities.
    Root,
    /// Loading and attaching programs: the capabilities, and the kernel's type information.
    Bpf,
    /// bpffs at its usual place, for pins.
    Bpffs,
    /// `SCHED_FIFO`.
    RealTime,
    /// A second CPU to put a spinning thread on.
    TwoCpus,
    /// Private namespaces with a veth pair.
    Veth,
    /// VLAN interfaces.
    Vlan,
    /// tshark, as an independent decoder.
    Tshark,
    /// setpriv and prlimit (util-linux), to run with fewer rights.
    Setpriv,
    /// unshare, mount and umount (util-linux), to run where a file system is missing.
    Unshare,
    /// ip (iproute2), for settings of interfaces that nothing here makes.
    Iproute,
    /// taskset (util-linux), to move threads.
    Taskset,
    /// A virtual machine of the test's own, of which a CPU may be taken away.
    Guest,
    /// setcap (libcap), to give capabilities to a program's file.
    Setcap,
    /// nsenter (util-linux), to run where another process is.
    Nsenter,
    /// bpftool, as an independent eye on what the kernel has.
    Bpftool,
    /// ptp4l (linuxptp), as a keeper of clocks.
    Ptp4l,
    /// chronyd (chrony), as another.
    Chronyd,
    /// cyclictest (rt-tests), as another measurement of task latency.
    Cyclictest,
    /// The fuzz targets, built.
    FuzzTargets,
    /// A virtual machine with Debian 12's PREEMPT_RT kernel, made ready.
    Rt61,
    /// One with Debian 13's.
    Rt612,
    /// `PyPI`'s pyc37, somebody else's PMU and PDC.
    Pyc37,
    /// The captures, which are not part of the project.
    Captures,
}

/// Why a test cannot run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What is missing, in the words of a list: "root", "tshark".
type Found = Result<(), String>;
type Check = fn() -> Found;

/// How each need is looked for; what was found is kept for the rest of the process.
static CHECKS: [(Need, Check, OnceLock<Found>); 24] = [
    (Need::Root, root, OnceLock::new()),
    (Need::Bpf, bpf, OnceLock::new()),
    (Need::Bpffs, bpffs, OnceLock::new()),
    (Need::RealTime, real_time, OnceLock::new()),
    (Need::TwoCpus, two_cpus, OnceLock::new()),
    (Need::Veth, veth, OnceLock::new()),
    (Need::Vlan, vlan, OnceLock::new()),
    (Need::Tshark, tshark, OnceLock::new()),
    (Need::Setpriv, setpriv, OnceLock::new()),
    (Need::Unshare, unshare, OnceLock::new()),
    (Need::Iproute, iproute, OnceLock::new()),
    (Need::Taskset, || demand(on_path("taskset"), "taskset (util-linux)"), OnceLock::new()),
    (Need::Guest, guest, OnceLock::new()),
    (Need::Setcap, setcap, OnceLock::new()),
    (Need::Nsenter, nsenter, OnceLock::new()),
    (Need::Bpftool, bpftool, OnceLock::new()),
    (Need::Ptp4l, ptp4l, OnceLock::new()),
    (Need::Chronyd, chronyd, OnceLock::new()),
    (Need::Cyclictest, cyclictest, OnceLock::new()),
    (Need::FuzzTargets, fuzz_targets, OnceLock::new()),
    (Need::Rt61, || machine("6.1-rt"), OnceLock::new()),
    (Need::Rt612, || machine("6.12-rt"), OnceLock::new()),
    (Need::Pyc37, pyc37_installed, OnceLock::new()),
    (Need::Captures, captured, OnceLock::new()),
];

/// Whether this machine has everything in `wanted`; else everything that is missing.
pub(crate) fn needs(wanted: &[Need]) -> Result<(), Reason> {
    let missing: Vec<&str> = CHECKS
        .iter()
        .filter(|(need, ..)| wanted.contains(need))
        .filter_map(|(_, check, found)| found.get_or_init(check).as_ref().err().map(String::as_str))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Reason(missing.join("; "))) }
}

/// A test that is ignored where `wanted` is not there, with the reason as its kind: "[needs tshark] name". Run
/// all the same by `--include-ignored`, it fails with the reason. The body panics where it fails, so that a
/// failure has its place.
pub(crate) fn trial(name: &str, wanted: &[Need], body: fn()) -> Trial {
    match needs(wanted) {
        Ok(()) => Trial::test(name, move || {
            body();
            Ok(())
        }),
        Err(reason) => Trial::test(name, {
            let reason = reason.clone();
            move || Err(Failed::from(format!("cannot run here: needs {reason}")))
        })
        .with_kind(format!("needs {reason}"))
        .with_ignored_flag(true),
    }
}

/// Where the captures lie: `PMU_CAPTURES`, or beside the project.
pub(crate) fn captures() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let place = env::var_os("PMU_CAPTURES").map_or_else(beside, PathBuf::from);
    place.is_dir().then_some(place)
}

/// The Python that has pyc37, in the environment that `cargo xtask test` makes below the target directory, in which
/// this test's program lies too.
pub(crate) fn pyc37() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let environments = program.ancestors().map(|place| place.join("tools/pyc37"));
    let environment = environments.into_iter().find(|place| place.join("complete").is_file())?;
    Some(environment.join("bin/python"))
}

fn pyc37_installed() -> Found {
    demand(pyc37().is_some(), "PyPI's pyc37 (cargo xtask test installs it below target/)")
}

fn captured() -> Found {
    demand(captures().is_some(), "the captures (set PMU_CAPTURES to their directory)")
}

fn root() -> Found {
    demand(fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0), "root")
}

fn bpf() -> Found {
    capabilities(&[Capability::Bpf, Capability::Perfmon, Capability::NetAdmin])?;
    demand(Path::new("/sys/kernel/btf/vmlinux").exists(), "a kernel with BTF (/sys/kernel/btf/vmlinux)")
}

/// The magic number that statfs(2) gives is out of reach of the standard library; the mount table is not.
fn bpffs() -> Found {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = mounts.lines().any(|mount| mount.contains(" /sys/fs/bpf bpf "));
    demand(mounted, "bpffs mounted at /sys/fs/bpf")
}

fn real_time() -> Found {
    capabilities(&[Capability::SysNice])
}

fn two_cpus() -> Found {
    demand(CpuList::online().is_ok_and(|online| online.count() >= 2), "two CPUs")
}

fn veth() -> Found {
    capabilities(&[Capability::SysAdmin, Capability::NetAdmin])?;
    demand(private_pair("probe", "probe").is_ok(), "veth pairs (kernel module veth)")
}

fn vlan() -> Found {
    let made = private_pair("probe", "probe")
        .and_then(|mut pair| pair.monitor.links().create_vlan("probe", "probe.1", 1));
    demand(made.is_ok(), "VLAN interfaces (kernel module 8021q)")
}

fn tshark() -> Found {
    demand(on_path("tshark"), "tshark")
}

fn setpriv() -> Found {
    demand(on_path("setpriv") && on_path("prlimit"), "setpriv and prlimit (util-linux)")
}

fn unshare() -> Found {
    capabilities(&[Capability::SysAdmin])?;
    demand(["unshare", "mount", "umount"].into_iter().all(on_path), "unshare, mount and umount (util-linux)")
}

fn iproute() -> Found {
    demand(on_path("ip"), "ip (iproute2)")
}

/// As the first process of the virtual machine says (xtask/src/vm/init.sh).
fn guest() -> Found {
    demand(env::var_os("PMU_GUEST").is_some(), "a virtual machine of its own (cargo xtask vm)")
}

fn setcap() -> Found {
    demand(on_path("setcap"), "setcap (libcap2-bin)")
}

fn nsenter() -> Found {
    demand(on_path("nsenter"), "nsenter (util-linux)")
}

fn bpftool() -> Found {
    demand(on_path("bpftool"), "bpftool")
}

fn ptp4l() -> Found {
    demand(on_path("ptp4l"), "ptp4l (linuxptp)")
}

fn chronyd() -> Found {
    demand(on_path("chronyd"), "chronyd (chrony)")
}

fn cyclictest() -> Found {
    demand(on_path("cyclictest"), "cyclictest (rt-tests)")
}

/// Made ready from this build by `cargo xtask test`, which also says here why one could not be.
fn machine(kernel: &str) -> Found {
    const REMEDY: &str = "a virtual machine (cargo xtask test --only vm makes it ready)";
    let machines = env::var_os("PMU_VM").ok_or(REMEDY)?;
    let place = Path::new(&machines).join(kernel);
    if let Ok(reason) = fs::read_to_string(place.join("skipped")) {
        return Err(reason);
    }
    let made = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let own = env::current_exe().ok().and_then(|program| made(&program));
    demand(own.is_some() && made(&place.join("initramfs")) >= own, REMEDY)
}

fn fuzz_targets() -> Found {
    let built =
        env::var_os("PMU_FUZZ_TARGETS").is_some_and(|place| Path::new(&place).join("datagrams").is_file());
    demand(built, "the fuzz targets (cargo xtask test builds them, and takes a C++ compiler for it)")
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|place| place.join(program).is_file()))
}

fn capabilities(wanted: &[Capability]) -> Found {
    let effective = Capabilities::effective().map_err(|error| format!("a readable /proc ({error})"))?;
    let missing: Vec<_> = effective.missing(wanted).into_iter().map(Capability::name).collect();
    demand(missing.is_empty(), &missing.join(", "))
}

fn demand(there: bool, what: &str) -> Found {
    if there { Ok(()) } else { Err(what.to_owned()) }
}
