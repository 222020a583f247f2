//! Captures written byte by byte here, so that every byte order, resolution and damage is met.

use super::*;

const PACKET: [u8; 5] = [1, 2, 3, 4, 5];

struct Seen {
    arrival: Nanos,
    interface: u16,
    direction: Direction,
    link: LinkType,
    wire_length: u32,
    bytes: Vec<u8>,
}

fn read(bytes: &[u8]) -> (Vec<Seen>, CaptureCounts, Option<CaptureError>) {
    let mut capture = match Capture::new(bytes, "file".to_owned()) {
        Ok(capture) => capture,
        Err(error) => return (Vec::new(), CaptureCounts::default(), Some(error)),
    };
    let mut seen = Vec::new();
    loop {
        match capture.next_record() {
            Ok(Some(record)) => seen.push(Seen {
                arrival: record.arrival,
                interface: record.interface.0,
                direction: record.direction,
                link: record.link,
                wire_length: record.wire_length,
                bytes: record.bytes.to_vec(),
            }),
            Ok(None) => return (seen, capture.counts(), None),
            Err(error) => return (seen, capture.counts(), Some(error)),
        }
    }
}

/// Writes numbers in one byte order.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

const LITTLE: Order = Order { big: false };
const BIG: Order = Order { big: true };

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|&value| self.u32(value)).collect()
    }

    fn pcap(self, magic: u32, link: u32) -> Vec<u8> {
        let mut file = self.u32(magic).to_vec();
        file.extend(self.u16(2));
        file.extend(self.u16(4));
        file.extend(self.words(&[0, 0, 65_535, link]));
        file
    }

    fn pcap_packet(self, seconds: u32, fraction: u32, wire: u32) -> Vec<u8> {
        let mut packet = self.words(&[seconds, fraction, 5, wire]);
        packet.extend(PACKET);
        packet
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).unwrap();
        let mut block = self.words(&[kind, length]);
        block.extend(body);
        block.resize(8 + padded, 0);
        block.extend(self.u32(length));
        block
    }

    fn section(self) -> Vec<u8> {
        let mut body = self.u32(0x1A2B_3C4D).to_vec();
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend([0xFF; 8]);
        self.block(0x0A0D_0D0A, &body)
    }

    fn interface(self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = self.u16(link).to_vec();
        body.extend(self.u16(0));
        body.extend(self.u32(snaplen));
        body.extend(self.options(options));
        self.block(1, &body)
    }

    fn options(self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, value) in options {
            out.extend(self.u16(*code));
            out.extend(self.u16(u16::try_from(value.len()).unwrap()));
            out.extend(*value);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            out.extend([0; 4]);
        }
        out
    }

    fn enhanced(self, interface: u32, units: u64, wire: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let high = u32::try_from(units >> 32).unwrap();
        let low = u32::try_from(units & 0xFFFF_FFFF).unwrap();
        let mut body = self.words(&[interface, high, low, 5, wire]);
        body.extend(PACKET);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(6, &body)
    }
}

