//! Link headers: what stands before the IP header, and the VLAN tags between.

use super::{LinkType, Malformed, VlanTag};

/// Ethertype of IPv4 (IEEE 802 Numbers).
pub(super) const IPV4: u16 = 0x0800;
/// Ethertype of IPv6.
pub(super) const IPV6: u16 = 0x86DD;
/// Whether it is the ethertype of a tag: IEEE 802.1Q, 802.1ad, and the one used for stacked tags before 802.1ad.
const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88A8 | 0x9100)
}

/// Below this, an Ethernet type is the length of an IEEE 802.3 frame.
const FIRST_ETHERTYPE: u16 = 0x0600;

/// Address families in a loopback header: `AF_INET` everywhere, `AF_INET6` on Linux, NetBSD and OpenBSD, FreeBSD,
/// Darwin.
const AF_INET: u32 = 2;
const AF_INET6: [u32; 4] = [10, 24, 28, 30];

/// A packet behind its link header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Linked<'a> {
    /// Sender's and receiver's MAC address, on Ethernet.
    pub(super) macs: Option<[[u8; 6]; 2]>,
    /// Tags in the data, the outermost first; more than two are passed over.
    pub(super) tags: [Option<VlanTag>; 2],
    /// Ethertype of what follows; 0 for an IEEE 802.3 frame and what else has none.
    pub(super) ethertype: u16,
    /// What follows.
    pub(super) rest: &'a [u8],
}

impl<'a> Linked<'a> {
    /// Passes over the link header and all tags.
    #[inline]
    pub(super) fn parse(link: LinkType, bytes: &'a [u8]) -> Result<Self, Malformed> {
        match link {
            LinkType::Ethernet => Self::ethernet(bytes),
            LinkType::Ip => Ok(Self::bare(ip_by_version(bytes)?, bytes)),
            LinkType::LinuxSll => Self::cooked(bytes, 16, 14),
            LinkType::LinuxSll2 => Self::cooked(bytes, 20, 0),
            LinkType::Loopback => Self::loopback(bytes),
        }
    }

    const fn bare(ethertype: u16, rest: &'a [u8]) -> Self {
        Self { macs: None, tags: [None; 2], ethertype, rest }
    }

    #[inline]
    fn ethernet(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, rest) = bytes.split_first_chunk::<14>().ok_or(Malformed::Link)?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        let mut linked = Self::bare(u16::from_be_bytes([t0, t1]), rest).untagged()?;
        linked.macs = Some([[s0, s1, s2, s3, s4, s5], [d0, d1, d2, d3, d4, d5]]);
        Ok(linked)
    }

    /// Linux cooked capture: the ethertype stands at `at` in a header of `size` bytes.
    fn cooked(bytes: &'a [u8], size: usize, at: usize) -> Result<Self, Malformed> {
        let (header, rest) = bytes.split_at_checked(size).ok_or(Malformed::Link)?;
        let ethertype = header.get(at..).and_then(|field| field.first_chunk()).ok_or(Malformed::Link)?;
        Self::bare(u16::from_be_bytes(*ethertype), rest).untagged()
    }

    /// The family is in the byte order of the capturing host, or big-endian (link type 108): both are tried.
    fn loopback(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (family, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed::Link)?;
        let is = |known: u32| [known.to_le_bytes(), known.to_be_bytes()].contains(family);
        let ethertype = match () {
            () if is(AF_INET) => IPV4,
            () if AF_INET6.into_iter().any(is) => IPV6,
            () => 0,
        };
        Ok(Self::bare(ethertype, rest))
    }

    /// Takes the tags off.
    #[inline]
    fn untagged(mut self) -> Result<Self, Malformed> {
        while is_tag(self.ethertype) {
            let (&[i0, i1, t0, t1], rest) = self.rest.split_first_chunk::<4>().ok_or(Malformed::Link)?;
            if let Some(free) = self.tags.iter_mut().find(|tag| tag.is_none()) {
                *free = Some(VlanTag::from_tci(u16::from_be_bytes([i0, i1])));
            }
            (self.ethertype, self.rest) = (u16::from_be_bytes([t0, t1]), rest);
        }
        if self.ethertype < FIRST_ETHERTYPE {
            self.ethertype = 0;
        }
        Ok(self)
    }
}

/// The ethertype that fits the version in an IP header's first four bits.
fn ip_by_version(bytes: &[u8]) -> Result<u16, Malformed> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => Ok(IPV4),
        Some(6) => Ok(IPV6),
        _ => Err(Malformed::Link),
    }
}
