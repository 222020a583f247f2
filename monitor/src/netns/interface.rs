//! What the kernel says about one interface.
//!
//! Read attribute by attribute rather than as a whole message: an attribute of a newer kernel that cannot be read
//! costs only itself.

use std::fmt;

use netlink_packet_core::{NlasIterator, parse_string, parse_u32};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkLayerType, State};

use super::{Error, Links};
use crate::losses::LinkCounts;

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(out, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// One interface at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number within the namespace.
    pub index: u32,
    /// Its name, which may change.
    pub name: String,
    /// The kind of a virtual one ("veth", "vlan", "bond"); `None` for hardware and loopback.
    pub kind: Option<String>,
    /// Number of the interface that this one lies on, where that is another of the same namespace: a VLAN's.
    pub lower: Option<u32>,
    /// Switched on (`IFF_UP`).
    pub up: bool,
    /// Switched on and able to pass frames: the link has a carrier (RFC 2863 "up", or unknown where the driver
    /// does not tell).
    pub running: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// Largest payload of a link-layer frame, bytes.
    pub mtu: u32,
    /// The Ethernet address; `None` where the link is not Ethernet.
    pub mac: Option<MacAddress>,
    /// How many hold it in promiscuous mode; `IFF_PROMISC` shows only those who set the flag by hand.
    pub promiscuity: u32,
    /// Number of the XDP program on it, where there is one.
    pub xdp_program: Option<u32>,
}

/// Every interface of the current network namespace.
///
/// # Errors
/// [`Error::List`] where netlink sockets are forbidden.
pub fn interfaces() -> Result<Vec<Interface>, Error> {
    Links::open()?.interfaces()
}

/// Attribute numbers of `include/uapi/linux/if_link.h`.
mod ifla {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const IFNAME: u16 = 3;
    pub(super) const MTU: u16 = 4;
    pub(super) const LINK: u16 = 5;
    pub(super) const OPERSTATE: u16 = 16;
    pub(super) const LINKINFO: u16 = 18;
    pub(super) const STATS64: u16 = 23;
    pub(super) const PROMISCUITY: u16 = 30;
    pub(super) const LINK_NETNSID: u16 = 37;
    pub(super) const XDP: u16 = 43;
    pub(super) const XDP_PROG_ID: u16 = 4;
    pub(super) const INFO_KIND: u16 = 1;
}

/// Bytes of the header in front of the attributes (`struct ifinfomsg`).
const HEADER: usize = 16;

/// The receive counters in the body of an `RTM_NEWLINK`, with the interface's number.
pub(super) fn parse_counts(body: &[u8]) -> Option<(u32, LinkCounts)> {
    let header = LinkHeader::parse(body).ok()?;
    let stats = NlasIterator::new(body.get(HEADER..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == ifla::STATS64)?;
    Some((header.index, LinkCounts::parse(stats.value())?))
}

/// The body of an `RTM_NEWLINK` or `RTM_DELLINK`. `None` for a message that is cut short, and for those that speak of
/// a bridge's port rather than of an interface (family `AF_BRIDGE`): a port that leaves its bridge is not gone.
pub(super) fn parse(body: &[u8]) -> Option<Interface> {
    let header = LinkHeader::parse(body).ok()?;
    if header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let mut interface = Interface {
        index: header.index,
        name: String::new(),
        kind: None,
        lower: None,
        up: header.flags.contains(LinkFlags::Up),
        running: false,
        loopback: header.flags.contains(LinkFlags::Loopback),
        mtu: 0,
        mac: None,
        promiscuity: 0,
        xdp_program: None,
    };
    let mut state = State::Unknown;
    let mut lower_elsewhere = false;
    for attribute in NlasIterator::new(body.get(HEADER..)?).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            ifla::IFNAME => interface.name = parse_string(value).unwrap_or_default(),
            ifla::MTU => interface.mtu = parse_u32(value).unwrap_or_default(),
            ifla::PROMISCUITY => interface.promiscuity = parse_u32(value).unwrap_or_default(),
            ifla::LINK => interface.lower = parse_u32(value).ok().filter(|&index| index != header.index),
            ifla::LINK_NETNSID => lower_elsewhere = true,
            ifla::XDP => interface.xdp_program = xdp_program(value),
            ifla::OPERSTATE => state = value.first().map_or(State::Unknown, |&byte| State::from(byte)),
            ifla::LINKINFO => interface.kind = kind(value),
            ifla::ADDRESS if header.link_layer_type == LinkLayerType::Ether => {
                interface.mac = value.try_into().ok().map(MacAddress);
            }
            _ => {}
        }
    }
    interface.lower = interface.lower.filter(|_| !lower_elsewhere);
    interface.running = running(header.flags, state, interface.kind.as_deref());
    Some(interface)
}

