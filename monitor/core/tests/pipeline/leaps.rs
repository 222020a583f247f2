//! Leap seconds: inserted and deleted, announced and not, by either convention, at every rate.

use monitor_core::protocol::c37118::{DataRate, TimeBase, TimeQuality, TimeTag};
use monitor_core::stream::{Cadence, Leaps, Place, Placed, Sequence, StreamCounts};

const SECOND: i64 = 1_000_000_000;
/// 2016-12-31T23:59:59Z: the last second before the last leap second there was.
const LAST: u32 = 1_483_228_799;
/// A second that is no day's last.
const ANY: u32 = 1_483_200_000;
const RATES: [i16; 11] = [1, 10, 12, 15, 20, 25, 30, 50, 60, 100, 120];
const BASES: [u32; 2] = [1_000_000, 16_777_215];
const PENDING: u8 = 0x10;
const OCCURRED: u8 = 0x20;
const DELETES: u8 = 0x40;

/// One second as it is tagged: its SOC and the leap bits.
type Tagged = (u32, u8);

/// How the host's clock takes the leap second.
#[derive(Clone, Copy, Debug)]
enum Host {
    /// Arrivals are on a clock that is not set: live.
    Steady,
    /// A capture, by a kernel that knew of it: its UTC was set by a second.
    Set,
}

/// Seconds around an insertion after `last`; `first` where 00:00:00 is tagged twice rather than 23:59:59.
fn inserted(last: u32, first: bool, bits: bool) -> Vec<Tagged> {
    let (pending, occurred) = if bits { (PENDING, OCCURRED) } else { (0, 0) };
    let again = if first { last + 1 } else { last };
    vec![
        (last - 2, pending),
        (last - 1, pending),
        (last, pending),
        (again, pending),
        (last + 1, occurred),
        (last + 2, occurred),
        (last + 3, occurred),
        (last + 4, occurred),
    ]
}

/// Seconds around the deletion of `last`.
fn deleted(last: u32, bits: bool) -> Vec<Tagged> {
    let (pending, occurred) = if bits { (PENDING | DELETES, OCCURRED | DELETES) } else { (0, 0) };
    vec![
        (last - 3, pending),
        (last - 2, pending),
        (last - 1, pending),
        (last + 1, occurred),
        (last + 2, occurred),
        (last + 3, occurred),
        (last + 4, occurred),
    ]
}

/// Frames in the order of their sending: time tag, and the arrival of each.
fn frames(seconds: &[Tagged], rate: u32, base: u32, host: Host) -> Vec<(TimeTag, i64)> {
    let mut frames = Vec::new();
    for (number, (soc, bits)) in (0_i64..).zip(seconds) {
        for n in 0..rate {
            let fraction = u32::try_from(u64::from(n) * u64::from(base) / u64::from(rate)).expect("24 bits");
            let tag = TimeTag::new(*soc, fraction, TimeQuality::from_bits(*bits)).expect("24 bits");
            let whole = match host {
                Host::Steady => number * SECOND,
                Host::Set => i64::from(*soc) * SECOND,
            };
            // 5 ms late, and up to 3 ms more.
            let late = 5_000_000 + i64::from(n * 7 % 4) * 1_000_000;
            frames.push((tag, whole + i64::from(n) * SECOND / i64::from(rate) + late));
        }
    }
    frames
}

struct Told {
    counts: StreamCounts,
    leaps: Leaps,
    placed: Vec<Placed>,
}

fn take(frames: &[(TimeTag, i64)], rate: i16, base: u32) -> Told {
    let cadence = Cadence {
        time_base: TimeBase::from_word(base).expect("a base"),
        rate: DataRate::from_word(rate).expect("a rate"),
    };
    let (mut sequence, mut counts, mut leaps) = (Sequence::new(), StreamCounts::default(), Leaps::default());
    let placed =
        frames.iter().map(|(tag, at)| sequence.take(*tag, *at, cadence, &mut counts, &mut leaps)).collect();
    Told { counts, leaps, placed }
}

/// Every rate, base, place in the day and clock.
fn everywhere(mut check: impl FnMut(i16, u32, u32, Host)) {
    for rate in RATES {
        for base in BASES {
            for last in [LAST, ANY] {
                for host in [Host::Steady, Host::Set] {
                    // A capture cannot tell a second that was set back from one at a frame a second.
                    if !(rate == 1 && matches!(host, Host::Set)) {
                        check(rate, base, last, host);
                    }
                }
            }
        }
    }
}

#[test]
fn an_inserted_second_loses_and_doubles_nothing() {
    for first in [false, true] {
        everywhere(|rate, base, last, host| {
            let per_second = u32::from(rate.unsigned_abs());
            let sent = frames(&inserted(last, first, true), per_second, base, host);
            let told = take(&sent, rate, base);
            let about = format!("{rate}/s, base {base}, {last}, {host:?}, first {first}");
            assert_eq!(told.counts, StreamCounts::default(), "{about}");
            assert_eq!(told.leaps, Leaps { inserted: 1, ..Leaps::default() }, "{about}");
            assert!(told.placed.iter().all(|placed| placed.place == Place::Newest), "{about}");
        });
    }
}

#[test]
fn the_leap_second_is_another_instant_than_the_one_with_its_index() {
    for (first, rate) in [(false, 50), (true, 50), (false, 1), (true, 120)] {
        let sent = frames(&inserted(LAST, first, true), rate, BASES[0], Host::Steady);
        let told = take(&sent, i16::try_from(rate).expect("a rate"), BASES[0]);
        let leap: Vec<usize> = (0..sent.len()).filter(|place| told.placed[*place].leap_second).collect();
        // 23:59:60 is the fourth second, whichever SOC it is tagged with.
        let fourth: Vec<usize> = (0..sent.len()).filter(|n| n / rate as usize == 3).collect();
        assert_eq!(leap, fourth, "first {first}, {rate}/s");
        assert!(fourth.iter().all(|place| told.placed[*place].unsettled), "not judged by their lateness");
    }
}

