//! What is set for a stream: by its class, its ports, the station that its configuration names.

use monitor_core::event::EventKind;
use monitor_core::pipeline::{Pipeline, Ports};
use monitor_core::protocol::c37118::ServiceClass;
use monitor_core::stream::{
    LateLimit, LimitBasis, PerformanceClass, RuleId, Stations, StreamMatch, StreamRule, StreamRules,
    StreamSettings,
};

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::{Bench, Kept, Pmu, SMALL, pmu};

const START: u64 = 85_000_000_000;

fn bench(rules: StreamRules) -> Bench {
    let pipeline = Pipeline::with_rules(Ports::Set(vec![PORT]), &SMALL, rules);
    Bench { pipeline, out: Kept::default() }
}

fn set(ns: u64) -> StreamSettings {
    StreamSettings { late: Some(LateLimit::Set(ns)), ..StreamSettings::default() }
}

/// Sends a DATA frame, 20 ms after its time tag; gives what its stream is judged by afterwards.
fn judged_by(bench: &mut Bench, pmu: &Pmu, n: u64) -> (LimitBasis, Option<u64>) {
    bench.send(&pmu.data(START + n), pmu.rate.unix_ns_of_index(START + n) + 20_000_000);
    let lateness = bench.only_stream().report.lateness;
    (lateness.basis, lateness.limit_ns)
}

#[test]
fn a_cfg3_declares_the_class() {
    let (mut bench, mut pmu) = (bench(StreamRules::default()), pmu());
    pmu.class = ServiceClass::Protection;
    bench.send(&pmu.config3(1, 1.0), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 0), (LimitBasis::DeclaredP, Some(40_000_000)));
    // The same in a form that cannot say it.
    bench.send(&pmu.config(2), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 1), (LimitBasis::DeclaredP, Some(40_000_000)));
    // Another class, and one that the standard does not know.
    pmu.class = ServiceClass::Measurement;
    bench.send(&pmu.config3(3, 1.0), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 2), (LimitBasis::DeclaredM, Some(140_000_000)));
    pmu.class = ServiceClass::Other(b'Q');
    pmu.change(2);
    bench.send(&pmu.config3(4, 1.0), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 3), (LimitBasis::ClassM, Some(140_000_000)));
}

#[test]
fn what_is_set_goes_before_what_is_declared() {
    let class = |class| StreamSettings { late: Some(LateLimit::Class(class)), ..StreamSettings::default() };
    for (settings, expected) in [
        (set(7_000_000), (LimitBasis::Set, Some(7_000_000))),
        (class(PerformanceClass::M), (LimitBasis::ClassM, Some(140_000_000))),
        (StreamSettings::default(), (LimitBasis::DeclaredP, Some(40_000_000))),
    ] {
        let rule = StreamRule { settings, ..StreamRule::default() };
        let (mut bench, mut pmu) = (bench(vec![rule].into()), pmu());
        pmu.class = ServiceClass::Protection;
        bench.send(&pmu.config3(1, 1.0), 0);
        assert_eq!(judged_by(&mut bench, &pmu, 0), expected);
    }
}

/// A table for the station ALPHA, and one for all others.
fn by_station() -> StreamRules {
    let mut stations = Stations::default();
    let station = stations.number("ALPHA");
    let alpha = StreamRule { matches: StreamMatch { station, ..StreamMatch::default() }, settings: set(1) };
    let others = StreamRule { settings: set(2), ..StreamRule::default() };
    StreamRules { rules: vec![alpha, others], stations }
}

/// The rules that were told of with streams, in their order.
fn told(bench: &Bench) -> Vec<Option<RuleId>> {
    let rules = bench.out.news.iter().filter_map(|(event, _)| match event.kind {
        EventKind::StreamOpened(_, rule) => Some(rule),
        _ => None,
    });
    rules.collect()
}

#[test]
fn a_station_fits_from_its_configuration_on() {
    let (mut bench, mut pmu) = (bench(by_station()), pmu());
    pmu.station = "ALPHA";
    assert_eq!(judged_by(&mut bench, &pmu, 0), (LimitBasis::Set, None), "no rate is known");
    assert_eq!(told(&bench), [Some(RuleId(1))]);
    bench.send(&pmu.config(1), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 1), (LimitBasis::Set, Some(1)));
    assert_eq!(told(&bench), [1, 0].map(|rule| Some(RuleId(rule))));
    bench.send(&pmu.config(2), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 2), (LimitBasis::Set, Some(1)));
    assert_eq!(told(&bench).len(), 2, "a repetition is no news");
    // Renamed.
    pmu.station = "BETA";
    bench.send(&pmu.config(3), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 3), (LimitBasis::Set, Some(2)));
    assert_eq!(told(&bench), [1, 0, 1].map(|rule| Some(RuleId(rule))));
    assert_eq!(bench.pipeline.rules_matched(), [1, 2]);
}

#[test]
fn a_station_of_a_cfg3_fits_too_and_a_longer_name_does_not() {
    for (name, limit) in [("ALPHA", 1), ("ALPHA2", 2), ("ALPH", 2), ("alpha", 2)] {
        let (mut bench, mut pmu) = (bench(by_station()), pmu());
        pmu.station = name;
        bench.send(&pmu.config3(1, 1.0), 0);
        assert_eq!(judged_by(&mut bench, &pmu, 0), (LimitBasis::Set, Some(limit)), "{name}");
    }
}

#[test]
fn a_port_is_that_on_which_the_stream_was_first_seen() {
    let on = |port| StreamMatch { port: Some(port), ..StreamMatch::default() };
    let rule = |port| StreamRule { matches: on(port), settings: set(port.into()) };
    let (mut bench, pmu) = (bench(vec![rule(30_001), rule(30_000), rule(PORT)].into()), pmu());
    bench.send(&pmu.config(1), 0);
    assert_eq!(judged_by(&mut bench, &pmu, 0), (LimitBasis::Set, Some(30_000)), "the receiver's");
    // The same stream from another port of the receiver.
    bench.push(&record(&udp(PMU, PDC, [PORT, 30_001], &pmu.data(START + 1)), 0));
    assert_eq!(judged_by(&mut bench, &pmu, 2), (LimitBasis::Set, Some(30_000)));
    assert_eq!(bench.pipeline.rules_matched(), [0, 1, 0]);
}
