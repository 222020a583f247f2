//! The state directory: a configuration frame for each stream, as an earlier run saw it on the wire.
//!
//! A file holds exactly one CFG-2 or CFG-3 frame, as it was on the wire, and its name says whose:
//! `ADDRESS_IDCODE.frame`, such as `192.0.2.1_60.frame`. The frame carries its own version, size and check, and the
//! same file can be given to `--config-frame`. Files are written beside their name and renamed over it (mode 0600, in
//! a directory of mode 0700), so that one is either whole or not there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, process};

use monitor_core::event::ConfigSource;
use monitor_core::stream::{Preload, SourceKey};

use super::FRAME_FILE_MAX;

/// Files kept; the oldest goes when one more comes.
pub const CACHED_MAX: usize = 1_024;
/// Bytes of files taken in at a start, newest first.
pub const CACHED_BYTES_MAX: u64 = 4 << 20;

/// What it is called below the state directory.
const NAME: &str = "configs";
/// How the name of a file ends.
const SUFFIX: &str = ".frame";
/// How that of one ends that is being written.
const UNFINISHED: &str = ".new";
/// After that long nobody is writing it any more.
const ABANDONED_AFTER: Duration = Duration::from_hours(1);
/// Files that are named when they cannot be used; of more their number is said.
const NAMED_MAX: usize = 8;
/// The state directory of a service or of root (file-hierarchy(7)).
const SYSTEM: &str = "/var/lib/pmu-monitor";
/// The program's directory below a user's own.
const PROGRAM: &str = "pmu-monitor";

/// Where configurations are kept from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDirectory {
    path: PathBuf,
}

/// What was found there.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Configurations, newest first.
    pub preloads: Vec<Preload>,
    /// Sentences about what could not be used.
    pub complaints: Vec<String>,
}

/// A file of the directory with a name that belongs there.
struct Kept {
    key: SourceKey,
    path: PathBuf,
    changed: SystemTime,
    size: u64,
}

impl StateDirectory {
    /// Below the directory that was given.
    #[must_use]
    pub fn below(state: &Path) -> Self {
        Self { path: state.join(NAME) }
    }

    /// Where this process should keep it: `$STATE_DIRECTORY` (which systemd sets), else `/var/lib/pmu-monitor` for
    /// root, else `$XDG_STATE_HOME/pmu-monitor` or what that is by default. None where `$STATE_DIRECTORY` is empty, or
    /// nothing says where a user's files are.
    #[must_use]
    pub fn usual(is_root: bool) -> Option<Self> {
        Self::by_environment(|name| env::var_os(name).map(PathBuf::from), is_root)
    }

    fn by_environment(variable: impl Fn(&str) -> Option<PathBuf>, is_root: bool) -> Option<Self> {
        if let Some(given) = variable("STATE_DIRECTORY") {
            // systemd separates several by colons.
            let text = given.to_str()?;
            let first = text.split(':').next().filter(|first| !first.is_empty())?;
            return Some(Self::below(Path::new(first)));
        }
        if is_root {
            return Some(Self::below(Path::new(SYSTEM)));
        }
        let absolute = |path: &PathBuf| path.is_absolute();
        let home = || variable("HOME").filter(absolute).map(|home| home.join(".local/state"));
        let state = variable("XDG_STATE_HOME").filter(absolute).or_else(home)?;
        Some(Self::below(&state.join(PROGRAM)))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all that can be used, within the bounds. What cannot is named and left alone.
    #[must_use]
    pub fn load(&self) -> Loaded {
        let mut loaded = Loaded::default();
        let mut wrong = Vec::new();
        let mut kept = match self.list(&mut wrong) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return loaded,
            Err(error) => {
                let path = self.path.display();
                loaded.complaints.push(format!(
                    "configurations of earlier runs cannot be read: {path}: {error}; give another --state-dir"
                ));
                return loaded;
            }
        };
        kept.sort_by_key(|one| std::cmp::Reverse(one.changed));
        let mut bytes = 0;
        let mut beyond = kept.len().saturating_sub(CACHED_MAX);
        for one in kept.iter().take(CACHED_MAX) {
            bytes += one.size;
            if bytes > CACHED_BYTES_MAX {
                beyond += 1;
                continue;
            }
            match one.read() {
                Ok(preload) => loaded.preloads.push(preload),
                Err(reason) => wrong.push(format!("{}: {reason}", file_name(&one.path))),
            }
        }
        self.complain(&mut loaded, &wrong, beyond);
        loaded
    }