#[test]
fn a_deleted_second_is_not_missing() {
    everywhere(|rate, base, last, host| {
        let sent = frames(&deleted(last, true), u32::from(rate.unsigned_abs()), base, host);
        let told = take(&sent, rate, base);
        let about = format!("{rate}/s, base {base}, {last}, {host:?}");
        assert_eq!(told.counts, StreamCounts::default(), "{about}");
        assert_eq!(told.leaps, Leaps { deleted: 1, ..Leaps::default() }, "{about}");
    });
}

#[test]
fn loss_and_reordering_beside_a_leap_second_are_what_they_are() {
    for rate in [10_u32, 25, 30, 50, 60, 100, 120] {
        for (seconds, boundary, inserts) in [
            (inserted(LAST, false, true), 3 * rate, true),
            (inserted(LAST, true, true), 4 * rate, true),
            (deleted(LAST, true), 3 * rate, false),
        ] {
            let boundary = boundary as usize;
            for lost in [vec![], vec![boundary - 1], vec![boundary], vec![boundary - 1, boundary]] {
                for swap in [None, Some(boundary + 3), Some(boundary)] {
                    let mut sent = frames(&seconds, rate, BASES[0], Host::Steady);
                    if let Some(at) = swap.filter(|at| !lost.contains(at) && !lost.contains(&(at - 1))) {
                        // The frame before comes after: by tag earlier, by arrival later.
                        let (a, b) = (sent[at - 1], sent[at]);
                        (sent[at - 1], sent[at]) = ((b.0, a.1), (a.0, b.1));
                    }
                    let swapped = swap.is_some_and(|at| !lost.contains(&at) && !lost.contains(&(at - 1)));
                    let kept: Vec<_> =
                        (0..sent.len()).filter(|n| !lost.contains(n)).map(|n| sent[n]).collect();
                    let told = take(&kept, i16::try_from(rate).expect("a rate"), BASES[0]);
                    let about = format!("{rate}/s, at {boundary}, lost {lost:?}, swap {swap:?}, {inserts}");
                    let expected = StreamCounts {
                        missing: u32::try_from(lost.len()).expect("few"),
                        out_of_order: u32::from(swapped),
                        ..StreamCounts::default()
                    };
                    assert_eq!(told.counts, expected, "{about}");
                    assert_eq!(
                        (told.leaps.inserted, told.leaps.deleted),
                        (u64::from(inserts), u64::from(!inserts)),
                        "{about}"
                    );
                    assert_eq!((told.leaps.repeated, told.leaps.skipped), (0, 0), "{about}");
                }
            }
        }
    }
}

#[test]
fn without_the_bits_a_second_that_came_twice_is_duplicates_and_named() {
    for first in [false, true] {
        everywhere(|rate, base, last, host| {
            let per_second = u32::from(rate.unsigned_abs());
            let sent = frames(&inserted(last, first, false), per_second, base, host);
            let told = take(&sent, rate, base);
            let about = format!("{rate}/s, base {base}, {last}, {host:?}, first {first}");
            let expected = StreamCounts { duplicate: per_second, ..StreamCounts::default() };
            assert_eq!(told.counts, expected, "{about}");
            assert_eq!(told.leaps, Leaps { repeated: 1, ..Leaps::default() }, "{about}");
        });
    }
}

#[test]
fn without_the_bits_a_second_that_was_left_out_is_missing_and_named() {
    everywhere(|rate, base, last, host| {
        let per_second = u32::from(rate.unsigned_abs());
        let sent = frames(&deleted(last, false), per_second, base, host);
        let told = take(&sent, rate, base);
        let about = format!("{rate}/s, base {base}, {last}, {host:?}");
        let expected = StreamCounts { missing: per_second, ..StreamCounts::default() };
        assert_eq!(told.counts, expected, "{about}");
        // Where the host's clock jumped along, it is a second in which nothing came.
        let skipped = u64::from(matches!(host, Host::Steady));
        assert_eq!(told.leaps, Leaps { skipped, ..Leaps::default() }, "{about}");
    });
}

#[test]
fn pending_bits_alone_make_nothing_of_loss_and_duplicates() {
    for bits in [PENDING, PENDING | DELETES] {
        let seconds: Vec<Tagged> = (0..5).map(|n| (ANY + n, bits)).collect();
        let mut sent = frames(&seconds, 50, BASES[0], Host::Steady);
        // One frame comes three times, and twenty do not.
        sent.splice(60..80, [sent[59], sent[59]]);
        let told = take(&sent, 50, BASES[0]);
        let expected = StreamCounts { missing: 20, duplicate: 2, ..StreamCounts::default() };
        assert_eq!((told.counts, told.leaps), (expected, Leaps::default()));
    }
}

#[test]
fn a_leap_second_that_occurred_before_the_first_frame_is_no_news() {
    let seconds: Vec<Tagged> = (0..4).map(|n| (ANY + n, OCCURRED)).collect();
    let mut sent = frames(&seconds, 50, BASES[0], Host::Steady);
    // A second of frames is lost while nothing arrives, and one is late by a second.
    sent.drain(50..100);
    let told = take(&sent, 50, BASES[0]);
    let expected = StreamCounts { missing: 50, ..StreamCounts::default() };
    assert_eq!((told.counts, told.leaps), (expected, Leaps::default()));
}
