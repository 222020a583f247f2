//! What compiles for BPF: rustc, bpf-linker and a `core` for the target, found or got.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{core_sources, linker, sysroot};
use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};

/// The compiler in use.
#[derive(Debug)]
pub(crate) struct Rustc {
    /// As in "1.95.0".
    pub(crate) release: String,
    /// Release, commit and date, as rustc prints them after its name.
    pub(crate) version: String,
    /// Where it and its libraries lie.
    pub(crate) sysroot: PathBuf,
}

impl Rustc {
    pub(crate) fn find() -> Result<Self> {
        let banner = process::output(project::rustc().arg("--version"))?;
        let sysroot = process::output(project::rustc().args(["--print", "sysroot"]))?;
        let not_understood =
            || Error::plain(format!("`rustc --version` says {banner:?}, which is no version"));
        let version = banner.trim().strip_prefix("rustc ").ok_or_else(not_understood)?;
        let release = version.split(' ').next().ok_or_else(not_understood)?;
        Ok(Self {
            release: release.to_owned(),
            version: version.to_owned(),
            sysroot: PathBuf::from(sysroot.trim_end()),
        })
    }
}

/// Everything that a build for the BPF target needs.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: Rustc,
    pub(crate) linker: PathBuf,
    /// The folder `library` of rustc's own sources.
    pub(crate) library: PathBuf,
    /// A sysroot with `core` for the target alone.
    pub(crate) sysroot: PathBuf,
    /// Held while the toolchain is in use: the cache serves one at a time.
    _lock: File,
}

impl Toolchain {
    /// Finds each part or gets it, with a line on standard error for what takes time.
    pub(crate) fn gather(project: &Project) -> Result<Self> {
        let cache = project.ebpf_cache();
        let held = lock(&cache)?;
        let rustc = Rustc::find()?;
        let linker = linker::find_or_build(&cache)?;
        let library = core_sources::find_or_get(&cache, &rustc)?;
        let sysroot = sysroot::find_or_build(&cache.join("sysroot"), &rustc, &library)?;
        Ok(Self { rustc, linker, library, sysroot, _lock: held })
    }

    /// The same compiler and linker with another `core`.
    pub(crate) fn with_core(self, library: PathBuf, sysroot: PathBuf) -> Self {
        Self { library, sysroot, ..self }
    }
}

/// Waits until no other xtask builds for BPF in this cache.
fn lock(cache: &Path) -> Result<File> {
    project::create_dir(cache)?;
    let path = cache.join("lock");
    let lock = File::create(&path).map_err(Error::file("create", &path))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another xtask that builds for BPF here");
        lock.lock().map_err(Error::file("lock", &path))?;
    }
    Ok(lock)
}
