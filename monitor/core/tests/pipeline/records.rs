//! Any record at all: nothing panics, and every sum adds up.

use monitor_core::event::{Class, EventKind, InvalidReason, Outcome};
use monitor_core::packet::{LinkType, Record, RecordKind};
use monitor_core::pipeline::Ports;
use proptest::prelude::*;

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::{Bench, SMALL, pmu};

const LINKS: [LinkType; 5] =
    [LinkType::Ethernet, LinkType::Ip, LinkType::LinuxSll, LinkType::LinuxSll2, LinkType::Loopback];

fn ports() -> impl Strategy<Value = Ports> {
    prop_oneof![Just(Ports::Any), Just(Ports::Set(vec![PORT]))]
}

/// Pieces that payloads are made of: sound frames, broken ones, other bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let pmu = pmu();
    let (data, config) = (pmu.data(100), pmu.config(2));
    let sound = prop::sample::select(vec![data.clone(), config.clone()]);
    let broken = (prop::sample::select(vec![data.clone(), config]), any::<prop::sample::Index>(), 1_u8..)
        .prop_map(|(mut frame, place, flip)| {
            let place = place.index(frame.len());
            frame[place] ^= flip;
            frame
        });
    let cut = any::<prop::sample::Index>().prop_map(move |at| data[..at.index(data.len())].to_vec());
    prop_oneof![3 => sound, 2 => broken, 1 => cut, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_counted(
        ports in ports(),
        packets in prop::collection::vec((prop::sample::select(LINKS.to_vec()), prop::collection::vec(any::<u8>(), 0..200), 0_u32..300, 1_u32..4, any::<bool>()), 1..8),
    ) {
        let mut bench = Bench::new(ports, &SMALL);
        let mut delivered = 0;
        for (link, bytes, more, records, candidate) in &packets {
            let kind = if *candidate { RecordKind::Candidate } else { RecordKind::Packet };
            let wire_length = u32::try_from(bytes.len()).expect("short") + more;
            bench.push(&Record { link: *link, kind, wire_length, records: *records, ..record(bytes, 0) });
            delivered += u64::from(*records);
        }
        let records = bench.counts().records;
        prop_assert_eq!(records.carried + records.no_payload + records.malformed, delivered);
    }

    #[test]
    fn any_change_to_a_packet_is_counted(
        ports in ports(),
        payloads in prop::collection::vec(payload(), 1..6),
        place in any::<prop::sample::Index>(),
        flip: u8,
        cut in 0_usize..100,
    ) {
        let mut bench = Bench::new(ports, &SMALL);
        for payload in &payloads {
            let mut bytes = udp(PMU, PDC, [PORT, 1], payload);
            let place = place.index(bytes.len().min(60));
            bytes[place] ^= flip;
            let wire_length = u32::try_from(bytes.len()).expect("short");
            let left = bytes.len().saturating_sub(cut);
            bench.push(&Record { wire_length, ..record(&bytes[..left], 0) });
        }
        let records = bench.counts().records;
        prop_assert_eq!(records.carried + records.no_payload + records.malformed, payloads.len() as u64);
    }

    #[test]
    fn every_byte_of_a_payload_on_the_port_is_counted(payloads in prop::collection::vec(payload(), 1..6)) {
        let mut bench = Bench::on_port();
        for payload in &payloads {
            bench.send(payload, 0);
        }
        let received: usize = payloads.iter().map(Vec::len).sum();
        prop_assert_eq!(bench.counts().bytes.received, received as u64);
    }

    #[test]
    fn candidates_disturb_nothing(payloads in prop::collection::vec(payload(), 1..6)) {
        let mut bench = Bench::new(Ports::Any, &SMALL);
        for payload in &payloads {
            let bytes = udp(PMU, PDC, [1, 2], payload);
            bench.push(&Record { kind: RecordKind::Candidate, ..record(&bytes, 0) });
        }
        let counts = bench.counts();
        prop_assert_eq!(counts.frames, monitor_core::event::FrameCounts::default());
        prop_assert_eq!(counts.bytes.dropped, counts.bytes.received);
        prop_assert_eq!(bench.pipeline.streams().count(), 0);
        prop_assert!(bench.out.data.iter().all(|(event, _)| event.kind.class() == Class::Candidate));
    }
}

/// Outcomes of what a datagram held, and the bytes in frames and skipped.
fn outcomes(payload: &[u8]) -> (Vec<Outcome>, u64, u64) {
    let mut bench = Bench::on_port();
    bench.send(&pmu().config(1), 0);
    let before = bench.counts().bytes;
    bench.send(payload, 0);
    let after = bench.counts().bytes;
    let outcomes = bench.out.frames().map(|(_, outcome)| outcome).collect();
    (outcomes, after.in_frames - before.in_frames, after.skipped - before.skipped)
}

