//! Where an instance's interfaces are now: they go away, come back, are renamed, are moved.

use serde::Serialize;

use crate::probe::pins::{InterfaceRecord, InterfaceState, Pinned};

/// One interface of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceStatus {
    /// Its name when it was attached to.
    pub name: String,
    /// Its index in its namespace.
    pub ifindex: u32,
    /// Inode number of that namespace.
    pub netns: u32,
    /// What became of it.
    #[serde(flatten)]
    pub state: InterfaceState,
}

impl InterfaceStatus {
    pub(super) fn of(pinned: &Pinned, record: &InterfaceRecord) -> Self {
        Self {
            name: record.name.clone(),
            ifindex: record.key.ifindex,
            netns: record.key.netns,
            state: pinned.state_of(record),
        }
    }
}
