//! Copies of datagrams that came in IP fragments: by mirrors, PRP, second interfaces; all at once or fragment by fragment.

use monitor_core::stream::CopyCounts;

use crate::packets::{PDC, PMU, PORT, record};
use crate::segments::{cut, ipv4, ipv6_fragment, seen_on, udp_of, word4, word6};
use crate::{Bench, pmu};

const START: u64 = 85_000_000_000;
const US: i64 = 1_000;
const MS: i64 = 1_000 * US;
const FRAMES: u64 = 50;
/// Bytes in a fragment: a frame comes in several.
const SIZE: usize = 24;
const UDP: u8 = 17;

/// A packet on the wire: its bytes, when it comes after its datagram's time, by which interface.
type Sight = (Vec<u8>, i64, u16);

/// Sends a configuration and frames, each in the packets that `sights` makes of a datagram's fragments and its number.
/// They come in the order of their times.
fn sent(sights: impl Fn(&[u8], u16) -> Vec<Sight>) -> Bench {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let payloads = std::iter::once(pmu.config(1)).chain((0..FRAMES).map(|n| pmu.data(START + n)));
    for (n, payload) in (0_u64..).zip(payloads) {
        let number = u16::try_from(n).expect("few") + 1;
        let mut sights = sights(&udp_of([PORT, 30_000], &payload), number);
        sights.sort_by_key(|(_, after, _)| *after);
        for (bytes, after, interface) in &sights {
            bench.push(&seen_on(bytes, pmu.rate.unix_ns_of_index(START + n) + after, *interface));
            bench.counts();
        }
    }
    bench
}

/// The fragments of a datagram, in their order.
fn fragments(body: &[u8], number: u16) -> Vec<Vec<u8>> {
    cut(body, SIZE).into_iter().map(|part| ipv4(UDP, PMU, PDC, number, word4(part), part.2)).collect()
}

/// Fragments `gap` apart, on an interface, from `after` on.
fn paced(packets: Vec<Vec<u8>>, after: i64, gap: i64, interface: u16) -> Vec<Sight> {
    (0..).zip(packets).map(|(n, packet)| (packet, after + n * gap, interface)).collect()
}

/// Each datagram counted once, and once as a copy; gives what is said of copies.
fn all_copies(bench: &Bench, about: &str) -> CopyCounts {
    let counts = bench.counts();
    assert_eq!(counts.frames.c37118, [FRAMES, 0, 0, 1, 0, 0], "{about}: {counts:?}");
    assert_eq!(counts.bytes.duplicate, counts.bytes.in_frames, "{about}: {counts:?}");
    assert_eq!((counts.bytes.buffered, counts.bytes.dropped, counts.bytes.skipped), (0, 0, 0), "{about}");
    assert_eq!((counts.copies, counts.packets_ignored), (FRAMES + 1, 0), "{about}");
    let stream = bench.only_stream();
    let counts = stream.counts;
    let sequence = [counts.duplicate, counts.out_of_order, counts.missing, counts.stale];
    assert_eq!((counts.frames, counts.configs, sequence), (FRAMES, 1, [0; 4]), "{about}");
    let copies = stream.report.copies;
    assert_eq!(copies.skew.count, copies.mirror + copies.prp + copies.interface, "{about}");
    // The configuration made the stream: where its copy came before it was whole, it is nobody's yet.
    assert!((FRAMES..=FRAMES + 1).contains(&copies.skew.count), "{about}: {copies:?}");
    copies
}

#[test]
fn a_second_interface() {
    for (skew, gap) in [(5 * US, 10 * US), (MS, 10 * US), (5 * MS, MS), (15 * MS, 10 * US)] {
        let bench = sent(|body, number| {
            let first = paced(fragments(body, number), 0, gap, 1);
            [first, paced(fragments(body, number), skew, gap, 2)].concat()
        });
        let about = format!("{skew} ns later, fragments {gap} ns apart");
        let copies = all_copies(&bench, &about);
        assert_eq!((copies.mirror, copies.prp), (0, 0), "{about}");
        assert_eq!((copies.skew.min, copies.skew.max), (skew, skew), "{about}");
    }
}

