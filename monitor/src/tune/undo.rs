//! Putting back what was before, the last change first.

use std::io;

use super::record::{Entry, Store, TuneError};
use super::threads::Threads;
use crate::doctor::Host;
use crate::sys::sched::Policy;

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// What was before is there again.
    Back,
    /// It was as before already: the change was not made, or somebody has undone it.
    AsBefore,
    /// What was changed has gone: an interface was removed, a thread has ended.
    Gone,
    /// It could not be put back; the sentence says why.
    Failed(String),
}

/// What came of undoing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// There was no record.
    Nothing,
    /// The record was of an earlier boot, which took the changes with it.
    EarlierBoot,
    /// Everything in it was gone through.
    Through {
        /// Whether it was all put back, and the record removed.
        complete: bool,
    },
}

/// Puts everything back and removes the record; where something fails, the rest is put back and the record stays, so
/// that it can be run again. Every change is told, with what became of it.
///
/// # Errors
/// Where the record cannot be read or removed.
pub fn undo(
    host: &Host,
    threads: &dyn Threads,
    store: &Store,
    told: &mut dyn FnMut(&Entry, &Restored),
) -> Result<Undone, TuneError> {
    // Without one nothing is made, not even a directory.
    if store.load()?.is_none() {
        return Ok(Undone::Nothing);
    }
    let _lock = store.lock()?;
    let Some(record) = store.load()? else { return Ok(Undone::Nothing) };
    if !record.is_of_this_boot(host) {
        store.remove()?;
        return Ok(Undone::EarlierBoot);
    }
    let mut complete = true;
    for entry in record.changes.iter().rev() {
        let restored = restore(host, threads, entry);
        complete &= !matches!(restored, Restored::Failed(_));
        told(entry, &restored);
    }
    if complete {
        store.remove()?;
    }
    Ok(Undone::Through { complete })
}

fn restore(host: &Host, threads: &dyn Threads, entry: &Entry) -> Restored {
    match entry {
        Entry::File { path, before, .. } => match host.read(path) {
            Ok(now) if now == *before => Restored::AsBefore,
            Ok(_) => done(host.write(path, before), path),
            Err(unread) if unread.error.kind() == io::ErrorKind::NotFound => Restored::Gone,
            Err(unread) => Restored::Failed(format!("{unread}; run as root")),
        },
        Entry::Thread { tid, name, start, before, .. } => {
            let before = Policy::from(*before);
            match host.kernel_thread(*tid) {
                Some(now) if now.start != *start => Restored::Gone,
                Some(now) if now.policy == before => Restored::AsBefore,
                Some(_) => done(threads.set(*tid, before), name),
                None => Restored::Gone,
            }
        }
    }
}

fn done(result: io::Result<()>, what: &str) -> Restored {
    match result {
        Ok(()) => Restored::Back,
        Err(error) => {
            Restored::Failed(format!("cannot put back {what}: {error}; run tune --undo again as root"))
        }
    }
}
