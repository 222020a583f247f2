//! UDP datagrams that leave in IP fragments made here, in any order, whole or not: what a network does to frames above
//! its MTU.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::simulate::script::Cut;
use crate::sys::rawip::PacketSender;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// Number of IPv6's fragment header (RFC 8200, 4.5).
const FRAGMENT_HEADER: u8 = 44;
/// Hops that a packet may take.
const HOPS: u8 = 64;
/// Fragments are counted in units of so many bytes (RFC 791; RFC 8200, 4.5).
const UNIT: usize = 8;

/// Sends datagrams from one place to another.
#[derive(Debug)]
pub(super) struct Fragmenter {
    socket: PacketSender,
    from: SocketAddr,
    to: SocketAddr,
}

/// What the fragments of a datagram share.
#[derive(Clone, Copy, Debug)]
struct Envelope {
    from: IpAddr,
    to: IpAddr,
    /// IPv4 has place for the lower half.
    identification: u32,
}

/// Fragments are told apart by addresses and this number alone, and streams may share their addresses: they count together.
fn identification() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    // Relaxed: the number only has to differ from the others.
    LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

impl Fragmenter {
    /// From `from` to `to`, both of one IP version.
    pub(super) fn open(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: PacketSender::open(&to)?, from, to })
    }

    /// Sends `payload`, cut as asked for.
    pub(super) fn send(&self, payload: &[u8], cut: Cut) -> io::Result<()> {
        let Self { socket, from, to } = self;
        let envelope = Envelope { from: from.ip(), to: to.ip(), identification: identification() };
        let datagram = datagram(*from, *to, payload)?;
        for packet in envelope.packets(&datagram, cut) {
            socket.send(&packet, to)?;
        }
        Ok(())
    }
}

/// With UDP's header. Its check sum is left out over IPv4, as is allowed there (RFC 768).
fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(UDP_HEADER + payload.len())
        .map_err(|_| io::Error::other("a datagram has 65527 bytes at most"))?;
    let mut datagram = Vec::with_capacity(length.into());
    for word in [from.port(), to.port(), length, 0] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    if let (IpAddr::V6(from), IpAddr::V6(to)) = (from.ip(), to.ip()) {
        let pseudo =
            [&from.octets()[..], &to.octets(), &[0, 0], &length.to_be_bytes(), &[0, 0, 0, UDP]].concat();
        let check = internet_checksum(&[&pseudo, &datagram]);
        // 0 says that there is none (RFC 8200, 8.1).
        let check = if check == 0 { u16::MAX } else { check };
        datagram.splice(6..UDP_HEADER, check.to_be_bytes());
    }
    Ok(datagram)
}

/// The check sum of RFC 1071 over parts, each but the last of an even length.
fn internet_checksum(parts: &[&[u8]]) -> u16 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    };
    let mut sum: u64 = parts.iter().flat_map(|part| part.chunks(2)).map(word).sum();
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

impl Envelope {
    /// The packets of a datagram, in the order in which they leave.
    fn packets(self, datagram: &[u8], cut: Cut) -> Vec<Vec<u8>> {
        let size = (usize::from(cut.size) / UNIT).max(1) * UNIT;
        let count = datagram.len().div_ceil(size);
        let packet = |(place, piece): (usize, &[u8])| {
            // 65535 bytes at most are 8191 units at most.
            let offset = u16::try_from(place * size / UNIT).unwrap_or(0);
            let mut packet = self.headers(offset, place + 1 < count, piece.len());
            packet.extend_from_slice(piece);
            packet
        };
        let mut packets: Vec<_> = datagram.chunks(size).enumerate().map(packet).collect();
        if cut.reversed {
            packets.reverse();
        }
        if let Some(number) = cut.dropped {
            packets.remove(usize::try_from(number).unwrap_or(0) % count.max(1));
        }
        packets
    }

    /// Of the fragment at so many units, with so many bytes.
    fn headers(self, offset: u16, more: bool, length: usize) -> Vec<u8> {
        let length = |headers: usize| u16::try_from(headers + length).unwrap_or(u16::MAX).to_be_bytes();
        let identification = self.identification.to_be_bytes();
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                const HEADER: usize = 20;
                let word = (offset | u16::from(more) << 13).to_be_bytes();
                let mut header = vec![0x45, 0];
                // The kernel fills in the check sum.
                let [_, _, identification @ ..] = identification;
                for part in [&length(HEADER)[..], &identification, &word, &[HOPS, UDP, 0, 0]] {
                    header.extend(part);
                }
                header.extend(from.octets());
                header.extend(to.octets());
                header
            }
            (from, to) => {
                const HEADER: usize = 8;
                let octets = |address: IpAddr| match address {
                    IpAddr::V6(address) => address.octets(),
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                };
                let word = (offset << 3 | u16::from(more)).to_be_bytes();
                let mut header = vec![0x60, 0, 0, 0];
                for part in [&length(HEADER)[..], &[FRAGMENT_HEADER, HOPS], &octets(from), &octets(to)] {
                    header.extend(part);
                }
                for part in [&[UDP, 0][..], &word, &identification] {
                    header.extend(part);
                }
                header
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Of what size the headers are, where the word of the offset stands, and by how many bits it is shifted.
    fn cover_once(address: IpAddr, headers: usize, at: usize, shift: u16, more: u16) {
        let datagram: Vec<u8> = (0..100).collect();
        let envelope = Envelope { from: address, to: address, identification: 7 };
        let cut = Cut { size: 32, reversed: false, dropped: None };
        let all = envelope.packets(&datagram, cut);
        assert_eq!(all.iter().map(|it| it.len() - headers).collect::<Vec<_>>(), [32, 32, 32, 4]);
        let words = all.iter().map(|packet| u16::from_be_bytes([packet[at], packet[at + 1]]));
        let wanted = [(0, more), (4, more), (8, more), (12, 0)].map(|(offset, more)| offset << shift | more);
        assert_eq!(words.collect::<Vec<_>>(), wanted);
        assert_eq!(all.iter().flat_map(|packet| packet[headers..].to_vec()).collect::<Vec<_>>(), datagram);
        let reversed = envelope.packets(&datagram, Cut { reversed: true, ..cut });
        assert_eq!(reversed.iter().rev().cloned().collect::<Vec<_>>(), all);
        let dropped = envelope.packets(&datagram, Cut { dropped: Some(6), ..cut });
        assert_eq!(dropped, [&all[0], &all[1], &all[3]].map(Clone::clone));
    }

    #[test]
    fn fragments_cover_the_datagram_once() {
        cover_once(Ipv4Addr::LOCALHOST.into(), 20, 6, 0, 0x2000);
        cover_once(Ipv6Addr::LOCALHOST.into(), 48, 42, 3, 1);
    }

    #[test]
    fn a_datagram_over_ipv6_has_a_check_sum_that_comes_out() {
        let place = |port| SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port);
        for payload in [&b"odd"[..], b"even"] {
            let datagram = datagram(place(1), place(2), payload).unwrap();
            let length = u8::try_from(datagram.len()).unwrap();
            let address = Ipv6Addr::LOCALHOST.octets();
            let pseudo = [&address[..], &address, &[0, 0, 0, length, 0, 0, 0, UDP]].concat();
            assert_eq!(internet_checksum(&[&pseudo, &datagram]), 0);
        }
    }
}
