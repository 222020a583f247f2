//! The three ways to wait, with the twelve simulated PMUs: the same frames and the same sums, whoever is awake.

use libtest_mimic::Trial;

use crate::harness::{Monitor, Report};
use crate::support::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus];
    vec![
        trial("predicting_loses_no_frame", NEEDS, predicting_loses_no_frame),
        trial("a_run_predicts_unless_told_otherwise", NEEDS, a_run_predicts_unless_told_otherwise),
        trial("blocking_is_woken_by_frames", NEEDS, blocking_is_woken_by_frames),
        trial("spinning_never_sleeps", NEEDS, spinning_never_sleeps),
        trial("an_unknown_way_to_wait_is_named", &[], an_unknown_way_to_wait_is_named),
        trial("a_share_that_is_none_is_named", &[], a_share_that_is_none_is_named),
    ]
}

/// A run of the demo, all of whose frames arrived.
fn waited(how: &str) -> Report {
    let report = Monitor::here(&["run", "--json", "--duration", "4s", "--wait", how]).run().adds_up();
    let summary = report.summary();
    assert_eq!(summary["rt"]["wait"], how);
    assert!(summary["rt"]["wait_refused"].is_null(), "{summary:#}");
    let streams = summary["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 12);
    assert!(streams.iter().all(|stream| stream["missing"] == 0), "{streams:#?}");
    assert_eq!(report.count("frames.found"), report.count("frames.decoded"));
    assert_eq!(summary["rt"]["packets"], report.count("records.delivered"));
    report
}

fn predicting_loses_no_frame() {
    let report = waited("predict");
    let rt = &report.summary()["rt"];
    // How many it is depends on how busy the host is; that it is none would mean that nothing was predicted.
    let [met, packets] = ["met_awake", "packets"].map(|count| rt[count].as_u64().unwrap());
    assert!((1..=packets).contains(&met), "{rt:#}");
    assert!(rt["sleeps"].as_u64().unwrap() > 0, "{rt:#}");
    let left = &rt["left_to_block"];
    assert_eq!(left["not_followed"], 0, "{rt:#}");
    assert!(left["irregular"].as_u64().zip(left["given_up"].as_u64()).is_some(), "{rt:#}");
}

fn a_run_predicts_unless_told_otherwise() {
    let arguments = ["run", "--json", "--duration", "2s", "--wait-cap", "20%"];
    let report = Monitor::here(&arguments).run().adds_up();
    assert_eq!(report.summary()["rt"]["wait"], "predict");
}

fn blocking_is_woken_by_frames() {
    let report = waited("block");
    let rt = &report.summary()["rt"];
    assert!(rt["sleeps"].as_u64().unwrap() > 0, "{rt:#}");
    assert!(rt["left_to_block"].is_null(), "nothing was predicted: {rt:#}");
}

fn spinning_never_sleeps() {
    let report = waited("spin");
    let rt = &report.summary()["rt"];
    assert_eq!(rt["sleeps"], 0, "{rt:#}");
    assert_eq!(rt["met_awake"], rt["packets"], "{rt:#}");
    assert!(rt["left_to_block"].is_null(), "nothing was predicted: {rt:#}");
}

fn an_unknown_way_to_wait_is_named() {
    Monitor::here(&["run", "--wait", "doze"]).run().failed_with(2, &["'doze'", "block", "predict", "spin"]);
}

fn a_share_that_is_none_is_named() {
    Monitor::here(&["run", "--wait-cap", "200%"]).run().failed_with(2, &["'200%'", "10%"]);
}
