//! A file in the run-time directory that outlives whoever wrote it: replaced as a whole, and on the disk before what it
//! tells of is done.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Of this program, where no directory is given.
const USUAL: &str = "/run/pmu-monitor";

/// Where it is, whether it is there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuntimeFile {
    directory: PathBuf,
    name: &'static str,
}

impl RuntimeFile {
    /// In this directory.
    pub(crate) fn new(directory: &Path, name: &'static str) -> Self {
        Self { directory: directory.to_owned(), name }
    }

    /// Where it is usually: `$RUNTIME_DIRECTORY` (which systemd sets; the first of several), else `/run/pmu-monitor`.
    pub(crate) fn usual(name: &'static str) -> Self {
        let given = env::var("RUNTIME_DIRECTORY").unwrap_or_default();
        let first = given.split(':').next().filter(|first| !first.is_empty());
        Self::new(Path::new(first.unwrap_or(USUAL)), name)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(self.name)
    }

    /// What it is called while it is written.
    fn unfinished(&self) -> PathBuf {
        self.directory.join(format!("{}.new", self.name))
    }

    /// Makes the directory where it is not there: for this user alone.
    pub(crate) fn make_directory(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    /// At most so many bytes of what it says, which must be UTF-8; none where it is not there.
    pub(crate) fn read(&self, most: u64) -> io::Result<Option<String>> {
        // No link is followed, and no pipe waited for: the directory may be one that others can write to.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = match File::options().read(true).custom_flags(flags).open(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut text = String::new();
        file.take(most).read_to_string(&mut text)?;
        Ok(Some(text))
    }

    /// Puts it on the disk in the place of the one before.
    pub(crate) fn replace(&self, text: &[u8]) -> io::Result<()> {
        let unfinished = self.unfinished();
        ignore_missing(fs::remove_file(&unfinished))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path())?;
        // Or the name may be lost though the file is not.
        File::open(&self.directory)?.sync_all()
    }

    /// Takes it away, and what a process that was killed left unfinished.
    pub(crate) fn remove(&self) -> io::Result<()> {
        [self.unfinished(), self.path()].iter().try_for_each(|path| ignore_missing(fs::remove_file(path)))
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn it_is_replaced_as_a_whole_and_taken_away_with_what_was_unfinished() {
        let parent = tempfile::tempdir().unwrap();
        let file = RuntimeFile::new(&parent.path().join("run"), "record.json");
        assert_eq!(file.read(100).unwrap(), None);
        file.make_directory().unwrap();
        assert_eq!(fs::metadata(file.directory()).unwrap().permissions().mode() & 0o777, 0o700);
        // Left by a process that was killed while it wrote.
        fs::write(file.unfinished(), "hal").unwrap();
        file.replace(b"one").unwrap();
        file.replace(b"two").unwrap();
        assert_eq!(file.read(100).unwrap().as_deref(), Some("two"));
        assert_eq!(file.read(2).unwrap().as_deref(), Some("tw"));
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(file.unfinished(), "hal").unwrap();
        file.remove().unwrap();
        assert_eq!(fs::read_dir(file.directory()).unwrap().count(), 0);
        file.remove().unwrap();
    }

    #[test]
    fn no_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let file = RuntimeFile::new(directory.path(), "record.json");
        let other = directory.path().join("other");
        fs::write(&other, "kept").unwrap();
        symlink(&other, file.path()).unwrap();
        assert_eq!(file.read(100).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        symlink(&other, file.unfinished()).unwrap();
        file.replace(b"new").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        assert_eq!(file.read(100).unwrap().as_deref(), Some("new"));
    }
}
