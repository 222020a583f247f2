//! The programs that tests drive or compare with: Debian's, installed by name where this is a machine to do that on.

mod pyc37;
mod unpacked;

use std::collections::BTreeSet;

use crate::error::Result;
use crate::packages::apt_get;
use crate::process;
use crate::project::Project;

pub(super) use unpacked::directories;

/// Each program with the package that has it.
const PROGRAMS: [(&str, &str); 14] = [
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("ethtool", "ethtool"),
    ("tshark", "tshark"),
    ("tcpdump", "tcpdump"),
    ("tcpreplay", "tcpreplay"),
    ("bpftool", "bpftool"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("setcap", "libcap2-bin"),
    ("ps", "procps"),
    ("cyclictest", "rt-tests"),
    ("c++", "g++"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];

/// Installs what is missing where that can be done; says what stays missing. That is no failure: tests that need
/// it are shown as skipped.
pub(crate) fn install(project: &Project) {
    unpacked::provide(project);
    pyc37::provide(project);
    let wanted = missing();
    if wanted.is_empty() {
        eprintln!("all programs that tests use are there");
        return;
    }
    if process::is_root() && process::find("apt-get").is_some() {
        apt_install(&wanted);
    }
    let still = missing();
    if !still.is_empty() {
        eprintln!("missing: {}; tests that need them will be skipped", joined(&still));
        eprintln!("remedy, as root: apt-get install {}", joined(&still));
    }
}

/// The packages whose programs are not there.
fn missing() -> BTreeSet<&'static str> {
    let absent = PROGRAMS.into_iter().filter(|(program, _)| process::find(program).is_none());
    absent.map(|(_, package)| package).collect()
}

/// All at once; where one of them cannot be had, each for itself, so that the others are there.
fn apt_install(packages: &BTreeSet<&'static str>) {
    eprintln!("installing {}", joined(packages));
    if let Err(error) = apt_get(&["update"]) {
        eprintln!("{error}");
    }
    let all: Vec<&str> = packages.iter().copied().collect();
    if apt_get_install(&all).is_err() {
        for error in all.iter().filter_map(|package| apt_get_install(&[package]).err()) {
            eprintln!("{error}");
        }
    }
}

fn apt_get_install(packages: &[&str]) -> Result<()> {
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(packages);
    apt_get(&words)
}

fn joined(packages: &BTreeSet<&'static str>) -> String {
    packages.iter().copied().collect::<Vec<_>>().join(" ")
}
