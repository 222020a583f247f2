//! What a capture says of two clocks: the PMU's, by the time tags, and the one that the packets were stamped by.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::trial;
use crate::{Pcap, config_frame, data_frame, decode, summary};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("tai_taken_for_utc_is_named", &[], tai_taken_for_utc_is_named),
        trial("lateness_in_a_capture_is_marked", &[], lateness_in_a_capture_is_marked),
    ]
}

/// Frames at 50/s for two seconds that arrive 5 ms after the time tags and `ahead` frames' time before them; every
/// tenth, 200 ms after.
fn capture(ahead: u32) -> Pcap {
    let mut pcap = Pcap::new();
    pcap.udp(4713, &config_frame());
    for number in 0..100 {
        let late = number % 10 == 9;
        pcap.packets = number * 20 + if late { 200 } else { 5 };
        pcap.udp(4713, &data_frame(number + ahead));
    }
    pcap
}

fn table(file: &std::path::Path) -> String {
    let output = decode(file, &["--summary"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn tai_taken_for_utc_is_named() {
    let (_place, file) = capture(37 * 50).write();
    let told = summary(&file, &[]);
    let [stream] = told["streams"].as_array().unwrap().as_slice() else { panic!("{told:#}") };
    let lateness = &stream["lateness"];
    assert_eq!((&lateness["tai_mistake_s"], &lateness["clocks"]), (&37.into(), &"offset".into()));
    assert_eq!(lateness["clock_offset_ns"], -36_995_000_000_i64);
    assert!(stream["late"].is_null(), "{stream:#}");
    let unjudged = serde_json::json!({ "clocks_differ": 100 });
    assert_eq!((&lateness["judged"], &lateness["not_judged"]), (&0.into(), &unjudged));
    assert_eq!(lateness["delayed"], 10, "against its own fastest frame it is judged");
    let text = table(&file);
    assert!(
        text.contains("its clock is about 36.995 s ahead of this host's: 37 s is what TAI and UTC"),
        "{text}"
    );
}

fn lateness_in_a_capture_is_marked() {
    let (_place, file) = capture(0).write();
    let told = summary(&file, &[]);
    let stream = &told["streams"][0];
    let lateness = &stream["lateness"];
    assert_eq!((&stream["late"], &lateness["late_unsure"]), (&10.into(), &0.into()));
    assert_eq!((&lateness["judged"], &lateness["judged_unbounded"]), (&100.into(), &100.into()));
    assert_eq!((&lateness["host_bound_ns"], &lateness["tai_mistake_s"]), (&Value::Null, &Value::Null));
    let text = table(&file);
    assert!(text.contains("  10?  "), "{text}");
    assert!(text.contains("? judged as if the clock of the arrivals were exact"), "{text}");
}
