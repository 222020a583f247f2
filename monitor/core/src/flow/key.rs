//! What makes a flow one.

use std::hash::{Hash, Hasher};

use crate::packet::{Endpoint, VlanTag};

/// Identity of a TCP flow, one direction of a connection.
///
/// The interface is no part of it: a TAP gives each direction on an interface of its own, and one direction may come by
/// two. What addresses and ports do not tell apart, sequence numbers do: see the module `tcp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowKey {
    /// VLAN identifiers of the outermost tag and of the next inside: addresses may repeat from VLAN to VLAN.
    pub vlans: [Option<u16>; 2],
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
}

impl FlowKey {
    /// From a packet's tags. One that carries a priority alone (IEEE 802.1Q, identifier 0) says nothing of a VLAN.
    #[must_use]
    pub fn new(tags: [Option<VlanTag>; 2], source: Endpoint, destination: Endpoint) -> Self {
        Self { vlans: vlans(tags), source, destination }
    }

    /// The other direction.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        let Self { vlans, source, destination } = *self;
        Self { vlans, source: destination, destination: source }
    }
}

/// The VLANs that tags name.
pub(super) fn vlans(tags: [Option<VlanTag>; 2]) -> [Option<u16>; 2] {
    tags.map(|tag| tag.map(|tag| tag.id).filter(|id| *id != 0))
}

impl Hash for FlowKey {
    /// Few steps: it is done for every segment.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { vlans, source, destination } = self;
        let [outer, inner] = vlans.map(|id| id.map_or(0, |id| usize::from(id) + 1));
        state.write_usize(
            outer << 48 | inner << 32 | usize::from(source.port) << 16 | usize::from(destination.port),
        );
        state.write(&source.address);
        state.write(&destination.address);
    }
}
