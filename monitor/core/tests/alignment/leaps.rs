//! Leap seconds in streams that are aligned, each of which tags them in its own way.

use monitor_core::event::{AlignCounts, EventKind, InstantEvent};
use monitor_core::pipeline::{Bounds, Pipeline, Ports, StreamSummary};
use monitor_core::protocol::c37118::{TimeBase, TimeQuality};
use monitor_core::stream::Leaps;
use monitor_core::stream::align::{StreamAlignment, Wait};
use monitor_core::time::NoClock;

use crate::MS;
use crate::frames::Pmu;
use crate::outlet::Kept;
use crate::packets::{PDC, PMU, PORT, record, udp};

const SECOND: i64 = 1_000 * MS;
const RATE: u32 = 50;
/// Seconds of a run; the fourth is 23:59:59, or behind a deleted one 00:00:00, the fifth of an insertion 23:59:60.
const SECONDS: u32 = 9;
const LEAP: u32 = 4;
/// 2016-12-31T23:59:59Z.
const LAST: u32 = 1_483_228_799;
const FIRST: u32 = LAST - 3;
const PENDING: u8 = 0x10;
const OCCURRED: u8 = 0x20;
const DELETES: u8 = 0x40;

/// How a PMU takes a leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It announces it, and tags 23:59:60 as 00:00:00.
    Next,
    /// It announces it, and tags 23:59:60 as 23:59:59.
    Last,
    /// As these two, without the bits.
    NextUnsaid,
    LastUnsaid,
    /// It knows nothing of it: its clock is a second off afterwards.
    Not,
}

/// How the clock of the arrivals takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    /// It knows nothing of it.
    Not,
    /// It is set when it comes.
    Set,
    /// It is found to have been set a while later, as when live.
    Found,
}

/// Where a second was deleted, it costs some instants to find that the host's clock was set forwards meanwhile, which a
/// silence looks like. No second was ever deleted.
const fn hosts(deletes: bool) -> &'static [Host] {
    if deletes { &[Host::Not, Host::Set] } else { &[Host::Not, Host::Set, Host::Found] }
}

/// SOC and leap bits of a second.
fn tagged(way: Way, deletes: bool, s: u32) -> (u32, u8) {
    let said = matches!(way, Way::Next | Way::Last);
    let occurred = s > if deletes { 2 } else { LEAP };
    let bits = if occurred { OCCURRED } else { PENDING } | if deletes { DELETES } else { 0 };
    let soc = match (way, deletes) {
        (Way::Not, _) => FIRST + s,
        (_, true) => FIRST + s + u32::from(s > 2),
        (Way::Last | Way::LastUnsaid, false) if s == LEAP => LAST,
        (_, false) => FIRST + s - u32::from(s > LEAP),
    };
    (soc, if said { bits } else { 0 })
}

/// Milliseconds of the host's clock at a moment, from the beginning on.
fn host_ms(host: Host, deletes: bool, ms: i64) -> i64 {
    let (leap, step) = if deletes { (3_000, 1_000) } else { (i64::from(LEAP) * 1_000, -1_000) };
    let from = match host {
        Host::Not => i64::MAX,
        Host::Set => leap,
        Host::Found => leap + 605,
    };
    ms + if ms >= from { step } else { 0 }
}

struct Run {
    streams: Vec<StreamSummary>,
    instants: Vec<InstantEvent>,
    counts: AlignCounts,
}

/// PMUs that take it in these ways, with TIME_BASE by turns, each a millisecond behind the one before.
fn run(ways: &[Way], deletes: bool, host: Host) -> Run {
    let bounds = Bounds::default();
    let mut pipeline =
        Pipeline::new(Ports::Set(vec![PORT]), &bounds).with_alignment(Wait::default(), &bounds);
    let mut out = Kept::default();
    let pmu = |(idcode, _)| Pmu::new(idcode, i16::try_from(RATE).expect("a rate"), 1);
    let mut pmus: Vec<Pmu> = (1..).zip(ways).map(pmu).collect();
    pmus.iter_mut().skip(1).step_by(2).for_each(|pmu| {
        pmu.time_base = TimeBase::from_word(16_777_215).expect("parts");
    });
    let mut push = |payload: &[u8], ms: i64| {
        let arrival = i64::from(FIRST) * SECOND + host_ms(host, deletes, ms) * MS;
        pipeline.push(&record(&udp(PMU, PDC, [PORT, 30_000], payload), arrival), &mut NoClock, &mut out);
    };
    for pmu in &pmus {
        push(&pmu.config(1), 0);
    }
    for n in 0..SECONDS * RATE {
        let (s, n) = (n / RATE, n % RATE);
        for (pmu, way) in pmus.iter_mut().zip(ways) {
            let (soc, bits) = tagged(*way, deletes, s);
            pmu.quality = TimeQuality::from_bits(bits);
            let fraction = u64::from(pmu.time_base.get()) * u64::from(n) / u64::from(RATE);
            let ms = i64::from(s) * 1_000 + i64::from(n) * 20 + 10 + i64::from(pmu.idcode);
            push(&pmu.data_at(soc, u32::try_from(fraction).expect("24 bits")), ms);
        }
    }
    pipeline.finish(&mut out);
    let instants = out.data.iter().filter_map(|(event, _)| match event.kind {
        EventKind::Instant(instant) => Some(instant),
        _ => None,
    });
    let counts = pipeline.counts().alignment;
    assert_eq!(counts.unaccounted(), 0, "{counts:?}");
    Run { instants: instants.collect(), streams: pipeline.streams().collect(), counts }
}

