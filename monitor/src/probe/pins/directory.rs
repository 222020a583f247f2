//! Where pins are, and which instances there are.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use monitor_common::ABI_VERSION;
use monitor_core::packet::InterfaceId;

use super::PinError;
use crate::sys::mount;

/// The BPF file system.
const BPFFS: &str = "/sys/fs/bpf";
/// This program's directory on it.
pub const ROOT: &str = "/sys/fs/bpf/pmu-monitor";
/// Only the owner may look.
const MODE: u32 = 0o700;

/// Instances of another ABI version: named, never touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// Its directory's name: `v2`.
    pub version: String,
    /// Its instances.
    pub instances: Vec<String>,
}

/// All instances that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// Those of this version's ABI.
    pub own: Vec<String>,
    /// Those of others.
    pub others: Vec<OtherVersion>,
}

/// Lists the instances.
///
/// # Errors
/// Where the BPF file system is missing or may not be read.
pub fn instances() -> Result<Instances, PinError> {
    check_mounted()?;
    let mut found = Instances::default();
    for version in directories(Path::new(ROOT))? {
        let instances = directories(&Path::new(ROOT).join(&version))?;
        if version == own_version() {
            found.own = instances;
        } else {
            found.others.push(OtherVersion { version, instances });
        }
    }
    Ok(found)
}

/// An instance's directory and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pub(super) name: String,
    path: PathBuf,
}

impl Directory {
    pub(super) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), path: version_directory().join(name) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        self.path.is_dir()
    }

    pub(super) fn maps(&self) -> PathBuf {
        self.path.join("maps")
    }

    pub(super) fn programs(&self) -> PathBuf {
        self.path.join("programs")
    }

    pub(super) fn links(&self) -> PathBuf {
        self.path.join("links")
    }

    /// The link of a program on a tracepoint.
    pub(super) fn stage_link(&self, program: &str) -> PathBuf {
        self.links().join(format!("stage-{program}"))
    }

    /// The link of a program on an interface.
    pub(super) fn hook_link(&self, interface: InterfaceId, program: &str) -> PathBuf {
        self.links().join(format!("{}-{program}", interface.0))
    }

    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    pub(super) fn create(&self) -> Result<(), PinError> {
        for path in [self.path.clone(), self.maps(), self.programs(), self.links()] {
            make(&path)?;
        }
        Ok(())
    }
}

/// Names of directories in one, sorted: what else lies there is not ours.
fn directories(path: &Path) -> Result<Vec<String>, PinError> {
    let mut names = names(path)?;
    names.retain(|name| path.join(name).is_dir());
    Ok(names)
}

/// Names in a directory, sorted; none where it does not exist.
pub(super) fn names(path: &Path) -> Result<Vec<String>, PinError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(PinError::path(path, "list it")(error)),
    };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

pub(super) fn version_directory() -> PathBuf {
    Path::new(ROOT).join(own_version())
}

/// Makes the directories that instances stand in.
pub(super) fn create_roots() -> Result<(), PinError> {
    check_mounted()?;
    make(Path::new(ROOT))?;
    make(&version_directory())
}

/// Removes them again where no instance is left. A race with another instance's attaching is settled by the kernel: a
/// directory that is not empty is not removed.
pub(super) fn remove_empty_roots() {
    let _ = fs::remove_dir(version_directory()).and_then(|()| fs::remove_dir(ROOT));
}

fn own_version() -> String {
    format!("v{ABI_VERSION}")
}

pub(super) fn check_mounted() -> Result<(), PinError> {
    match mount::is_bpf(Path::new(BPFFS)) {
        Ok(true) => Ok(()),
        _ => Err(PinError::NotMounted(BPFFS.into())),
    }
}

fn make(path: &Path) -> Result<(), PinError> {
    match DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(PinError::path(path, "make it")(error))
        }
        _ => Ok(()),
    }
}
