//! Packets around payloads, as they stand on a wire.

use monitor_core::packet::{Direction, InterfaceId, LinkType, Record, RecordKind, Stamps};
use monitor_core::time::Nanos;

/// The two hosts.
pub const HOSTS: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 9]];

/// An Ethernet frame with an IPv4 packet between the two hosts. `fragment` is the header's word of flags and offset.
#[must_use]
pub fn ipv4(from: usize, protocol: u8, id: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    bytes.extend(word(20 + payload.len()));
    bytes.extend(id.to_be_bytes());
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(HOSTS[from & 1]);
    bytes.extend(HOSTS[1 - (from & 1)]);
    bytes.extend(payload);
    bytes
}

/// An Ethernet frame with an IPv6 packet that holds a fragment header.
#[must_use]
pub fn ipv6_fragment(from: usize, protocol: u8, id: u32, offset: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x86, 0xDD, 0x60, 0, 0, 0];
    bytes.extend(word(8 + payload.len()));
    bytes.extend([44, 64]);
    for host in [from & 1, 1 - (from & 1)] {
        bytes.extend([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.push(u8::from(host == 1) + 1);
    }
    bytes.extend([protocol, 0]);
    bytes.extend(offset.to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A UDP datagram between two ports.
#[must_use]
pub fn udp(ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(ports[0].to_be_bytes());
    bytes.extend(ports[1].to_be_bytes());
    bytes.extend(word(8 + payload.len()));
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// A TCP segment between two ports.
#[must_use]
pub fn tcp(ports: [u16; 2], sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + payload.len());
    bytes.extend(ports[0].to_be_bytes());
    bytes.extend(ports[1].to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

fn word(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// The record of a packet seen on Ethernet. Its arrival is set when it is pushed.
#[must_use]
pub fn record(bytes: &[u8], interface: u16) -> Record<'_> {
    Record {
        arrival: Nanos(0),
        stamps: Stamps::default(),
        interface: InterfaceId(interface),
        direction: Direction::Unknown,
        kind: RecordKind::Packet,
        link: LinkType::Ethernet,
        vlan: None,
        vlan_unknown: false,
        segments: 1,
        segment_size: 0,
        wire_length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        bytes,
        records: 1,
    }
}