fn one(bytes: &[u8]) -> Seen {
    let (mut seen, counts, error) = read(bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(counts.packets, 1, "{counts:?}");
    assert_eq!(counts.losses(), None);
    seen.remove(0)
}

#[test]
fn pcap_of_either_order_and_resolution() {
    for order in [LITTLE, BIG] {
        for (magic, ns) in [(0xA1B2_C3D4, 7_000), (0xA1B2_3C4D, 7)] {
            let file = [order.pcap(magic, 1), order.pcap_packet(1_700_000_000, 7, 60)].concat();
            let packet = one(&file);
            assert_eq!(packet.arrival, Nanos(1_700_000_000_000_000_000 + ns));
            assert_eq!((packet.bytes.as_slice(), packet.wire_length), (PACKET.as_slice(), 60));
        }
    }
}

#[test]
fn seconds_after_2038_stay_in_the_future() {
    let file = [LITTLE.pcap(0xA1B2_C3D4, 1), LITTLE.pcap_packet(u32::MAX, 0, 5)].concat();
    assert_eq!(one(&file).arrival, Nanos(4_294_967_295_000_000_000));
}

#[test]
fn link_types_are_told_apart() {
    let links = [
        (1, LinkType::Ethernet),
        (101, LinkType::Ip),
        (228, LinkType::Ip),
        (229, LinkType::Ip),
        (113, LinkType::LinuxSll),
        (276, LinkType::LinuxSll2),
        (0, LinkType::Loopback),
        (108, LinkType::Loopback),
        // A frame check sequence of four bytes is announced in the upper bits.
        (0x4400_0001, LinkType::Ethernet),
    ];
    for (number, link) in links {
        let file = [LITTLE.pcap(0xA1B2_C3D4, number), LITTLE.pcap_packet(1, 0, 5)].concat();
        assert_eq!(one(&file).link, link, "link type {number:#x}");
    }
}

#[test]
fn a_link_type_that_is_not_read_is_named() {
    let (_, _, error) = read(&LITTLE.pcap(0xA1B2_C3D4, 147));
    let message = error.unwrap().to_string();
    assert!(message.contains("link type 147") && message.contains("file"), "{message}");
}

#[test]
fn a_pcap_cut_at_any_byte_gives_what_is_whole() {
    let whole = [
        LITTLE.pcap(0xA1B2_C3D4, 1),
        LITTLE.pcap_packet(1, 0, 5),
        LITTLE.pcap_packet(2, 0, 5),
        LITTLE.pcap_packet(3, 0, 5),
    ]
    .concat();
    for length in 24..whole.len() {
        let (seen, counts, error) = read(&whole[..length]);
        assert!(error.is_none(), "{length}: {error:?}");
        assert_eq!(seen.len(), (length - 24) / 21);
        assert_eq!(counts.cut_short_bytes, ((length - 24) % 21) as u64);
        assert_eq!(counts.losses().is_some(), counts.cut_short_bytes > 0);
    }
}

#[test]
fn a_packet_too_large_to_believe_is_damage_with_its_place() {
    let mut file = [LITTLE.pcap(0xA1B2_C3D4, 1), LITTLE.pcap_packet(1, 0, 5)].concat();
    file.extend(LITTLE.words(&[2, 0, 0x7FFF_FFFF, 60]));
    let (seen, _, error) = read(&file);
    assert_eq!(seen.len(), 1);
    assert!(error.unwrap().to_string().contains("byte 45"));
}

#[test]
fn what_is_no_capture_says_what_it_begins_with() {
    for (bytes, expected) in [
        (&b""[..], "is empty"),
        (&b"\x1f\x8b\x08\0 and the rest of the archive"[..], "(gzip); unpack"),
        (&b"hello"[..], "68 65 6c 6c 6f"),
        (&b"\xd4\xc3\xb2\xa1\x02"[..], "inside its pcap header"),
        (&[0xAA; 64][..], "aa aa aa aa"),
    ] {
        let (_, _, error) = read(bytes);
        let message = error.unwrap().to_string();
        assert!(message.starts_with("file ") && message.contains(expected), "{message}");
    }
}

#[test]
fn pcapng_of_either_order_with_resolutions_and_offsets() {
    let resolutions: [(&[u8], u64, i64); 5] = [
        (&[6], 1_500_000, 1_500_000_000),
        (&[9], 1_500_000_001, 1_500_000_001),
        (&[3], 1_500, 1_500_000_000),
        (&[12], 1_500_000_001_999, 1_500_000_001),
        (&[0x80 | 0x0A], 1_536, 1_500_000_000),
    ];
    for order in [LITTLE, BIG] {
        for (resolution, units, ns) in resolutions {
            let offset = if order.big { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
            let file = [
                order.section(),
                order.interface(1, 0, &[(9, resolution), (14, &offset)]),
                order.enhanced(0, units, 90, &[]),
            ]
            .concat();
            let packet = one(&file);
            assert_eq!(packet.arrival, Nanos(100_000_000_000 + ns), "resolution {resolution:?}");
            assert_eq!((packet.bytes.as_slice(), packet.wire_length), (PACKET.as_slice(), 90));
        }
    }
}

#[test]
fn microseconds_are_meant_where_no_resolution_is_given() {
    let file = [LITTLE.section(), LITTLE.interface(1, 0, &[]), LITTLE.enhanced(0, 7, 5, &[])].concat();
    assert_eq!(one(&file).arrival, Nanos(7_000));
}

#[test]
fn sections_and_interfaces_are_numbered_through() {
    let file = [
        LITTLE.section(),
        LITTLE.interface(1, 0, &[]),
        LITTLE.interface(113, 0, &[]),
        LITTLE.enhanced(1, 1, 5, &[(2, &1_u32.to_le_bytes())]),
        BIG.section(),
        BIG.interface(101, 0, &[]),
        BIG.enhanced(0, 2, 5, &[(2, &2_u32.to_be_bytes())]),
    ]
    .concat();
    let (seen, counts, error) = read(&file);
    assert!(error.is_none() && counts.losses().is_none());
    let facts: Vec<_> = seen.iter().map(|packet| (packet.interface, packet.link, packet.direction)).collect();
    assert_eq!(facts, [(1, LinkType::LinuxSll, Direction::Ingress), (2, LinkType::Ip, Direction::Egress)]);
}

#[test]
fn simple_and_obsolete_packets_and_unknown_blocks() {
    for order in [LITTLE, BIG] {
        let mut simple = order.u32(9).to_vec();
        simple.extend(PACKET);
        let mut obsolete = order.u16(0).to_vec();
        obsolete.extend(order.u16(3));
        obsolete.extend(order.words(&[0, 42, 5, 77]));
        obsolete.extend(PACKET);
        let file = [
            order.section(),
            order.interface(1, 5, &[]),
            order.block(0x0000_0BAD, &[0; 16]),
            order.block(3, &simple),
            order.block(0x7777_7777, b"what is this"),
            order.block(2, &obsolete),
        ]
        .concat();
        let (seen, counts, error) = read(&file);
        assert!(error.is_none());
        assert_eq!((counts.untimed, counts.damaged_blocks), (1, 0));
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].arrival, seen[0].wire_length), (UNKNOWN_ARRIVAL, 9));
        assert_eq!((seen[1].arrival, seen[1].wire_length), (Nanos(42_000), 77));
        assert!(seen.iter().all(|packet| packet.bytes == PACKET));
    }
}

