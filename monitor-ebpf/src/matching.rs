//! Is this packet one that was asked for? By direct packet access where the headers lie in the linear part, by
//! copying them first where they do not.
//!
//! The ports decide over nearly every packet of a host, and stand at the same place in nearly all: what is needed for
//! those stands in the program itself, everything else in functions that are called.

use monitor_common::{Matching, PacketCounters, Ports, Settings};

use crate::{
    bytes::{Bytes, Copied, Direct, Place, Window as _},
    connections,
    judged::Judged,
    others,
    packet::Packet,
};

const ETHERNET_HEADER: usize = 14;
const VLAN_TAG: usize = 4;
pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_IPV6: u16 = 0x86DD;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88A8;
pub const PROTOCOL_TCP: u8 = 6;
pub const PROTOCOL_UDP: u8 = 17;
const PROTOCOL_ICMPV6: u8 = 58;
const IPV6_HOP_BY_HOP: u8 = 0;
const IPV6_ROUTING: u8 = 43;
const IPV6_FRAGMENT: u8 = 44;
const IPV6_DESTINATION: u8 = 60;
const IPV4_HEADER: usize = 20;
/// Version 4, and 5 words of header.
const IPV4_WITHOUT_OPTIONS: u8 = 0x45;
/// "More fragments" and the offset, as they lie in the header; the two bits above them say nothing of the sort.
const IPV4_FRAGMENT: u16 = 0x3FFF_u16.to_be();
pub const IPV6_HEADER: usize = 40;
/// Where a TCP header says how long it is.
const TCP_DATA_OFFSET: usize = 12;
pub const UDP_HEADER: usize = 8;
/// IPv6 extension headers looked through before ports are given up.
const EXTENSION_HEADERS_MAX: usize = 4;
/// Bytes of a look: an IP header, and the ports.
const IPV4_LOOK: usize = IPV4_HEADER + 4;
const IPV6_LOOK: usize = IPV6_HEADER + 4;
/// Tags looked through in the packet's own bytes.
const TAGS_MAX: usize = 2;

/// First byte of every C37.118 frame.
pub const SYNC: u8 = 0xAA;
/// Frame type of a command (bits 6-4 of the second byte).
pub const TYPE_COMMAND: u8 = 4;
/// No frame begins here.
pub const NO_FRAME: u8 = 0xFF;
/// Largest frame type (CFG-3).
const TYPE_MAX: u8 = 5;

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// Judges a packet.
#[inline(always)]
pub fn judge<P: Packet>(
    packet: P,
    matching: *const Matching,
    counters: *mut PacketCounters,
    way: Way,
) -> Judged {
    let judged = by_one_look(packet, matching, way);
    if judged.is_candidate() { by_content(packet, judged, matching, counters, way) } else { judged }
}

/// By the bytes at which nearly every packet has all that decides; by all its headers where it has not.
#[inline(always)]
fn by_one_look<P: Packet>(packet: P, matching: *const Matching, way: Way) -> Judged {
    match look(Direct::of(packet), matching, way) {
        Some(judged) => judged,
        None => by_all_headers(packet, matching, way),
    }
}

