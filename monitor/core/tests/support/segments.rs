//! TCP segments and IP fragments, as they stand on a wire.

use monitor_core::packet::{InterfaceId, Record};

/// Flags of a segment.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// A TCP segment to be put on a wire.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) from: ([u8; 4], u16),
    pub(crate) to: ([u8; 4], u16),
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    pub(crate) ip_id: u16,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    /// With ACK alone and an identification of its own place.
    pub(crate) fn new(from: ([u8; 4], u16), to: ([u8; 4], u16), sequence: u32, payload: &[u8]) -> Self {
        let ip_id = u16::try_from(sequence % 0xFFFF).expect("a remainder") + 1;
        Self { from, to, sequence, acknowledgement: 1, flags: ACK, ip_id, payload: payload.to_vec() }
    }

    pub(crate) fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// The segment's header and payload.
    pub(crate) fn tcp(&self) -> Vec<u8> {
        let mut bytes = [self.from.1.to_be_bytes(), self.to.1.to_be_bytes()].concat();
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgement.to_be_bytes());
        bytes.extend([0x50, self.flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        bytes.extend(&self.payload);
        bytes
    }

    /// On Ethernet. A length that the field cannot hold is left at 0, as the kernel does.
    pub(crate) fn packet(&self) -> Vec<u8> {
        ipv4(6, self.from.0, self.to.0, self.ip_id, 0, &self.tcp())
    }
}

/// An IPv4 packet on Ethernet; `fragment` is its word of flags and offset.
pub(crate) fn ipv4(
    protocol: u8,
    source: [u8; 4],
    destination: [u8; 4],
    identification: u16,
    fragment: u16,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    bytes.extend(u16::try_from(20 + body.len()).unwrap_or(0).to_be_bytes());
    bytes.extend(identification.to_be_bytes());
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(source);
    bytes.extend(destination);
    bytes.extend(body);
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

/// An IPv6 packet on Ethernet that is a fragment: `2001:db8::1` to `2001:db8::9`.
pub(crate) fn ipv6_fragment(protocol: u8, identification: u32, fragment: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x86, 0xDD, 0x60, 0, 0, 0];
    bytes.extend(u16::try_from(8 + body.len()).expect("a packet").to_be_bytes());
    bytes.extend([44, 64]);
    for last in [1, 9] {
        bytes.extend([0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend([protocol, 0]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend(identification.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// A UDP header and its payload.
pub(crate) fn udp_of(ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a datagram");
    let mut bytes: Vec<u8> = [ports[0], ports[1], length, 0].into_iter().flat_map(u16::to_be_bytes).collect();
    bytes.extend(payload);
    bytes
}

/// A part of an IP packet's body: offset, whether more follow, bytes.
pub(crate) type Part<'a> = (usize, bool, &'a [u8]);

/// Cuts a body at multiples of 8 bytes.
pub(crate) fn cut(body: &[u8], at_most: usize) -> Vec<Part<'_>> {
    let size = at_most / 8 * 8;
    let parts = body.chunks(size).enumerate();
    parts.map(|(n, part)| (n * size, n * size + part.len() < body.len(), part)).collect()
}

/// The word of flags and offset in IPv4.
pub(crate) fn word4((offset, more, _): Part<'_>) -> u16 {
    u16::try_from(offset / 8).expect("13 bits") | u16::from(more) << 13
}

/// The same in IPv6.
pub(crate) fn word6((offset, more, _): Part<'_>) -> u16 {
    u16::try_from(offset).expect("16 bits") | u16::from(more)
}

/// The record of a packet seen on an interface.
pub(crate) fn seen_on(bytes: &[u8], arrival: i64, interface: u16) -> Record<'_> {
    Record { interface: InterfaceId(interface), ..crate::packets::record(bytes, arrival) }
}
