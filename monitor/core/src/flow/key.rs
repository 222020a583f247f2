//! What makes a flow one.

use crate::packet::{Content, Endpoint, InterfaceId, Packet, Transport};

/// Identity of a flow, one direction of it. The same packet seen on two interfaces is in two flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Where it was seen.
    pub interface: InterfaceId,
    /// VLAN identifier of the outermost tag, where there is one: addresses may repeat from VLAN to VLAN.
    pub vlan: Option<u16>,
    /// VLAN identifier of the next tag inside.
    pub inner_vlan: Option<u16>,
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// UDP or TCP.
    pub transport: Transport,
}

impl FlowKey {
    /// The flow that a packet belongs to; none for fragments, which carry no ports, and for what is neither UDP nor
    /// TCP.
    #[must_use]
    pub fn of(interface: InterfaceId, packet: &Packet<'_>) -> Option<Self> {
        let (source, destination, transport) = match packet.content {
            Content::Udp(datagram) => (datagram.source, datagram.destination, Transport::Udp),
            Content::Tcp(segment) => (segment.source, segment.destination, Transport::Tcp),
            Content::Fragment(_) | Content::Other { .. } => return None,
        };
        let vlan = packet.vlan.map(|tag| tag.id);
        let inner_vlan = packet.inner_vlan.map(|tag| tag.id);
        Some(Self { interface, vlan, inner_vlan, source, destination, transport })
    }
}