fn kind(link_info: &[u8]) -> Option<String> {
    NlasIterator::new(link_info)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == ifla::INFO_KIND)
        .and_then(|attribute| parse_string(attribute.value()).ok())
}

fn xdp_program(xdp: &[u8]) -> Option<u32> {
    NlasIterator::new(xdp)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == ifla::XDP_PROG_ID)
        .and_then(|attribute| parse_u32(attribute.value()).ok())
}

/// `IFF_RUNNING` also stands while the operational state is unknown. A veth always tells its state, but only some
/// time after it is switched on; until then its queue discards what is sent.
fn running(flags: LinkFlags, state: State, kind: Option<&str>) -> bool {
    flags.contains(LinkFlags::Up | LinkFlags::Running) && (kind != Some("veth") || state == State::Up)
}

#[cfg(test)]
pub(super) mod tests {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage, LinkXdp, XdpAttached};

    use super::*;

    /// A message as the kernel sends it.
    pub(in crate::netns) fn message(index: u32, name: &str, flags: LinkFlags, state: State) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.header.flags = flags;
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Mtu(1500),
            LinkAttribute::OperState(state),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 0x1f]),
            LinkAttribute::Promiscuity(1),
            LinkAttribute::Xdp(vec![LinkXdp::Attached(XdpAttached::Driver), LinkXdp::ProgId(77)]),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
        ];
        message
    }

    pub(in crate::netns) fn bytes(message: &LinkMessage) -> Vec<u8> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }

    const ON: LinkFlags = LinkFlags::Up.union(LinkFlags::Running);

    #[test]
    fn reads_every_field() {
        let interface = parse(&bytes(&message(7, "veth7", ON, State::Up))).unwrap();
        let wanted = Interface {
            index: 7,
            name: "veth7".to_owned(),
            kind: Some("veth".to_owned()),
            lower: None,
            up: true,
            running: true,
            loopback: false,
            mtu: 1500,
            mac: Some(MacAddress([2, 0, 0, 0, 0, 0x1f])),
            promiscuity: 1,
            xdp_program: Some(77),
        };
        assert_eq!(interface, wanted);
        assert_eq!(interface.mac.unwrap().to_string(), "02:00:00:00:00:1f");
    }

    #[test]
    fn a_vlan_says_what_it_lies_on_where_that_is_here() {
        let mut vlan = message(8, "eth1.5", ON, State::Up);
        vlan.attributes.push(LinkAttribute::Link(7));
        assert_eq!(parse(&bytes(&vlan)).unwrap().lower, Some(7));
        vlan.attributes.push(LinkAttribute::LinkNetNsId(0));
        assert_eq!(parse(&bytes(&vlan)).unwrap().lower, None, "its number counts elsewhere");
        let mut hardware = message(7, "eth1", ON, State::Up);
        hardware.attributes.push(LinkAttribute::Link(7));
        assert_eq!(parse(&bytes(&hardware)).unwrap().lower, None, "its own");
    }

    #[test]
    fn a_veth_whose_state_is_not_known_yet_is_not_running() {
        assert!(!parse(&bytes(&message(7, "veth7", ON, State::Unknown))).unwrap().running);
        let mut hardware = message(7, "eth0", ON, State::Unknown);
        hardware.attributes.pop();
        assert!(parse(&bytes(&hardware)).unwrap().running);
    }

    #[test]
    fn a_bridges_view_of_its_port_is_passed_over() {
        let mut port = message(7, "veth7", ON, State::Up);
        port.header.interface_family = AddressFamily::Bridge;
        assert_eq!(parse(&bytes(&port)), None);
    }

    #[test]
    fn no_cut_of_a_message_panics() {
        let whole = bytes(&message(7, "veth7", ON, State::Up));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]).is_some(), length >= HEADER);
        }
    }
}