/// At an Ethernet header with a tag or without, and an IP header with nothing between it and the ports. They are compared
/// as they lie there.
#[inline(always)]
fn look(bytes: Direct, matching: *const Matching, way: Way) -> Option<Judged> {
    const TAGGED: usize = ETHERNET_HEADER + VLAN_TAG;
    // One comparison with the packet's end is for all of what an untagged IPv4 packet is judged by.
    let look = bytes.window::<{ ETHERNET_HEADER + IPV4_LOOK }>(0)?;
    let outer = look.half::<{ ETHERNET_HEADER - 2 }>();
    if outer == ETHERTYPE_IPV4.to_be() {
        return ipv4_look(look.behind::<ETHERNET_HEADER>(), ETHERNET_HEADER, matching, way);
    }
    if outer == ETHERTYPE_IPV6.to_be() {
        return ipv6_look(bytes.window::<IPV6_LOOK>(ETHERNET_HEADER)?, ETHERNET_HEADER, matching, way);
    }
    if !is_tag(outer) {
        return Some(Judged::other(u16::from_be(outer)));
    }
    let inner = look.half::<{ TAGGED - 2 }>();
    if inner == ETHERTYPE_IPV4.to_be() {
        return ipv4_look(bytes.window::<IPV4_LOOK>(TAGGED)?, TAGGED, matching, way);
    }
    if inner == ETHERTYPE_IPV6.to_be() {
        return ipv6_look(bytes.window::<IPV6_LOOK>(TAGGED)?, TAGGED, matching, way);
    }
    (!is_tag(inner)).then(|| Judged::other(u16::from_be(inner)))
}

/// Of an IPv4 header and what stands behind one without options; none where that does not decide.
#[inline(always)]
fn ipv4_look(look: Place, network: usize, matching: *const Matching, way: Way) -> Option<Judged> {
    let carrier = Carrier {
        ethertype: ETHERTYPE_IPV4,
        network,
        transport: network + IPV4_HEADER,
        protocol: look.byte::<9>(),
        fragment: false,
    };
    if !carrier.has_ports() {
        return Some(Judged::other(ETHERTYPE_IPV4));
    }
    if look.byte::<0>() != IPV4_WITHOUT_OPTIONS || look.half::<6>() & IPV4_FRAGMENT != 0 {
        return None;
    }
    let (source, destination) = (look.half::<IPV4_HEADER>(), look.half::<{ IPV4_HEADER + 2 }>());
    Some(carrier.by_ports(source, destination, matching, way))
}

/// Of an IPv6 header and what stands behind one without extension headers; none where that does not decide.
#[inline(always)]
fn ipv6_look(look: Place, network: usize, matching: *const Matching, way: Way) -> Option<Judged> {
    let carrier = Carrier {
        ethertype: ETHERTYPE_IPV6,
        network,
        transport: network + IPV6_HEADER,
        protocol: look.byte::<6>(),
        fragment: false,
    };
    if !carrier.has_ports() {
        // Neighbours are asked for and told by what has none: most of what is neither TCP nor UDP.
        return (carrier.protocol == PROTOCOL_ICMPV6).then_some(Judged::other(ETHERTYPE_IPV6));
    }
    let (source, destination) = (look.half::<IPV6_HEADER>(), look.half::<{ IPV6_HEADER + 2 }>());
    Some(carrier.by_ports(source, destination, matching, way))
}

/// The same for any packet, wherever its headers lie.
#[inline(never)]
fn by_all_headers<P: Packet>(packet: P, matching: *const Matching, way: Way) -> Judged {
    let bytes = Direct::of(packet);
    let judged = by_headers(bytes, matching, way);
    if judged.is_cut() && packet.length() as usize > bytes.end - bytes.data {
        by_headers(Copied(packet), matching, way).copied()
    } else {
        judged
    }
}

/// Of an ethertype as it lies in the packet.
#[inline(always)]
fn is_tag(ethertype: u16) -> bool {
    ethertype == ETHERTYPE_VLAN.to_be() || ethertype == ETHERTYPE_SERVICE_VLAN.to_be()
}

/// The headers before those of the transport: what the verdict is made of.
#[derive(Clone, Copy)]
struct Carrier {
    ethertype: u16,
    /// Where the IP header begins.
    network: usize,
    /// Where the next header begins, and its number.
    transport: usize,
    protocol: u8,
    fragment: bool,
}

impl Carrier {
    /// Put into one number only where somebody will ask for it.
    #[inline(always)]
    fn judged(self) -> Judged {
        let found = Judged::transport(self.ethertype, self.network, self.transport, self.protocol);
        if self.fragment { found.as_fragment() } else { found }
    }

