//! Locks on directories: the kernel gives them back when a process ends, however it ends.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use super::{PinError, directory};

/// Held while pins are changed. Waits for whoever holds it: two attaches at once go one after the other.
pub(super) struct ChangeLock {
    _directory: File,
}

impl ChangeLock {
    pub(super) fn take() -> Result<Self, PinError> {
        loop {
            directory::create_roots()?;
            let path = directory::version_directory();
            let file = File::open(&path).map_err(PinError::path(&path, "open it"))?;
            file.lock().map_err(PinError::path(&path, "lock it"))?;
            // Whoever held it before may have removed the directory with the last instance: a lock on what is no
            // longer there keeps nobody out.
            if same(&file, &path) {
                return Ok(Self { _directory: file });
            }
        }
    }
}

/// Held while an instance's ring is read.
#[derive(Debug)]
pub struct ReaderLock {
    _directory: File,
}

impl ReaderLock {
    /// Takes it, or says that somebody holds it.
    pub(super) fn take(path: &Path) -> Result<Option<Self>, PinError> {
        let file = File::open(path).map_err(PinError::path(path, "open it"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _directory: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(PinError::path(path, "lock it")(error)),
        }
    }
}

fn same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}
