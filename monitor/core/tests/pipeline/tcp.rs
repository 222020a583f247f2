//! Frames over TCP: however the stream is cut, repeated, reordered, lost, begun in the middle.

use monitor_core::event::{EventKind, InvalidReason, Outcome};
use monitor_core::packet::Record;
use monitor_core::pipeline::Ports;
use monitor_core::time::Nanos;

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::segments::{ACK, FIN, RST, SYN, Segment, seen_on};
use crate::{Bench, SMALL, pmu};

const SERVER: ([u8; 4], u16) = (PMU, 4_712);
const CLIENT: ([u8; 4], u16) = (PDC, 30_000);
/// Close to where sequence numbers wrap.
const START: u32 = u32::MAX - 100;
const MS: i64 = 1_000_000;

fn on_port() -> Bench {
    Bench::new(Ports::Set(vec![4_712, PORT]), &SMALL)
}

/// A segment from the PMU, so many bytes behind the first one of the stream.
fn segment(at: usize, payload: &[u8]) -> Segment {
    let at = u32::try_from(at).expect("a short stream");
    Segment::new(SERVER, CLIENT, START.wrapping_add(at), payload)
}

fn syn() -> Segment {
    Segment { sequence: START.wrapping_sub(1), ..segment(0, &[]) }.flags(SYN)
}

impl Bench {
    fn segment(&mut self, segment: &Segment, arrival: i64) {
        self.push(&record(&segment.packet(), arrival));
        self.counts();
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.out.frames().map(|(_, outcome)| outcome).collect()
    }

    /// Arrival and first arrival of each frame of the data lane.
    fn arrivals(&self) -> Vec<(i64, i64)> {
        let frames = self.out.data.iter().filter(|(event, _)| matches!(event.kind, EventKind::Frame(..)));
        frames.map(|(event, _)| (event.arrival.0, event.first_arrival.0)).collect()
    }
}

fn data(indices: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    indices.map(|index| pmu().data(index)).collect()
}

#[test]
fn a_session_from_its_syn() {
    let mut bench = on_port();
    let frames = data(100..103);
    bench.segment(&syn(), 0);
    bench.segment(&segment(0, &pmu().config(1)), MS);
    let mut at = pmu().config(1).len();
    for (frame, ms) in frames.iter().zip(2..) {
        bench.segment(&segment(at, frame), ms * MS);
        at += frame.len();
    }
    bench.segment(&segment(at, &[]).flags(FIN | ACK), 9 * MS);
    let counts = bench.counts();
    assert_eq!((counts.frames.found, counts.frames.decoded, counts.frames.invalid), (4, 4, 0));
    assert_eq!(counts.bytes.in_frames, at as u64);
    assert_eq!(bench.arrivals(), [(2 * MS, 2 * MS), (3 * MS, 3 * MS), (4 * MS, 4 * MS)]);
    assert_eq!(bench.only_stream().key.to_string(), "c37118:192.0.2.1>192.0.2.9:tcp:7");
    assert_eq!(counts.flows.tcp.flows, 1);
}

#[test]
fn a_frame_over_three_segments_has_the_times_of_its_first_and_its_last_byte() {
    let mut bench = on_port();
    let stream = data(100..103).concat();
    let size = stream.len() / 3;
    let cuts = [0, size / 2, size / 2 + 5, size + 3, stream.len()];
    for (pair, ms) in cuts.windows(2).zip(1..) {
        bench.segment(&segment(pair[0], &stream[pair[0]..pair[1]]), ms * MS);
    }
    assert_eq!(bench.arrivals(), [(3 * MS, MS), (4 * MS, 3 * MS), (4 * MS, 4 * MS)]);
    assert_eq!(bench.counts().bytes.in_frames, stream.len() as u64);
}

