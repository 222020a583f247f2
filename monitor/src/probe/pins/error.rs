//! What can go wrong with pins: what, where, and the remedy.

use std::{io, path::PathBuf};

use crate::probe::ProbeError;
use crate::reader::ReaderError;

/// Why an instance could not be attached, opened or detached.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The kernel side.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The ring or its reader's page.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// No BPF file system.
    #[error("no BPF file system at {0}: mount it with `mount -t bpf bpf {0}`")]
    NotMounted(PathBuf),
    /// A path on it cannot be used.
    #[error(
        "{path}: cannot {doing}: {source}; the BPF file system must be writable by this user (root's, as a rule)"
    )]
    Path {
        /// The path.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is no such instance.
    #[error(
        "no instance {name} is attached; attached are: {present}. Attach one with `pmu-monitor attach --instance {name} --iface IF`"
    )]
    NotAttached {
        /// Its name.
        name: String,
        /// Those that are.
        present: String,
    },
    /// The tree is not whole, or not what this version makes.
    #[error(
        "instance {name}: {reason}; run `pmu-monitor detach --instance {name}`, which removes what is left, and attach again"
    )]
    Broken {
        /// The instance.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody reads it already.
    #[error("instance {name} is being read by {reader}; one reader at a time: end that one first")]
    BeingRead {
        /// The instance.
        name: String,
        /// Process name and number.
        reader: String,
    },
    /// A filter on clsact can be changed in its own network namespace alone.
    #[error(
        "instance {name}: its programs on {interface} are filters in network namespace {netns}, which this user cannot \
         enter from here; run the command there (`nsenter --net=...`), or as root"
    )]
    Unreachable {
        /// The instance.
        name: String,
        /// Its interface.
        interface: String,
        /// Inode number of the namespace.
        netns: u32,
    },
    /// The kernel cannot pin this.
    #[error("{what} cannot be pinned: {reason}")]
    NotPinnable {
        /// Program and interface.
        what: String,
        /// Why.
        reason: String,
    },
}

impl PinError {
    pub(super) fn path(path: impl Into<PathBuf>, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Path { path, doing, source }
    }
}
