//! Packets around a payload, as they stand on a wire.

use monitor_core::packet::{LinkType, Record};
use monitor_core::time::Nanos;

/// The PMU's address and the receiver's.
pub(crate) const PMU: [u8; 4] = [192, 0, 2, 1];
pub(crate) const PDC: [u8; 4] = [192, 0, 2, 9];
/// UDP port of C37.118 by convention.
pub(crate) const PORT: u16 = 4713;

/// An Ethernet frame with a UDP datagram over IPv4, filled up to the 60 bytes that Ethernet asks for.
pub(crate) fn udp(source: [u8; 4], destination: [u8; 4], ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let word = |length: usize| u16::try_from(length).expect("the payload of a datagram").to_be_bytes();
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    bytes.extend(word(28 + payload.len()));
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    bytes.extend(source);
    bytes.extend(destination);
    bytes.extend(ports[0].to_be_bytes());
    bytes.extend(ports[1].to_be_bytes());
    bytes.extend(word(8 + payload.len()));
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

/// The record of a packet seen on Ethernet.
pub(crate) fn record(bytes: &[u8], arrival: i64) -> Record<'_> {
    Record {
        arrival: Nanos(arrival),
        stamps: monitor_core::packet::Stamps::default(),
        interface: monitor_core::packet::InterfaceId::default(),
        direction: monitor_core::packet::Direction::default(),
        kind: monitor_core::packet::RecordKind::default(),
        link: LinkType::Ethernet,
        vlan: None,
        vlan_unknown: false,
        segments: 1,
        segment_size: 0,
        wire_length: u32::try_from(bytes.len()).expect("a packet"),
        bytes,
        records: 1,
    }
}