    #[inline(always)]
    fn has_ports(self) -> bool {
        self.protocol == PROTOCOL_TCP || self.protocol == PROTOCOL_UDP
    }

    #[inline(always)]
    fn verdict(self, bytes: impl Bytes, matching: *const Matching, way: Way) -> Judged {
        if !self.has_ports() {
            return Judged::other(self.ethertype);
        }
        if self.fragment {
            // Whether it is one of a packet that was asked for is seen when they are put together.
            return if way == Way::In { self.judged().matched() } else { Judged::other(self.ethertype) };
        }
        match bytes.window::<4>(self.transport) {
            Some(ports) => self.by_ports(ports.half::<0>(), ports.half::<2>(), matching, way),
            None => Judged::other(self.ethertype).cut(),
        }
    }

    /// The verdict by the ports, as they lie in the packet. A candidate is a packet of which the payload decides. Of
    /// what leaves this host only commands to a PMU are of interest: all of a TCP connection to its port, and the
    /// datagrams that begin like a command.
    #[inline(always)]
    fn by_ports(self, source: u16, destination: u16, matching: *const Matching, way: Way) -> Judged {
        let (matched, candidate) = match way {
            Way::In => {
                let asked_for = has_port(matching, source) || has_port(matching, destination);
                (asked_for, !asked_for && payload_decides(matching))
            }
            Way::Out => {
                let asked_for = has_port(matching, destination);
                let whole = asked_for && self.protocol == PROTOCOL_TCP;
                (whole, !whole && (asked_for || settings(matching).any_port != 0))
            }
        };
        if matched {
            self.judged().matched()
        } else if candidate {
            self.judged().candidate()
        } else {
            Judged::other(self.ethertype)
        }
    }
}

#[inline(always)]
pub fn settings(matching: *const Matching) -> Settings {
    // SAFETY: a field of a map value; user space replaces it while the programs run, each number at once.
    unsafe { (*matching).settings }
}

/// Whether the payload decides over what comes in by no port of ours.
#[inline(always)]
pub fn payload_decides(matching: *const Matching) -> bool {
    let Settings { any_port, discover, .. } = settings(matching);
    any_port | discover != 0
}

/// Of a port as it lies in the packet.
#[inline(always)]
fn has_port(matching: *const Matching, port: u16) -> bool {
    // SAFETY: as above; the index is below the number of words.
    let Ports { words } = unsafe { &(*matching).ports };
    words[usize::from(port >> 6)] >> (port & 63) & 1 == 1
}

/// Judges a candidate by the beginning of its payload.
#[inline(never)]
fn by_content<P: Packet>(
    packet: P,
    found: Judged,
    matching: *const Matching,
    counters: *mut PacketCounters,
    way: Way,
) -> Judged {
    let found = found.as_if_any();
    if found.is_copied() {
        content(Copied(packet), found, matching, counters, way)
    } else {
        content(Direct::of(packet), found, matching, counters, way)
    }
}

#[inline(always)]
fn content(
    bytes: impl Bytes,
    found: Judged,
    matching: *const Matching,
    counters: *mut PacketCounters,
    way: Way,
) -> Judged {
    let frame = frame_type(bytes, found);
    let any_port = settings(matching).any_port != 0;
    if any_port && found.is_tcp() {
        return connections::judge(bytes, found, frame, counters, way);
    }
    let wanted = match way {
        Way::In => frame != NO_FRAME || any_port && others::begins(bytes, found),
        Way::Out => frame == TYPE_COMMAND,
    };
    if !wanted {
        found.ignored()
    } else if any_port || way == Way::Out {
        found.matched()
    } else {
        found
    }
}

