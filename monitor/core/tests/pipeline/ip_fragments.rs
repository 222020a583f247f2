//! IP fragments, IPv4 and IPv6: put together in whatever order they come, and given up where they cannot be.

use monitor_core::event::{EventKind, InvalidReason, Outcome};
use monitor_core::flow::FRAGMENT_TIMEOUT_NS;
use monitor_core::pipeline::Ports;

use crate::packets::{PDC, PMU, PORT, record};
use crate::segments::{Part, Segment, cut, ipv4, ipv6_fragment, seen_on, udp_of, word4, word6};
use crate::{Bench, SMALL, pmu};

const MS: i64 = 1_000_000;
const UDP: u8 = 17;
const TCP: u8 = 6;

/// A configuration and some DATA in one datagram, more than a wire takes at once.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = vec![pmu().config(1)];
    frames.extend((1..60).map(|index| pmu().data(index)));
    frames
}

fn body() -> Vec<u8> {
    udp_of([PORT, 5_000], &frames().concat())
}

fn v4(identification: u16, part: Part<'_>) -> Vec<u8> {
    ipv4(UDP, PMU, PDC, identification, word4(part), part.2)
}

fn v6(identification: u32, part: Part<'_>) -> Vec<u8> {
    ipv6_fragment(UDP, identification, word6(part), part.2)
}

/// Both versions' packets of the parts.
fn both(parts: &[Part<'_>]) -> [Vec<Vec<u8>>; 2] {
    [parts.iter().map(|part| v4(9, *part)).collect(), parts.iter().map(|part| v6(9, *part)).collect()]
}

fn pushed(packets: &[Vec<u8>]) -> Bench {
    let mut bench = Bench::on_port();
    for (packet, ms) in packets.iter().zip(0..) {
        bench.push(&record(packet, ms * MS));
        bench.counts();
    }
    bench
}

#[test]
fn any_order_gives_the_datagram() {
    let (body, frames) = (body(), frames());
    let payload: usize = frames.iter().map(Vec::len).sum();
    let parts = cut(&body, 1_000);
    assert!(parts.len() == 4, "{}", parts.len());
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        for packets in both(&order.map(|n| parts[n])) {
            let bench = pushed(&packets);
            let counts = bench.counts();
            let mut sound = bench.sound();
            sound.sort();
            let mut expected = frames.clone();
            expected.sort();
            assert_eq!(sound, expected, "{order:?}");
            assert_eq!((counts.bytes.received, counts.bytes.in_frames), (payload as u64, payload as u64));
            assert_eq!((counts.records.carried, counts.flows.fragments.whole), (4, 1));
            assert_eq!(counts.packets_ignored, 0);
        }
    }
}

#[test]
fn a_frame_has_the_times_of_the_fragments_that_brought_it() {
    let body = body();
    let parts = cut(&body, 1_000);
    for packets in both(&parts) {
        let bench = pushed(&packets);
        let mut at = 8 + pmu().config(1).len();
        let size = pmu().data(1).len();
        let ms = |place: usize| i64::try_from(place / 1_000).expect("few") * MS;
        let frames = bench.out.data.iter().filter(|(event, _)| matches!(event.kind, EventKind::Frame(..)));
        for (event, _) in frames {
            assert_eq!((event.first_arrival.0, event.arrival.0), (ms(at), ms(at + size - 1)));
            at += size;
        }
        assert_eq!(at, body.len());
    }
}

#[test]
fn a_fragment_that_comes_twice_is_a_duplicate_in_both() {
    let body = body();
    let parts = cut(&body, 1_000);
    let repeated = [parts[0], parts[0], parts[1], parts[2], parts[1], parts[3], parts[3]];
    for packets in both(&repeated) {
        let counts = pushed(&packets[..6]).counts();
        assert_eq!(counts.frames.decoded, 60);
        assert_eq!(counts.bytes.duplicate, (parts[0].2.len() - 8 + parts[1].2.len()) as u64);
        assert_eq!(counts.flows.fragments.duplicates, 2);
    }
}

