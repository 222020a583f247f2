//! UDP datagrams that leave in IP fragments made here, in any order, whole or not: what a network does to frames above
//! its MTU.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::simulate::script::Cut;
use crate::sys::rawip::PacketSender;

/// An IPv4 header without options.
const HEADER: usize = 20;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const TTL: u8 = 64;
/// Fragments are counted in units of so many bytes (RFC 791).
const UNIT: usize = 8;
const MORE_FRAGMENTS: u16 = 1 << 13;

/// Sends datagrams from one place to another.
#[derive(Debug)]
pub(super) struct Fragmenter {
    socket: PacketSender,
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    identification: u16,
}

impl Fragmenter {
    /// From `from` to `to`, both IPv4.
    pub(super) fn open(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let (IpAddr::V4(source), IpAddr::V4(target)) = (from.ip(), to.ip()) else {
            return Err(io::Error::other("fragments are made for IPv4 alone"));
        };
        let socket = PacketSender::open()?;
        Ok(Self { socket, from: (source, from.port()), to: (target, to.port()), identification: 0 })
    }

    /// Sends `payload`, cut as asked for.
    pub(super) fn send(&mut self, payload: &[u8], cut: Cut) -> io::Result<()> {
        self.identification = self.identification.wrapping_add(1);
        let datagram = self.datagram(payload)?;
        for packet in packets(&datagram, self.from.0, self.to.0, self.identification, cut) {
            self.socket.send(&packet, self.to.0)?;
        }
        Ok(())
    }

    /// With UDP's header. Its check sum is left out, as IPv4 allows (RFC 768).
    fn datagram(&self, payload: &[u8]) -> io::Result<Vec<u8>> {
        let length = u16::try_from(UDP_HEADER + payload.len())
            .map_err(|_| io::Error::other("a datagram has 65527 bytes at most"))?;
        let mut datagram = Vec::with_capacity(length.into());
        for word in [self.from.1, self.to.1, length, 0] {
            datagram.extend(word.to_be_bytes());
        }
        datagram.extend_from_slice(payload);
        Ok(datagram)
    }
}

/// The packets of a datagram, in the order in which they leave.
fn packets(datagram: &[u8], from: Ipv4Addr, to: Ipv4Addr, identification: u16, cut: Cut) -> Vec<Vec<u8>> {
    let size = (usize::from(cut.size) / UNIT).max(1) * UNIT;
    let count = datagram.len().div_ceil(size);
    let packet = |(place, piece): (usize, &[u8])| {
        let more = if place + 1 < count { MORE_FRAGMENTS } else { 0 };
        // 65535 bytes at most are 8191 units at most.
        let offset = u16::try_from(place * size / UNIT).unwrap_or(0);
        let length = u16::try_from(HEADER + piece.len()).unwrap_or(u16::MAX);
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend(identification.to_be_bytes());
        packet.extend((offset | more).to_be_bytes());
        // The kernel fills in the check sum.
        packet.extend([TTL, UDP, 0, 0]);
        packet.extend(from.octets());
        packet.extend(to.octets());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_cover_the_datagram_once() {
        let datagram: Vec<u8> = (0..100).collect();
        let address = Ipv4Addr::LOCALHOST;
        let cut = Cut { size: 32, reversed: false, dropped: None };
        let all = packets(&datagram, address, address, 7, cut);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [52, 52, 52, 24]);
        let words = all.iter().map(|packet| u16::from_be_bytes([packet[6], packet[7]]));
        assert_eq!(words.collect::<Vec<_>>(), [0x2000, 0x2004, 0x2008, 0x000C]);
        assert_eq!(all.iter().flat_map(|packet| packet[HEADER..].to_vec()).collect::<Vec<_>>(), datagram);
        let reversed = packets(&datagram, address, address, 7, Cut { reversed: true, ..cut });
        assert_eq!(reversed.iter().rev().cloned().collect::<Vec<_>>(), all);
        let dropped = packets(&datagram, address, address, 7, Cut { dropped: Some(6), ..cut });
        assert_eq!(dropped, [&all[0], &all[1], &all[3]].map(Clone::clone));
    }
}
