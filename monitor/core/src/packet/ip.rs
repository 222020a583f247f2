//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, down to the header of the transport.
//!
//! Lengths in headers are believed only as far as the bytes reach. What lies behind the length that a header states
//! is padding of the link (Ethernet fills up to 60 bytes) and belongs to nobody.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Malformed;

/// Numbers of protocols and of IPv6 extension headers (IANA Protocol Numbers).
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// Which part of a fragmented packet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) identification: u32,
    /// In bytes.
    pub(super) offset: u16,
    pub(super) more: bool,
}

/// A packet behind its IP headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Networked<'a> {
    /// IPv4-mapped where it is IPv4.
    pub(super) source: [u8; 16],
    pub(super) destination: [u8; 16],
    /// Number of what follows.
    pub(super) protocol: u8,
    pub(super) part: Option<Part>,
    /// IPv4's identification, where the sender gave one.
    pub(super) ip_id: Option<u16>,
    /// TTL, or hop limit.
    pub(super) hop_limit: u8,
    pub(super) payload: &'a [u8],
    /// Bytes of the payload that a capture cut off.
    pub(super) cut: usize,
}

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    /// Bytes that were on the wire and are not here.
    pub(super) cut: usize,
    /// Whether the kernel may have merged segments into it, and so left its length field at 0 (`BIG TCP`, and
    /// packets caught before segmentation).
    pub(super) merged: bool,
}

impl<'a> Networked<'a> {
    #[inline]
    pub(super) fn ipv4(bytes: &'a [u8], beside: Beside) -> Result<Self, Malformed> {
        let (fixed, _) = bytes.split_first_chunk::<20>().ok_or(Malformed::Ip)?;
        let header_size = usize::from(fixed[0] & 0x0F) * 4;
        if fixed[0] >> 4 != 4 || header_size < 20 || header_size > bytes.len() {
            return Err(Malformed::Ip);
        }
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let total = match (usize::from(word(2)), fixed[9]) {
            (0, TCP) => bytes.len(),
            (0, _) if beside.merged => bytes.len(),
            (total, _) => total,
        };
        let stated = total.checked_sub(header_size).ok_or(Malformed::Ip)?;
        let (payload, cut) = limit(&bytes[header_size..], stated, beside.cut).ok_or(Malformed::Ip)?;
        let (flags, offset) = (word(6) >> 13, (word(6) & 0x1FFF) * 8);
        let more = flags & 1 == 1;
        let part = (more || offset > 0).then_some(Part { identification: word(4).into(), offset, more });
        let address = |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        let mapped = |at| address(at).to_ipv6_mapped().octets();
        let ip_id = Some(word(4)).filter(|id| *id != 0);
        let (source, destination) = (mapped(12), mapped(16));
        let hop_limit = fixed[8];
        Ok(Self { source, destination, protocol: fixed[9], part, ip_id, hop_limit, payload, cut })
    }

    pub(super) fn ipv6(bytes: &'a [u8], beside: Beside) -> Result<Self, Malformed> {
        let (fixed, rest) = bytes.split_first_chunk::<40>().ok_or(Malformed::Ip)?;
        if fixed[0] >> 4 != 6 {
            return Err(Malformed::Ip);
        }
        let stated = match usize::from(u16::from_be_bytes([fixed[4], fixed[5]])) {
            // A jumbo payload (RFC 2675), which names its size in a hop-by-hop option.
            0 if fixed[6] == HOP_BY_HOP || beside.merged => rest.len(),
            stated => stated,
        };
        let (payload, cut) = limit(rest, stated, beside.cut).ok_or(Malformed::Ip)?;
        let address =
            |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&fixed[at..at + 16]).unwrap_or_default());
        let (source, destination) = (address(8).octets(), address(24).octets());
        let hop_limit = fixed[7];
        Self { source, destination, protocol: fixed[6], part: None, ip_id: None, hop_limit, payload, cut }
            .behind_extensions()
    }

    /// Passes over extension headers. Each is at least eight bytes, which bounds the loop.
    fn behind_extensions(mut self) -> Result<Self, Malformed> {
        loop {
            let (next, size) = match (self.protocol, self.payload) {
                (HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS, &[next, length, ..]) => {
                    (next, (usize::from(length) + 1) * 8)
                }
                (AUTHENTICATION, &[next, length, ..]) => (next, (usize::from(length) + 2) * 4),
                (FRAGMENT, &[next, _, o0, o1, i0, i1, i2, i3, ..]) => {
                    self.set_part(u16::from_be_bytes([o0, o1]), u32::from_be_bytes([i0, i1, i2, i3]));
                    (next, 8)
                }
                (HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | AUTHENTICATION | FRAGMENT, _) => {
                    return Err(Malformed::Ip);
                }
                _ => return Ok(self),
            };
            self.payload = self.payload.get(size..).ok_or(Malformed::Ip)?;
            self.protocol = next;
            if self.part.is_some_and(|part| part.offset > 0) {
                // What follows is the middle of the original packet: no header stands there.
                return Ok(self);
            }
        }
    }

    /// A fragment header with offset 0 and nothing more to come is a whole packet (RFC 6946).
    fn set_part(&mut self, word: u16, identification: u32) {
        let (offset, more) = (word & !7, word & 1 == 1);
        self.part = (more || offset > 0).then_some(Part { identification, offset, more });
    }
}

/// The first `stated` bytes, and how many of these are missing; none where they are missing although nothing was
/// cut off: the length field lies.
pub(super) fn limit(bytes: &[u8], stated: usize, cut: usize) -> Option<(&[u8], usize)> {
    match bytes.get(..stated) {
        Some(bytes) => Some((bytes, 0)),
        None if cut > 0 => Some((bytes, stated - bytes.len())),
        None => None,
    }
}