const ALL: u32 = SECONDS * RATE;

/// What a stream says that took it rightly: nothing is out of the ordinary, but the leap second.
fn assert_right(stream: &StreamSummary, deletes: bool, about: &str) {
    let counts = stream.counts;
    let odd = [counts.duplicate, counts.missing, counts.out_of_order, counts.stale, counts.discontinuities];
    assert_eq!(odd, [0; 5], "{about}: {stream:#?}");
    let leaps = Leaps { inserted: u64::from(!deletes), deleted: u64::from(deletes), ..Leaps::default() };
    assert_eq!(stream.report.leaps, leaps, "{about}");
    let aligned = StreamAlignment { aligned: ALL.into(), ..StreamAlignment::default() };
    assert_eq!(stream.alignment, Some(aligned), "{about}");
}

/// No instant holds frames that are a second apart.
fn assert_together(run: &Run, about: &str) {
    let most = run.instants.iter().map(|instant| i64::from(instant.skew_ns)).max();
    assert!(most <= Some(10 * MS), "{about}: {most:?}");
}

fn complete(run: &Run) -> u32 {
    u32::try_from(run.instants.iter().filter(|instant| instant.is_complete()).count()).expect("few")
}

#[test]
fn streams_that_announce_it_are_aligned_whichever_second_they_repeat() {
    for deletes in [false, true] {
        for host in hosts(deletes) {
            for ways in [&[Way::Next, Way::Last][..], &[Way::Last, Way::Next, Way::Last]] {
                let about = format!("{ways:?}, deletes {deletes}, {host:?}");
                let run = run(ways, deletes, *host);
                run.streams.iter().for_each(|stream| assert_right(stream, deletes, &about));
                assert_eq!(complete(&run), ALL, "{about}");
                assert_together(&run, &about);
            }
        }
    }
}

/// Whichever stream comes first, with one that takes it rightly, or two.
fn beside(odd: Way) -> [(Vec<Way>, usize); 4] {
    [
        (vec![Way::Next, odd], 1),
        (vec![odd, Way::Last], 0),
        (vec![Way::Next, odd, Way::Last], 1),
        (vec![odd, Way::Last, Way::Next], 0),
    ]
}

#[test]
fn one_that_repeats_a_second_without_saying_so_is_named_and_harms_none() {
    for host in hosts(false) {
        for way in [Way::NextUnsaid, Way::LastUnsaid] {
            for (ways, odd) in beside(way) {
                let about = format!("{ways:?}, {host:?}");
                let run = run(&ways, false, *host);
                assert_together(&run, &about);
                for (place, stream) in run.streams.iter().enumerate() {
                    if place != odd {
                        assert_right(stream, false, &about);
                        continue;
                    }
                    assert_eq!(stream.report.leaps, Leaps { repeated: 1, ..Leaps::default() }, "{about}");
                    assert_eq!((stream.counts.duplicate, stream.counts.missing), (RATE, 0), "{about}");
                    // It has no frame of 23:59:60; what it has twice is aligned once. It may have to join again.
                    let StreamAlignment { aligned, absent, late, .. } =
                        stream.alignment.expect("it was asked for");
                    assert_eq!((absent, late), (RATE, 0), "{about}");
                    assert!((u64::from(ALL - RATE) - 1..=(ALL - RATE).into()).contains(&aligned), "{about}");
                }
                assert_eq!(complete(&run), ALL - RATE, "{about}");
                let AlignCounts { out_of_step, duplicate, joining, .. } = run.counts;
                assert!(out_of_step + duplicate == RATE.into() && joining <= 1, "{about}: {:?}", run.counts);
            }
        }
    }
}

#[test]
fn one_that_leaves_a_second_out_without_saying_so_is_named_and_harms_none() {
    for host in hosts(true) {
        for (ways, odd) in beside(Way::NextUnsaid) {
            let about = format!("{ways:?}, {host:?}");
            let run = run(&ways, true, *host);
            assert_together(&run, &about);
            assert_eq!(complete(&run), ALL, "{about}: its time tags are right");
            for (place, stream) in run.streams.iter().enumerate() {
                if place != odd {
                    assert_right(stream, true, &about);
                    continue;
                }
                // Where the host's clock jumps along, it looks like a second in which nothing came.
                let named = u64::from(*host != Host::Set);
                assert_eq!(stream.report.leaps, Leaps { skipped: named, ..Leaps::default() }, "{about}");
                assert_eq!((stream.counts.duplicate, stream.counts.missing), (0, RATE), "{about}");
            }
        }
    }
}

#[test]
fn one_that_knows_nothing_of_it_is_out_of_step_and_harms_none() {
    for deletes in [false, true] {
        for host in hosts(deletes) {
            for (ways, odd) in beside(Way::Not) {
                let about = format!("{ways:?}, deletes {deletes}, {host:?}");
                let run = run(&ways, deletes, *host);
                assert_together(&run, &about);
                for (place, stream) in run.streams.iter().enumerate() {
                    if place != odd {
                        assert_right(stream, deletes, &about);
                        continue;
                    }
                    let alignment = stream.alignment.expect("it was asked for");
                    let before = if deletes { 3 } else { LEAP } * RATE;
                    assert_eq!(u64::from(alignment.out_of_step) + alignment.aligned, ALL.into(), "{about}");
                    assert_eq!(alignment.aligned, before.into(), "{about}: {alignment:?}");
                    assert!(alignment.absent > 0 && alignment.late == 0, "{about}: {alignment:?}");
                }
            }
        }
    }
}
