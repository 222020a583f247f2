//! One packet on its way into the pipeline, wherever it came from.

use crate::time::{Mono, Nanos};

/// Number of a monitored interface (network namespace and index), or of an interface of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u16);

/// Which way a packet went, as the hook saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into this host.
    Ingress,
    /// Out of this host.
    Egress,
    /// A capture does not say.
    #[default]
    Unknown,
}

/// What stands first in a packet's bytes (pcap link types in parentheses).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// An Ethernet header (1).
    #[default]
    Ethernet,
    /// An IPv4 or IPv6 header at once (101, 228, 229).
    Ip,
    /// Linux cooked capture (113).
    LinuxSll,
    /// Linux cooked capture, second version (276).
    LinuxSll2,
    /// BSD loopback: four bytes of address family (0, 108).
    Loopback,
}

/// An IEEE 802.1Q tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// VLAN identifier, 0 to 4095.
    pub id: u16,
    /// Priority code point, 0 to 7.
    pub priority: u8,
}

impl VlanTag {
    /// From the 16 bits of tag control information.
    #[must_use]
    pub const fn from_tci(tci: u16) -> Self {
        Self { id: tci & 0x0FFF, priority: (tci >> 13) as u8 }
    }
}

/// Times of a packet on its way through this host, each absent where it did not happen or cannot be attributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The network card's stamp, translated to this host's monotonic clock.
    pub hardware: Option<Mono>,
    /// Entry of the interrupt handler that raised the poll which took the packet.
    pub irq: Option<Mono>,
    /// Entry of the softirq that took it.
    pub softirq: Option<Mono>,
    /// `netif_receive_skb`, or entry of the XDP program.
    pub receive: Option<Mono>,
    /// Just before the record entered the ring.
    pub ring: Option<Mono>,
    /// The reader's first look at it.
    pub reader: Option<Mono>,
}

/// Why a record was emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// It matched.
    #[default]
    Packet,
    /// It did not match, but begins like a C37.118 frame; looked at only to say what is on the wire.
    Candidate,
}

/// One packet, whole.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When it arrived: the receive stamp (else the ring's) as UTC, or the capture's stamp.
    pub arrival: Nanos,
    /// Where it was on its way, when live.
    pub stamps: Stamps,
    /// Where it was seen.
    pub interface: InterfaceId,
    /// Which way it went.
    pub direction: Direction,
    /// Why it was emitted.
    pub kind: RecordKind,
    /// What its bytes begin with.
    pub link: LinkType,
    /// A tag that stood outside its bytes.
    pub vlan: Option<VlanTag>,
    /// Whether a tag may have been taken out where it could not be seen: at XDP, by the card. One that stands in the
    /// bytes is taken for the outermost.
    pub vlan_unknown: bool,
    /// Segments merged into it by the kernel (0 or 1: none was).
    pub segments: u16,
    /// Payload bytes of each of these.
    pub segment_size: u16,
    /// Its length on the wire; more than `bytes` holds where the capture cut it.
    pub wire_length: u32,
    /// Its bytes from the link header on.
    pub bytes: &'a [u8],
    /// Ring records it was made of, at least 1: the unit of the record counters.
    pub records: u32,
}
