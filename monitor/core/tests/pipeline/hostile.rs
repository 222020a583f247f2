//! Bytes that are made to cost: what looking for frames in them may take is bounded by the packet, and counted.

use monitor_core::event::{InvalidReason, Outcome, ResyncCounts};
use monitor_core::flow::{CLAIM_BUDGET, RESYNC_BUDGET};
use monitor_core::pipeline::Ports;
use monitor_core::protocol::c37118::encode;

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::segments::{SYN, Segment};
use crate::{Bench, SMALL, pmu};

/// Most payload of a datagram over IPv4.
const LONGEST: usize = 65_507;
/// What a look at a byte takes of the budget, as `RESYNC_BUDGET` is used up.
const LOOK: usize = 16;
/// The last claim may begin where the budget ends: the largest frames of C37.118 and of IEEE 1344.
const LAST_CLAIMS: usize = 65_535 + 8_191;

/// A command, the shortest sound frame that is easily made.
const COMMAND: [u8; 18] = [
    0xAA, 0x41, 0x00, 0x12, 0x1E, 0x36, 0x44, 0x85, 0x60, 0x30, 0x0F, 0x0B, 0xBF, 0xD0, 0x00, 0x02, 0xCE,
    0x00,
];

/// A pattern over and over, `LONGEST` bytes of it.
fn filled(pattern: &[u8]) -> Vec<u8> {
    pattern.iter().copied().cycle().take(LONGEST).collect()
}

/// Headers that claim all that is left, each with a sound frame close behind, which ends it.
fn claims_that_overlap() -> Vec<u8> {
    let mut payload = Vec::new();
    while payload.len() + 100 < LONGEST {
        let left = u16::try_from(LONGEST - payload.len()).expect("a datagram");
        payload.extend([0xAA, 0x01]);
        payload.extend(left.to_be_bytes());
        payload.extend([0, 7, 0, 0]);
        payload.extend(COMMAND);
    }
    payload
}