#[test]
fn what_waits_is_buffered_at_the_end() {
    let mut bench = on_port();
    let frame = pmu().data(1);
    bench.segment(&segment(0, &frame[..20]), 0);
    bench.segment(&segment(100, &frame), 0);
    let bytes = bench.counts().bytes;
    assert_eq!((bytes.received, bytes.buffered), (20 + frame.len() as u64, 20 + frame.len() as u64));
}

#[test]
fn a_frame_out_of_order_keeps_its_own_arrival() {
    let mut bench = on_port();
    let frames = data(1..5);
    let size = frames[0].len();
    bench.segment(&segment(0, &frames[0]), MS);
    // The third and the first half of the fourth come before the second.
    bench.segment(&segment(2 * size, &frames[2]), 2 * MS);
    bench.segment(&segment(3 * size, &frames[3][..9]), 3 * MS);
    bench.segment(&segment(size, &frames[1]), 4 * MS);
    bench.segment(&segment(3 * size + 9, &frames[3][9..]), 5 * MS);
    assert_eq!(bench.sound(), frames);
    assert_eq!(bench.arrivals(), [(MS, MS), (4 * MS, 4 * MS), (2 * MS, 2 * MS), (5 * MS, 3 * MS)]);
    let counts = bench.counts();
    assert_eq!((counts.flows.tcp.out_of_order, counts.flows.tcp.gaps), (2, 0));
}

#[test]
fn retransmissions_overlaps_and_probes_are_duplicates() {
    let mut bench = on_port();
    let stream = data(1..4).concat();
    let size = stream.len() / 3;
    bench.segment(&segment(0, &stream[..size + 10]), MS);
    bench.segment(&segment(0, &stream[..size]), 300 * MS);
    bench.segment(&segment(size, &stream[size..2 * size]), 301 * MS);
    // A connection is kept alive by one old byte, whatever it is.
    bench.segment(&segment(2 * size - 1, &[0x55]), 400 * MS);
    // A window that is closed is tried with the next byte, which comes again when it opens.
    bench.segment(&segment(2 * size, &stream[2 * size..=2 * size]), 500 * MS);
    bench.segment(&segment(2 * size, &stream[2 * size..]), 600 * MS);
    assert_eq!(bench.sound(), data(1..4));
    let counts = bench.counts();
    assert_eq!(counts.bytes.duplicate, (size + 10 + 1 + 1) as u64);
    assert_eq!((counts.flows.tcp.retransmitted, counts.flows.tcp.copies), (2, 0));
    assert_eq!((counts.bytes.skipped, counts.frames.invalid), (0, 0));
}

#[test]
fn a_session_begun_in_the_middle_of_a_frame() {
    let frames = data(1..4);
    let stream = frames.concat();
    for from in 1..frames[0].len() {
        let mut bench = on_port();
        bench.segment(&segment(from, &stream[from..]), 0);
        assert_eq!(bench.sound(), frames[1..], "from byte {from}");
        let counts = bench.counts();
        assert_eq!((counts.bytes.skipped, counts.frames.invalid), ((frames[0].len() - from) as u64, 0));
    }
}

#[test]
fn what_looks_like_a_large_frame_in_the_middle_hides_no_frame() {
    // The tail of a frame in which a header seems to stand that claims 60 000 bytes.
    let tail = [&[1, 2, 3, 0xAA, 0x01, 0xEA, 0x60, 0, 7, 1, 2, 3, 4, 0, 0, 0, 0][..], &[9; 40]].concat();
    let frames = data(1..3);
    let stream = [tail.clone(), frames.concat()].concat();
    for size in [1, 7, 100, 1_000] {
        let mut bench = on_port();
        for (n, part) in stream.chunks(size).enumerate() {
            bench.segment(&segment(n * size, part), 0);
        }
        assert_eq!(bench.sound(), frames, "in segments of {size}");
        assert_eq!(bench.counts().bytes.skipped, tail.len() as u64);
    }
}

