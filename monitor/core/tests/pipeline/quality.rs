//! What is told of a stream beside its counts: lateness, pace, stalls, what its clock says.

use monitor_core::event::StreamReport;
use monitor_core::packet::Transport;
use monitor_core::pipeline::{Pipeline, Ports};
use monitor_core::protocol::c37118::{Stat, TimeQuality};
use monitor_core::stream::{
    Agreement, LateLimit, LimitBasis, PerformanceClass, StatCounts, StreamMatch, StreamRule, StreamSettings,
};
use monitor_core::time::Nanos;

use crate::packets::PORT;
use crate::{Bench, Pmu, SMALL, pmu};

const START: u64 = 85_000_000_000;
const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

/// Sends frames that arrive as late as said, and tells what is known of the stream.
fn late(pmu: &Pmu, bench: &mut Bench, frames: std::ops::Range<u64>, ns: impl Fn(u64) -> i64) -> StreamReport {
    bench.send(&pmu.config(1), pmu.rate.unix_ns_of_index(START + frames.start));
    for n in frames {
        bench.send(&pmu.data(START + n), pmu.rate.unix_ns_of_index(START + n) + ns(n));
    }
    bench.only_stream().report
}

#[test]
fn frames_later_than_seven_periods_are_late() {
    let report =
        late(&pmu(), &mut Bench::on_port(), 0..500, |n| if n % 50 == 7 { 141 * MS } else { 25 * MS });
    let lateness = report.lateness;
    assert_eq!((lateness.limit_ns, lateness.basis), (Some(140_000_000), LimitBasis::ClassM));
    assert_eq!((lateness.judged, lateness.late, lateness.delayed), (500, 10, 0));
    assert_eq!((lateness.agreement, lateness.smallest_ns), (Agreement::Agree, Some(25 * MS)));
    assert_eq!((lateness.variation.min, lateness.variation.max), (0, 116 * MS));
}

#[test]
fn a_rule_sets_the_limit_of_the_streams_that_it_fits() {
    let set = |settings| {
        let rule = StreamRule {
            matches: StreamMatch {
                transport: Some(Transport::Udp),
                idcode: Some(7),
                ..StreamMatch::default()
            },
            settings,
        };
        let other = StreamMatch { idcode: Some(8), ..StreamMatch::default() };
        let rules = vec![StreamRule { matches: other, ..StreamRule::default() }, rule];
        let pipeline = Pipeline::with_rules(Ports::Set(vec![PORT]), &SMALL, rules.into());
        let mut bench = Bench { pipeline, out: crate::Kept::default() };
        let report = late(&pmu(), &mut bench, 0..100, |n| i64::try_from(n).expect("few") * MS);
        assert_eq!(bench.pipeline.rules_matched(), [0, 1]);
        report
    };
    let late = Some(LateLimit::Class(PerformanceClass::P));
    let report = set(StreamSettings { late, ..StreamSettings::default() });
    assert_eq!((report.lateness.basis, report.lateness.limit_ns), (LimitBasis::ClassP, Some(40_000_000)));
    assert_eq!(report.lateness.late, 59);
    let late = Some(LateLimit::Set(90_000_000));
    let report = set(StreamSettings { late, stall_ns: 2_000_000_000, mirrored: false });
    assert_eq!((report.lateness.basis, report.lateness.late), (LimitBasis::Set, 9));
    assert_eq!(report.stalls.limit_ns, 2_000_000_000);
}

#[test]
fn neither_clock_is_taken_for_the_other() {
    for offset in [19_400 * MS, 29_000 * MS, -29_000 * MS, 4 * 86_400 * SECOND] {
        let report = late(&pmu(), &mut Bench::on_port(), 0..500, |n| {
            offset + if n == 99 { 170 * MS } else { 20 * MS }
        });
        let lateness = report.lateness;
        assert_eq!((lateness.judged, lateness.late, lateness.delayed), (0, 0, 1));
        assert_eq!((lateness.agreement, lateness.smallest_ns), (Agreement::Offset, Some(offset + 20 * MS)));
    }
}