/// The frame type where the payload begins with a SYNC word, else [`NO_FRAME`].
#[inline(always)]
pub fn frame_type(bytes: impl Bytes, found: Judged) -> u8 {
    let Some(payload) = payload(bytes, found) else { return NO_FRAME };
    let Some(begin) = bytes.window::<2>(payload) else { return NO_FRAME };
    let (sync, second) = (begin.byte::<0>(), begin.byte::<1>());
    let (kind, version) = (second >> 4, second & 0x0F);
    let known = kind <= TYPE_MAX && (version == 1 || version == 2);
    if sync == SYNC && known { kind } else { NO_FRAME }
}

/// Where the payload begins.
#[inline(always)]
pub fn payload(bytes: impl Bytes, found: Judged) -> Option<usize> {
    if !found.is_tcp() {
        return Some(found.datagram());
    }
    let offset = bytes.window::<2>(found.transport_header() + TCP_DATA_OFFSET)?.byte::<0>();
    Some(found.transport_header() + usize::from(offset >> 4) * 4)
}

/// Source and destination.
#[inline(always)]
pub fn ports(bytes: impl Bytes, found: Judged) -> Option<(u16, u16)> {
    let ports = bytes.window::<4>(found.transport_header())?;
    Some((ports.number::<0>(), ports.number::<2>()))
}

/// Looks through the headers.
#[inline(always)]
pub fn by_headers(bytes: impl Bytes, matching: *const Matching, way: Way) -> Judged {
    let mut at = ETHERNET_HEADER;
    let Some(mut found) = ethertype(bytes, at) else { return Judged::other(0).cut() };
    for _ in 0..TAGS_MAX {
        if found != ETHERTYPE_VLAN && found != ETHERTYPE_SERVICE_VLAN {
            break;
        }
        at += VLAN_TAG;
        let Some(following) = ethertype(bytes, at) else { return Judged::other(found).cut() };
        found = following;
    }
    match found {
        ETHERTYPE_IPV4 => ipv4(bytes, at, matching, way),
        ETHERTYPE_IPV6 => ipv6(bytes, at, matching, way),
        _ => Judged::other(found),
    }
}

/// The ethertype that stands just before `at`.
#[inline(always)]
fn ethertype(bytes: impl Bytes, at: usize) -> Option<u16> {
    Some(bytes.window::<2>(at - 2)?.number::<0>())
}

#[inline(always)]
fn ipv4(bytes: impl Bytes, at: usize, matching: *const Matching, way: Way) -> Judged {
    let Some(header) = bytes.window::<IPV4_HEADER>(at) else {
        return Judged::other(ETHERTYPE_IPV4).cut();
    };
    let carrier = Carrier {
        ethertype: ETHERTYPE_IPV4,
        network: at,
        transport: at + usize::from(header.byte::<0>() & 0x0F) * 4,
        protocol: header.byte::<9>(),
        fragment: header.half::<6>() & IPV4_FRAGMENT != 0,
    };
    carrier.verdict(bytes, matching, way)
}

#[inline(always)]
fn ipv6(bytes: impl Bytes, start: usize, matching: *const Matching, way: Way) -> Judged {
    let cut = Judged::other(ETHERTYPE_IPV6).cut();
    let Some(header) = bytes.window::<IPV6_HEADER>(start) else { return cut };
    let mut next = header.byte::<6>();
    let mut at = start + IPV6_HEADER;
    let mut fragment = false;
    for _ in 0..EXTENSION_HEADERS_MAX {
        if next != IPV6_FRAGMENT
            && next != IPV6_HOP_BY_HOP
            && next != IPV6_ROUTING
            && next != IPV6_DESTINATION
        {
            break;
        }
        let Some(extension) = bytes.window::<2>(at) else { return cut };
        let (following, length) = (extension.byte::<0>(), extension.byte::<1>());
        if next == IPV6_FRAGMENT {
            fragment = true;
            next = following;
            break;
        }
        next = following;
        at += (usize::from(length) + 1) * 8;
    }
    let carrier =
        Carrier { ethertype: ETHERTYPE_IPV6, network: start, transport: at, protocol: next, fragment };
    carrier.verdict(bytes, matching, way)
}
