//! `decode --align`: two streams of a capture, one of which loses a frame and sends another too late.

use libtest_mimic::Trial;
use monitor_core::protocol::c37118::encode::reseal;
use serde_json::Value;

use crate::support::trial;
use crate::{Pcap, config_frame, data_frame, decode, lines, summary};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("instants_of_a_capture_are_told", &[], instants_of_a_capture_are_told),
        trial("what_alignment_amounts_to_is_told", &[], what_alignment_amounts_to_is_told),
        trial("without_align_there_are_no_instants", &[], without_align_there_are_no_instants),
        trial("a_wrong_wait_is_refused", &[], a_wrong_wait_is_refused),
    ]
}

/// The same frame of another stream.
fn of(idcode: u16, mut frame: Vec<u8>) -> Vec<u8> {
    frame[4..6].copy_from_slice(&idcode.to_be_bytes());
    reseal(&mut frame);
    frame
}

/// Streams 7 and 9 at 50/s, frames 0 to 39 of both, a millisecond apart; 9 loses 20, and its 30 comes after all others.
/// Packets of others stand between, so that time goes on as the time tags do.
fn capture() -> Pcap {
    let mut pcap = Pcap::new();
    for idcode in [7, 9] {
        pcap.udp(4713, &of(idcode, config_frame()));
    }
    for number in 0..40 {
        pcap.udp(4713, &of(7, data_frame(number)));
        let there = ![20, 30].contains(&number);
        if there {
            pcap.udp(4713, &of(9, data_frame(number)));
        }
        for _ in 0..if there { 18 } else { 19 } {
            pcap.udp(53, &[0; 20]);
        }
    }
    pcap.udp(4713, &of(9, data_frame(30)));
    pcap
}

const LATE: &str = "c37118:192.0.2.1>192.0.2.9:udp:9";
const ON_TIME: &str = "c37118:192.0.2.1>192.0.2.9:udp:7";

fn instants_of_a_capture_are_told() {
    let (_place, file) = capture().write();
    let lines = lines(&file, &["--align=relative:10ms"]);
    let instants: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "c37118.instant").collect();
    assert_eq!(instants.len(), 40, "{instants:#?}");
    for (number, instant) in (0_i64..).zip(&instants) {
        let alone = [20, 30].contains(&number);
        let present = if alone { 1 } else { 2 };
        assert_eq!(
            (&instant["present"], &instant["complete"]),
            (&present.into(), &(!alone).into()),
            "{number}"
        );
        let absent = if alone { Value::from(vec![LATE]) } else { Value::from(Vec::<Value>::new()) };
        assert_eq!(instant["absent"], absent, "{number}");
        assert_eq!(
            (&instant["first"], &instant["skew_ns"]),
            (&ON_TIME.into(), &if alone { Value::Null } else { 1_000_000.into() })
        );
        let end = if alone { "window" } else { instant["end"].as_str().unwrap_or_default() };
        assert_eq!(instant["end"], end);
    }
    let times: Vec<i64> = instants.iter().map(|instant| instant["time_ns"].as_i64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20_000_000), "{times:?}");
}

fn what_alignment_amounts_to_is_told() {
    let (_place, file) = capture().write();
    let summary = summary(&file, &["--align=relative:10ms"]);
    let alignment = &summary["alignment"];
    assert_eq!((&alignment["wait"], &alignment["wait_ns"]), (&"relative".into(), &10_000_000.into()));
    for (key, count) in [("instants", 40), ("incomplete", 2), ("complete", 38), ("cut", 0)] {
        assert_eq!(alignment[key], count, "{key}: {alignment:#}");
    }
    assert_eq!(
        (&alignment["skew_ns"]["count"], &alignment["skew_ns"]["max"]),
        (&38.into(), &1_000_447.into())
    );
    let late = &alignment["streams"][1];
    let counts = ["aligned", "absent", "late", "out_of_step"].map(|key| late[key].as_u64().unwrap());
    assert_eq!((&late["id"], counts), (&LATE.into(), [38, 2, 1, 0]));
    let counters = &summary["counters"]["alignment"];
    assert_eq!(
        (&counters["offered"], &counters["aligned"], &counters["late"]),
        (&79.into(), &78.into(), &1.into())
    );
    assert_eq!(summary["unaccounted"], 0);
    let text = String::from_utf8(decode(&file, &["--summary", "--align=relative:10ms"]).stdout).unwrap();
    assert!(
        text.contains("instants     40: 38 complete, 2 incomplete, 0 cut short; waited for 10ms, relative"),
        "{text}"
    );
}

fn without_align_there_are_no_instants() {
    let (_place, file) = capture().write();
    assert!(lines(&file, &[]).iter().all(|line| line["kind"] != "c37118.instant"));
    assert_eq!(summary(&file, &[]).get("alignment"), None);
    // As for people.
    let text = String::from_utf8(decode(&file, &["--align=10ms"]).stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("  instant  ")).count(), 40, "{text}");
    assert!(text.contains(&format!("1 of 2 streams  without {LATE}")), "{text}");
}

fn a_wrong_wait_is_refused() {
    let (_place, file) = capture().write();
    for (wrong, said) in [("--align=soon:10ms", "'soon'"), ("--align=9s", "4s"), ("--align=ten", "'ten'")] {
        let output = decode(&file, &[wrong]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
}
