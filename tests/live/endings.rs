//! However a run ends, it leaves nothing behind, and where it can still say something, it gives the summary.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use aya::programs::{SchedClassifier, TcAttachType, loaded_programs};
use libtest_mimic::Trial;
use monitor::netns::{End, Pair};

use crate::harness::{Monitor, Report, Running, until};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("signals_end_it_with_a_summary", NEEDS, signals_end_it_with_a_summary),
        trial("its_time_ends_it", NEEDS, its_time_ends_it),
        trial("an_output_that_goes_away_ends_it", NEEDS, an_output_that_goes_away_ends_it),
        trial("killed_it_leaves_nothing_attached", NEEDS, killed_it_leaves_nothing_attached),
        trial("a_vanished_interface_ends_it", NEEDS, a_vanished_interface_ends_it),
        trial("one_vanished_of_two_is_said", NEEDS, one_vanished_of_two_is_said),
        trial("renamed_and_down_are_said", NEEDS, renamed_and_down_are_said),
        trial("promiscuous_mode_lasts_as_long_as_the_run", NEEDS, promiscuous_mode_lasts_as_long_as_the_run),
    ]
}

/// Numbers of the programs that a monitor holds, which the kernel does not give out again soon.
pub(crate) fn programs(running: &Running) -> BTreeSet<u32> {
    let entries = fs::read_dir(format!("/proc/{}/fdinfo", running.pid())).unwrap();
    let told = entries.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    let number =
        |text: String| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
    told.filter_map(number).collect()
}

/// How many programs an end's interface has attached.
fn attached(end: &End) -> usize {
    let query = |way| SchedClassifier::query_tcx(end.name(), way).unwrap().1.len();
    end.run(|| query(TcAttachType::Ingress) + query(TcAttachType::Egress)).unwrap()
}

/// Whether the kernel still has one of them: on an interface, on a tracepoint, or in somebody's hands.
fn any_loaded(programs: &BTreeSet<u32>) -> bool {
    loaded_programs().map_while(Result::ok).any(|program| programs.contains(&program.id()))
}

/// Asserts that a run holds programs, ends it by `end`, and asserts that the kernel has none of them any more.
fn leaves_nothing(pair: &Pair, running: Running, end: impl FnOnce(Running) -> Report) -> Report {
    let held = programs(&running);
    assert_eq!(attached(&pair.monitor), 2, "ingress and egress");
    assert!(held.len() >= 4, "{held:?}");
    assert!(any_loaded(&held));
    let report = end(running);
    until("every program is gone", || attached(&pair.monitor) == 0 && !any_loaded(&held));
    report
}

/// A monitor that has seen a frame.
fn with_a_frame(pair: &mut Pair, options: &[&str]) -> Running {
    let wire = sender(&mut pair.stations);
    let mut running = Monitor::on(pair).args(options).start().attached();
    wire.send(&datagram(&Pmu::new(7).config())).unwrap();
    running.counted("frames.decoded", 1);
    running
}

fn signals_end_it_with_a_summary() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut pair = quiet_pair();
        let running = with_a_frame(&mut pair, &[]);
        assert_eq!(pair.monitor.interface().unwrap().promiscuity, 0, "it was not asked for");
        let report = leaves_nothing(&pair, running, |running| {
            running.signal(signal);
            running.finish().adds_up()
        });
        assert_eq!(report.count("frames.decoded"), 1, "SIG{signal}");
    }
}

fn its_time_ends_it() {
    let pair = quiet_pair();
    let report = Monitor::on(&pair).args(["--duration", "1500ms"]).run().adds_up();
    assert!(report.summary()["duration_ns"].as_u64() >= Some(1_500_000_000), "{:#}", report.summary());
    assert_eq!(attached(&pair.monitor), 0);
}

fn an_output_that_goes_away_ends_it() {
    let pair = quiet_pair();
    let head = ["sh", "-c", "\"$@\" | head -n 1", "sh"];
    let report = Monitor::on(&pair).under(&head).run();
    assert_eq!(report.lines.len(), 1, "{report:#?}");
    assert_eq!(report.stderr, "");
    until("nothing is attached", || attached(&pair.monitor) == 0);
}

fn killed_it_leaves_nothing_attached() {
    let mut pair = quiet_pair();
    let running = with_a_frame(&mut pair, &[]);
    let report = leaves_nothing(&pair, running, Running::kill);
    assert_eq!(report.status, None);
    // And the next one starts as if there had been none.
    let report = with_a_frame(&mut pair, &[]).stop().adds_up();
    assert_eq!(report.count("frames.decoded"), 1);
}

fn a_vanished_interface_ends_it() {
    let mut pair = quiet_pair();
    let mut running = with_a_frame(&mut pair, &[]);
    let held = programs(&running);
    let name = pair.stations.name().to_owned();
    pair.stations.links().delete(&name).unwrap();
    running.complained(&["eth1", "vanished"]);
    let report = running.finish();
    report.failed_with(1, &["eth1", "vanished", "start again"]);
    assert_eq!(report.count("frames.decoded"), 1);
    assert_eq!(report.summary()["unaccounted"], 0);
    until("every program is gone", || !any_loaded(&held));
}

/// Another veth pair between the same namespaces.
pub(crate) fn second_interface(pair: &mut Pair, station: &str, monitor: &str) {
    let netns = Arc::clone(&pair.monitor.shared_netns());
    pair.stations.links().create_veth(station, monitor, &netns).unwrap();
    pair.stations.links().set_up(station).unwrap();
    pair.monitor.links().set_up(monitor).unwrap();
    until("the second pair has its carrier", || {
        let runs = |end: &mut End, name| end.links().interface(name).unwrap().running;
        runs(&mut pair.stations, station) && runs(&mut pair.monitor, monitor)
    });
}

fn one_vanished_of_two_is_said() {
    let mut pair = quiet_pair();
    second_interface(&mut pair, "stations1", "eth2");
    let mut running = with_a_frame(&mut pair, &["--iface", "eth2"]);
    pair.stations.links().delete("stations1").unwrap();
    running.complained(&["eth2", "vanished"]);
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    wire.send(&datagram(&pmu.data())).unwrap();
    running.counted("frames.decoded", 2);
    let report = running.stop().adds_up();
    assert_eq!(report.stream(7)["frames"], 1);
}

fn renamed_and_down_are_said() {
    let mut pair = quiet_pair();
    let mut running = with_a_frame(&mut pair, &[]);
    pair.monitor.links().set_down("eth1").unwrap();
    running.complained(&["eth1 is down"]);
    pair.monitor.links().rename("eth1", "mirror0").unwrap();
    running.complained(&["eth1", "mirror0"]);
    pair.monitor.links().set_up("mirror0").unwrap();
    running.complained(&["mirror0 is up"]);
    until("the carrier is back", || pair.monitor.links().interface("mirror0").unwrap().running);
    sender(&mut pair.stations).send(&datagram(&Pmu::new(7).data())).unwrap();
    running.counted("frames.decoded", 2);
    running.stop().adds_up();
}

fn promiscuous_mode_lasts_as_long_as_the_run() {
    let holders = |pair: &mut Pair| pair.monitor.interface().unwrap().promiscuity;
    for end in [Running::stop, Running::kill] {
        let mut pair = quiet_pair();
        let running = with_a_frame(&mut pair, &["--promiscuous"]);
        assert_eq!(holders(&mut pair), 1);
        end(running);
        until("nobody holds it", || holders(&mut pair) == 0);
    }
}
