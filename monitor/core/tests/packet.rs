//! Packets as they stand on wires: links, tags, IPv4, IPv6, UDP, TCP, and what is none of these.

#[path = "support/packets.rs"]
mod packets;

use monitor_core::flow::FlowKey;
use monitor_core::packet::{Content, LinkType, Malformed, Packet, Record, VlanTag};
use packets::{PDC, PMU, PORT, record, udp};
use proptest::prelude::*;

const PAYLOAD: &[u8] = b"payload";

/// The IPv4 packet with its UDP datagram, without a link header and padding.
fn ipv4() -> Vec<u8> {
    udp(PMU, PDC, [PORT, 5_000], PAYLOAD)[14..14 + 28 + PAYLOAD.len()].to_vec()
}

/// An IPv6 packet: extension headers of the given kinds, then a UDP datagram.
fn ipv6(kinds: &[(u8, &[u8])]) -> Vec<u8> {
    let datagram = &ipv4()[20..];
    let next = |at: usize| kinds.get(at).map_or(17, |(kind, _)| *kind);
    let mut behind = Vec::new();
    for (at, (_, body)) in kinds.iter().enumerate() {
        behind.push(next(at + 1));
        behind.extend(*body);
    }
    behind.extend(datagram);
    let length = u16::try_from(behind.len()).expect("short").to_be_bytes();
    let mut bytes = vec![0x60, 0, 0, 0, length[0], length[1], next(0), 64];
    bytes.extend([0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend(behind);
    bytes
}

fn ethernet(tags: &[[u8; 4]], ethertype: [u8; 2], rest: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &tags.concat(), &ethertype, rest].concat()
}

fn parse(link: LinkType, bytes: &[u8]) -> Result<Packet<'_>, Malformed> {
    Packet::parse(&Record { link, ..record(bytes, 0) })
}

fn payload<'a>(packet: &Packet<'a>) -> &'a [u8] {
    match packet.content {
        Content::Udp(datagram) => datagram.payload,
        Content::Tcp(segment) => segment.payload,
        Content::Fragment(_) | Content::Other { .. } => panic!("{packet:?}"),
    }
}

#[test]
fn ethernets_padding_is_no_payload() {
    let bytes = udp(PMU, PDC, [PORT, 5_000], PAYLOAD);
    assert_eq!(bytes.len(), 60);
    let packet = parse(LinkType::Ethernet, &bytes).expect("a packet");
    assert_eq!(payload(&packet), PAYLOAD);
    assert_eq!(packet.macs, Some([[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]]));
    let Content::Udp(datagram) = packet.content else { panic!("{packet:?}") };
    assert_eq!(datagram.source.to_string(), "192.0.2.1:4713");
    assert_eq!(datagram.destination.to_string(), "192.0.2.9:5000");
}

#[test]
fn every_link_type_is_read() {
    let (four, six) = (ipv4(), ipv6(&[]));
    let cooked = |ethertype: [u8; 2], ip: &[u8]| [&[0; 14][..], &ethertype, ip].concat();
    let cooked2 = |ethertype: [u8; 2], ip: &[u8]| [&ethertype[..], &[0; 18], ip].concat();
    let packets = [
        (LinkType::Ip, four.clone()),
        (LinkType::Ip, six.clone()),
        (LinkType::Ethernet, ethernet(&[], [8, 0], &four)),
        (LinkType::Ethernet, ethernet(&[], [0x86, 0xDD], &six)),
        (LinkType::LinuxSll, cooked([8, 0], &four)),
        (LinkType::LinuxSll, cooked([0x86, 0xDD], &six)),
        (LinkType::LinuxSll2, cooked2([8, 0], &four)),
        (LinkType::LinuxSll2, cooked2([0x86, 0xDD], &six)),
        (LinkType::Loopback, [&[2, 0, 0, 0][..], &four].concat()),
        (LinkType::Loopback, [&[0, 0, 0, 2][..], &four].concat()),
        (LinkType::Loopback, [&[0, 0, 0, 30][..], &six].concat()),
    ];
    for (link, bytes) in packets {
        let packet = parse(link, &bytes).expect("a packet");
        assert_eq!(payload(&packet), PAYLOAD, "{link:?}");
    }
}

