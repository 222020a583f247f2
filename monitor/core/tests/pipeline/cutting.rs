//! Properties: however frames are cut into packets, repeated, reordered, mixed with other flows', they are the same
//! frames, and every byte is counted once; and nothing that can be put on a wire does harm.

use monitor_core::event::{EventKind, Outcome};
use monitor_core::packet::Record;
use monitor_core::pipeline::Ports;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::packets::{PDC, PMU, PORT, record};
use crate::segments::{ACK, FIN, RST, SYN, Segment, cut, ipv4, ipv6_fragment, seen_on, udp_of, word4, word6};
use crate::{Bench, SMALL, pmu};

const TCP_PORT: u16 = 4_712;

fn bench() -> Bench {
    Bench::new(Ports::Set(vec![TCP_PORT, PORT]), &SMALL)
}

/// Frames of a stream: DATA, configurations, one larger than a segment.
fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let small = pmu();
    let mut large = pmu();
    large.change(60);
    let frame = prop_oneof![
        6 => (0..1_000_u64).prop_map(move |index| small.data(index)),
        1 => (0..1_000_u32).prop_map(move |soc| pmu().config(soc)),
        1 => (0..1_000_u64).prop_map(move |index| large.data(index)),
    ];
    prop::collection::vec(frame, 1..12)
}

/// Cuts between 0 and `length`, in order.
fn places(cuts: &[Index], length: usize) -> Vec<usize> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(length)).chain([0, length]).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Segments of a stream, each at its place, some twice and some over others, in an order in which none is further from
/// its own place than `reach`.
fn segments(
    stream: &[u8],
    cuts: &[Index],
    again: &[(Index, Index)],
    reach: usize,
    order: &[Index],
) -> Vec<(usize, Vec<u8>)> {
    let places = places(cuts, stream.len());
    let mut segments: Vec<_> =
        places.windows(2).map(|pair| (pair[0], stream[pair[0]..pair[1]].to_vec())).collect();
    for (from, to) in again {
        let (from, to) = (from.index(stream.len()), to.index(stream.len()));
        let (from, to) = (from.min(to), from.max(to) + 1);
        let at = order.first().map_or(0, |place| place.index(segments.len() + 1));
        segments.insert(at, (from, stream[from..to].to_vec()));
    }
    for (at, other) in order.iter().enumerate().take(segments.len()) {
        let other = (at + other.index(reach + 1)).min(segments.len() - 1);
        segments.swap(at, other);
    }
    segments
}