#[test]
fn a_mirror() {
    // Behind the datagram, long behind it, fragment by fragment, and fragment by fragment of a slow sender.
    for (skew, gap) in [(MS, 10 * US), (12 * MS, 10 * US), (5 * US, 10 * US), (100 * US, 2_500 * US)] {
        let bench = sent(|body, number| {
            let first = paced(fragments(body, number), 0, gap, 1);
            [first, paced(fragments(body, number), skew, gap, 1)].concat()
        });
        let about = format!("{skew} ns later, fragments {gap} ns apart");
        let copies = all_copies(&bench, &about);
        assert_eq!((copies.interface, copies.prp), (0, 0), "{about}");
        assert_eq!((copies.skew.min, copies.skew.max), (skew, skew), "{about}");
    }
}

#[test]
fn a_mirror_of_ipv6() {
    for skew in [5 * US, 12 * MS] {
        let bench = sent(|body, number| {
            let parts = cut(body, SIZE);
            let packets =
                || parts.iter().map(|part| ipv6_fragment(UDP, number.into(), word6(*part), part.2)).collect();
            [paced(packets(), 0, 10 * US, 1), paced(packets(), skew, 10 * US, 1)].concat()
        });
        all_copies(&bench, &format!("{skew} ns later"));
    }
}

/// Fragments with a trailer each, numbered on.
fn trailed(packets: Vec<Vec<u8>>, number: u16, lan: u16) -> Vec<Vec<u8>> {
    let trailed = |(n, mut packet): (u16, Vec<u8>)| {
        let size = u16::try_from(packet.len() - 14 + 6).expect("small");
        packet.extend([number * 100 + n, lan << 12 | size, 0x88FB].into_iter().flat_map(u16::to_be_bytes));
        packet
    };
    (0..).zip(packets).map(trailed).collect()
}

#[test]
fn prp_sends_each_fragment_over_two_networks() {
    // In step; far apart; and the last fragment first by the second network.
    for (skew, reversed) in [(5 * US, false), (12 * MS, false), (12 * MS, true)] {
        for interface in [1, 2] {
            let bench = sent(|body, number| {
                let mut second = trailed(fragments(body, number), number, 0xB);
                if reversed {
                    second.reverse();
                }
                let first = trailed(fragments(body, number), number, 0xA);
                [paced(first, 0, 10 * US, 1), paced(second, skew, 10 * US, interface)].concat()
            });
            let about = format!("{skew} ns later, reversed {reversed}, by interface {interface}");
            let copies = all_copies(&bench, &about);
            assert_eq!((copies.mirror, copies.interface), (0, 0), "{about}: {copies:?}");
            let [a, b] = copies.lan;
            assert!(a >= FRAMES && b >= FRAMES, "{about}: {copies:?}");
        }
    }
}

#[test]
fn what_was_sent_twice_in_fragments_is_a_duplicate() {
    for skew in [100 * US, 12 * MS] {
        let bench = sent(|body, number| {
            let again = fragments(body, number + 1_000);
            [paced(fragments(body, number), 0, 10 * US, 1), paced(again, skew, 10 * US, 1)].concat()
        });
        let counts = bench.counts();
        assert_eq!((counts.frames.c37118[0], counts.copies, counts.bytes.duplicate), (2 * FRAMES, 0, 0));
        let stream = bench.only_stream().counts;
        assert_eq!((stream.frames, u64::from(stream.duplicate)), (2 * FRAMES, FRAMES));
    }
}

#[test]
fn a_copy_in_fragments_of_others_is_ignored() {
    let mut bench = Bench::on_port();
    let body = udp_of([53, 5_353], &pmu().data(START));
    for packet in fragments(&body, 7).iter().chain(&fragments(&body, 7)) {
        bench.push(&record(packet, 0));
    }
    let counts = bench.counts();
    assert_eq!((counts.copies, counts.bytes.received), (0, 0), "{counts:?}");
}