#[test]
fn a_damaged_frame_costs_itself_alone() {
    let frames = data(1..6);
    let size = frames[0].len();
    // A byte in its middle, its size (to more than comes), its size (to less), its SYNC, its type.
    for (place, byte) in [(20, 77), (2, 0xF0), (3, 40), (0, 0), (1, 0x91)] {
        let mut damaged = frames.clone();
        damaged[2][place] = byte;
        let stream = damaged.concat();
        for cut in [5, size, size + 20, 10_000] {
            let mut bench = on_port();
            bench.segment(&syn(), 0);
            for (n, part) in stream.chunks(cut).enumerate() {
                bench.segment(&segment(n * cut, part), 0);
            }
            let rest = [&frames[..2], &frames[3..]].concat();
            assert_eq!(bench.sound(), rest, "byte {place} is {byte}, cut at {cut}");
            let counts = bench.counts();
            assert_eq!(counts.bytes.buffered, 0);
            assert_eq!(counts.bytes.in_frames + counts.bytes.skipped, stream.len() as u64);
            let told = bench.outcomes().into_iter().filter(|outcome| matches!(outcome, Outcome::Invalid(_)));
            assert_eq!(told.count(), usize::from(place != 0), "byte {place} is {byte}, cut at {cut}");
        }
    }
}

#[test]
fn a_gap_that_nothing_fills_is_given_up_after_its_time() {
    let mut bench = on_port();
    let frames = data(1..200);
    let size = frames[0].len();
    bench.segment(&segment(0, &[&frames[0][..], &frames[1][..10]].concat()), 0);
    // The rest of the second frame and the third are lost.
    let mut arrival = 0;
    for (n, frame) in frames.iter().enumerate().skip(3) {
        arrival += 20 * MS;
        bench.segment(&segment(n * size, frame), arrival);
        let waited = arrival - 20 * MS;
        assert_eq!(bench.sound().len(), if waited < 2_000 * MS { 1 } else { n - 1 }, "{n}");
    }
    let counts = bench.counts();
    assert_eq!((counts.flows.tcp.gaps, counts.flows.tcp.lost_bytes), (1, (2 * size - 10) as u64));
    assert_eq!(
        bench
            .outcomes()
            .iter()
            .filter(|outcome| **outcome == Outcome::Invalid(InvalidReason::Truncated))
            .count(),
        1
    );
    assert_eq!((counts.bytes.skipped, counts.bytes.buffered), (0, 0));
}

#[test]
fn a_gap_that_the_receiver_has_not_is_given_up_soon() {
    let mut bench = on_port();
    let frames = data(1..6);
    let size = frames[0].len();
    let acknowledge = |upto: usize| Segment {
        acknowledgement: START.wrapping_add(u32::try_from(upto).expect("short")),
        ..Segment::new(CLIENT, SERVER, 77, &[])
    };
    bench.segment(&segment(0, &frames[0]), 0);
    bench.segment(&segment(2 * size, &frames[2]), 20 * MS);
    bench.segment(&acknowledge(size), 21 * MS);
    bench.segment(&segment(3 * size, &frames[3]), 400 * MS);
    assert_eq!(bench.sound().len(), 1, "not acknowledged: it may come again");
    bench.segment(&acknowledge(4 * size), 401 * MS);
    bench.segment(&segment(4 * size, &frames[4]), 452 * MS);
    assert_eq!(bench.sound(), [&frames[..1], &frames[2..]].concat());
    assert_eq!(bench.counts().flows.tcp.lost_bytes, size as u64);
}

#[test]
fn a_gap_is_given_up_when_its_flow_has_too_much() {
    let mut bench = on_port();
    let frames = data(1..3);
    bench.segment(&segment(0, &frames[0]), 0);
    let lots = frames[1].repeat(1_000);
    let mut at = 2 * frames[0].len();
    while at < 400_000 {
        bench.segment(&segment(at, &lots[..20 * frames[1].len()]), 0);
        at += 20 * frames[1].len();
    }
    let counts = bench.counts();
    assert_eq!((counts.flows.tcp.gaps, counts.flows.tcp.lost_bytes), (1, frames[0].len() as u64));
    assert_eq!((counts.bytes.dropped, counts.bytes.buffered, counts.frames.invalid), (0, 0, 0));
}

