//! Compiles monitor-ebpf for the BPF target, so that the place of nothing shows in the result.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lock::Closure;
use super::toolchain::Toolchain;
use super::{TARGET, strip};
use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};

/// How code for BPF is made, in `core` as in our own crates.
///
/// Version 3 of the instruction set (Linux 5.12) is the first with the atomic operations that counters need. Debug
/// information is what bpf-linker makes BTF of; the rest of it is taken out afterwards.
pub(crate) const CODEGEN_FLAGS: [&str; 2] = ["-Ctarget-cpu=v3", "-Cdebuginfo=2"];

/// What our own crates and those they use are compiled with besides. The helpers' registers differ between
/// architectures only for kprobes, which are not used; aya-ebpf takes the host's unless told, so tell it. bpf-linker
/// asks LLVM to copy memory in order, and LLVM then makes every clearing of a structure a call of a loop over bytes.
pub(crate) const BUILD_FLAGS: [&str; 3] =
    ["-Clink-arg=--btf", "-Clink-arg=--disable-expand-memcpy-in-order", "--cfg=bpf_target_arch=\"x86_64\""];

/// The release profile as it must be, whatever the manifest or the user's configuration says.
pub(crate) const PROFILE: [(&str, &str); 8] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "false"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
];

/// One build of the object.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    pub(crate) toolchain: &'a Toolchain,
    /// The project's root.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it makes.
    pub(crate) target: PathBuf,
    /// Another `CARGO_HOME` than the user's.
    pub(crate) cargo_home: Option<PathBuf>,
    /// With messages to user space.
    pub(crate) log: bool,
}

impl<'a> Build<'a> {
    /// The usual build: this project, cached under `target/ebpf`.
    pub(crate) fn of(project: &Project, toolchain: &'a Toolchain) -> Self {
        Self {
            toolchain,
            root: project.root.clone(),
            target: project.ebpf_cache().join("build"),
            cargo_home: None,
            log: false,
        }
    }

    /// Builds, and gives the object's bytes without DWARF.
    pub(crate) fn object(&self) -> Result<Vec<u8>> {
        let mut command = self.cargo("build")?;
        command.args(["--release", "--quiet"]);
        process::run(&mut command)?;
        let linked = self.target.join(TARGET).join("release/pmu-monitor");
        strip::without_dwarf(&project::read(&linked)?)
    }

    /// `cargo VERB` on monitor-ebpf, made ready for the target.
    pub(crate) fn cargo(&self, verb: &str) -> Result<Command> {
        let mut command = self.plain_cargo();
        command.args([verb, "--locked", "--package=monitor-ebpf"]);
        command.args(["--target", TARGET]).arg("--target-dir").arg(&self.target);
        if self.log {
            command.args(["--features", "log"]);
        }
        command.envs(PROFILE);
        // Stable rustc compiles for BPF only where unstable features are let in: aya-ebpf and the atomic
        // intrinsics need them.
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", encode(&self.flags()?)?);
        for wrapper in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
            command.env_remove(wrapper);
        }
        Ok(command)
    }

    fn flags(&self) -> Result<Vec<OsString>> {
        let mut flags: Vec<OsString> = CODEGEN_FLAGS.iter().chain(&BUILD_FLAGS).map(Into::into).collect();
        flags.push(joined("--sysroot=", &self.toolchain.sysroot));
        flags.push(joined("-Clinker=", &self.toolchain.linker));
        flags.push(remap(&self.root, "/pmu-monitor"));
        flags.push(remap(&self.toolchain.library, "/rust/library"));
        flags.extend(self.remapped_packages()?);
        Ok(flags)
    }

    /// Each package from elsewhere gets a path made of its name and version: a registry's directory and a vendored
    /// one look the same then.
    fn remapped_packages(&self) -> Result<Vec<OsString>> {
        let closure = Closure::whole(&self.root)?;
        let metadata = project::metadata(&mut self.plain_cargo(), &[])?;
        let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(packages.iter().filter_map(|package| remapped(package, &closure)).collect())
    }

    fn plain_cargo(&self) -> Command {
        let mut command = project::cargo();
        command.current_dir(&self.root);
        if let Some(home) = &self.cargo_home {
            command.env("CARGO_HOME", home);
        }
        command
    }
}

/// The flag for one package, where it is one of monitor-ebpf's and not of the workspace.
fn remapped(package: &serde_json::Value, closure: &Closure) -> Option<OsString> {
    package["source"].as_str()?;
    let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
    let directory = Path::new(package["manifest_path"].as_str()?).parent()?;
    closure.contains(name, version).then(|| remap(directory, &format!("/crates/{name}-{version}")))
}

/// The flag that writes `to` wherever a path below `from` would enter the object.
pub(crate) fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = joined("--remap-path-prefix=", from);
    flag.push("=");
    flag.push(to);
    flag
}

fn joined(flag: &str, path: &Path) -> OsString {
    let mut joined = OsString::from(flag);
    joined.push(path);
    joined
}

/// Flags as cargo takes them in `CARGO_ENCODED_RUSTFLAGS`, where spaces in paths do no harm.
fn encode(flags: &[OsString]) -> Result<String> {
    let flags: Result<Vec<&str>> = flags
        .iter()
        .map(|flag| {
            flag.to_str().ok_or_else(|| {
                Error::plain(format!("cargo takes no flag that is not UTF-8: {}", flag.display()))
            })
        })
        .collect();
    Ok(flags?.join("\x1f"))
}
