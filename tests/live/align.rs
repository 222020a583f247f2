//! `run --align` on the demonstration: every instant has all twelve PMUs.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::Monitor;
use crate::support::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("every_instant_of_the_demo_is_whole", NEEDS, every_instant_of_the_demo_is_whole)]
}

fn every_instant_of_the_demo_is_whole() {
    // A wait that a machine busy with other tests keeps to as well.
    let report = Monitor::here(&["run", "--json", "--align=relative:2s", "--duration", "5s"]).run().adds_up();
    let alignment = &report.summary()["alignment"];
    let count = |key: &str| alignment[key].as_u64().unwrap();
    assert_eq!((count("incomplete"), count("values_refused")), (0, 0), "{alignment:#}");
    // What is open at the end is cut; the stations end a little before or after the monitor does.
    assert!(count("complete") >= 100 && count("cut") <= 2, "{alignment:#}");
    assert_eq!(count("instants"), count("complete") + count("cut"));
    for stream in alignment["streams"].as_array().unwrap() {
        assert_eq!([&stream["absent"], &stream["late"], &stream["out_of_step"]], [0, 0, 0], "{stream:#}");
        assert!(stream["aligned"].as_u64().unwrap() >= count("complete"), "{stream:#}");
    }
    let instants: Vec<&Value> = report.of_kind("c37118.instant").collect();
    assert_eq!(instants.len() as u64, count("instants"));
    let whole = instants.iter().filter(|instant| instant["complete"] == true);
    assert!(whole.clone().count() as u64 == count("complete"));
    for instant in whole {
        assert_eq!((&instant["expected"], &instant["present"]), (&12.into(), &12.into()), "{instant:#}");
        assert!(instant["skew_ns"].as_u64().is_some_and(|skew| skew > 0), "{instant:#}");
    }
}
