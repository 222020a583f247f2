//! What was found in a packet's headers, and what becomes of it: one number, so that the programs carry it from the
//! matching to the streams in a register, and the verifier forgets by which way through the headers it came about.

use crate::bytes::opaque;
use crate::matching::{PROTOCOL_TCP, PROTOCOL_UDP, UDP_HEADER};

/// No offset reaches so far: past all tags and extension headers that are looked through.
const OFFSET_MASK: u64 = 0x3FFF;
const ETHERTYPE_MASK: u64 = 0xFFFF;
const TCP: u64 = 1 << 16;
const UDP: u64 = 1 << 17;
const FRAGMENT: u64 = 1 << 18;
const CUT: u64 = 1 << 19;
const COPIED: u64 = 1 << 20;
const MATCHED: u64 = 1 << 21;
const CANDIDATE: u64 = 1 << 22;
const NETWORK_SHIFT: u32 = 32;
const TRANSPORT_SHIFT: u32 = 48;

/// Where a packet's headers are, and the verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Judged(u64);

impl Judged {
    /// Neither TCP nor UDP.
    #[inline(always)]
    pub const fn other(ethertype: u16) -> Self {
        Self(ethertype as u64)
    }

    /// TCP or UDP: where the IP header and the transport header begin.
    #[inline(always)]
    pub const fn transport(ethertype: u16, network: usize, transport: usize, protocol: u8) -> Self {
        let kind = if protocol == PROTOCOL_TCP { TCP } else { UDP };
        let places = (network as u64) << NETWORK_SHIFT | (transport as u64) << TRANSPORT_SHIFT;
        Self(ethertype as u64 | kind | places)
    }

    /// A fragment of an IP packet: its ports may stand in another.
    #[inline(always)]
    pub const fn as_fragment(self) -> Self {
        Self(self.0 | FRAGMENT)
    }

    /// What was looked at ends within the headers.
    #[inline(always)]
    pub const fn cut(self) -> Self {
        Self(self.0 & ETHERTYPE_MASK | CUT)
    }

    /// The headers do not lie in the linear part.
    #[inline(always)]
    pub const fn copied(self) -> Self {
        Self(self.0 | COPIED)
    }

    /// The same, of which the compiler does not know what was found: it else leaves the masks out where it sees that they
    /// change nothing. The verifier does not see that, and takes no pointer into the packet that may lie 64 KiB away.
    #[inline(always)]
    pub fn as_if_any(self) -> Self {
        Self(opaque(self.0 as usize) as u64)
    }

    /// It was asked for.
    #[inline(always)]
    pub const fn matched(self) -> Self {
        Self(self.0 | MATCHED)
    }

    /// It may be asked for: what it carries decides. At the end of the matching: it was not, but begins like a C37.118
    /// frame.
    #[inline(always)]
    pub const fn candidate(self) -> Self {
        Self(self.0 | CANDIDATE)
    }

    /// It was not.
    #[inline(always)]
    pub const fn ignored(self) -> Self {
        Self(self.0 & !(MATCHED | CANDIDATE))
    }

    #[inline(always)]
    pub const fn is_matched(self) -> bool {
        self.0 & MATCHED != 0
    }

    #[inline(always)]
    pub const fn is_candidate(self) -> bool {
        self.0 & CANDIDATE != 0
    }

    #[inline(always)]
    pub const fn is_cut(self) -> bool {
        self.0 & CUT != 0
    }

    #[inline(always)]
    pub const fn is_copied(self) -> bool {
        self.0 & COPIED != 0
    }

    #[inline(always)]
    pub const fn is_fragment(self) -> bool {
        self.0 & FRAGMENT != 0
    }

    #[inline(always)]
    pub const fn is_tcp(self) -> bool {
        self.0 & TCP != 0
    }

    /// Number of the protocol in the IP header.
    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        if self.is_tcp() { PROTOCOL_TCP } else { PROTOCOL_UDP }
    }

    #[inline(always)]
    pub const fn ethertype(self) -> u16 {
        (self.0 & ETHERTYPE_MASK) as u16
    }

    /// Where the IP header begins.
    #[inline(always)]
    pub const fn network(self) -> usize {
        (self.0 >> NETWORK_SHIFT & OFFSET_MASK) as usize
    }

    /// Where the transport header begins.
    #[inline(always)]
    pub const fn transport_header(self) -> usize {
        (self.0 >> TRANSPORT_SHIFT & OFFSET_MASK) as usize
    }

    /// Where a datagram's payload begins.
    #[inline(always)]
    pub const fn datagram(self) -> usize {
        self.transport_header() + UDP_HEADER
    }
}
