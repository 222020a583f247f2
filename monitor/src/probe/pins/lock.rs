//! Locks on directories: the kernel gives them back when a process ends, however it ends.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{PinError, directory};

/// How often the directories may vanish under who wants to lock them, as the last instance is detached: each time,
/// somebody else has got on.
const ATTEMPTS: usize = 1000;

/// Held while pins are changed. Waits for whoever holds it: two attaches at once go one after the other.
pub(super) struct ChangeLock {
    _directory: File,
}

impl ChangeLock {
    pub(super) fn take() -> Result<Self, PinError> {
        for _ in 1..ATTEMPTS {
            match Self::attempt() {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) => {}
                // Removed between making one directory and the next.
                Err(PinError::Path { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let vanished = io::Error::new(io::ErrorKind::NotFound, "it is removed again and again");
        Err(PinError::path(directory::version_directory(), "lock it")(vanished))
    }

    fn attempt() -> Result<Option<Self>, PinError> {
        directory::create_roots()?;
        let path = directory::version_directory();
        let file = File::open(&path).map_err(PinError::path(&path, "open it"))?;
        file.lock().map_err(PinError::path(&path, "lock it"))?;
        // Whoever held it before may have removed the directory with the last instance: a lock on what is no longer
        // there keeps nobody out.
        Ok(same(&file, &path).then_some(Self { _directory: file }))
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

/// Process that holds the lock on a directory, as the kernel lists it: to try the lock would keep a reader out that
/// comes in that very moment. A process of a namespace that does not show here is not listed (`proc_locks(5)`).
pub(super) fn holder(path: &Path) -> io::Result<Option<u32>> {
    let directory = fs::metadata(path)?;
    let device = directory.dev();
    let place = format!("{:02x}:{:02x}:{}", libc::major(device), libc::minor(device), directory.ino());
    let locks = fs::read_to_string("/proc/locks")?;
    Ok(locks.lines().find_map(|line| holder_in(line, &place)))
}

/// `3: FLOCK  ADVISORY  WRITE 4711 00:28:255042 0 EOF`; a process that waits has an arrow before the kind.
fn holder_in(line: &str, place: &str) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let is_flock = words.next()? == "FLOCK";
    let process = words.nth(2)?.parse().ok()?;
    (is_flock && words.next()? == place).then_some(process)
}

fn same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_who_holds_the_lock() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(holder(directory.path()).expect("locks"), None);
        let lock = ReaderLock::take(directory.path()).expect("a lock").expect("nobody holds it");
        assert_eq!(holder(directory.path()).expect("locks"), Some(std::process::id()));
        drop(lock);
        assert_eq!(holder(directory.path()).expect("locks"), None);
    }

    #[test]
    fn who_waits_or_locks_otherwise_holds_nothing() {
        let place = "00:28:255042";
        let line = |words: &str| holder_in(&format!("1: {words} 4711 {place} 0 EOF"), place);
        assert_eq!(line("FLOCK  ADVISORY  WRITE"), Some(4711));
        assert_eq!(line("-> FLOCK  ADVISORY  WRITE"), None);
        assert_eq!(line("POSIX  ADVISORY  WRITE"), None);
        assert_eq!(holder_in("1: FLOCK  ADVISORY  WRITE 4711 00:28:1 0 EOF", place), None);
    }
}
