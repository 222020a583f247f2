//! Both addresses of an IP packet, of either version in one form.

use crate::{
    bytes::{Bytes, Window as _},
    judged::Judged,
    matching::ETHERTYPE_IPV6,
};

/// Where the addresses stand in an IP header.
const IPV4_ADDRESSES: usize = 12;
const IPV6_ADDRESSES: usize = 8;
/// The second half of an IPv4-mapped address (RFC 4291, 2.5.5.2) of 0.0.0.0, as it lies in memory.
const MAPPED: u64 = 0x0000_FFFF_0000_0000_u64.to_be();
/// How far an IPv4 address is shifted in that half.
const MAPPED_SHIFT: u32 = 32;

/// Source and destination: IPv6 addresses or IPv4-mapped ones, in halves as they lie in memory.
#[derive(Clone, Copy)]
pub struct Addresses(pub [u64; 4]);

impl Addresses {
    /// None.
    pub const NONE: Self = Self([0; 4]);

    /// Reads them; whether the packet has them. Filled in place: of an absent value the compiler leaves fields
    /// undefined, and the verifier refuses to see them copied.
    #[inline(always)]
    pub fn read(&mut self, bytes: impl Bytes, found: Judged) -> bool {
        if found.ethertype() == ETHERTYPE_IPV6 {
            let Some(both) = bytes.window::<32>(found.network() + IPV6_ADDRESSES) else { return false };
            self.0 = [both.double::<0>(), both.double::<8>(), both.double::<16>(), both.double::<24>()];
            return true;
        }
        let Some(both) = bytes.window::<8>(found.network() + IPV4_ADDRESSES) else { return false };
        self.0 = [0, mapped(both.word::<0>()), 0, mapped(both.word::<4>())];
        true
    }
}

/// The second half of the IPv4-mapped address of an IPv4 address.
#[inline(always)]
pub const fn mapped(address: u32) -> u64 {
    MAPPED | (address as u64) << MAPPED_SHIFT
}