    fn complain(&self, loaded: &mut Loaded, wrong: &[String], beyond: usize) {
        let path = self.path.display();
        loaded.complaints.extend(wrong.iter().take(NAMED_MAX).map(|one| format!("not used: {path}/{one}")));
        if wrong.len() > NAMED_MAX {
            let more = wrong.len() - NAMED_MAX;
            loaded.complaints.push(format!("not used: {more} more files in {path}"));
        }
        if beyond > 0 {
            loaded.complaints.push(format!(
                "not used: {beyond} of the oldest configurations in {path}, beyond the bound of {CACHED_MAX} files \
                 and {CACHED_BYTES_MAX} bytes"
            ));
        }
    }

    /// Keeps a source's configuration in the place of the one before; the oldest of all goes where there are more
    /// than [`CACHED_MAX`].
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn keep(&self, key: &SourceKey, frame: &[u8]) -> Result<(), String> {
        let path = self.path.join(name_of(key));
        self.write(&path, frame).map_err(|error| {
            format!("the configuration cannot be kept for the next run: {}: {error}", path.display())
        })?;
        self.prune();
        Ok(())
    }

    fn write(&self, path: &Path, frame: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let unfinished = self.path.join(format!(".{}.{}{UNFINISHED}", file_name(path), process::id()));
        let written = write_new(&unfinished, frame).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes what is beyond the bound, and what a run that was killed left unfinished.
    fn prune(&self) {
        let Ok(mut kept) = self.list(&mut Vec::new()) else { return };
        if kept.len() > CACHED_MAX {
            kept.sort_by_key(|one| std::cmp::Reverse(one.changed));
            for one in kept.iter().skip(CACHED_MAX) {
                let _ = fs::remove_file(&one.path);
            }
        }
    }

    /// The files whose names belong here; others are named in `wrong`.
    fn list(&self, wrong: &mut Vec<String>) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Ok(about) = entry.metadata() else { continue };
            let changed = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                let old = changed.elapsed().is_ok_and(|age| age > ABANDONED_AFTER);
                if name.ends_with(UNFINISHED) && old {
                    let _ = fs::remove_file(entry.path());
                }
                continue;
            }
            match key_of(&name) {
                Some(key) if about.is_file() => {
                    kept.push(Kept { key, path: entry.path(), changed, size: about.len() });
                }
                Some(_) => wrong.push(format!("{name}: no regular file")),
                None => {
                    wrong.push(format!("{name}: no name of a kept configuration (ADDRESS_IDCODE{SUFFIX})"));
                }
            }
        }
        Ok(kept)
    }
}

impl Kept {
    fn read(&self) -> Result<Preload, String> {
        if self.size > FRAME_FILE_MAX {
            return Err(format!("{} bytes, more than any configuration", self.size));
        }
        let bytes = self.bytes().map_err(|error| error.to_string())?;
        let preload = Preload::new(Some(self.key.address), ConfigSource::Cached, &bytes)
            .map_err(|error| error.to_string())?;
        if preload.idcode() == self.key.idcode {
            Ok(preload)
        } else {
            Err(format!("it holds a configuration of IDCODE {}", preload.idcode()))
        }
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // What was a file a moment ago may be a link or a pipe by now: neither is followed or waited for.
        let file =
            File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&self.path)?;
        file.take(FRAME_FILE_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    // Or a power failure behind the rename may leave an empty file.
    file.sync_data()
}

fn name_of(key: &SourceKey) -> String {
    let address = IpAddr::V6(Ipv6Addr::from(key.address)).to_canonical();
    format!("{address}_{}{SUFFIX}", key.idcode)
}

/// Whose a name is; none where it is not exactly how that one's is written.
fn key_of(name: &str) -> Option<SourceKey> {
    let (address, idcode) = name.strip_suffix(SUFFIX)?.rsplit_once('_')?;
    let address = match address.parse().ok()? {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let key = SourceKey { address: address.octets(), idcode: idcode.parse().ok()? };
    (name_of(&key) == name).then_some(key)
}

fn file_name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests;
