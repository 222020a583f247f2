//! `run` without an interface: twelve simulated PMUs, every frame of theirs.

use libtest_mimic::Trial;

use crate::harness::Monitor;
use crate::support::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("the_demo_misses_nothing", NEEDS, the_demo_misses_nothing)]
}

fn the_demo_misses_nothing() {
    const SECONDS: u64 = 5;
    const RATE: u64 = 50;
    let report = Monitor::here(&["run", "--json", "--duration", &format!("{SECONDS}s")]).run().adds_up();
    let streams = report.summary()["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 12);
    for stream in streams {
        for none in ["missing", "duplicate", "out_of_order", "crc_errors", "undecoded", "discontinuities"] {
            assert_eq!(stream[none], 0, "{none}: {stream:#}");
        }
        let rate = stream["rate_hz"].as_f64().unwrap();
        assert!((rate - 50.0).abs() < 1.0, "{stream:#}");
        // The stations begin once the reader reads, and end a little before or after it does.
        let frames = stream["frames"].as_u64().unwrap();
        assert!(((SECONDS - 1) * RATE..=(SECONDS + 1) * RATE).contains(&frames), "{stream:#}");
        assert!(
            stream["frequency_hz"].as_f64().is_some_and(|hertz| (49.0..51.0).contains(&hertz)),
            "{stream:#}"
        );
    }
    assert_eq!(report.count("frames.found"), report.count("frames.decoded"));
    let stages = report.summary()["latency_ns"].as_object().unwrap();
    let decoded = report.count("frames.decoded");
    // The commands of the simulated PDC leave: they were never received.
    let received = decoded - report.frames("c37118.command");
    for (stage, count) in [
        ("receive_to_ring", received),
        ("ring_to_reader", decoded),
        ("reader_to_decoded", decoded),
        ("receive_to_decoded", received),
    ] {
        assert_eq!(stages[stage]["count"], count, "{stage}");
    }
}
