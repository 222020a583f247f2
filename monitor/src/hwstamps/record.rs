//! What was before: a JSON file in the run-time directory, which is on the disk before a card is asked.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::{runtime_file::RuntimeFile, sys::hwstamp};

/// What it is called.
const NAME: &str = "hw-stamps.json";
/// What is locked while it is changed.
const LOCK: &str = "hw-stamps.lock";
/// A record of more bytes is none of ours.
const BYTES_MAX: u64 = 1 << 20;
const VERSION: u32 = 1;
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the record of what the card was asked before cannot be {what}: {path}: {source}; without it nothing is asked of a card: run as root, \
     or set RUNTIME_DIRECTORY to a directory that this user can write to"
)]
pub struct StoreError {
    what: &'static str,
    path: String,
    source: io::Error,
}

/// What a card stamps, as the kernel's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    pub(super) flags: i32,
    pub(super) transmit: i32,
    pub(super) receive: i32,
}

impl From<hwstamp::Setting> for Setting {
    fn from(hwstamp::Setting { flags, transmit, receive }: hwstamp::Setting) -> Self {
        Self { flags, transmit, receive }
    }
}

impl From<Setting> for hwstamp::Setting {
    fn from(Setting { flags, transmit, receive }: Setting) -> Self {
        Self { flags, transmit, receive }
    }
}

/// A card that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Inode number of its namespace.
    pub(super) netns: u32,
    /// Its index there.
    pub(super) ifindex: u32,
    /// Its name, for a person.
    pub(super) name: String,
    /// What it stamped before the first asked.
    pub(super) before: Setting,
    /// For whose sake it is asked.
    pub(super) owners: Vec<Owner>,
}

/// All cards that were asked and not put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    version: u32,
    /// Which boot of the host it is of: the next has nothing of it.
    boot: String,
    pub(super) cards: Vec<Entry>,
}

impl Record {
    fn new() -> Self {
        Self { version: VERSION, boot: boot(), cards: Vec::new() }
    }
}

fn boot() -> String {
    fs::read_to_string(BOOT).unwrap_or_default().trim().to_owned()
}

/// Where the record is.
#[derive(Clone, Debug)]
pub struct Store {
    file: RuntimeFile,
}

/// Held while the record and what it speaks of are changed.
pub(super) struct Locked<'a> {
    store: &'a Store,
    /// The lock ends with the descriptor.
    _lock: File,
}

impl Store {
    /// In this directory.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        Self { file: RuntimeFile::new(directory, NAME) }
    }

    /// Where it is usually: in `$RUNTIME_DIRECTORY`, else in `/run/pmu-monitor`.
    #[must_use]
    pub fn usual() -> Self {
        Self { file: RuntimeFile::usual(NAME) }
    }

    /// Whether any card was asked and not put back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.file.path().exists()
    }

    /// Takes the record for this process alone, after whoever has it; makes the directory where it is not there.
    pub(super) fn lock(&self) -> Result<Locked<'_>, StoreError> {
        let opened = self.file.make_directory().and_then(|()| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
            let lock = options.open(self.file.directory().join(LOCK))?;
            lock.lock()?;
            Ok(lock)
        });
        let lock = opened.map_err(|source| self.failed("locked", source))?;
        Ok(Locked { store: self, _lock: lock })
    }

    fn failed(&self, what: &'static str, source: io::Error) -> StoreError {
        StoreError { what, path: self.file.path().display().to_string(), source }
    }
}

impl Locked<'_> {
    /// Reads it. Empty where there is none, or it is of an earlier boot.
    pub(super) fn load(&self) -> Result<Record, StoreError> {
        let failed = |source| self.store.failed("read", source);
        let Some(text) = self.store.file.read(BYTES_MAX).map_err(failed)? else { return Ok(Record::new()) };
        let record: Record = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        if record.version != VERSION {
            let wrong = format!("it is of version {}, not {VERSION}", record.version);
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, wrong)));
        }
        Ok(if record.boot == boot() { record } else { Record::new() })
    }

    /// Puts it on the disk in the place of the one before; an empty one is none.
    pub(super) fn save(&self, record: &Record) -> Result<(), StoreError> {
        let Store { file } = self.store;
        let saved = if record.cards.is_empty() {
            file.remove()
        } else {
            serde_json::to_vec_pretty(record).map_err(io::Error::from).and_then(|mut text| {
                text.push(b'\n');
                file.replace(&text)
            })
        };
        saved.map_err(|source| self.store.failed("written", source))
    }
}
