//! Packets as they stand on the wire, built by hand header by header: what tests and benches hand to the programs.

/// UDP's number in an IP header.
pub(crate) const UDP: u8 = 17;
/// TCP's.
pub(crate) const TCP: u8 = 6;
/// Ethertypes (IEEE 802 Numbers).
pub(crate) const IPV4: u16 = 0x0800;
/// IPv6.
pub(crate) const IPV6: u16 = 0x86DD;

/// Sender's and receiver's IPv4 address (RFC 5737).
pub(crate) const SOURCE: [u8; 4] = [192, 0, 2, 1];
/// The receiver's.
pub(crate) const DESTINATION: [u8; 4] = [192, 0, 2, 9];

/// The beginning of a DATA frame of `size` bytes, filled up with a pattern; its CRC is wrong, which only user space
/// looks at.
pub(crate) fn data_frame(idcode: u16, size: u16) -> Vec<u8> {
    frame(0x01, idcode, size)
}

/// The same with the second SYNC byte given: frame type in bits 6-4, version in bits 3-0.
pub(crate) fn frame(second: u8, idcode: u16, size: u16) -> Vec<u8> {
    let mut bytes = vec![0xAA, second];
    bytes.extend(size.to_be_bytes());
    bytes.extend(idcode.to_be_bytes());
    bytes.extend((bytes.len()..usize::from(size)).map(|place| place.to_le_bytes()[0]));
    bytes
}

/// A UDP header and its payload.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a datagram");
    let mut bytes = Vec::new();
    for word in [source, destination, length, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

/// A TCP header with `words` of 4 bytes (5 without options) and its payload.
pub(crate) fn tcp(source: u16, destination: u16, words: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [source, destination] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend([0; 8]);
    // PSH and ACK.
    bytes.extend([words << 4, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
    bytes.resize(usize::from(words) * 4, 1);
    bytes.extend(payload);
    bytes
}

/// An IPv4 header without options before `payload`.
pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, &[], 0, payload)
}

/// An IPv4 header with options (a multiple of 4 bytes) and the word of flags and fragment offset.
pub(crate) fn ipv4_with(protocol: u8, options: &[u8], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(5 + options.len() / 4).expect("an IPv4 header has 15 words at most");
    let length = u16::try_from(20 + options.len() + payload.len()).expect("a packet");
    let mut bytes = vec![0x40 | words, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0x12, 0x34]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(SOURCE);
    bytes.extend(DESTINATION);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// An IPv6 header; `next` is the number of what follows it.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(u16::try_from(payload.len()).expect("a packet").to_be_bytes());
    bytes.extend([next, 64]);
    for last in [1, 9] {
        bytes.extend([0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend(payload);
    bytes
}

/// An Ethernet header before `payload`.
pub(crate) fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1];
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A C37.118 DATA frame of `size` bytes in a UDP datagram over IPv4.
pub(crate) fn datagram(port: u16, size: u16) -> Vec<u8> {
    ethernet(IPV4, &ipv4(UDP, &udp(40_000, port, &data_frame(7, size))))
}