#[test]
fn copies_by_another_interface_are_duplicates() {
    let body = body();
    let parts = cut(&body, 1_000);
    let mut bench = Bench::on_port();
    for part in &parts {
        bench.push(&seen_on(&v4(9, *part), 0, 1));
    }
    for part in &parts {
        bench.push(&seen_on(&v4(9, *part), MS, 2));
    }
    let counts = bench.counts();
    assert_eq!((counts.frames.decoded, counts.bytes.duplicate), (60, (body.len() - 8) as u64));
    // Some senders give every packet the same identification.
    let later = udp_of([PORT, 5_000], &(60..120).map(|index| pmu().data(index)).collect::<Vec<_>>().concat());
    for part in cut(&later, 1_000) {
        bench.push(&seen_on(&v4(9, part), 20 * MS, 1));
    }
    assert_eq!(bench.counts().frames.decoded, 120);
}

#[test]
fn overlaps_are_discarded_in_ipv6_and_the_first_stays_in_ipv4() {
    let body = body();
    let parts = cut(&body, 1_000);
    let wrong = vec![0x77; 1_000];
    let overlapping = [parts[0], (992, true, &wrong[..]), parts[1], parts[2], parts[3]];
    let [four, six] = both(&overlapping);
    let counts = pushed(&four).counts();
    assert_eq!(counts.flows.fragments.overlaps, 2);
    assert!(
        counts.frames.decoded > 20
            && counts.bytes.in_frames + counts.bytes.skipped == (body.len() - 8) as u64,
        "{counts:?}"
    );
    assert!(counts.bytes.duplicate > 0);
    let counts = pushed(&six).counts();
    assert_eq!((counts.frames.found, counts.flows.fragments.contradicting), (0, 1));
    assert_eq!(counts.bytes.dropped, counts.bytes.received);
}

#[test]
fn fragments_that_contradict_each_other_are_given_up() {
    let body = body();
    let parts = cut(&body, 1_000);
    let last = parts[3];
    let bytes = [9; 16];
    let shorter: Part<'_> = (last.0 - 1_000, false, &bytes);
    let odd: Part<'_> = (1_000, true, &bytes[..9]);
    let beyond: Part<'_> = (65_528, true, &bytes);
    for contradiction in [shorter, odd, beyond] {
        for packets in both(&[last, contradiction, parts[0], parts[1], parts[2]]) {
            let counts = pushed(&packets).counts();
            assert_eq!((counts.frames.found, counts.flows.fragments.contradicting), (0, 1));
            assert_eq!(counts.bytes.dropped, counts.bytes.received);
        }
    }
}

#[test]
fn what_is_not_whole_in_time_is_given_up() {
    let body = body();
    let parts = cut(&body, 1_000);
    let mut bench = Bench::on_port();
    bench.push(&record(&v4(1, parts[0]), 0));
    bench.push(&record(&v4(1, parts[1]), 0));
    let held = bench.counts().bytes;
    assert_eq!((held.received, held.buffered), (2_000 - 8, 2_000 - 8));
    bench.push(&record(&v4(2, parts[0]), FRAGMENT_TIMEOUT_NS - 1));
    assert_eq!(bench.counts().flows.fragments.timed_out, 0);
    bench.push(&record(&v4(2, parts[1]), FRAGMENT_TIMEOUT_NS));
    let counts = bench.counts();
    assert_eq!((counts.flows.fragments.timed_out, counts.bytes.dropped), (1, 2_000 - 8));
    // The rest of the first comes too late: it begins another packet, which will not be whole either.
    bench.push(&record(&v4(1, parts[2]), FRAGMENT_TIMEOUT_NS));
    bench.push(&record(&v4(2, parts[2]), FRAGMENT_TIMEOUT_NS));
    bench.push(&record(&v4(2, parts[3]), FRAGMENT_TIMEOUT_NS));
    assert_eq!(bench.counts().frames.decoded, 60);
}

#[test]
fn the_oldest_makes_place_for_one_too_many() {
    let body = body();
    let parts = cut(&body, 1_000);
    let mut bench = Bench::on_port();
    for identification in 1..=3 {
        bench.push(&record(&v4(identification, parts[0]), 0));
    }
    let counts = bench.counts();
    assert_eq!((counts.flows.fragments.evicted, counts.bytes.dropped), (1, 1_000 - 8));
    for part in &parts[1..] {
        bench.push(&record(&v4(3, *part), 0));
    }
    assert_eq!(bench.counts().frames.decoded, 60);
}