#[test]
fn what_the_capture_cut_off_is_not_waited_for() {
    let mut bench = on_port();
    let frames = data(1..4);
    let size = frames[0].len();
    let packet = segment(0, &frames[0]).packet();
    let wire_length = u32::try_from(packet.len()).expect("short");
    bench.push(&Record { wire_length, ..record(&packet[..packet.len() - 10], 0) });
    bench.segment(&segment(size, &frames[1]), 0);
    assert_eq!(bench.sound(), frames[1..2]);
    assert_eq!(bench.counts().flows.tcp.lost_bytes, 10);
}

#[test]
fn ports_used_again_are_a_new_connection() {
    let mut bench = on_port();
    let frames = data(1..4);
    bench.segment(&syn(), 0);
    bench.segment(&segment(0, &[&frames[0][..], &frames[1][..30]].concat()), 0);
    let again = Segment { sequence: 1_000, ..syn() };
    bench.segment(&again, 1_000 * MS);
    bench.segment(&again, 1_001 * MS);
    bench.segment(&Segment { sequence: 1_001, ..segment(0, &frames[2]) }, 1_002 * MS);
    bench.segment(&again, 1_003 * MS);
    assert_eq!(bench.sound(), [&frames[..1], &frames[2..]].concat());
    assert_eq!(bench.outcomes()[1], Outcome::Invalid(InvalidReason::Truncated));
    assert_eq!((bench.counts().bytes.buffered, bench.counts().bytes.duplicate), (0, 0));
}

#[test]
fn a_reset_and_a_fin_leave_nothing_waiting() {
    for flags in [RST | ACK, FIN | ACK] {
        let mut bench = on_port();
        let frames = data(1..3);
        let size = frames[0].len();
        bench.segment(&segment(0, &[&frames[0][..], &frames[1][..30]].concat()), 0);
        bench.segment(&segment(size + 30, &[]).flags(flags), 0);
        assert_eq!(bench.counts().bytes.buffered, 0);
        assert_eq!(bench.outcomes()[1], Outcome::Invalid(InvalidReason::Truncated));
    }
    // A reset gives up gaps too; one that belongs elsewhere does nothing.
    let mut bench = on_port();
    let frames = data(1..4);
    let size = frames[0].len();
    bench.segment(&segment(0, &frames[0]), 0);
    bench.segment(&segment(2 * size, &frames[2]), 0);
    bench.segment(&segment(1 << 30, &[]).flags(RST), 0);
    assert_eq!(bench.sound().len(), 1);
    bench.segment(&segment(3 * size, &[]).flags(RST), 0);
    assert_eq!(bench.sound().len(), 2);
}

#[test]
fn one_segment_from_elsewhere_moves_nothing_and_two_do() {
    let mut bench = on_port();
    let frames = data(1..6);
    let size = frames[0].len();
    bench.segment(&segment(0, &frames[0]), 0);
    bench.segment(&segment(1 << 28, &frames[1]), 0);
    bench.segment(&segment(size, &frames[1]), 0);
    assert_eq!(bench.sound(), frames[..2]);
    bench.segment(&segment(1 << 29, &frames[2]), 0);
    bench.segment(&segment((1 << 29) + size, &frames[3]), 0);
    bench.segment(&segment((1 << 29) + 2 * size, &frames[4]), 0);
    assert_eq!(bench.sound(), [&frames[..2], &frames[3..]].concat());
    let counts = bench.counts();
    assert_eq!((counts.bytes.dropped, counts.flows.tcp.stray), (2 * size as u64, 2));
}

