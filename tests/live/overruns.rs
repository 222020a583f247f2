//! Turns beyond their budget: every one is counted, with a cause that the evidence bears, and so many are told.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use monitor::sys::sched::{CpuList, set_affinity, set_fifo};
use serde_json::Value;

use crate::harness::{Monitor, Report};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    const TWO: &[Need] = &[Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus];
    vec![
        trial("beyond_the_least_budget_is_every_turn", NEEDS, beyond_the_least_budget_is_every_turn),
        trial("within_a_large_budget_is_every_turn", NEEDS, within_a_large_budget_is_every_turn),
        trial("nothing_is_watched_without_a_budget", NEEDS, nothing_is_watched_without_a_budget),
        trial("a_preempted_turn_is_known_as_one", TWO, a_preempted_turn_is_known_as_one),
        trial("a_budget_that_is_none_is_named", &[], a_budget_that_is_none_is_named),
    ]
}

/// A short run of the demo.
fn within(budget: &str) -> Report {
    Monitor::here(&["run", "--json", "--duration", "2s", "--budget", budget]).run().adds_up()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// That the sums come out, whatever the causes, and that each line is of a turn beyond the budget.
fn sums_come_out(report: &Report, budget_ns: u64) {
    let rt = &report.summary()["rt"];
    let (overruns, counters) = (&rt["overruns"], &report.summary()["counters"]["overruns"]);
    let count = number(&overruns["count"]);
    assert_eq!(rt["budget_ns"], budget_ns);
    assert_eq!(count, number(&counters["overruns"]));
    for by_cause in [&overruns["by_cause"], &counters["by_cause"]] {
        assert_eq!(count, by_cause.as_object().unwrap().values().map(number).sum::<u64>(), "{rt:#}");
    }
    assert_eq!(count, number(&counters["told"]) + number(&counters["untold"]), "{counters:#}");
    let lines: Vec<_> = report.of_kind("overrun").collect();
    let dropped = report.count("events.json.dropped_by_class.overrun");
    assert_eq!(number(&overruns["told"]), lines.len() as u64 + dropped);
    for line in lines {
        let turn_ns = number(&line["turn_ns"]);
        assert!((budget_ns + 1..=number(&overruns["worst_ns"])).contains(&turn_ns), "{line}");
        assert_eq!(line["budget_ns"], budget_ns);
        assert!(line["time_ns"].is_i64() && line["records"].is_u64(), "{line}");
        assert!(overruns["by_cause"][line["cause"].as_str().unwrap()].as_u64() > Some(0), "{line}");
    }
}

fn beyond_the_least_budget_is_every_turn() {
    let report = within("1ns");
    let rt = &report.summary()["rt"];
    assert_eq!(rt["turns"], rt["overruns"]["count"], "{rt:#}");
    // Half of the budget has gone with the first record of a turn, so each turn took one at most.
    assert!(number(&rt["turns"]) >= report.count("records.delivered"), "{rt:#}");
    let told = report.of_kind("overrun").filter(|line| number(&line["records"]) <= 1).count();
    assert_eq!(told, report.of_kind("overrun").count());
    assert!(told > 0 && report.count("overruns.untold") > 0, "{rt:#}");
    sums_come_out(&report, 1);
    assert_eq!(report.count("frames.found"), report.count("frames.decoded"));
}

fn within_a_large_budget_is_every_turn() {
    let report = within("1s");
    let rt = &report.summary()["rt"];
    assert!(number(&rt["turns"]) > 0 && rt["overruns"]["count"] == 0, "{rt:#}");
    assert_eq!((report.of_kind("overrun").count(), report.stderr.as_str()), (0, ""));
    sums_come_out(&report, 1_000_000_000);
}

fn nothing_is_watched_without_a_budget() {
    let report = within("off");
    let rt = &report.summary()["rt"];
    assert!(["budget_ns", "turns", "overruns"].into_iter().all(|what| rt[what].is_null()), "{rt:#}");
    assert_eq!(report.summary()["counters"].get("overruns"), None);
}

/// Frames come without a pause, and a thread of a higher priority takes the reader's CPU again and again, for longer than
/// the budget each time, until a window says that a turn was preempted.
fn a_preempted_turn_is_known_as_one() {
    const BUDGET_NS: u64 = 1_000_000;
    const TAKEN: Duration = Duration::from_millis(2);
    const LEFT: Duration = Duration::from_millis(1);
    let cpus: Vec<usize> = CpuList::online().unwrap().iter().collect();
    let [first, .., last] = cpus[..] else { panic!("one CPU: {cpus:?}") };
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let on_last = ["--cpu", &last.to_string(), "--priority", "50", "--wait", "block", "--budget", "1ms"];
    let mut running = Monitor::on(&pair).args(on_last).start().attached();
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            set_affinity(first).unwrap();
            let mut pmu = Pmu::new(7);
            wire.send(&datagram(&pmu.config())).unwrap();
            while !over.load(Ordering::Relaxed) {
                wire.send(&datagram(&pmu.data())).unwrap();
            }
        });
        scope.spawn(move || {
            set_affinity(last).unwrap();
            set_fifo(90).unwrap();
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                while begun.elapsed() < TAKEN {
                    hint::spin_loop();
                }
                thread::sleep(LEFT);
            }
        });
        // Whatever becomes of it, the threads end.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            running.counted("overruns.by_cause.preempted", 1);
        }));
        over.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
    let report = running.stop().adds_up();
    assert_eq!(report.summary()["rt"]["policy"], "SCHED_FIFO");
    sums_come_out(&report, BUDGET_NS);
}

fn a_budget_that_is_none_is_named() {
    Monitor::here(&["run", "--budget", "2s"]).run().failed_with(2, &["'2s'", "1ns to 1s", "off"]);
}