#[test]
fn stale_frames_are_averaged_into_nothing() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let arrives = |n: u64| pmu.rate.unix_ns_of_index(START + n) + 20 * MS;
    bench.send(&pmu.config(1), arrives(0));
    bench.send(&pmu.data(START - 5 * 86_400 * 50), arrives(0));
    for n in 1..200 {
        bench.send(&pmu.data(START + n), arrives(n));
    }
    bench.send(&pmu.data(START - 6 * 86_400 * 50), arrives(200));
    let stream = bench.only_stream();
    assert_eq!((stream.counts.stale, stream.counts.frames, stream.counts.missing), (2, 201, 0));
    let report = stream.report;
    assert_eq!(report.lateness.agreement, Agreement::Agree);
    assert_eq!((report.lateness.variation.max, report.lateness.smallest_ns), (0, Some(20 * MS)));
    assert_eq!((report.pace.tag_gaps.min, report.pace.tag_gaps.max), (20 * MS, 20 * MS));
    assert_eq!(report.pace.gaps.count, 200, "they arrived like any other");
}

#[test]
fn what_a_pmu_sends_is_told_from_what_it_declares() {
    // Declares 50 frames a second and sends every second one; a tenth of these is lost.
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config(1), 0);
    for n in (0..1_000).filter(|n| n % 10 != 0) {
        let index = START + 2 * n;
        bench.send(&pmu.data(index), pmu.rate.unix_ns_of_index(index));
    }
    let stream = bench.only_stream();
    assert_eq!(stream.report.pace.declared, Some(50));
    assert_eq!(stream.report.pace.usual_tag_gap_ns, Some(40 * MS));
    assert!((stream.timing.rate_hz - 22.5).abs() < 0.1, "{:?}", stream.timing);
}

#[test]
fn a_stream_that_stalls_and_resumes() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let arrives = |n: u64| pmu.rate.unix_ns_of_index(START + n);
    bench.send(&pmu.config(1), arrives(0));
    for n in (0..50).chain(200..250).chain(1_000..1_050) {
        bench.send(&pmu.data(START + n), arrives(n));
    }
    let stalls = bench.only_stream().report.stalls;
    let ns = |frames: u64| frames * 20_000_000;
    assert_eq!((stalls.count, stalls.total_ns, stalls.longest_ns), (2, ns(151 + 751), ns(751)));
    assert_eq!(stalls.since_ns, None);
    // Something else goes on while it is silent.
    bench.send(b"anything", arrives(1_200));
    let stalls = bench.only_stream().report.stalls;
    assert_eq!((stalls.count, stalls.since_ns), (3, Some(arrives(1_049))));
    assert_eq!(stalls.total_ns, ns(151 + 751 + 151));
    assert_eq!(bench.only_stream().counts.missing, 150 + 750);
    assert_eq!(bench.only_stream().report.pace.gaps.max, 20 * MS, "stalls are no jitter");
}

#[test]
fn time_without_sync_is_a_duration() {
    let (mut bench, mut pmu) = (Bench::on_port(), pmu());
    let arrives = |n: u64| i64::try_from(n).expect("few") * 20 * MS;
    bench.send(&pmu.config(1), 0);
    for n in 0..1_000 {
        let unlocked = (300..800).contains(&n);
        pmu.stat = Stat::from_word(if unlocked { 0x21F0 } else { 0 });
        pmu.quality = TimeQuality::from_bits(if unlocked { 0x0F } else { 0 });
        bench.send(&pmu.data(START + n), arrives(n));
    }
    let report = bench.only_stream().report;
    let clock = report.clock;
    assert_eq!(clock.sync, [(999 - 500) * 20_000_000, 500 * 20_000_000]);
    assert_eq!((clock.msg_tq[0], clock.msg_tq[15]), (clock.sync[0], clock.sync[1]));
    assert_eq!((clock.pmu_tq[7], clock.unlocked[3]), (clock.sync[1], clock.sync[1]));
    assert_eq!((clock.changes, clock.since_ns), (2, Some(arrives(800))));
    assert_eq!(report.stat, StatCounts { sync_lost: 500, ..StatCounts::default() });
    let judged = report.lateness.judged;
    assert_eq!(judged, 0, "the time tags are of another time altogether");
}

#[test]
fn what_is_told_crosses_beside_an_event() {
    use monitor_core::event::EventKind;
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    late(&pmu, &mut bench, 0..100, |_| MS);
    let now = Nanos(pmu.rate.unix_ns_of_index(START + 99));
    bench.pipeline.tick(now, &mut bench.out);
    bench.pipeline.tick(now.plus(SECOND), &mut bench.out);
    let bytes = bench
        .out
        .data
        .iter()
        .rev()
        .find_map(|(event, bytes)| matches!(event.kind, EventKind::StreamReport).then_some(bytes));
    let told = StreamReport::from_bytes(bytes.expect("a report")).expect("whole");
    assert_eq!(told, bench.only_stream().report);
    assert_eq!(told.lateness.judged, 100);
}