#[test]
fn a_merged_packet_of_64_kib_is_taken_whole() {
    let mut bench = on_port();
    let frames = data(1..1_500);
    let stream = frames.concat();
    let (first, second) = stream.split_at(65_411);
    bench.segment(&segment(0, first), MS);
    bench.segment(&segment(first.len(), second), 2 * MS);
    assert_eq!(bench.sound(), frames);
    let spanning = bench.arrivals().into_iter().filter(|(arrival, first)| arrival != first);
    assert_eq!(spanning.collect::<Vec<_>>(), [(2 * MS, MS)]);
    // In the wrong order too.
    let mut bench = on_port();
    bench.segment(&segment(0, &[]).flags(SYN), 0);
    bench.segment(&segment(1 + first.len(), second), MS);
    bench.segment(&segment(1, first), 2 * MS);
    assert_eq!(bench.sound(), frames);
}

#[test]
fn both_interfaces_of_a_tap_give_one_flow() {
    let frames = data(1..9);
    let size = frames[0].len();
    // Turn about.
    let mut bench = on_port();
    for (n, frame) in frames.iter().enumerate() {
        let packet = segment(n * size, frame).packet();
        bench.push(&seen_on(&packet, 0, u16::try_from(n % 2).expect("a bit")));
    }
    assert_eq!(bench.sound(), frames);
    assert_eq!(bench.counts().flows.tcp.flows, 1);
    // Both everything: the second is a copy, and named so.
    let mut bench = on_port();
    for (n, frame) in frames.iter().enumerate() {
        let packet = segment(n * size, frame).packet();
        bench.push(&seen_on(&packet, 1_000, 0));
        bench.push(&seen_on(&packet, 1_700, 1));
    }
    assert_eq!(bench.sound(), frames);
    let counts = bench.counts();
    assert_eq!(counts.bytes.duplicate, (8 * size) as u64);
    assert_eq!((counts.flows.tcp.copies, counts.flows.tcp.retransmitted), (8, 0));
    let copies = bench.only_stream().report.copies;
    assert_eq!((counts.copies, copies.interface, copies.mirror), (8, 8, 0));
}

#[test]
fn a_copy_on_the_same_interface_is_told_by_its_identification() {
    let mut bench = on_port();
    let frame = pmu().data(1);
    let first = segment(0, &frame);
    bench.segment(&first, 0);
    bench.segment(&first, 3_000);
    bench.segment(&Segment { ip_id: first.ip_id + 1, ..first.clone() }, 6_000);
    let counts = bench.counts().flows.tcp;
    assert_eq!((counts.copies, counts.retransmitted), (1, 1));
}

#[test]
fn two_networks_with_the_same_addresses_are_two_flows() {
    let mut bench = on_port();
    let frames = data(1..9);
    let size = frames[0].len();
    for (n, frame) in frames.iter().enumerate() {
        bench.push(&seen_on(&segment(n * size, frame).packet(), 0, 1));
        bench.push(&seen_on(&segment((1 << 30) + n * size, frame).packet(), 0, 2));
    }
    let counts = bench.counts();
    assert_eq!((counts.frames.found, counts.bytes.dropped, counts.flows.tcp.flows), (16, 0, 2));
}

#[test]
fn vlans_keep_flows_apart() {
    let mut bench = on_port();
    let frame = pmu().data(1);
    for vlan in [1, 2] {
        let mut packet = segment(0, &frame).packet();
        packet.splice(12..12, [0x81, 0, 0, vlan]);
        bench.push(&record(&packet, 0));
    }
    let counts = bench.counts();
    assert_eq!((counts.frames.found, counts.bytes.duplicate, counts.flows.tcp.flows), (2, 0, 2));
}

