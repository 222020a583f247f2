//! `[[stream]]` tables of `--config`: which stream is whose.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::trial;
use crate::{Pcap, config_frame, data_frame, decode, errors, parsed};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_station_and_a_port_name_a_stream", &[], a_station_and_a_port_name_a_stream),
        trial("a_match_that_fits_nothing_is_refused", &[], a_match_that_fits_nothing_is_refused),
    ]
}

/// Decodes DATA of the station ALPHA on port 4713, some of them before its configuration, by these tables.
fn decoded(tables: &str) -> std::process::Output {
    let mut pcap = Pcap::new();
    for number in 0..3 {
        pcap.udp(4713, &data_frame(number));
    }
    pcap.udp(4713, &config_frame());
    for number in 3..10 {
        pcap.udp(4713, &data_frame(number));
    }
    let (place, file) = pcap.write();
    let config = place.path().join("pmu.toml");
    fs::write(&config, tables).unwrap();
    decode(&file, &["--summary", "--json", "--config", config.to_str().unwrap()])
}

fn a_station_and_a_port_name_a_stream() {
    let tables = "\
        [[stream]]\nname = \"Other port\"\nmatch = { station = \"ALPHA\", port = 4712 }\n\
        [[stream]]\nname = \"By station\"\nmatch = { station = \"ALPHA\", port = 4713 }\nlate = \"5ms\"\n\
        [[stream]]\nname = \"By IDCODE\"\nmatch = { idcode = 7 }\n\
        [[stream]]\nname = \"Another\"\nmatch = { station = \"ALPH\" }\n";
    let output = decoded(tables);
    assert!(output.status.success(), "{}", errors(&output));
    let lines = parsed(&output.stdout);
    let [summary] = &lines[..] else { panic!("{lines:#?}") };
    let stream = &summary["streams"][0];
    assert_eq!((&stream["name"], &stream["undecoded"]), (&Value::from("By station"), &3.into()));
    assert_eq!(stream["lateness"]["limit_ns"], 5_000_000);
    assert_eq!(
        summary["unmatched"],
        serde_json::json!(["[[stream]] 1 'Other port'", "[[stream]] 4 'Another'"])
    );
}

fn a_match_that_fits_nothing_is_refused() {
    for (table, words) in [
        ("port = 0", "match.port = 0 fits no stream"),
        ("station = \"ALPHA  \"", "spaces at the end are padding"),
        ("station = \"\"", "match.station = \"\" fits no stream"),
    ] {
        let output = decoded(&format!("[[stream]]\nmatch = {{ {table} }}\n"));
        let said = errors(&output);
        assert!(
            !output.status.success() && said.contains(words) && said.contains("pmu.toml"),
            "{table}: {said}"
        );
    }
}