#[test]
fn tags_in_the_data_and_outside() {
    let (outer, inner) = ([0x88, 0xA8, 0x20, 100], [0x81, 0, 0x80, 7]);
    let tag = |id, priority| Some(VlanTag { id, priority });
    let cases = [
        (vec![], None, [None, None]),
        (vec![inner], None, [tag(7, 4), None]),
        (vec![outer, inner], None, [tag(100, 1), tag(7, 4)]),
        (vec![inner], tag(100, 1), [tag(100, 1), tag(7, 4)]),
        (vec![outer, outer, inner], None, [tag(100, 1), tag(100, 1)]),
    ];
    for (tags, outside, expected) in cases {
        let bytes = ethernet(&tags, [8, 0], &ipv4());
        let packet = Packet::parse(&Record { vlan: outside, ..record(&bytes, 0) }).expect("a packet");
        assert_eq!([packet.vlan, packet.inner_vlan], expected);
        assert!(!packet.vlan_unknown);
        assert_eq!(payload(&packet), PAYLOAD);
        let blind = Record { vlan: outside, vlan_unknown: true, ..record(&bytes, 0) };
        let packet = Packet::parse(&blind).expect("a packet");
        assert_eq!(packet.vlan_unknown, expected == [None, None], "unknown only where none was found");
    }
}

#[test]
fn options_of_ipv4_and_tcp_are_passed_over() {
    let mut bytes = ipv4();
    bytes.splice(20..20, [1; 8]);
    (bytes[0], bytes[3]) = (0x47, bytes[3] + 8);
    assert_eq!(payload(&parse(LinkType::Ip, &bytes).expect("a packet")), PAYLOAD);

    // 20 bytes of header and 12 of options, then the payload.
    let mut tcp = ipv4()[..20].to_vec();
    tcp[9] = 6;
    tcp.extend([0x12, 0x68, 0x80, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x80, 0x18, 0, 0, 0, 0, 0, 0]);
    tcp.extend([1; 12]);
    tcp.extend(PAYLOAD);
    tcp[3] = u8::try_from(tcp.len()).expect("short");
    let packet = parse(LinkType::Ip, &tcp).expect("a packet");
    assert_eq!(payload(&packet), PAYLOAD);
    let Content::Tcp(segment) = packet.content else { panic!("{packet:?}") };
    assert_eq!((segment.source.port, segment.sequence, segment.flags), (4712, 256, 0x18));
    assert_eq!(
        (segment.acknowledgement, segment.ip_id),
        (0x0000_0000, None),
        "an identification of 0 says nothing"
    );
    let key = FlowKey::new([Some(VlanTag { id: 0, priority: 5 }), None], segment.source, segment.destination);
    assert_eq!(key.vlans, [None, None], "a priority is no VLAN");
    assert_eq!((key.reversed().source, key.reversed().reversed()), (segment.destination, key));
}

#[test]
fn merged_segments_may_leave_the_length_at_zero() {
    let mut tcp = ipv4()[..20].to_vec();
    (tcp[2], tcp[3], tcp[9]) = (0, 0, 6);
    tcp.extend([0; 12]);
    tcp.extend([0x50, 0, 0, 0, 0, 0, 0, 0]);
    tcp.resize(tcp.len() + 70_000, 7);
    assert_eq!(payload(&parse(LinkType::Ip, &tcp).expect("a packet")).len(), 70_000);
}

#[test]
fn extension_headers_of_ipv6_are_passed_over() {
    let options: &[u8] = &[0, 1, 4, 0, 0, 0, 0];
    let authentication: &[u8] = &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let whole: &[u8] = &[0, 0, 0, 0, 0, 0, 9];
    let bytes = ipv6(&[(0, options), (43, options), (60, options), (51, authentication), (44, whole)]);
    let packet = parse(LinkType::Ip, &bytes).expect("a packet");
    assert_eq!(payload(&packet), PAYLOAD, "a fragment that is the whole is none");
    let Content::Udp(datagram) = packet.content else { panic!("{packet:?}") };
    assert_eq!(datagram.source.to_string(), "[2001:db8::1]:4713");
    for cut in 40..bytes.len() - PAYLOAD.len() {
        let cut = Record { link: LinkType::Ip, ..record(&bytes[..cut], 0) };
        assert!(Packet::parse(&cut).is_err());
        assert!(Packet::parse(&Record { wire_length: 1_000, ..cut }).is_err(), "no header is left");
    }
}

