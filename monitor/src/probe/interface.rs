//! An interface that is watched: an index means nothing without the network namespace it counts in.

use std::path::Path;
use std::sync::Arc;

use monitor_common::InterfaceKey;
use monitor_core::packet::InterfaceId;

use super::ProbeError;
use crate::netns::Netns;
use crate::{served, sys};

/// One interface, found in its namespace.
#[derive(Clone, Debug)]
pub struct Interface {
    /// The number by which events name it.
    pub id: InterfaceId,
    /// Its name when it was found.
    pub name: String,
    /// Namespace and index.
    pub key: InterfaceKey,
    /// Interrupt lines of its hardware.
    pub irqs: Vec<u32>,
    /// The namespace it lives in.
    pub netns: Arc<Netns>,
}

impl Interface {
    /// Looks an interface up by name in a namespace.
    ///
    /// # Errors
    /// Where there is none of that name, with the names that there are.
    pub fn find(netns: &Arc<Netns>, name: &str, id: InterfaceId) -> Result<Self, ProbeError> {
        let failed = |source| ProbeError::Namespace { name: name.to_owned(), source };
        let index = netns
            .run(|| sys::ifname::index_of(name))
            .map_err(|error| failed(std::io::Error::other(error)))?;
        let ifindex =
            index.map_err(|_| ProbeError::NoInterface { name: name.to_owned(), present: present(netns) })?;
        let key = InterfaceKey { netns: netns.inode(), ifindex };
        // What /sys shows here are this namespace's: another's interface of the same name has no part in their interrupts.
        let is_shown = Netns::current().is_ok_and(|here| here.inode() == key.netns);
        let irqs = if is_shown { served::lines(Path::new("/"), name) } else { Vec::new() };
        Ok(Self { id, name: name.to_owned(), key, irqs, netns: Arc::clone(netns) })
    }

    /// Looks up all of them, numbered from 0. One that is named twice, or by another of its names too, is found once.
    ///
    /// # Errors
    /// As [`Interface::find`].
    pub fn find_all(wanted: &[(Arc<Netns>, String)]) -> Result<Vec<Self>, ProbeError> {
        let mut found: Vec<Self> = Vec::new();
        let mut ids = (0..).map(InterfaceId);
        for (netns, name) in wanted {
            let interface = Self::find(netns, name, InterfaceId::default())?;
            if found.iter().all(|one| one.key != interface.key) {
                found.extend(ids.next().map(|id| Self { id, ..interface }));
            }
        }
        Ok(found)
    }
}

fn present(netns: &Netns) -> String {
    let names = netns.run(crate::netns::interfaces).ok().and_then(Result::ok).unwrap_or_default();
    names.into_iter().map(|interface| interface.name).collect::<Vec<_>>().join(", ")
}
