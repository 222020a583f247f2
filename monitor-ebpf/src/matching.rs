//! Is this packet one that was asked for? By direct packet access where the headers lie in the linear part, by
//! copying them first where they do not.

use aya_ebpf::programs::TcContext;
use monitor_common::Settings;

use crate::maps::{PORTS, SETTINGS};

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
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
/// IPv6 extension headers looked through before ports are given up.
const EXTENSION_HEADERS_MAX: usize = 4;
/// Tags looked through in the packet's own bytes.
const TAGS_MAX: usize = 2;

/// First byte of every C37.118 frame.
const SYNC: u8 = 0xAA;
/// Frame type of a command (bits 6-4 of the second byte).
const TYPE_COMMAND: u8 = 4;
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

/// A packet's first bytes, wherever they are.
trait Bytes {
    fn byte(&self, at: usize) -> Option<u8>;
    fn word(&self, at: usize) -> Option<u16>;
}

/// The linear part, read in place.
struct Direct {
    data: usize,
    end: usize,
}

impl Direct {
    #[inline(always)]
    fn read<T: Copy>(&self, at: usize) -> Option<T> {
        let from = self.data + at;
        if from + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: between the packet's start and its end, as just checked; the verifier checks it again.
        Some(unsafe { (from as *const T).read_unaligned() })
    }
}

impl Bytes for Direct {
    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.read(at)
    }

    #[inline(always)]
    fn word(&self, at: usize) -> Option<u16> {
        self.read(at).map(u16::from_be)
    }
}

/// A packet whose headers are in its fragments: every read is a copy.
struct Copied<'a>(&'a TcContext);

impl Bytes for Copied<'_> {
    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.load(at).ok()
    }

    #[inline(always)]
    fn word(&self, at: usize) -> Option<u16> {
        self.0.load(at).ok().map(u16::from_be)
    }
}

/// What the headers say.
struct Headers {
    ethertype: u16,
    transport: Option<Transport>,
}

struct Transport {
    protocol: u8,
    /// Any fragment of an IP packet: its ports may stand in another.
    fragment: bool,
    source: u16,
    destination: u16,
    payload: usize,
}

/// Judges a packet.
#[inline(always)]
pub fn judge(ctx: &TcContext, way: Way) -> (Verdict, u16) {
    let direct = Direct { data: ctx.data(), end: ctx.data_end() };
    match headers(&direct) {
        Some(found) => (verdict(&direct, &found, way), found.ethertype),
        None if ctx.len() as usize > direct.end - direct.data => copied(ctx, way),
        None => (Verdict::Ignored, 0),
    }
}

#[inline(always)]
fn copied(ctx: &TcContext, way: Way) -> (Verdict, u16) {
    let bytes = Copied(ctx);
    headers(&bytes).map_or((Verdict::Ignored, 0), |found| (verdict(&bytes, &found, way), found.ethertype))
}

#[inline(always)]
fn verdict(bytes: &impl Bytes, found: &Headers, way: Way) -> Verdict {
    let (Some(transport), Some(settings)) = (&found.transport, SETTINGS.get(0)) else {
        return Verdict::Ignored;
    };
    match way {
        Way::In => incoming(bytes, transport, settings),
        Way::Out => outgoing(bytes, transport, settings),
    }
}

#[inline(always)]
fn incoming(bytes: &impl Bytes, transport: &Transport, settings: &Settings) -> Verdict {
    if transport.fragment || has_port(transport.source) || has_port(transport.destination) {
        return Verdict::Matched;
    }
    let wanted = settings.any_port != 0;
    if !wanted && settings.discover == 0 || begins_like_frame(bytes, transport).is_none() {
        return Verdict::Ignored;
    }
    if wanted { Verdict::Matched } else { Verdict::Candidate }
}

/// Of what leaves this host only commands to a PMU are of interest: all of a TCP connection to its port, and the
/// datagrams that begin like a command.
#[inline(always)]
fn outgoing(bytes: &impl Bytes, transport: &Transport, settings: &Settings) -> Verdict {
    if transport.fragment || !(has_port(transport.destination) || settings.any_port != 0) {
        return Verdict::Ignored;
    }
    let command = begins_like_frame(bytes, transport) == Some(TYPE_COMMAND);
    let connection = transport.protocol == PROTOCOL_TCP && has_port(transport.destination);
    if command || connection { Verdict::Matched } else { Verdict::Ignored }
}

#[inline(always)]
fn has_port(port: u16) -> bool {
    PORTS.get(0).is_some_and(|ports| ports.words[usize::from(port >> 6) & 1023] >> (port & 63) & 1 == 1)
}

/// The frame type, where the payload begins with a SYNC word.
#[inline(always)]
fn begins_like_frame(bytes: &impl Bytes, transport: &Transport) -> Option<u8> {
    let second = bytes.byte(transport.payload + 1)?;
    let kind = second >> 4;
    let version = second & 0x0F;
    let sync = bytes.byte(transport.payload)? == SYNC;
    (sync && kind <= TYPE_MAX && (version == 1 || version == 2)).then_some(kind)
}

#[inline(always)]
fn headers(bytes: &impl Bytes) -> Option<Headers> {
    let mut at = ETHERNET_HEADER;
    let mut ethertype = bytes.word(at - 2)?;
    for _ in 0..TAGS_MAX {
        if ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_SERVICE_VLAN {
            break;
        }
        at += VLAN_TAG;
        ethertype = bytes.word(at - 2)?;
    }
    let transport = match ethertype {
        ETHERTYPE_IPV4 => ipv4(bytes, at)?,
        ETHERTYPE_IPV6 => ipv6(bytes, at)?,
        _ => None,
    };
    Some(Headers { ethertype, transport })
}

#[inline(always)]
fn ipv4(bytes: &impl Bytes, at: usize) -> Option<Option<Transport>> {
    let length = usize::from(bytes.byte(at)? & 0x0F) * 4;
    // "More fragments" and the offset; the two bits above them say nothing of the sort.
    let fragment = bytes.word(at + 6)? & 0x3FFF != 0;
    transport(bytes, at + length, bytes.byte(at + 9)?, fragment)
}

#[inline(always)]
fn ipv6(bytes: &impl Bytes, start: usize) -> Option<Option<Transport>> {
    let mut next = bytes.byte(start + 6)?;
    let mut at = start + IPV6_HEADER;
    for _ in 0..EXTENSION_HEADERS_MAX {
        match next {
            IPV6_FRAGMENT => return transport(bytes, at, bytes.byte(at)?, true),
            IPV6_HOP_BY_HOP | IPV6_ROUTING | IPV6_DESTINATION => {
                next = bytes.byte(at)?;
                at += (usize::from(bytes.byte(at + 1)?) + 1) * 8;
            }
            _ => break,
        }
    }
    transport(bytes, at, next, false)
}

#[inline(always)]
fn transport(bytes: &impl Bytes, at: usize, protocol: u8, fragment: bool) -> Option<Option<Transport>> {
    if protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP {
        return Some(None);
    }
    if fragment {
        return Some(Some(Transport { protocol, fragment, source: 0, destination: 0, payload: at }));
    }
    let header = if protocol == PROTOCOL_UDP { UDP_HEADER } else { usize::from(bytes.byte(at + 12)? >> 4) * 4 };
    Some(Some(Transport {
        protocol,
        fragment,
        source: bytes.word(at)?,
        destination: bytes.word(at + 2)?,
        payload: at + header,
    }))
}