#[test]
fn fragments_are_told() {
    let mut first = ipv4();
    first[6] = 0x20;
    let packet = parse(LinkType::Ip, &first).expect("a packet");
    let Content::Fragment(fragment) = packet.content else { panic!("{packet:?}") };
    assert_eq!((fragment.offset, fragment.more, fragment.ports()), (0, true, Some([PORT, 5_000])));
    assert_eq!(fragment.data(), PAYLOAD);
    assert!(!fragment.is_ipv6());

    let bytes = ipv6(&[(44, &[0, 0x01, 0x00, 0, 0, 0, 9])]);
    let packet = parse(LinkType::Ip, &bytes).expect("a packet");
    let Content::Fragment(fragment) = packet.content else { panic!("{packet:?}") };
    assert_eq!((fragment.offset, fragment.more, fragment.ports()), (256, false, None));
    assert_eq!((fragment.identification, fragment.data().len()), (9, 8 + PAYLOAD.len()));
    assert!(fragment.is_ipv6());
}

#[test]
fn lengths_that_lie_are_malformed_and_cut_packets_are_not() {
    let changed = |place: usize, byte: u8| {
        let mut bytes = ipv4();
        bytes[place] = byte;
        bytes
    };
    let cases = [
        (changed(3, 200), Malformed::Ip),
        (changed(3, 10), Malformed::Ip),
        (changed(0, 0x44), Malformed::Ip),
        (changed(0, 0x4F), Malformed::Ip),
        (changed(0, 0x54), Malformed::Link),
        (changed(25, 7), Malformed::Transport),
        (changed(25, 200), Malformed::Transport),
        (vec![], Malformed::Link),
    ];
    for (bytes, reason) in cases {
        assert_eq!(parse(LinkType::Ip, &bytes), Err(reason), "{bytes:?}");
    }
    let bytes = ipv4();
    let cut = Record { link: LinkType::Ip, wire_length: 35, ..record(&bytes[..31], 0) };
    let packet = Packet::parse(&cut).expect("a packet");
    let Content::Udp(datagram) = packet.content else { panic!("{packet:?}") };
    assert_eq!((datagram.payload, datagram.cut), (&PAYLOAD[..3], 4));
}

#[test]
fn other_packets_are_no_error() {
    let arp = ethernet(&[], [8, 6], &[0; 28]);
    let sampled = ethernet(&[[0x81, 0, 0x80, 1]], [0x88, 0xBA], &[0x40, 0]);
    for (bytes, expected, length) in [(arp, 0x0806, 28), (sampled, 0x88BA, 2)] {
        let packet = parse(LinkType::Ethernet, &bytes).expect("a packet");
        let Content::Other { ethertype, payload } = packet.content else { panic!("{packet:?}") };
        assert_eq!((ethertype, payload.len()), (expected, length));
    }
    let mut icmp = ipv4();
    icmp[9] = 1;
    assert!(matches!(parse(LinkType::Ip, &icmp), Ok(Packet { content: Content::Other { .. }, .. })));
}

proptest! {
    #[test]
    fn any_change_gives_a_payload_within_the_bytes(
        six: bool,
        changes in prop::collection::vec((0_usize..60, any::<u8>()), 0..4),
        cut in 0_usize..80,
        more in 0_u32..100,
    ) {
        let mut bytes = if six { ipv6(&[(0, &[0, 0, 0, 0, 0, 0, 0])]) } else { ipv4() };
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let wire_length = u32::try_from(bytes.len()).expect("short") + more;
        if let Ok(packet) = Packet::parse(&Record { link: LinkType::Ip, wire_length, ..record(&bytes, 0) }) {
            let held = match packet.content {
                Content::Udp(datagram) => datagram.payload.len(),
                Content::Tcp(segment) => segment.payload.len(),
                Content::Fragment(fragment) => fragment.payload.len(),
                Content::Other { payload, .. } => payload.len(),
            };
            prop_assert!(held <= bytes.len());
        }
    }
}
