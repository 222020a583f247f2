//! Where an instance's interfaces are now: they go away, come back, are renamed, are moved.

use serde::Serialize;

use crate::netns::Netns;
use crate::probe::pins::{InterfaceRecord, Pinned};
use crate::sys::ifname;

/// What became of an interface since it was attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum InterfaceState {
    /// It is attached, under the name it had.
    Attached,
    /// It is attached, under another name.
    Renamed {
        /// Its name now.
        now: String,
    },
    /// It is attached, in a network namespace that is not this one.
    Elsewhere,
    /// It is there, but somebody has taken programs off it: attaching to it again puts them back.
    Detached,
    /// It has gone.
    Gone,
    /// It has gone, and another of its name is there: `attach --reattach` attaches to that.
    Replaced {
        /// Index of the one that is there now.
        ifindex: u32,
    },
}

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
            state: state(pinned.is_attached_to(record), record),
        }
    }
}

fn state(attached: bool, record: &InterfaceRecord) -> InterfaceState {
    let here = Netns::current().is_ok_and(|netns| netns.inode() == record.key.netns);
    if attached && !here {
        return InterfaceState::Elsewhere;
    }
    if attached {
        return match ifname::name_of(record.key.ifindex) {
            Ok(now) if now != record.name => InterfaceState::Renamed { now },
            Ok(_) => InterfaceState::Attached,
            // The link is alive, so the interface is; it has been moved to another namespace.
            Err(_) => InterfaceState::Elsewhere,
        };
    }
    match ifname::index_of(&record.name) {
        Ok(ifindex) if here && ifindex == record.key.ifindex => InterfaceState::Detached,
        Ok(ifindex) if here => InterfaceState::Replaced { ifindex },
        _ => InterfaceState::Gone,
    }
}