/// Almost frames, everywhere.
fn payloads() -> Vec<Vec<u8>> {
    vec![
        filled(&[0xAA]),
        filled(&[0xAA, 0x01]),
        filled(&[0xAA, 0x01, 0x20, 0x00]),
        filled(&[0xAA, 0x01, 0xFF, 0xE0]),
        // The smallest sizes, one behind another and one in another.
        filled(&[0xAA, 0x01, 0x00, 0x10, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        filled(&[0xAA, 0x41, 0x00, 0x12]),
        // IEEE 1344 of the greatest length.
        filled(&[0xE5, 0x11, 0x22, 0x33, 0x00, 0x01, 0x1F, 0xFF]),
        // Sound frames between bytes that are none.
        filled(&[&COMMAND[..], &[0xAA; 30]].concat()),
        claims_that_overlap(),
    ]
}

fn assert_bounded(work: ResyncCounts, packets: usize) {
    let ResyncCounts { looks, checked_bytes, exhausted } = work;
    assert!(looks <= (packets * RESYNC_BUDGET / LOOK) as u64, "{work:?}");
    assert!(checked_bytes <= (packets * (RESYNC_BUDGET + CLAIM_BUDGET + LAST_CLAIMS)) as u64, "{work:?}");
    assert!(exhausted <= packets as u64, "{work:?}");
}

#[test]
fn a_datagram_of_almost_frames_costs_bounded_work() {
    let mut exhausted = 0;
    for payload in payloads() {
        let mut bench = Bench::on_port();
        bench.push(&record(&udp(PMU, PDC, [PORT, 30_000], &payload), 0));
        let counts = bench.counts();
        assert_bounded(counts.flows.resync, 1);
        exhausted += counts.flows.resync.exhausted;
        assert_eq!(counts.bytes.in_frames + counts.bytes.skipped, payload.len() as u64);
        // Another packet has a budget of its own.
        let config = pmu().config(1);
        bench.send(&config, 0);
        assert_eq!(bench.sound().last(), Some(&config));
        assert_eq!(bench.counts().flows.resync, counts.flows.resync, "a sound one needs none");
    }
    assert!(exhausted > 4, "what would cost without end is cut off: {exhausted}");
}

#[test]
fn segments_of_almost_frames_cost_bounded_work() {
    for payload in payloads() {
        for size in [LONGEST, 1_400, 100] {
            let mut bench = Bench::new(Ports::Set(vec![4_712]), &SMALL);
            let segment = |at: usize, payload: &[u8]| {
                let at = u32::try_from(at).expect("a short stream");
                Segment::new((PMU, 4_712), (PDC, 30_000), 1 + at, payload).packet()
            };
            let syn = Segment::new((PMU, 4_712), (PDC, 30_000), 0, &[]).flags(SYN).packet();
            bench.push(&record(&syn, 0));
            let packets = payload.chunks(size).count();
            for (n, piece) in payload.chunks(size).enumerate() {
                bench.push(&record(&segment(n * size, piece), 0));
            }
            let counts = bench.counts();
            assert_bounded(counts.flows.resync, packets);
            let bytes = counts.bytes;
            assert_eq!(bytes.in_frames + bytes.skipped + bytes.buffered, payload.len() as u64, "in {size}");
        }
    }
}

#[test]
fn configurations_whose_counts_overflow_are_refused_and_counted() {
    const NUM_PMU: usize = 18;
    const PHNMR: usize = 40;
    let mut bench = Bench::on_port();
    bench.send(&pmu().config(1), 0);
    let config = pmu().config(1);
    let mut sent = 0;
    for (place, counts) in [
        (NUM_PMU, &[0xFF, 0xFF][..]),
        (NUM_PMU, &[0x80, 0x00]),
        (NUM_PMU, &[0, 0]),
        (PHNMR, &[0xFF, 0xFF]),
        (PHNMR, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        (PHNMR + 4, &[0xFF, 0xFF]),
        (PHNMR + 4, &[0x10, 0x00]),
    ] {
        let mut bad = config.clone();
        bad[place..place + counts.len()].copy_from_slice(counts);
        encode::reseal(&mut bad);
        bench.send(&bad, 0);
        sent += 1;
    }
    bench.send(&pmu().data(100), 0);
    let counts = bench.counts();
    assert_eq!((counts.frames.undecoded_total(), counts.frames.decoded), (sent, 2));
    assert_eq!(counts.frames.found, sent + 2);
}

/// What looks like the other protocols is told apart on any port, over UDP and over TCP.
#[test]
fn other_protocols_are_named_over_tcp_and_on_any_port() {
    let session = [&[0x01, 0x40, 0xA1, 0x18, 0x80, 0x16][..], &[0; 22], b"goose, routed"].concat();
    let older = older_frame();
    for ports in [Ports::Set(vec![4_712, 102]), Ports::Any] {
        let mut bench = Bench::new(ports, &SMALL);
        for payload in [&session, &older] {
            bench.push(&record(&udp(PMU, PDC, [102, 102], payload), 0));
        }
        let connection = |port: u16, at: usize, payload: &[u8]| {
            let at = u32::try_from(at).expect("a short stream");
            Segment::new((PMU, 4_712), (PDC, port), 7 + at, payload).packet()
        };
        for (port, pdu) in [(1_000, &session), (1_001, &older)] {
            bench.push(&record(&connection(port, 0, pdu), 0));
            bench.push(&record(&connection(port, pdu.len(), pdu), 0));
        }
        // Something else is nobody's where nobody asked for its port.
        bench.push(&record(&udp(PMU, PDC, [9, 9], b"\x01\x40\xA0 and so on, which is no session"), 0));
        let counts = bench.counts();
        let told = |reason: InvalidReason| counts.frames.invalid_by_reason[reason as usize];
        assert_eq!([told(InvalidReason::Iec61850_90_5), told(InvalidReason::Ieee1344)], [3, 3]);
        assert_eq!(counts.frames.invalid, 6);
        assert_eq!(counts.bytes.received, 3 * (session.len() + older.len()) as u64);
        assert_eq!(counts.packets_ignored, 1);
    }
}

/// A session PDU cut into single bytes is known once its header is whole, and what a frame behind it holds is found.
#[test]
fn a_session_in_pieces_is_named_once() {
    let session = [&[0x01, 0x40, 0xA2, 0x18, 0x80, 0x16][..], &[0; 22], b"sampled values"].concat();
    let (config, data) = (pmu().config(1), pmu().data(100));
    let stream = [&session[..], &config, &data].concat();
    for size in [1, 3, 27, 1_000] {
        let mut bench = Bench::new(Ports::Set(vec![4_712]), &SMALL);
        let segment = |at: usize, flags: u8, payload: &[u8]| {
            let at = u32::try_from(at).expect("a short stream");
            let segment = Segment::new((PMU, 4_712), (PDC, 30_000), at, payload);
            if flags == 0 { segment.packet() } else { segment.flags(flags).packet() }
        };
        bench.push(&record(&segment(0, SYN, &[]), 0));
        for (n, piece) in stream.chunks(size).enumerate() {
            bench.push(&record(&segment(1 + n * size, 0, piece), 0));
        }
        assert_eq!(bench.sound().len(), 2, "in {size}");
        let invalid: Vec<_> = bench.out.frames().map(|(_, outcome)| outcome).collect();
        assert_eq!(invalid, [Outcome::Invalid(InvalidReason::Iec61850_90_5), Outcome::Decoded], "in {size}");
        let bytes = bench.counts().bytes;
        assert_eq!(bytes.in_frames + bytes.skipped, stream.len() as u64);
    }
}

/// A frame of IEEE 1344: SOC, sample count, status with the length, phasors, check.
fn older_frame() -> Vec<u8> {
    const LENGTH: u16 = 28;
    let mut frame = vec![0xE5, 0x11, 0x22, 0x33, 0x00, 0x01];
    frame.extend(LENGTH.to_be_bytes());
    frame.extend([0x11; 18]);
    frame.extend(monitor_core::protocol::c37118::crc::checksum(&frame).to_be_bytes());
    frame
}
