//! Is this packet one that was asked for? By direct packet access where the headers lie in the linear part, by
//! copying them first where they do not.

use monitor_common::Ports;

use crate::{
    bytes::{Bytes, Copied, Direct},
    maps::{PORTS, SETTINGS},
    packet::Packet,
};

const ETHERNET_HEADER: usize = 14;
const VLAN_TAG: usize = 4;
pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_IPV6: u16 = 0x86DD;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88A8;
const PROTOCOL_TCP: u8 = 6;
pub const PROTOCOL_UDP: u8 = 17;
const IPV6_HOP_BY_HOP: u8 = 0;
const IPV6_ROUTING: u8 = 43;
const IPV6_FRAGMENT: u8 = 44;
const IPV6_DESTINATION: u8 = 60;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Where a TCP header says how long it is.
const TCP_DATA_OFFSET: usize = 12;
pub const UDP_HEADER: usize = 8;
/// IPv6 extension headers looked through before ports are given up.
const EXTENSION_HEADERS_MAX: usize = 4;
/// Tags looked through in the packet's own bytes.
const TAGS_MAX: usize = 2;

/// First byte of every C37.118 frame.
pub const SYNC: u8 = 0xAA;
/// Frame type of a command (bits 6-4 of the second byte).
const TYPE_COMMAND: u8 = 4;
/// No frame begins here.
const NO_FRAME: u8 = 0xFF;
/// Largest frame type (CFG-3).
const TYPE_MAX: u8 = 5;

/// What a hook does with a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was asked for.
    Matched,
    /// It was not, but begins like a C37.118 frame.
    Candidate,
    /// It was not.
    Ignored,
}

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// What the headers say. Filled field by field rather than returned in an `Option`: of an absent one the compiler
/// leaves fields undefined, and the verifier refuses to see them copied.
pub struct Headers {
    pub ethertype: u16,
    /// TCP, UDP, or 0 for anything else.
    pub protocol: u8,
    /// A fragment of an IP packet: its ports may stand in another.
    pub fragment: bool,
    source: u16,
    destination: u16,
    /// Where the IP header begins.
    pub network: usize,
    /// Where the payload begins.
    pub payload: usize,
}

/// A packet that was looked at.
pub struct Judged {
    pub verdict: Verdict,
    pub headers: Headers,
    /// Its headers lie in the linear part.
    pub linear: bool,
}

/// Judges a packet.
#[inline(always)]
pub fn judge(packet: &impl Packet, way: Way) -> Judged {
    let mut judged = Judged {
        verdict: Verdict::Ignored,
        headers: Headers {
            ethertype: 0,
            protocol: 0,
            fragment: false,
            source: 0,
            destination: 0,
            network: 0,
            payload: 0,
        },
        linear: true,
    };
    let direct = Direct::of(packet);
    if headers(&direct, &mut judged.headers).is_some() {
        judged.verdict = verdict(&direct, &judged.headers, way);
        return judged;
    }
    if packet.length() as usize <= direct.end - direct.data {
        return judged;
    }
    judged.linear = false;
    let copied = Copied(packet);
    if headers(&copied, &mut judged.headers).is_some() {
        judged.verdict = verdict(&copied, &judged.headers, way);
    }
    judged
}

#[inline(always)]
fn verdict(bytes: &impl Bytes, found: &Headers, way: Way) -> Verdict {
    if found.protocol == 0 {
        return Verdict::Ignored;
    }
    match way {
        Way::In => incoming(bytes, found),
        Way::Out => outgoing(bytes, found),
    }
}

/// Most packets that come in are decided by the ports alone: the switches are looked at for the rest.
#[inline(always)]
fn incoming(bytes: &impl Bytes, found: &Headers) -> Verdict {
    if found.fragment {
        return Verdict::Matched;
    }
    let Some(ports) = PORTS.get(0) else { return Verdict::Ignored };
    if has_port(ports, found.source) || has_port(ports, found.destination) {
        return Verdict::Matched;
    }
    let Some(settings) = SETTINGS.get(0) else { return Verdict::Ignored };
    let wanted = settings.any_port != 0;
    if !wanted && settings.discover == 0 || frame_type(bytes, found) == NO_FRAME {
        return Verdict::Ignored;
    }
    if wanted { Verdict::Matched } else { Verdict::Candidate }
}