#[test]
fn a_damaged_block_costs_itself_alone() {
    let mut lying = LITTLE.enhanced(0, 2, 5, &[]);
    // Its captured length reaches past its end.
    lying[20..24].copy_from_slice(&4_000_u32.to_le_bytes());
    let file = [
        LITTLE.section(),
        LITTLE.interface(1, 0, &[]),
        LITTLE.enhanced(0, 1, 5, &[]),
        lying,
        LITTLE.enhanced(9, 2, 5, &[]),
        LITTLE.enhanced(0, 3, 5, &[]),
    ]
    .concat();
    let (seen, counts, error) = read(&file);
    assert!(error.is_none());
    assert_eq!(seen.iter().map(|packet| packet.arrival.0).collect::<Vec<_>>(), [1_000, 3_000]);
    assert_eq!(counts.damaged_blocks, 2);
}

#[test]
fn packets_of_a_foreign_interface_are_left_out_and_counted() {
    let file = [
        LITTLE.section(),
        LITTLE.interface(147, 0, &[]),
        LITTLE.interface(1, 0, &[]),
        LITTLE.enhanced(0, 1, 5, &[]),
        LITTLE.enhanced(1, 2, 5, &[]),
    ]
    .concat();
    let (seen, counts, _) = read(&file);
    assert_eq!(seen.len(), 1);
    assert_eq!((counts.foreign_link, counts.foreign_link_type), (1, Some(147)));
}