#[test]
fn each_byte_has_its_place() {
    let data = pmu().data(100);
    let size = data.len() as u64;
    let changed = |place: usize, byte: u8| {
        let mut frame = data.clone();
        frame[place] = byte;
        frame
    };
    let invalid = Outcome::Invalid;
    let decoded = Outcome::Decoded;
    let two = |first: &[u8], second: &[u8]| [first, second].concat();

    assert_eq!(outcomes(&two(&data, &data)), (vec![decoded, decoded], 2 * size, 0));
    assert_eq!(outcomes(&two(&data, &[0; 9])), (vec![decoded], size, 9));
    assert_eq!(outcomes(&two(&[1, 2, 3], &data)), (vec![invalid(InvalidReason::Type), decoded], size, 3));
    assert_eq!(
        outcomes(&two(&changed(20, 77), &data)),
        (vec![invalid(InvalidReason::Crc), decoded], 2 * size, 0)
    );
    // A size that reaches beyond the datagram, and a sound frame inside what it claims.
    assert_eq!(
        outcomes(&two(&changed(2, 0x70), &data)),
        (vec![invalid(InvalidReason::Truncated), decoded], 2 * size, 0)
    );
    assert_eq!(outcomes(&data[..20]), (vec![invalid(InvalidReason::Truncated)], 20, 0));
    assert_eq!(
        outcomes(&two(&changed(3, 3), &data)),
        (vec![invalid(InvalidReason::Size), decoded], size, size)
    );
    assert_eq!(
        outcomes(&two(&changed(1, 0x71), &data)),
        (vec![invalid(InvalidReason::Type), decoded], size, size)
    );
    assert_eq!(
        outcomes(&two(&two(&data, &changed(20, 77)), &changed(21, 77))),
        (vec![decoded, invalid(InvalidReason::Crc), invalid(InvalidReason::Crc)], 3 * size, 0)
    );
}

#[test]
fn a_session_of_iec_61850_90_5_is_named_and_costs_itself_alone() {
    let session = [&[0x01, 0x40, 0xA2, 0x18, 0x80, 0x16][..], &[0; 22], b"sampled values"].concat();
    let mut bench = Bench::on_port();
    bench.send(&pmu().config(1), 0);
    bench.send(&session, 0);
    bench.send(&pmu().data(100), 0);
    let outcomes: Vec<_> = bench.out.frames().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Invalid(InvalidReason::Iec61850_90_5), Outcome::Decoded]);
    let counts = bench.counts();
    assert_eq!(counts.frames.invalid_by_reason[InvalidReason::Iec61850_90_5 as usize], 1);
    assert_eq!((counts.frames.invalid, counts.bytes.skipped), (1, 0));
    // Behind a frame it is nothing that is known.
    bench.send(&[pmu().data(101), session].concat(), 0);
    assert_eq!((bench.counts().frames.invalid, bench.counts().bytes.skipped), (1, 42));
}

#[test]
fn a_frame_that_a_capture_cut_is_truncated() {
    let mut bench = Bench::on_port();
    let bytes = udp(PMU, PDC, [PORT, 1], &pmu().config(1));
    let cut = &bytes[..100];
    bench.push(&Record { wire_length: u32::try_from(bytes.len()).expect("short"), ..record(cut, 0) });
    let outcomes: Vec<_> = bench.out.frames().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Invalid(InvalidReason::Truncated)]);
    assert_eq!(bench.counts().bytes.in_frames, 100 - 42);
    bench.push(&Record { wire_length: 1_000, ..record(&bytes[..42], 0) });
    bench.push(&record(cut, 0));
    assert_eq!(bench.counts().records.malformed, 2, "nothing left of it, and a length that lies");
}

#[test]
fn packets_of_others_are_ignored() {
    for ports in [Ports::Set(vec![PORT]), Ports::Any] {
        let mut bench = Bench::new(ports, &SMALL);
        bench.push(&record(&udp(PMU, PDC, [53, 5_353], b"a question of names"), 0));
        let arp = [&[0xFF; 12][..], &[8, 6], &[0; 46]].concat();
        bench.push(&record(&arp, 0));
        let counts = bench.counts();
        assert_eq!((counts.packets_ignored, counts.bytes.received, counts.frames.found), (2, 0, 0));
        assert_eq!((counts.records.carried, counts.records.no_payload), (1, 1));
        assert!(bench.out.data.is_empty());
    }
}

#[test]
fn without_ports_a_broken_frame_of_a_known_stream_is_its_own() {
    let mut bench = Bench::new(Ports::Any, &SMALL);
    let mut broken = pmu().data(101);
    broken[20] ^= 1;
    bench.send(&broken, 0);
    assert_eq!(bench.counts().packets_ignored, 1);
    bench.send(&pmu().data(100), 0);
    bench.send(&broken, 0);
    assert_eq!(bench.only_stream().counts.crc_errors, 1);
}

#[test]
fn a_packet_goes_before_its_frames() {
    let mut bench = Bench::on_port();
    bench.send(&pmu().data(1), 5);
    let kinds: Vec<_> = bench.out.data.iter().map(|(event, _)| event.kind.class()).collect();
    assert_eq!(kinds, [Class::Packet, Class::Frame]);
    assert!(matches!(bench.out.data[0].0.kind, EventKind::Packet));
}