/// Of what leaves this host only commands to a PMU are of interest: all of a TCP connection to its port, and the
/// datagrams that begin like a command.
#[inline(always)]
fn outgoing(bytes: &impl Bytes, found: &Headers) -> Verdict {
    let asked_for = PORTS.get(0).is_some_and(|ports| has_port(ports, found.destination));
    if found.fragment || !asked_for && SETTINGS.get(0).is_none_or(|settings| settings.any_port == 0) {
        return Verdict::Ignored;
    }
    let connection = found.protocol == PROTOCOL_TCP && asked_for;
    if connection || frame_type(bytes, found) == TYPE_COMMAND { Verdict::Matched } else { Verdict::Ignored }
}

#[inline(always)]
fn has_port(ports: &Ports, port: u16) -> bool {
    ports.words[usize::from(port >> 6) & 1023] >> (port & 63) & 1 == 1
}

/// The frame type where the payload begins with a SYNC word, else [`NO_FRAME`].
#[inline(always)]
fn frame_type(bytes: &impl Bytes, found: &Headers) -> u8 {
    let Some([sync, second]) = bytes.header(found.payload) else { return NO_FRAME };
    let (kind, version) = (second >> 4, second & 0x0F);
    let known = kind <= TYPE_MAX && (version == 1 || version == 2);
    if sync == SYNC && known { kind } else { NO_FRAME }
}

#[inline(always)]
fn headers(bytes: &impl Bytes, found: &mut Headers) -> Option<()> {
    let mut at = ETHERNET_HEADER;
    found.ethertype = ethertype(bytes, at)?;
    for _ in 0..TAGS_MAX {
        if found.ethertype != ETHERTYPE_VLAN && found.ethertype != ETHERTYPE_SERVICE_VLAN {
            break;
        }
        at += VLAN_TAG;
        found.ethertype = ethertype(bytes, at)?;
    }
    match found.ethertype {
        ETHERTYPE_IPV4 => ipv4(bytes, at, found),
        ETHERTYPE_IPV6 => ipv6(bytes, at, found),
        _ => Some(()),
    }
}

/// The ethertype that stands just before `at`.
#[inline(always)]
fn ethertype(bytes: &impl Bytes, at: usize) -> Option<u16> {
    bytes.header(at - 2).map(u16::from_be_bytes)
}

#[inline(always)]
fn ipv4(bytes: &impl Bytes, at: usize, found: &mut Headers) -> Option<()> {
    found.network = at;
    let header: [u8; IPV4_HEADER] = bytes.header(at)?;
    let length = usize::from(header[0] & 0x0F) * 4;
    // "More fragments" and the offset; the two bits above them say nothing of the sort.
    found.fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
    transport(bytes, at + length, header[9], found)
}

#[inline(always)]
fn ipv6(bytes: &impl Bytes, start: usize, found: &mut Headers) -> Option<()> {
    found.network = start;
    let header: [u8; IPV6_HEADER] = bytes.header(start)?;
    let mut next = header[6];
    let mut at = start + IPV6_HEADER;
    for _ in 0..EXTENSION_HEADERS_MAX {
        if next != IPV6_FRAGMENT
            && next != IPV6_HOP_BY_HOP
            && next != IPV6_ROUTING
            && next != IPV6_DESTINATION
        {
            break;
        }
        let [following, length] = bytes.header(at)?;
        if next == IPV6_FRAGMENT {
            found.fragment = true;
            return transport(bytes, at, following, found);
        }
        next = following;
        at += (usize::from(length) + 1) * 8;
    }
    transport(bytes, at, next, found)
}

#[inline(always)]
fn transport(bytes: &impl Bytes, at: usize, protocol: u8, found: &mut Headers) -> Option<()> {
    if protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP {
        return Some(());
    }
    if !found.fragment {
        let ports: [u8; 4] = bytes.header(at)?;
        found.source = u16::from_be_bytes([ports[0], ports[1]]);
        found.destination = u16::from_be_bytes([ports[2], ports[3]]);
        found.payload = at + UDP_HEADER;
        if protocol == PROTOCOL_TCP {
            let [offset, _flags] = bytes.header(at + TCP_DATA_OFFSET)?;
            found.payload = at + usize::from(offset >> 4) * 4;
        }
    }
    found.protocol = protocol;
    Some(())
}
