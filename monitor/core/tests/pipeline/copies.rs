//! Copies of packets: by mirrors, PRP and second interfaces, beside duplicates that are none.

use monitor_core::event::Counts;
use monitor_core::packet::{Direction, InterfaceId, Record, VlanTag};
use monitor_core::pipeline::{Pipeline, Ports};
use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{Command, IdCode, TimeQuality, TimeTag, Version};
use monitor_core::stream::{StreamRule, StreamSettings};

use crate::{Bench, PDC, PMU, PORT, Pmu, SMALL, assert_adds_up, pmu, record, udp};

const START: u64 = 85_000_000_000;
const MS: i64 = 1_000_000;
const FRAMES: u64 = 200;

/// Makes a packet of a payload and a number.
type First<'a> = &'a dyn Fn(&[u8], u16) -> Vec<u8>;
/// Shows the packet with a payload and a number, which arrived then, again.
type Again<'a> = &'a dyn Fn(&[u8], u16, i64, &mut dyn FnMut(&Record<'_>));

/// A packet with this identification.
fn numbered(payload: &[u8], ip_id: u16) -> Vec<u8> {
    let mut packet = udp(PMU, PDC, [PORT, 30_000], payload);
    packet[18..20].copy_from_slice(&ip_id.to_be_bytes());
    packet
}

/// A packet with PRP's trailer.
fn trailed(payload: &[u8], sequence: u16, lan: u8) -> Vec<u8> {
    let mut packet = udp(PMU, PDC, [PORT, 30_000], payload);
    let size = u16::try_from(packet.len() - 14 + 6).expect("small");
    packet.extend(sequence.to_be_bytes());
    packet.extend((u16::from(lan) << 12 | size).to_be_bytes());
    packet.extend([0x88, 0xFB]);
    packet
}

fn arrives(pmu: &Pmu, n: u64) -> i64 {
    pmu.rate.unix_ns_of_index(START + n)
}

/// Sends a configuration and frames; `again` says how the second sight of packet `n` differs.
fn twice(
    bench: &mut Bench,
    packet: impl Fn(&[u8], u16) -> Vec<u8>,
    again: impl Fn(&[u8], u16, i64, &mut dyn FnMut(&Record<'_>)),
) -> Counts {
    let pmu = pmu();
    let payloads = std::iter::once(pmu.config(u32::try_from(START / 50).expect("a second")))
        .chain((0..FRAMES).map(|n| pmu.data(START + n)));
    for (n, payload) in (0_u64..).zip(payloads) {
        let (number, at) = (u16::try_from(n).expect("few") + 1, arrives(&pmu, n));
        let bytes = packet(&payload, number);
        bench.push(&record(&bytes, at));
        again(&payload, number, at, &mut |record| bench.push(record));
    }
    bench.counts()
}

/// Every packet counts once, and its second sight as a copy.
fn assert_all_copies(bench: &Bench, counts: &Counts) {
    assert_eq!(counts.frames.c37118, [FRAMES, 0, 0, 1, 0, 0]);
    assert_eq!(counts.copies, FRAMES + 1);
    assert_eq!(counts.bytes.duplicate, counts.bytes.in_frames);
    let stream = bench.only_stream();
    let counts = stream.counts;
    assert_eq!((counts.frames, counts.configs), (FRAMES, 1));
    assert_eq!((counts.duplicate, counts.out_of_order, counts.missing, counts.stale), (0, 0, 0, 0));
    let skew = stream.report.copies.skew;
    assert_eq!((skew.count, skew.min, skew.max), (FRAMES + 1, 2 * MS, 2 * MS));
}

#[test]
fn a_second_interface() {
    let mut bench = Bench::on_port();
    let counts = twice(&mut bench, numbered, |payload, number, at, push| {
        let bytes = numbered(payload, number);
        push(&Record { interface: InterfaceId(1), ..record(&bytes, at + 2 * MS) });
    });
    assert_all_copies(&bench, &counts);
    let copies = bench.only_stream().report.copies;
    assert_eq!((copies.interface, copies.mirror, copies.prp, copies.lan), (FRAMES + 1, 0, 0, [0, 0]));
}

#[test]
fn a_mirror_shows_the_same_packet_again() {
    // By identification; by VLAN; by direction; by hop limit, as a router's two ports show it.
    let unnumbered = |payload: &[u8], _| numbered(payload, 0);
    let same: Again<'_> = &|payload, number, at, push| push(&record(&numbered(payload, number), at + 2 * MS));
    let vlan: Again<'_> = &|payload, _, at, push| {
        let vlan = Some(VlanTag { id: 9, priority: 0 });
        push(&Record { vlan, ..record(&numbered(payload, 0), at + 2 * MS) });
    };
    let direction: Again<'_> = &|payload, _, at, push| {
        push(&Record { direction: Direction::Egress, ..record(&numbered(payload, 0), at + 2 * MS) });
    };
    let routed: Again<'_> = &|payload, _, at, push| {
        let mut bytes = numbered(payload, 0);
        bytes[22] -= 1;
        push(&record(&bytes, at + 2 * MS));
    };
    let mut bench = Bench::on_port();
    let counts = twice(&mut bench, numbered, same);
    assert_all_copies(&bench, &counts);
    for again in [vlan, direction, routed] {
        let mut bench = Bench::on_port();
        let counts = twice(&mut bench, unnumbered, again);
        assert_all_copies(&bench, &counts);
        assert_eq!(bench.only_stream().report.copies.mirror, FRAMES + 1);
    }
}

#[test]
fn prp_sends_over_two_networks() {
    let mut bench = Bench::on_port();
    let counts = twice(
        &mut bench,
        |payload, number| trailed(payload, number, 0xA),
        |payload, number, at, push| push(&record(&trailed(payload, number, 0xB), at + 2 * MS)),
    );
    assert_all_copies(&bench, &counts);
    let copies = bench.only_stream().report.copies;
    assert_eq!((copies.prp, copies.lan), (FRAMES + 1, [FRAMES + 1, FRAMES + 1]));
}

#[test]
fn what_was_sent_twice_is_a_duplicate() {
    // Another identification; none; another sequence number of PRP, though it came by the other network.
    let other: Again<'_> =
        &|payload, number, at, push| push(&record(&numbered(payload, number + 1_000), at + MS));
    let none: Again<'_> = &|payload, _, at, push| push(&record(&numbered(payload, 0), at + MS));
    let prp: Again<'_> =
        &|payload, number, at, push| push(&record(&trailed(payload, number + 1_000, 0xB), at + MS));
    let unnumbered: First<'_> = &|payload, _| numbered(payload, 0);
    let first_prp: First<'_> = &|payload, number| trailed(payload, number, 0xA);
    for (first, again) in [(&numbered as First<'_>, other), (unnumbered, none), (first_prp, prp)] {
        let mut bench = Bench::on_port();
        let counts = twice(&mut bench, first, again);
        assert_eq!(counts.frames.c37118, [2 * FRAMES, 0, 0, 2, 0, 0]);
        assert_eq!((counts.copies, counts.bytes.duplicate), (0, 0));
        let counts = bench.only_stream().counts;
        assert_eq!((counts.frames, u64::from(counts.duplicate)), (2 * FRAMES, FRAMES));
    }
}

#[test]
fn a_stream_that_is_set_as_mirrored_takes_equal_packets_for_copies() {
    let settings = StreamSettings { mirrored: true, ..StreamSettings::default() };
    let rules = vec![StreamRule { settings, ..StreamRule::default() }];
    let pipeline = Pipeline::with_rules(Ports::Set(vec![PORT]), &SMALL, rules.into());
    let mut bench = Bench { pipeline, out: crate::Kept::default() };
    let none = |payload: &[u8], _| numbered(payload, 0);
    let counts = twice(&mut bench, none, |payload, _, at, push| {
        push(&record(&numbered(payload, 0), at + 2 * MS));
    });
    assert_all_copies(&bench, &counts);
}

#[test]
fn copies_and_duplicates_and_loss_are_counted_each_for_itself() {
    // Two interfaces: on the first every tenth packet is lost, on the second every seventh; every 25th is sent twice.
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let sent_twice = |n: u64| n.is_multiple_of(25);
    let mut packets = Vec::new();
    let mut number = 0;
    for n in 0..700 {
        for again in 0..=u64::from(sent_twice(n)) {
            number += 1;
            let bytes = numbered(&pmu.data(START + n), number);
            let at = arrives(&pmu, n) + i64::try_from(again).expect("0 or 1") * 50_000;
            packets.push((n, bytes, at));
        }
    }
    bench.send(&pmu.config(1), arrives(&pmu, 0));
    let (mut both, mut seen) = (0, 0);
    for (n, bytes, at) in &packets {
        let (first, second) = (n % 10 != 3, n % 7 != 5);
        if first {
            bench.push(&record(bytes, *at));
        }
        if second {
            bench.push(&Record { interface: InterfaceId(1), ..record(bytes, at + 20_000) });
        }
        both += u64::from(first && second);
        seen += u64::from(first || second);
    }
    let lost = (0..700_u64).filter(|n| n % 10 == 3 && n % 7 == 5).count();
    let doubled = (0..700_u64).filter(|n| sent_twice(*n) && (n % 10 != 3 || n % 7 != 5)).count();
    let counts = bench.counts();
    assert_eq!(counts.copies, both);
    let stream = bench.only_stream();
    assert_eq!(stream.counts.frames, seen);
    assert_eq!((stream.counts.missing as usize, stream.counts.duplicate as usize), (lost, doubled));
    let copies = stream.report.copies;
    assert_eq!((copies.interface, copies.skew.min, copies.skew.max), (both, 20_000, 20_000));
}

#[test]
fn commands_are_copied_too() {
    let mut bench = Bench::on_port();
    let time = TimeTag::new(1_700_000_000, 0, TimeQuality::default()).expect("24 bits");
    let preamble = Preamble { version: Version::V2005, idcode: IdCode(7), time };
    let mut bytes = [0; 64];
    let size = encode::command(&mut bytes, &preamble, Command::SendConfig2, &[]).expect("a command");
    let packet = udp(PDC, PMU, [30_000, PORT], &bytes[..size]);
    bench.push(&record(&packet, 0));
    bench.push(&Record { interface: InterfaceId(1), ..record(&packet, MS) });
    let counts = bench.counts();
    assert_eq!((counts.frames.c37118[4], counts.copies), (1, 1));
    // Forwarded: the same packet, byte by byte, leaves. A second command is none.
    bench.push(&Record { direction: Direction::Egress, ..record(&packet, 2 * MS) });
    assert_eq!((bench.counts().frames.c37118[4], bench.counts().copies), (1, 2));
    let size = encode::command(&mut bytes, &preamble, Command::TurnOn, &[]).expect("a command");
    let packet = udp(PDC, PMU, [30_000, PORT], &bytes[..size]);
    bench.push(&Record { direction: Direction::Egress, ..record(&packet, 3 * MS) });
    let counts = bench.counts();
    assert_eq!((counts.frames.c37118[4], counts.copies), (2, 2));
    assert_adds_up(&counts);
}