#[test]
fn a_pcapng_cut_at_any_byte_gives_what_is_whole() {
    let blocks = [LITTLE.section(), LITTLE.interface(1, 0, &[]), LITTLE.enhanced(0, 1, 5, &[])];
    let whole = blocks.concat();
    for length in 12..whole.len() {
        let (seen, _, error) = read(&whole[..length]);
        assert!(error.is_none(), "{length}: {error:?}");
        assert!(seen.is_empty());
    }
}

#[test]
fn a_block_without_a_believable_length_is_damage() {
    let file = [LITTLE.section(), LITTLE.words(&[6, 3, 0, 0])].concat();
    let (_, _, error) = read(&file);
    assert!(error.unwrap().to_string().contains("damaged at byte 28"));
}

/// A reader that hands out few bytes at a time, as a pipe does.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.0.len().min(7).min(into.len());
        into[..bytes].copy_from_slice(&self.0[..bytes]);
        self.0 = &self.0[bytes..];
        Ok(bytes)
    }
}

#[test]
fn blocks_that_straddle_reads_and_the_buffer_are_whole() {
    let mut file = LITTLE.pcap(0xA1B2_C3D4, 1);
    let large = vec![0x5A; 300_000];
    for second in 0..10 {
        file.extend(LITTLE.words(&[second, 0, 300_000, 300_000]));
        file.extend(&large);
    }
    let mut capture = Capture::new(Trickle(&file), "pipe".to_owned()).unwrap();
    let mut packets = 0;
    while let Some(record) = capture.next_record().unwrap() {
        assert_eq!(record.bytes, large);
        assert_eq!(record.arrival, Nanos(packets * 1_000_000_000));
        packets += 1;
    }
    assert_eq!(packets, 10);
}

/// Changes bytes of captures at random places, reproducibly (xorshift with a fixed seed): whatever comes of it, the
/// reader ends, hands out no more than the file holds, and does not panic.
#[test]
fn changed_bytes_never_panic() {
    const ROUNDS: usize = 20_000;
    let kinds: Vec<u8> = [4, 5, 9, 10, 0x0BAD, 0x4000_0BAD, 0x8000_0001, 77]
        .iter()
        .flat_map(|&kind| LITTLE.block(kind, &[1, 0, 4, 0, 1, 2, 3, 4, 0, 0, 0, 0, 7, 7, 7, 7]))
        .collect();
    let pcapng = [
        LITTLE.section(),
        LITTLE.interface(1, 0, &[(9, &[6]), (14, &[0; 8]), (2, b"eth0")]),
        kinds,
        LITTLE.enhanced(0, 1, 5, &[(2, &[1, 0, 0, 0])]),
        LITTLE.block(3, &[5, 0, 0, 0, 1, 2, 3, 4, 5]),
        LITTLE.block(2, &[0; 24]),
    ]
    .concat();
    let pcap =
        [LITTLE.pcap(0xA1B2_C3D4, 1), LITTLE.pcap_packet(1, 0, 5), LITTLE.pcap_packet(2, 0, 5)].concat();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    for original in [&pcapng, &pcap] {
        for _ in 0..ROUNDS {
            let mut bytes = original.clone();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                bytes[at] = [0, 0xFF, 0x80, 1, u8::try_from(next(256)).unwrap()][next(5)];
            }
            bytes.truncate(bytes.len() - next(2) * next(bytes.len()));
            let (seen, counts, _) = read(&bytes);
            assert!(seen.iter().map(|packet| packet.bytes.len()).sum::<usize>() <= bytes.len(), "{counts:?}");
        }
    }
}
