//! Removes an instance: exactly its own, whatever state it is in, as often as wanted.

use std::{fs, io, path::Path};

use super::{
    PinError, clsact,
    directory::{self, Directory},
    lock::ChangeLock,
    open,
};

/// What detaching found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detached {
    /// The instance is gone now.
    Removed,
    /// There was none.
    Absent,
}

/// Detaches an instance, or removes what is left of one.
///
/// # Errors
/// Where a pin cannot be removed; what could be is.
pub fn detach(name: &str) -> Result<Detached, PinError> {
    let _lock = ChangeLock::take()?;
    let detached = remove(&Directory::of(name));
    directory::remove_empty_roots();
    detached
}

/// Detaches every instance of this version. Gives their names.
///
/// # Errors
/// The first that occurs; the others are detached all the same.
pub fn detach_all() -> Result<Vec<String>, PinError> {
    let _lock = ChangeLock::take()?;
    let names = directory::instances()?.own;
    let results: Vec<_> = names.iter().map(|name| remove(&Directory::of(name))).collect();
    directory::remove_empty_roots();
    results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(names)
}

/// Links first, so that nothing runs any more; the map that says what was attached last, so that a detach that was
/// interrupted can be completed.
pub(super) fn remove(directory: &Directory) -> Result<Detached, PinError> {
    if !directory.exists() {
        return Ok(Detached::Absent);
    }
    let record = open::read_record(directory).ok();
    remove_files(&directory.links())?;
    // While the programs are pinned: by their numbers the instance's filters are known.
    for interface in record.iter().flat_map(|record| &record.interfaces).filter(|one| clsact::is_used(one)) {
        clsact::remove(directory, interface)?;
    }
    remove_files(&directory.programs())?;
    remove_files(&directory.maps())?;
    for path in [directory.links(), directory.programs(), directory.maps(), directory.path().to_owned()] {
        ignore_missing(fs::remove_dir(&path)).map_err(PinError::path(&path, "remove it"))?;
    }
    Ok(Detached::Removed)
}

/// The map that says what was attached goes last.
fn remove_files(path: &Path) -> Result<(), PinError> {
    let mut names = directory::names(path)?;
    names.sort_by_key(|name| name == super::record::MAP);
    for name in names {
        let file = path.join(name);
        ignore_missing(fs::remove_file(&file)).map_err(PinError::path(&file, "remove it"))?;
    }
    Ok(())
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