#[test]
fn others_are_ignored_in_whatever_order_their_fragments_come() {
    let body = udp_of([53, 5_353], &[7; 3_000]);
    let parts = cut(&body, 1_000);
    for ports in [Ports::Set(vec![PORT]), Ports::Any] {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 2, 3]] {
            for packets in both(&order.map(|n| parts[n])) {
                let mut bench = Bench::new(ports.clone(), &SMALL);
                for packet in &packets {
                    bench.push(&record(packet, 0));
                }
                let counts = bench.counts();
                assert_eq!(counts.packets_ignored, 4, "{order:?}");
                assert_eq!(counts.bytes, monitor_core::event::ByteCounts::default(), "{order:?}");
            }
        }
    }
}

#[test]
fn without_ports_a_datagram_that_begins_with_a_frame_is_ours() {
    let body = body();
    for packets in both(&cut(&body, 1_000)) {
        let mut bench = Bench::new(Ports::Any, &SMALL);
        for packet in &packets {
            bench.push(&record(packet, 0));
        }
        assert_eq!(bench.counts().frames.decoded, 60);
    }
    // It claims to begin with a frame, and does not.
    let mut broken = body;
    broken[100] ^= 1;
    for packets in both(&cut(&broken, 1_000)) {
        let mut bench = Bench::new(Ports::Any, &SMALL);
        for packet in &packets {
            bench.push(&record(packet, 0));
        }
        let counts = bench.counts();
        assert_eq!((counts.packets_ignored, counts.bytes.received), (4, 0));
    }
}

#[test]
fn without_ports_a_fragmented_session_is_named() {
    let session = [&[0x01, 0x40, 0xA2, 0x18, 0x80, 0x16][..], &[7; 3_000]].concat();
    let [named, nothing] = [0xA2, 0xA4].map(|identifier| {
        let mut session = session.clone();
        session[2] = identifier;
        both(&cut(&udp_of([102, 102], &session), 1_000)).map(|packets| {
            let mut bench = Bench::new(Ports::Any, &SMALL);
            for packet in &packets {
                bench.push(&record(packet, 0));
            }
            bench.counts()
        })
    });
    for counts in named {
        assert_eq!(counts.frames.invalid_by_reason[InvalidReason::Iec61850_90_5 as usize], 1);
        assert_eq!((counts.packets_ignored, counts.bytes.in_frames), (0, session.len() as u64));
    }
    for counts in nothing {
        assert_eq!((counts.packets_ignored, counts.bytes.received), (4, 0));
    }
}

#[test]
fn a_length_that_lies_leaves_no_byte_uncounted() {
    let payload = frames().concat();
    for length in [100, 8, 7, 60_000] {
        let mut body = body();
        body[4..6].copy_from_slice(&u16::to_be_bytes(length));
        for packets in both(&cut(&body, 1_000)) {
            let counts = pushed(&packets).counts();
            assert_eq!(counts.bytes.received, payload.len() as u64, "{length}");
            assert_eq!(counts.bytes.buffered, 0);
        }
    }
}

#[test]
fn fragmented_tcp_goes_into_its_flow() {
    let frames: Vec<_> = (1..80).map(|index| pmu().data(index)).collect();
    let stream = frames.concat();
    let (first, second) = stream.split_at(2_011);
    let mut bench = Bench::new(Ports::Set(vec![4_712]), &SMALL);
    for (payload, sequence) in [(first, 1_000), (second, 3_011)] {
        let tcp = Segment::new((PMU, 4_712), (PDC, 30_000), sequence, payload).tcp();
        for part in cut(&tcp, 600).into_iter().rev() {
            let identification = u16::try_from(sequence).expect("small");
            bench.push(&record(&ipv4(TCP, PMU, PDC, identification, word4(part), part.2), 0));
            bench.counts();
        }
    }
    let counts = bench.counts();
    assert_eq!(bench.sound(), frames);
    assert_eq!((counts.bytes.received, counts.bytes.in_frames), (stream.len() as u64, stream.len() as u64));
    assert_eq!((counts.bytes.dropped, counts.flows.fragments.whole), (0, 2));
}

#[test]
fn a_datagram_of_65_507_bytes_is_put_together() {
    let payload = vec![0xAA; 65_507];
    let body = udp_of([PORT, 5_000], &payload);
    let packets: Vec<_> = cut(&body, 1_480).into_iter().map(|part| v4(3, part)).collect();
    let bench = pushed(&packets);
    let counts = bench.counts();
    assert_eq!((counts.bytes.received, counts.bytes.skipped), (65_507, 65_507));
    let outcomes: Vec<_> = bench.out.frames().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Invalid(InvalidReason::Type)]);
}
