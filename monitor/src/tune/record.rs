//! What was before: a JSON file in the run-time directory, replaced as a whole and on the disk before each change.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::doctor::Host;
use crate::runtime_file::RuntimeFile;
use crate::sys::sched::Policy;

/// What it is called.
const NAME: &str = "tune.json";
/// A record of this many changes and more is none of ours, bytes.
const BYTES_MAX: u64 = 4 << 20;
const VERSION: u32 = 1;
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Why nothing is changed, or nothing more.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The record cannot be read or written.
    #[error(
        "the record of what was before cannot be {what}: {path}: {error}; nothing is changed without it: run as root, \
         or give another directory with --state"
    )]
    Record {
        /// "read", "written", "removed", "locked".
        what: &'static str,
        /// Where it is.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The record is not one of tune's.
    #[error(
        "{path} is no record of tune: {reason}; nothing is changed: restore by hand what it names, and remove it"
    )]
    Foreign {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process tunes or restores.
    #[error("another tune is at work in {0}; wait for its end")]
    Busy(String),
}

/// How a thread is scheduled, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// The policy's number in sched(7).
    pub policy: i32,
    /// The priority, 0 where the policy has none.
    pub priority: u8,
}

impl From<Policy> for Scheduling {
    fn from(policy: Policy) -> Self {
        Self { policy: policy.number(), priority: policy.priority() }
    }
}

impl From<Scheduling> for Policy {
    fn from(it: Scheduling) -> Self {
        Self::of(it.policy, it.priority)
    }
}

/// One change: what was before, to the byte, and what was put there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A file.
    File {
        /// Its path.
        path: String,
        /// What was in it.
        before: String,
        /// What was written to it last.
        after: String,
    },
    /// A kernel thread: the one of this number that was started then.
    Thread {
        /// Its number.
        tid: u32,
        /// Its name.
        name: String,
        /// When it was started, clock ticks since boot.
        start: u64,
        /// How it was scheduled.
        before: Scheduling,
        /// How it was scheduled last.
        after: Scheduling,
    },
}

impl Entry {
    /// Whether it speaks of the same file or thread as another.
    fn is_of_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { path, .. }, Self::File { path: other, .. }) => path == other,
            (Self::Thread { tid, start, .. }, Self::Thread { tid: other, start: begun, .. }) => {
                (tid, start) == (other, begun)
            }
            _ => false,
        }
    }

    /// Whether it is something that tune changes. Whoever can write the record does not thereby write other files.
    fn is_ours(&self) -> bool {
        const FILES: [&str; 3] = [
            "/proc/sys/kernel/sched_rt_runtime_us",
            "/proc/sys/kernel/sched_rt_period_us",
            "/proc/irq/default_smp_affinity",
        ];
        const NUMBERED: [(&str, &str); 2] = [
            ("/proc/irq/", "/smp_affinity_list"),
            ("/sys/devices/system/cpu/cpu", "/cpufreq/scaling_governor"),
        ];
        let Self::File { path, .. } = self else { return true };
        let numbered = |(before, after): (&str, &str)| {
            let number = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            number.is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
            })
        };
        FILES.contains(&path.as_str()) || NUMBERED.into_iter().any(numbered)
    }
}

/// Everything that was changed since the last undoing, in the order of the changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// Which boot of the host it is of: the next has nothing of it.
    boot: String,
    /// The changes.
    pub changes: Vec<Entry>,
}

impl Record {
    pub(super) fn new(host: &Host) -> Self {
        Self { version: VERSION, boot: boot_of(host), changes: Vec::new() }
    }

    /// Whether it is of this boot. Where the kernel does not tell its boots apart, it is.
    pub(super) fn is_of_this_boot(&self, host: &Host) -> bool {
        self.boot == boot_of(host)
    }

    /// Takes up a change that is about to be made; what was before it the first time stays. Whether it is new.
    pub(super) fn take_up(&mut self, entry: Entry) -> bool {
        let Some(known) = self.changes.iter_mut().find(|known| known.is_of_same(&entry)) else {
            self.changes.push(entry);
            return true;
        };
        match (known, entry) {
            (Entry::File { after, .. }, Entry::File { after: new, .. }) => *after = new,
            (Entry::Thread { after, .. }, Entry::Thread { after: new, .. }) => *after = new,
            _ => {}
        }
        false
    }

    /// Lets go of the change that was taken up last.
    pub(super) fn let_go(&mut self) {
        self.changes.pop();
    }
}

fn boot_of(host: &Host) -> String {
    host.read(BOOT).unwrap_or_default().trim().to_owned()
}

/// Where the record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    file: RuntimeFile,
}

/// Held while the record and what it speaks of are changed.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock ends with the descriptor")] File);

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

    /// The record's path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.file.path()
    }

    /// Reads it. None where nothing was changed.
    ///
    /// # Errors
    /// Where it is there and cannot be read, or is none of ours.
    pub fn load(&self) -> Result<Option<Record>, TuneError> {
        let read = self.file.read(BYTES_MAX).map_err(|error| self.failed("read", error))?;
        let Some(text) = read else { return Ok(None) };
        let record: Record = serde_json::from_str(&text).map_err(|error| self.foreign(error.to_string()))?;
        if record.version != VERSION {
            return Err(self.foreign(format!("it is of version {}, not {VERSION}", record.version)));
        }
        match record.changes.iter().find(|entry| !entry.is_ours()) {
            Some(entry) => Err(self.foreign(format!("tune does not change this: {entry:?}"))),
            None => Ok(Some(record)),
        }
    }

    /// Takes the directory for this process alone; makes it where it is not there.
    pub(super) fn lock(&self) -> Result<Lock, TuneError> {
        let opened = self.file.make_directory().and_then(|()| File::open(self.file.directory()));
        let directory = opened.map_err(|error| self.failed("written", error))?;
        match directory.try_lock() {
            Ok(()) => Ok(Lock(directory)),
            Err(TryLockError::WouldBlock) => {
                Err(TuneError::Busy(self.file.directory().display().to_string()))
            }
            Err(TryLockError::Error(error)) => Err(self.failed("locked", error)),
        }
    }

    /// Puts it on the disk in the place of the one before; an empty one is none.
    pub(super) fn save(&self, record: &Record) -> Result<(), TuneError> {
        if record.changes.is_empty() {
            return self.remove();
        }
        let mut text =
            serde_json::to_vec_pretty(record).map_err(|error| self.failed("written", error.into()))?;
        text.push(b'\n');
        self.file.replace(&text).map_err(|error| self.failed("written", error))
    }

    /// Takes it away, and what a process that was killed left unfinished.
    pub(super) fn remove(&self) -> Result<(), TuneError> {
        self.file.remove().map_err(|error| self.failed("removed", error))
    }

    fn failed(&self, what: &'static str, error: io::Error) -> TuneError {
        TuneError::Record { what, path: self.path().display().to_string(), error }
    }

    fn foreign(&self, reason: String) -> TuneError {
        TuneError::Foreign { path: self.path().display().to_string(), reason }
    }
}
