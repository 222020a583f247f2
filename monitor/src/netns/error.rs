//! What can go wrong with namespaces and interfaces, each with the remedy.

use std::io;
use std::time::Duration;

use super::rtnetlink::Refused;

/// An operation on a namespace or an interface that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Making, opening or entering a namespace.
    #[error("network namespace: cannot {operation}: {source}; {remedy}")]
    Namespace {
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// An interface that does not exist here.
    #[error("interface {name} does not exist in this network namespace, which has: {present}")]
    NoSuchInterface {
        /// As asked for.
        name: String,
        /// Those that exist, separated by commas.
        present: String,
    },
    /// A name that the kernel cannot take.
    #[error(
        "interface name {0:?} is not possible: 1 to 15 bytes without spaces, control characters, slashes or colons"
    )]
    Name(String),
    /// The kernel refused a change.
    #[error("interface {interface}: cannot {operation}: {source}{detail}; {remedy}")]
    Interface {
        /// Its name.
        interface: String,
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
        /// The kernel's own explanation in parentheses, or nothing.
        detail: String,
        /// What to do.
        remedy: &'static str,
    },
    /// No carrier in time.
    #[error("interface {interface} is not operational after {waited:?}; check that its other end is up")]
    NotUp {
        /// Its name.
        interface: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The list of interfaces could not be had.
    #[error(
        "cannot list the interfaces of this network namespace: {0}; a sandbox may forbid netlink sockets"
    )]
    List(#[source] io::Error),
}

impl Error {
    pub(super) fn namespace(operation: &'static str, source: io::Error) -> Self {
        let remedy = match source.raw_os_error() {
            Some(libc::EPERM) => "CAP_SYS_ADMIN is missing; run as root or grant it",
            Some(libc::EACCES) => "run as root, or in that namespace",
            Some(libc::ENOSPC) => "the limit of user.max_net_namespaces is reached; raise it",
            Some(libc::ENOENT) => "mount /proc, and use a kernel with network namespaces",
            _ => "the host has run out of a resource (descriptors, threads, memory)",
        };
        Self::Namespace { operation, source, remedy }
    }

    pub(super) fn refused(interface: &str, operation: &'static str, refused: Refused) -> Self {
        let remedy = remedy(refused.error.raw_os_error());
        let detail = refused.detail.map(|text| format!(" ({text})")).unwrap_or_default();
        Self::Interface { interface: interface.to_owned(), operation, source: refused.error, detail, remedy }
    }
}

/// What to do about an error number of rtnetlink(7) or packet(7).
fn remedy(errno: Option<i32>) -> &'static str {
    match errno {
        Some(libc::EPERM) => {
            "CAP_NET_ADMIN (CAP_NET_RAW for promiscuous mode) is missing; run as root or grant it"
        }
        Some(libc::EEXIST) => "it exists already; choose another, or delete that first",
        Some(libc::EOPNOTSUPP) => "this kernel lacks it; load the module (veth, 8021q) or use another kernel",
        Some(libc::EACCES | libc::EAFNOSUPPORT) => "IPv6 is switched off here; switch it on or use IPv4",
        Some(libc::ENODEV | libc::ENXIO) => "the interface has gone away",
        Some(libc::EINVAL | libc::ERANGE | libc::EADDRNOTAVAIL) => {
            "a value is outside of what this interface takes"
        }
        _ => "see the kernel log",
    }
}
