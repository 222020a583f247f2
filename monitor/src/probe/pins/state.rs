//! Where an instance's interfaces are now: they go away, come back, are renamed, are moved.

use monitor_common::InterfaceKey;
use serde::Serialize;

use super::{InterfaceRecord, clsact, directory::Directory, open};
use crate::{
    netns::Netns,
    probe::Hook,
    sys::{bpf, ifname},
};

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
    /// It has been moved to another network namespace, where its frames are not known: `attach --reattach` there knows
    /// them again.
    Moved,
    /// It is there, but somebody has taken programs off it: attaching to it again puts them back.
    Detached,
    /// It has gone.
    Gone,
    /// It has gone, and another of its name is there: `attach --reattach` attaches to that.
    Replaced {
        /// Index of the one that is there now.
        #[serde(rename = "now_ifindex")]
        ifindex: u32,
    },
}

impl InterfaceState {
    /// Whether frames of the interface are stamped, kept and known.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        matches!(self, Self::Attached | Self::Renamed { .. } | Self::Elsewhere)
    }
}

/// Where all of an interface's programs are.
enum Programs {
    /// On the interface with this index, in whichever namespace.
    On(u32),
    /// Not all of them are on one interface.
    Off,
}

pub(super) fn of(directory: &Directory, interface: &InterfaceRecord, hook: Hook) -> InterfaceState {
    let InterfaceRecord { key, name, .. } = interface;
    let here = is_here(*key);
    match programs(directory, interface, hook, here) {
        Programs::On(index) if index != key.ifindex => InterfaceState::Moved,
        Programs::On(_) if !here && is_on(directory, interface, key.ifindex) => InterfaceState::Moved,
        Programs::On(_) if !here => InterfaceState::Elsewhere,
        Programs::On(_) => match ifname::name_of(key.ifindex) {
            Ok(now) if now != *name => InterfaceState::Renamed { now },
            Ok(_) => InterfaceState::Attached,
            Err(_) => InterfaceState::Moved,
        },
        Programs::Off if !here => InterfaceState::Gone,
        Programs::Off if ifname::name_of(key.ifindex).is_ok() => InterfaceState::Detached,
        Programs::Off => match ifname::index_of(name) {
            Ok(ifindex) => InterfaceState::Replaced { ifindex },
            Err(_) => InterfaceState::Gone,
        },
    }
}

/// Whether an interface has all its programs, under the index that is written down.
pub(super) fn is_linked(directory: &Directory, interface: &InterfaceRecord, hook: Hook) -> bool {
    let found = programs(directory, interface, hook, is_here(interface.key));
    matches!(found, Programs::On(index) if index == interface.key.ifindex)
}

fn is_here(key: InterfaceKey) -> bool {
    Netns::current().is_ok_and(|netns| netns.inode() == key.netns)
}

fn programs(directory: &Directory, interface: &InterfaceRecord, hook: Hook, here: bool) -> Programs {
    // Filters are to be seen in their own namespace alone; what cannot be seen is taken for as it was.
    let filters = match (clsact::is_used(interface), here) {
        (false, _) => Vec::new(),
        (true, false) => return Programs::On(interface.key.ifindex),
        (true, true) => clsact::own(directory, interface).unwrap_or_default(),
    };
    let mut places = open::programs_on_interfaces(hook).map(|name| {
        let pin = directory.hook_link(interface.id, name);
        let by_link = bpf::open_pin(&pin).and_then(|link| bpf::told_of(&link, "ifindex")).ok();
        let by_link = by_link.and_then(|index| u32::try_from(index).ok());
        let has_filter = || {
            let way = open::way_of(name);
            filters.iter().any(|filter| way.is_some_and(|way| clsact::side_of(way) == filter.side))
        };
        by_link.or_else(|| has_filter().then_some(interface.key.ifindex))
    });
    let Some(Some(first)) = places.next() else { return Programs::Off };
    // A link outlives its interface, but attached to index 0.
    if first != 0 && places.all(|place| place == Some(first)) { Programs::On(first) } else { Programs::Off }
}

/// Whether it is the instance's program, attached as to `interface`, that is on the interface numbered `index` of this
/// namespace. No where this user may not ask (`CAP_NET_ADMIN`).
pub(super) fn is_on(directory: &Directory, interface: &InterfaceRecord, index: u32) -> bool {
    let pin = directory.hook_link(interface.id, open::EGRESS);
    let own = bpf::open_pin(&pin).and_then(|link| bpf::told_of(&link, "link_id"));
    let there = bpf::tcx_egress_links(index).unwrap_or_default();
    own.is_ok_and(|own| there.into_iter().any(|one| u64::from(one) == own))
}
