//! Promiscuous mode for mirror ports and TAPs, whose frames are addressed to others.

use std::os::fd::OwnedFd;

use super::Error;
use crate::sys::ifname::index_of;
use crate::sys::packet::join_promiscuous;

/// Holds an interface in promiscuous mode until dropped. The kernel counts the holders and takes this one's share
/// back when the process ends, even by kill -9; nobody else's is touched.
#[derive(Debug)]
pub struct Promiscuous {
    /// The membership lives in this socket.
    _socket: OwnedFd,
}

impl Promiscuous {
    /// For the interface called `name` in the current network namespace. Needs `CAP_NET_RAW`.
    ///
    /// # Errors
    /// [`Error::Interface`] without the capability, or where there is no such interface.
    pub fn enable(name: &str) -> Result<Self, Error> {
        let joined = index_of(name).and_then(join_promiscuous);
        let socket =
            joined.map_err(|error| Error::refused(name, "hold it in promiscuous mode", error.into()))?;
        Ok(Self { _socket: socket })
    }
}
