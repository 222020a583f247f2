//! Changes to the interfaces of one namespace.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::rtnetlink::Rtnetlink;
use super::{Error, Interface, MacAddress, Netns};
use crate::losses::LinkCounts;

/// The longest interface name in bytes (`IFNAMSIZ` less the zero).
const NAME_LIMIT: usize = 15;
/// As the number of an interface to be made: the kernel takes the next free one.
const KERNELS_CHOICE: u32 = 0;
/// In place of an XDP program: none.
const NO_PROGRAM: i32 = -1;
/// Only where the program that is on it is the one expected (`include/uapi/linux/if_link.h`).
const XDP_FLAGS_REPLACE: u32 = 1 << 4;
/// Between two looks at an interface that is coming up.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A netlink socket of one namespace. It belongs to the namespace in which it was opened, wherever it is used, and
/// keeps that alive. Every change needs `CAP_NET_ADMIN` there.
#[derive(Debug)]
pub struct Links {
    pub(super) route: Rtnetlink,
}

impl Links {
    /// For the current network namespace.
    ///
    /// # Errors
    /// [`Error::List`] where netlink sockets are forbidden.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { route: Rtnetlink::open().map_err(Error::List)? })
    }

    /// Every interface.
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn interfaces(&mut self) -> Result<Vec<Interface>, Error> {
        self.route.interfaces().map_err(Error::List)
    }

    /// The receive counters of every interface, by its number.
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn receive_counts(&mut self) -> Result<Vec<(u32, LinkCounts)>, Error> {
        self.route.receive_counts().map_err(Error::List)
    }

    /// The interface called `name`.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`], naming those that exist.
    pub fn interface(&mut self, name: &str) -> Result<Interface, Error> {
        let mut interfaces = self.interfaces()?;
        if let Some(place) = interfaces.iter().position(|one| one.name == name) {
            return Ok(interfaces.swap_remove(place));
        }
        let present: Vec<_> = interfaces.into_iter().map(|one| one.name).collect();
        Err(Error::NoSuchInterface { name: name.to_owned(), present: present.join(", ") })
    }

    /// A veth pair: `name` here, `peer` in `peer_netns`, both down, numbered by the kernel.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::Interface`] where a name is taken or the kernel has no veth.
    pub fn create_veth(&mut self, name: &str, peer: &str, peer_netns: &Netns) -> Result<(), Error> {
        self.create_numbered_veth((name, KERNELS_CHOICE), (peer, KERNELS_CHOICE), peer_netns)
    }

    /// The same with a number for each end, which must be free in its namespace.
    pub(super) fn create_numbered_veth(
        &mut self,
        (name, index): (&str, u32),
        (peer, peer_index): (&str, u32),
        peer_netns: &Netns,
    ) -> Result<(), Error> {
        let mut other = named(peer)?;
        other.header.index = peer_index;
        other.attributes.push(LinkAttribute::NetNsFd(peer_netns.as_fd().as_raw_fd()));
        let data = InfoData::Veth(InfoVeth::Peer(other));
        let mut message = named(name)?;
        message.header.index = index;
        message
            .attributes
            .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)]));
        self.create(name, "create the veth pair", message)
    }

    /// A VLAN interface `name` with identifier `vlan` (1 to 4094) on top of `parent`, down.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::NoSuchInterface`] for the parent; [`Error::Interface`] where the name is taken, the
    /// identifier is out of range, or the kernel has no VLANs.
    pub fn create_vlan(&mut self, parent: &str, name: &str, vlan: u16) -> Result<(), Error> {
        let mut message = named(name)?;
        let data = InfoData::Vlan(vec![InfoVlan::Id(vlan)]);
        message.attributes.push(LinkAttribute::Link(self.interface(parent)?.index));
        message
            .attributes
            .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(data)]));
        self.create(name, "create the VLAN interface", message)
    }

    /// Deletes an interface; of a veth pair, both ends.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::Interface`] for one that cannot be deleted (hardware, loopback).
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = self.interface(name)?.index;
        self.change(name, "delete it", RouteNetlinkMessage::DelLink(message), 0)
    }

    /// Takes an XDP program off an interface that was attached through netlink, if it is `program`.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::Interface`] where another program, or one held by a link, is on it.
    pub fn remove_xdp(&mut self, name: &str, program: BorrowedFd<'_>) -> Result<(), Error> {
        let expected = LinkXdp::ExpectedFd(program.as_raw_fd().cast_unsigned());
        let none = vec![LinkXdp::Fd(NO_PROGRAM), expected, LinkXdp::Flags(XDP_FLAGS_REPLACE)];
        self.set(name, "take the XDP program off it", |message| {
            message.attributes.push(LinkAttribute::Xdp(none));
        })
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`], [`Error::Interface`].
    pub fn set_up(&mut self, name: &str) -> Result<(), Error> {
        self.set(name, "switch it on", |message| set_flag(message, LinkFlags::Up))
    }

    /// Switches an interface off.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`], [`Error::Interface`].
    pub fn set_down(&mut self, name: &str) -> Result<(), Error> {
        self.set(name, "switch it off", |message| set_flag(message, LinkFlags::empty()))
    }

    /// Sets the largest payload of a frame in bytes.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::Interface`] where the driver does not take it.
    pub fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), Error> {
        self.set(name, "set its MTU", |message| message.attributes.push(LinkAttribute::Mtu(mtu)))
    }

    /// Renames an interface, which on older kernels has to be down.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::NoSuchInterface`]; [`Error::Interface`] where the new name is taken.
    pub fn rename(&mut self, name: &str, to: &str) -> Result<(), Error> {
        let wanted = named(to)?.attributes;
        self.set(name, "rename it", |message| message.attributes.extend(wanted))
    }

    /// Adds an address, usable at once: duplicate address detection is left out (`IFA_F_NODAD`), which is right where
    /// the caller gives out all addresses of a link.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::Interface`] where it is there already or the prefix is too long.
    pub fn add_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<(), Error> {
        let mut message = AddressMessage::default();
        message.header.index = self.interface(name)?.index;
        message.header.family = family(address);
        message.header.prefix_len = prefix;
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        let request = RouteNetlinkMessage::NewAddress(message);
        self.change(name, "add the address", request, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Adds or replaces a permanent neighbour entry, so that no ARP or neighbour discovery precedes the first frame.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`], [`Error::Interface`].
    pub fn add_neighbour(&mut self, name: &str, address: IpAddr, mac: MacAddress) -> Result<(), Error> {
        let mut message = NeighbourMessage::default();
        message.header.ifindex = self.interface(name)?.index;
        message.header.family = family(address);
        message.header.state = NeighbourState::Permanent;
        message.attributes = vec![
            NeighbourAttribute::Destination(address.into()),
            NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()),
        ];
        let request = RouteNetlinkMessage::NewNeighbour(message);
        self.change(name, "add the neighbour", request, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Waits until the interface passes frames ([`Interface::running`]).
    ///
    /// # Errors
    /// [`Error::NotUp`] after `within`; [`Error::NoSuchInterface`].
    pub fn wait_running(&mut self, name: &str, within: Duration) -> Result<Interface, Error> {
        let start = Instant::now();
        loop {
            let interface = self.interface(name)?;
            if interface.running {
                return Ok(interface);
            }
            if start.elapsed() > within {
                return Err(Error::NotUp { interface: name.to_owned(), waited: within });
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn create(&mut self, name: &str, operation: &'static str, message: LinkMessage) -> Result<(), Error> {
        self.change(name, operation, RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    fn set(
        &mut self,
        name: &str,
        operation: &'static str,
        fill: impl FnOnce(&mut LinkMessage),
    ) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = self.interface(name)?.index;
        fill(&mut message);
        self.change(name, operation, RouteNetlinkMessage::SetLink(message), 0)
    }

    fn change(
        &mut self,
        name: &str,
        operation: &'static str,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), Error> {
        self.route.change(request, flags).map_err(|refused| Error::refused(name, operation, refused))
    }
}

fn named(name: &str) -> Result<LinkMessage, Error> {
    let possible = (1..=NAME_LIMIT).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
        && name != "."
        && name != "..";
    if !possible {
        return Err(Error::Name(name.to_owned()));
    }
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    Ok(message)
}

fn set_flag(message: &mut LinkMessage, flags: LinkFlags) {
    message.header.flags = flags;
    message.header.change_mask = LinkFlags::Up;
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_would_refuse_are_refused_with_the_rule() {
        for wrong in ["", "sixteen-bytes-xx", "a/b", "a b", "a:1", ".", "..", "a\0"] {
            assert!(matches!(named(wrong), Err(Error::Name(_))), "{wrong:?}");
        }
        assert!(named("fifteen-bytes-x").is_ok());
    }

    #[test]
    fn an_interface_that_is_not_there_is_named_with_those_that_are() {
        let text = Links::open().unwrap().interface("no-such-if").unwrap_err().to_string();
        assert!(text.contains("no-such-if does not exist") && text.contains("lo"), "{text}");
    }
}
