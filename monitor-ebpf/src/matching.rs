//! Is this packet one that was asked for? By direct packet access where the headers lie in the linear part, by
//! copying them first where they do not.

use core::arch::asm;

use monitor_common::Settings;

use crate::{
    maps::{PORTS, SETTINGS},
    packet::Packet,
};

const ETHERNET_HEADER: usize = 14;
const VLAN_TAG: usize = 4;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88A8;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const IPV6_HOP_BY_HOP: u8 = 0;
const IPV6_ROUTING: u8 = 43;
const IPV6_FRAGMENT: u8 = 44;
const IPV6_DESTINATION: u8 = 60;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Where a TCP header says how long it is.
const TCP_DATA_OFFSET: usize = 12;
const UDP_HEADER: usize = 8;
/// IPv6 extension headers looked through before ports are given up.
const EXTENSION_HEADERS_MAX: usize = 4;
/// Tags looked through in the packet's own bytes.
const TAGS_MAX: usize = 2;

/// First byte of every C37.118 frame.
const SYNC: u8 = 0xAA;
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

/// A packet's bytes, wherever they are.
trait Bytes {
    /// `N` bytes (at least 2) from `at`; none where the packet is shorter.
    fn header<const N: usize>(&self, at: usize) -> Option<[u8; N]>;
}

/// The linear part, read in place.
struct Direct {
    data: usize,
    end: usize,
}

impl Bytes for Direct {
    #[inline(always)]
    fn header<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut from = self.data + at;
        // The verifier knows how far a pointer may go by the pointer that was compared with the end. So the compiler
        // must not compute it anew for the reads, which it does unless it cannot see where it comes from.
        // SAFETY: a move to itself; an empty statement would give two line records to one instruction, which the kernel
        // refuses.
        unsafe { asm!("{0} = {0}", inout(reg) from, options(pure, nomem, nostack, preserves_flags)) };
        if from + N > self.end {
            return None;
        }
        // SAFETY: between the packet's start and its end, as just checked; the verifier checks it again.
        Some(unsafe { *(from as *const [u8; N]) })
    }
}

/// A packet whose headers are in its fragments: every read is a copy.
struct Copied<'a, P>(&'a P);

impl<P: Packet> Bytes for Copied<'_, P> {
    #[inline(always)]
    fn header<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        // SAFETY: `bytes` has room for `N`.
        let read = unsafe { self.0.load(at as u32, bytes.as_mut_ptr().cast(), N as u32) };
        (read == 0).then_some(bytes)
    }
}

/// What the headers say. Filled field by field rather than returned in an `Option`: of an absent one the compiler
/// leaves fields undefined, and the verifier refuses to see them copied.
struct Headers {
    ethertype: u16,
    /// TCP, UDP, or 0 for anything else.
    protocol: u8,
    /// A fragment of an IP packet: its ports may stand in another.
    fragment: bool,
    source: u16,
    destination: u16,
    /// Where the payload begins.
    payload: usize,
}

/// Judges a packet. Gives its ethertype too.
#[inline(always)]
pub fn judge(packet: &impl Packet, way: Way) -> (Verdict, u16) {
    let mut found =
        Headers { ethertype: 0, protocol: 0, fragment: false, source: 0, destination: 0, payload: 0 };
    let direct = Direct { data: packet.start(), end: packet.end() };
    let read = headers(&direct, &mut found).is_some();
    if read {
        return (verdict(&direct, &found, way), found.ethertype);
    }
    if packet.length() as usize <= direct.end - direct.data {
        return (Verdict::Ignored, found.ethertype);
    }
    let copied = Copied(packet);
    if headers(&copied, &mut found).is_none() {
        return (Verdict::Ignored, found.ethertype);
    }
    (verdict(&copied, &found, way), found.ethertype)
}

#[inline(always)]
fn verdict(bytes: &impl Bytes, found: &Headers, way: Way) -> Verdict {
    if found.protocol == 0 {
        return Verdict::Ignored;
    }
    let Some(settings) = SETTINGS.get(0) else { return Verdict::Ignored };
    match way {
        Way::In => incoming(bytes, found, settings),
        Way::Out => outgoing(bytes, found, settings),
    }
}

#[inline(always)]
fn incoming(bytes: &impl Bytes, found: &Headers, settings: &Settings) -> Verdict {
    if found.fragment || has_port(found.source) || has_port(found.destination) {
        return Verdict::Matched;
    }
    let wanted = settings.any_port != 0;
    if !wanted && settings.discover == 0 || frame_type(bytes, found) == NO_FRAME {
        return Verdict::Ignored;
    }
    if wanted { Verdict::Matched } else { Verdict::Candidate }
}

/// Of what leaves this host only commands to a PMU are of interest: all of a TCP connection to its port, and the
/// datagrams that begin like a command.
#[inline(always)]
fn outgoing(bytes: &impl Bytes, found: &Headers, settings: &Settings) -> Verdict {
    let asked_for = has_port(found.destination);
    if found.fragment || !asked_for && settings.any_port == 0 {
        return Verdict::Ignored;
    }
    let connection = found.protocol == PROTOCOL_TCP && asked_for;
    if connection || frame_type(bytes, found) == TYPE_COMMAND { Verdict::Matched } else { Verdict::Ignored }
}

#[inline(always)]
fn has_port(port: u16) -> bool {
    PORTS.get(0).is_some_and(|ports| ports.words[usize::from(port >> 6) & 1023] >> (port & 63) & 1 == 1)
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
    let header: [u8; IPV4_HEADER] = bytes.header(at)?;
    let length = usize::from(header[0] & 0x0F) * 4;
    // "More fragments" and the offset; the two bits above them say nothing of the sort.
    found.fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
    transport(bytes, at + length, header[9], found)
}

#[inline(always)]
fn ipv6(bytes: &impl Bytes, start: usize, found: &mut Headers) -> Option<()> {
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