fn from_pmu(start: u32, at: usize, payload: &[u8], interface_of_client: u16) -> Segment {
    let at = u32::try_from(at).expect("a short stream");
    Segment::new((PMU, TCP_PORT), (PDC, interface_of_client), start.wrapping_add(at), payload)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_cutting_repetition_and_order_gives_the_same_frames(
        frames in frames(),
        start: u32,
        cuts in prop::collection::vec(any::<Index>(), 0..40),
        again in prop::collection::vec(any::<(Index, Index)>(), 0..6),
        reach in 0_usize..60,
        order in prop::collection::vec(any::<Index>(), 0..60),
    ) {
        let stream = frames.concat();
        let mut bench = bench();
        let syn = from_pmu(start.wrapping_sub(1), 0, &[], 30_000).flags(SYN);
        bench.push(&record(&syn.packet(), 0));
        let mut received = 0;
        for ((at, payload), arrival) in segments(&stream, &cuts, &again, reach, &order).iter().zip(1_i64..) {
            let packet = from_pmu(start, *at, payload, 30_000).packet();
            bench.push(&record(&packet, arrival));
            received += payload.len() as u64;
            prop_assert_eq!(bench.counts().bytes.received, received);
        }
        let mut sound = bench.sound();
        let mut expected = frames;
        // Announced configurations are kept apart from the rest.
        sound.sort();
        expected.sort();
        prop_assert_eq!(sound, expected);
        let counts = bench.counts();
        prop_assert_eq!(counts.bytes.in_frames, stream.len() as u64);
        prop_assert_eq!(counts.bytes.duplicate, received - stream.len() as u64);
        prop_assert_eq!((counts.frames.invalid, counts.flows.tcp.gaps), (0, 0));
        // A frame ends no earlier than it began.
        prop_assert!(bench.out.data.iter().all(|(event, _)| event.first_arrival <= event.arrival));
    }

    #[test]
    fn a_frame_that_came_in_order_has_the_times_of_its_first_and_last_byte(
        frames in frames(),
        cuts in prop::collection::vec(any::<Index>(), 0..30),
    ) {
        let stream = frames.concat();
        let places = places(&cuts, stream.len());
        let mut bench = bench();
        for (pair, arrival) in places.windows(2).zip(0_i64..) {
            let packet = from_pmu(7, pair[0], &stream[pair[0]..pair[1]], 30_000).packet();
            bench.push(&record(&packet, arrival));
        }
        let arrival_of = |byte: usize| places.iter().rposition(|place| *place <= byte).map(|n| i64::try_from(n).expect("few"));
        let all = bench.out.data.iter().chain(&bench.out.news);
        let mut seen: Vec<_> = all
            .filter(|(event, _)| matches!(event.kind, EventKind::Frame(_, Outcome::Decoded | Outcome::Undecoded(_))))
            .map(|(event, bytes)| (bytes.clone(), event.first_arrival.0, event.arrival.0))
            .collect();
        let mut at = 0;
        let mut expected: Vec<_> = frames
            .iter()
            .map(|frame| {
                let begin = at;
                at += frame.len();
                (frame.clone(), arrival_of(begin).expect("a place"), arrival_of(at - 1).expect("a place"))
            })
            .collect();
        seen.sort();
        expected.sort();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_lost_costs_only_the_frames_it_touches(
        frames in frames(),
        cuts in prop::collection::vec(any::<Index>(), 1..30),
        lost in any::<Index>(),
    ) {
        let stream = frames.concat();
        let places = places(&cuts, stream.len());
        let lost = lost.index(places.len() - 1);
        let mut bench = bench();
        bench.push(&record(&from_pmu(6, 0, &[], 30_000).flags(SYN).packet(), 0));
        for (n, pair) in places.windows(2).enumerate().filter(|(n, _)| *n != lost) {
            let packet = from_pmu(7, pair[0], &stream[pair[0]..pair[1]], 30_000).packet();
            bench.push(&record(&packet, i64::try_from(n).expect("few")));
        }
        bench.push(&record(&from_pmu(7, stream.len(), &[], 30_000).flags(RST).packet(), 99));
        let mut at = 0;
        let gap = places[lost]..places[lost + 1];
        let mut expected: Vec<_> = frames
            .iter()
            .filter(|frame| {
                let begin = at;
                at += frame.len();
                at <= gap.start || begin >= gap.end
            })
            .cloned()
            .collect();
        let mut sound = bench.sound();
        sound.sort();
        expected.sort();
        prop_assert_eq!(sound, expected);
        let counts = bench.counts();
        prop_assert_eq!(counts.bytes.buffered, 0);
        prop_assert_eq!(counts.flows.tcp.lost_bytes, if gap.end == stream.len() { 0 } else { gap.len() as u64 });
    }

    #[test]
    fn any_order_of_fragments_gives_the_same_frames(
        frames in frames(),
        size in 8_usize..1_500,
        again in prop::collection::vec(any::<Index>(), 0..4),
        order in prop::collection::vec(any::<Index>(), 0..40),
        ipv6: bool,
    ) {
        let body = udp_of([PORT, 5_000], &frames.concat());
        let mut parts = cut(&body, size);
        // A packet in one piece is no fragment, and twice the same is two packets.
        let again = if parts.len() > 1 { &again[..] } else { &[] };
        for place in again {
            parts.push(parts[place.index(parts.len())]);
        }
        for (at, other) in order.iter().enumerate().take(parts.len()) {
            let other = other.index(parts.len());
            parts.swap(at, other);
        }
        let mut bench = bench();
        for (part, arrival) in parts.iter().zip(0_i64..) {
            let packet = if ipv6 {
                ipv6_fragment(17, 5, word6(*part), part.2)
            } else {
                ipv4(17, PMU, PDC, 5, word4(*part), part.2)
            };
            bench.push(&record(&packet, arrival));
            bench.counts();
        }
        let mut sound = bench.sound();
        let mut expected = frames;
        sound.sort();
        expected.sort();
        prop_assert_eq!(sound, expected);
        let bytes = bench.counts().bytes;
        prop_assert_eq!((bytes.buffered, bytes.dropped, bytes.skipped), (0, 0, 0));
        prop_assert_eq!(bytes.in_frames, body.len() as u64 - 8);
    }

    #[test]
    fn any_packets_at_all_are_counted(packets in prop::collection::vec(any_packet(), 1..60), ports in prop_oneof![Just(Ports::Any), Just(Ports::Set(vec![TCP_PORT, PORT]))]) {
        let mut bench = Bench::new(ports, &SMALL);
        for (bytes, interface, cut, pause) in packets {
            let wire_length = u32::try_from(bytes.len()).expect("a packet");
            let left = bytes.len().saturating_sub(cut);
            bench.push(&Record { wire_length, ..seen_on(&bytes[..left], pause, interface) });
            bench.counts();
        }
    }
}

/// Segments and fragments of a few flows, near and far, of frames and of noise, some cut by the capture.
fn any_packet() -> impl Strategy<Value = (Vec<u8>, u16, usize, i64)> {
    let frame = pmu().data(5);
    let tail = frame[20..].to_vec();
    let head = frame[..20].to_vec();
    let claim = [vec![0xAA, 0x01, 0xFF, 0xFF], vec![1; 30]].concat();
    let payload = prop_oneof![
        3 => Just(frame.clone()),
        1 => Just(frame.repeat(30)),
        1 => Just(frame.repeat(1_000)),
        1 => Just(head),
        1 => Just(tail),
        1 => Just(claim),
        1 => Just([0xAA, 0x01, 0x20, 0x00].repeat(900)),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ];
    let sequence = prop_oneof![5 => 0..300_u32, 2 => 0..200_000_u32, 1 => any::<u32>()];
    let flags = prop::sample::select(vec![ACK, ACK, ACK, SYN, FIN | ACK, RST, SYN | FIN]);
    let segment = (sequence, flags, payload.clone(), 0..6_u16, any::<bool>(), any::<u16>(), any::<u32>())
        .prop_map(|(sequence, flags, payload, port, back, ip_id, acknowledgement)| {
            let (from, to) = ((PMU, TCP_PORT), (PDC, port));
            let (from, to) = if back { (to, from) } else { (from, to) };
            let segment = Segment { from, to, sequence, acknowledgement, flags, ip_id, payload };
            segment.packet()
        });
    let offset = prop_oneof![4 => 0..20_u16, 1 => 0..8_192_u16];
    let protocol = prop::sample::select(vec![6_u8, 17]);
    let part = (payload, protocol, 0..4_u16, offset, any::<bool>(), any::<bool>()).prop_map(
        |(payload, protocol, identification, offset, more, six)| {
            let body = [&[0x12, 0x69, 0x12, 0x68, 0, 200, 0, 0][..], &payload].concat();
            let body = &body[..body.len().min(4_000) / if more { 8 } else { 1 } * if more { 8 } else { 1 }];
            if six {
                ipv6_fragment(protocol, identification.into(), offset << 3 | u16::from(more), body)
            } else {
                ipv4(protocol, PMU, PDC, identification, offset | u16::from(more) << 13, body)
            }
        },
    );
    let bytes = prop_oneof![3 => segment, 1 => part];
    let cut = prop_oneof![9 => Just(0_usize), 1 => 0..60_usize];
    let pause = prop_oneof![5 => 0..1_000_000_i64, 1 => 0..100_000_000_000_i64];
    (bytes, 0..3_u16, cut, pause)
}
