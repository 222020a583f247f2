//! A network namespace as an open descriptor.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io, panic, thread};

use super::{Error, LinkWatch, Links};
use crate::sys::namespace::{enter_network, unshare_network};

/// The calling thread's namespace: `/proc/self` would be that of the process's first thread.
const OF_THIS_THREAD: &str = "/proc/thread-self/ns/net";

/// A network namespace. It lives as long as anything refers to it: this handle, a socket made inside, a thread. What
/// was made here and is no longer referred to is taken apart by the kernel, interfaces included.
#[derive(Debug)]
pub struct Netns {
    file: File,
    inode: u32,
}

impl Netns {
    /// The calling thread's own.
    ///
    /// # Errors
    /// [`Error::Namespace`] where `/proc` is not mounted.
    pub fn current() -> Result<Self, Error> {
        open_current().map_err(|error| Error::namespace("open the current one", error))
    }

    /// A new, empty one, in which the loopback interface is up. The calling thread stays where it is.
    ///
    /// # Errors
    /// [`Error::Namespace`] without `CAP_SYS_ADMIN` or beyond the limit of namespaces.
    pub fn create() -> Result<Self, Error> {
        let made = on_own_thread("create one", || {
            unshare_network().map_err(|error| Error::namespace("create one", error))?;
            Self::current()
        })??;
        made.links()?.set_up("lo")?;
        Ok(made)
    }

    /// Looks for the namespace with this inode number: among those that have a name under `/run/netns`, and those that a
    /// process is in. `None` where there is no such namespace, or nothing but an open file keeps it.
    ///
    /// # Errors
    /// [`Error::Namespace`] where it was not found, and there are processes that this user may not look at.
    pub fn find(inode: u32) -> Result<Option<Self>, Error> {
        let mut withheld = None;
        for place in named().chain(of_processes()) {
            match fs::metadata(&place) {
                Ok(found) if found.ino() == u64::from(inode) => {
                    if let Ok(found) = open(&place)
                        && found.inode == inode
                    {
                        return Ok(Some(found));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => withheld = Some(error),
                _ => {}
            }
        }
        withheld.map_or(Ok(None), |error| Err(Error::namespace("look for one", error)))
    }

    /// The inode number of the namespace's file, which the kernel's programs see as `net->ns.inum`.
    #[must_use]
    pub fn inode(&self) -> u32 {
        self.inode
    }

    /// Runs `work` inside this namespace and returns its value. It runs on a thread of its own, so the caller's
    /// namespace never changes, whatever happens in there. Sockets that `work` opens belong to this namespace for
    /// good and may be returned. Where the caller is inside already nothing is entered, which would take
    /// `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::Namespace`] where the namespace cannot be entered.
    ///
    /// # Panics
    /// Where `work` does, with the same payload.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_own_thread("enter it", || {
            // A new thread starts in the namespace of the one that made it.
            if !self.is_here() {
                enter_network(self.as_fd()).map_err(|error| Error::namespace("enter it", error))?;
            }
            Ok(work())
        })?
    }

    /// Whether the calling thread is in it. The open file keeps the number from being given to another.
    fn is_here(&self) -> bool {
        fs::metadata(OF_THIS_THREAD).is_ok_and(|own| own.ino() == u64::from(self.inode))
    }

    /// Operations on the interfaces of this namespace, to be used from any thread.
    ///
    /// # Errors
    /// [`Error::Namespace`] as [`Netns::run`]; [`Error::List`] where netlink sockets are forbidden.
    pub fn links(&self) -> Result<Links, Error> {
        self.run(Links::open)?
    }

    /// News of the interfaces of this namespace.
    ///
    /// # Errors
    /// As [`Netns::links`].
    pub fn watch(&self) -> Result<LinkWatch, Error> {
        self.run(LinkWatch::open)?
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open_current() -> io::Result<Netns> {
    open(Path::new(OF_THIS_THREAD))
}

/// Where `ip netns` keeps namespaces by name.
fn named() -> impl Iterator<Item = PathBuf> {
    fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|entry| entry.path())
}

fn of_processes() -> impl Iterator<Item = PathBuf> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered =
        processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    numbered.map(|entry| entry.path().join("ns/net"))
}

fn open(path: &Path) -> io::Result<Netns> {
    let file = File::open(path)?;
    // The kernel numbers namespaces with 32 bits (struct ns_common).
    let inode = u32::try_from(file.metadata()?.ino()).map_err(io::Error::other)?;
    Ok(Netns { file, inode })
}

fn on_own_thread<T: Send>(operation: &'static str, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|error| Error::namespace(operation, error))?;
        worker.join().map_or_else(|payload| panic::resume_unwind(payload), Ok)
    })
}
