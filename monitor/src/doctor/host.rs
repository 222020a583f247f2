//! Where a host's files are read: `/`, or a directory that stands for it in tests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::clock::{Daemons, Keeper};
use crate::sys::sched::Policy;

/// Nothing that is read here is larger; `/proc/interrupts` of a large machine comes nearest.
const BYTES_MAX: u64 = 16 << 20;
/// `PF_KTHREAD` of include/linux/sched.h, in the flags of `/proc/N/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// A host, by its `/proc`, `/sys` and `/dev`, and who keeps its clock.
#[derive(Debug)]
pub struct Host {
    root: PathBuf,
    keeper: OnceLock<Keeper>,
}

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {error}")]
pub struct Unread {
    /// Its path on the host.
    pub path: String,
    /// Why.
    pub error: io::Error,
}

/// A kernel thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub tid: u32,
    /// Its name, such as "irq/41-eth1".
    pub name: String,
    /// How it is scheduled.
    pub policy: Policy,
    /// When it was started, in clock ticks since boot: with its number, who it is.
    pub start: u64,
}

impl Host {
    /// The one that this process runs on.
    #[must_use]
    pub fn this() -> Self {
        Self { root: "/".into(), keeper: OnceLock::new() }
    }

    /// One whose files lie below a directory.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>, keeper: Keeper) -> Self {
        Self { root: root.into(), keeper: OnceLock::from(keeper) }
    }

    /// Who keeps its clock. The first call asks the time daemons, which takes up to a second and a half where one does
    /// not answer.
    pub fn keeper(&self) -> &Keeper {
        self.keeper.get_or_init(|| Keeper::ask(&Daemons::default()))
    }

    /// A file's text as it is.
    ///
    /// # Errors
    /// Where it is not there, or may not be read.
    pub fn read(&self, path: &str) -> Result<String, Unread> {
        let bytes = read_bounded(&self.at(path)).map_err(|error| unread(path, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file's text without the space around it.
    pub(super) fn word(&self, path: &str) -> Result<String, Unread> {
        Ok(self.read(path)?.trim().to_owned())
    }

    /// A file that holds a number.
    pub(super) fn number(&self, path: &str) -> Result<i64, Unread> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "it holds no number");
        self.word(path)?.parse().map_err(|_| unread(path, invalid()))
    }

    /// The first bytes of a file.
    pub(super) fn head<const N: usize>(&self, path: &str) -> Result<[u8; N], Unread> {
        let mut bytes = [0; N];
        File::open(self.at(path))
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(|error| unread(path, error))?;
        Ok(bytes)
    }

    /// Whether there is a file or directory of that path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// Names in a directory, in order; none where it cannot be read.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        names_in(&self.at(path))
    }

    /// Below which its files lie.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file that is there, in one call.
    ///
    /// # Errors
    /// Where it is not there, may not be written, or the kernel refuses the value.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        OpenOptions::new().write(true).truncate(true).open(self.at(path))?.write_all(text.as_bytes())
    }

    /// Every kernel thread that this process can see, in the order of their numbers.
    #[must_use]
    pub fn kernel_threads(&self) -> Vec<Thread> {
        let mut tids: Vec<u32> = self.names("/proc").iter().filter_map(|name| name.parse().ok()).collect();
        tids.sort_unstable();
        tids.into_iter().filter_map(|tid| self.kernel_thread(tid)).collect()
    }

    /// A kernel thread by its number; none where there is none, or a process of user space has it. The names of those
    /// are their own choice.
    #[must_use]
    pub fn kernel_thread(&self, tid: u32) -> Option<Thread> {
        thread_of(tid, &self.read(&format!("/proc/{tid}/stat")).ok()?)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// Names in a directory, in order.
fn names_in(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

fn unread(path: &str, error: io::Error) -> Unread {
    Unread { path: path.to_owned(), error }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads `/proc/N/stat` (`proc_pid_stat(5)`); the name may hold anything, brackets too.
fn thread_of(tid: u32, stat: &str) -> Option<Thread> {
    // Where these stand behind the name.
    const FLAGS: usize = 6;
    const START: usize = 19;
    const PRIORITY: usize = 37;
    const POLICY: usize = 38;
    let (before, rest) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let fields: Vec<u64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    if fields.get(FLAGS)? & KERNEL_THREAD == 0 {
        return None;
    }
    let number = i32::try_from(*fields.get(POLICY)?).ok()?;
    let priority = u8::try_from(*fields.get(PRIORITY)?).ok()?;
    Some(Thread { tid, name, policy: Policy::of(number, priority), start: *fields.get(START)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_threads_are_read_and_others_are_not() {
        let stat = "50 (irq/24-x) y) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 -51 0 1 0 28 0 0 18446744073709551615 0 0 0 \
                    0 0 0 0 2147483647 0 1 0 0 17 0 50 1 0 0 0 0 0 0 0 0 0 0 0";
        let wanted = Thread { tid: 50, name: "irq/24-x) y".to_owned(), policy: Policy::Fifo(50), start: 28 };
        assert_eq!(thread_of(50, stat), Some(wanted));
        assert_eq!(thread_of(50, &stat.replace("2129984", "4194304")), None);
        for cut in 0..stat.len() {
            let _ = thread_of(50, &stat[..cut]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let place = tempfile::tempdir().unwrap();
        let host = Host::below(place.path(), Keeper::default());
        assert!(host.read("/proc/nothing").unwrap_err().to_string().contains("/proc/nothing"));
        fs::write(place.path().join("text"), "many\n").unwrap();
        assert!(host.number("/text").unwrap_err().to_string().contains("no number"));
        assert!(host.head::<8>("/text").is_err());
        assert!(host.write("/absent", "1").is_err() && !host.has("/absent"));
    }
}