#[test]
fn a_flow_that_never_holds_a_frame_is_named_and_costs_no_other() {
    let mut bench = on_port();
    let frames = data(1..200);
    let size = frames[0].len();
    // Bytes that claim to be the largest frame wherever they are looked at.
    let noise = [0xAA, 0x01, 0xFF, 0xFF].repeat(2_500);
    for (n, frame) in frames.iter().enumerate() {
        bench.segment(&segment(n * size, frame), 0);
        for port in 1..4 {
            let at = u32::try_from(n * noise.len()).expect("4 GiB at most");
            bench.segment(&Segment::new((PMU, port), (PDC, 4_712), at, &noise), 0);
        }
    }
    assert_eq!(bench.sound(), frames);
    let counts = bench.counts();
    assert_eq!(counts.flows.tcp.unframed, 3);
    let named =
        bench.outcomes().into_iter().filter(|outcome| *outcome == Outcome::Invalid(InvalidReason::NoFrame));
    assert_eq!(named.count(), 3);
}

#[test]
fn newcomers_push_out_newcomers() {
    let mut bench = on_port();
    let frames = data(1..40);
    let size = frames[0].len();
    bench.segment(&segment(0, &frames[0]), 0);
    for (n, frame) in frames.iter().enumerate().skip(1) {
        let at = n * size;
        bench.segment(&segment(at, &frame[..30]), 0);
        for port in 0..10 {
            let from = (PMU, 1_000 + 10 * u16::try_from(n).expect("few") + port);
            bench.segment(&Segment::new(from, (PDC, 4_712), 9, &frame[..20]), 0);
        }
        bench.segment(&segment(at + 30, &frame[30..]), 0);
    }
    assert_eq!(bench.sound(), frames);
    let counts = bench.counts();
    assert!(counts.flows.tcp.evicted > 300 && counts.bytes.dropped > 0, "{counts:?}");
}

#[test]
fn commands_the_other_way_are_decoded_and_make_a_connection_known() {
    let mut bench = Bench::new(Ports::Any, &SMALL);
    let config = pmu().config(1);
    let command = [
        0xAA, 0x41, 0x00, 0x12, 0x1E, 0x36, 0x44, 0x85, 0x60, 0x30, 0x0F, 0x0B, 0xBF, 0xD0, 0x00, 0x02, 0xCE,
        0x00,
    ];
    // Before anything is known of it, a piece of a frame is nobody's.
    bench.segment(&segment(0, &config[..10]), 0);
    assert_eq!(bench.counts().packets_ignored, 1);
    bench.segment(&Segment::new(CLIENT, SERVER, 9, &command), 0);
    bench.segment(&segment(0, &config[..10]), 0);
    bench.segment(&segment(10, &config[10..]), 0);
    bench.segment(&Segment::new(CLIENT, SERVER, 9 + 18, &[]), 0);
    let counts = bench.counts();
    assert_eq!(counts.frames.c37118, [0, 0, 0, 1, 1, 0]);
    assert_eq!((counts.packets_ignored, counts.frames.decoded), (1, 2));
}

#[test]
fn a_configuration_over_tcp_lays_out_data_over_udp() {
    let mut bench = on_port();
    bench.segment(&segment(0, &pmu().config(1)), 0);
    bench.push(&record(&udp(PMU, [239, 0, 0, 1], [PORT, PORT], &pmu().data(1)), 0));
    bench.send(&pmu().data(1), 0);
    let counts = bench.counts();
    assert_eq!((counts.frames.decoded, counts.frames.undecoded_total()), (3, 0));
    let keys: Vec<_> = bench.pipeline.streams().map(|stream| stream.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "c37118:192.0.2.1>192.0.2.9:tcp:7",
            "c37118:192.0.2.1>239.0.0.1:udp:7",
            "c37118:192.0.2.1>192.0.2.9:udp:7"
        ]
    );
    assert_eq!(bench.out.news.len(), 4, "three streams and one configuration");
    assert!(bench.out.data.iter().all(|(event, _)| event.arrival == Nanos(0)));
}
