//! A capture put on the wire again is seen as `decode` sees it in its file.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Monitor, Report};
use crate::support::{Need, captures, trial};
use crate::wire::{packets_of, quiet_pair, sender};

const NEEDS: &[Need] = &[Need::Bpf, Need::Veth, Need::Captures];
/// What a packet on a live wire has and one in a file has not, or of its own.
const LIVE: [&str; 4] = ["arrival_ns", "lateness_ns", "iface", "stages_ns"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("the_capture_is_seen_live_as_in_its_file", NEEDS, the_capture_is_seen_live_as_in_its_file),
        trial("the_capture_is_seen_at_xdp_as_in_its_file", NEEDS, the_capture_is_seen_at_xdp_as_in_its_file),
        trial("every_capture_counts_live_as_in_its_file", NEEDS, every_capture_counts_live_as_in_its_file),
    ]
}

fn capture(name: &str) -> PathBuf {
    captures().unwrap().join("c37118").join(name)
}

/// Puts a capture's packets on a wire that a monitor watches.
fn replayed(capture: &Path, hook: &str) -> Report {
    /// The captures were taken where segments had been merged already.
    const MTU: u32 = 65_535;
    let mut pair = quiet_pair();
    if packets_of(capture).iter().any(|packet| packet.len() > 1_514) {
        pair.set_mtu(MTU).unwrap();
    }
    let mut running = Monitor::on(&pair).args(["--frames", "--hook", hook]).start().attached();
    let packets = packets_of(capture);
    let wire = sender(&mut pair.stations);
    for packet in &packets {
        wire.send(packet).unwrap();
    }
    running.counted("packets.seen", packets.len() as u64);
    let report = running.stop().adds_up();
    assert_eq!(report.packets("seen"), packets.len() as u64);
    report
}

fn decoded(capture: &Path, options: &[&str]) -> Report {
    let report = Monitor::here(&["decode", "--json"]).args([capture]).args(options).run();
    assert_eq!(report.status, Some(0), "{}", report.stderr);
    report
}

fn the_capture_is_seen_live_as_in_its_file() {
    seen_as_in_its_file("tc");
}

fn the_capture_is_seen_at_xdp_as_in_its_file() {
    seen_as_in_its_file("xdp");
}

fn seen_as_in_its_file(hook: &str) {
    let file = capture("C37.118_1PMU_UDP.pcap");
    let live = replayed(&file, hook);
    for (kind, count) in [("data", 356), ("config", 1), ("command", 4), ("invalid", 0)] {
        assert_eq!(live.frames(&format!("c37118.{kind}")), count, "{kind}");
    }
    for none in ["crc_errors", "skipped_bytes", "undecoded", "packets_ignored"] {
        assert_eq!(live.summary()[none], 0, "{none}");
    }
    let frames = |line: &&Value| line["kind"].as_str().unwrap().starts_with("c37118.");
    let mut live: Vec<&Value> = live.lines.iter().filter(frames).collect();
    // A new configuration goes by a lane of its own, past the data frames that wait in theirs.
    live.sort_by_key(|line| line["arrival_ns"].as_i64());
    let offline = decoded(&file, &[]);
    assert_eq!(live.len(), offline.lines.len());
    for (live, offline) in live.into_iter().zip(&offline.lines) {
        assert_eq!(live["iface"], "eth1", "{live:#}");
        assert!(live["arrival_ns"].as_i64() > offline["arrival_ns"].as_i64(), "{live:#}");
        assert_stages(live, hook);
        assert_eq!(common(live), common(offline));
    }
}

/// The stages that every frame passes have a length, and the whole is the sum of its parts.
fn assert_stages(line: &Value, hook: &str) {
    let stage = |name: &str| line["stages_ns"][name].as_u64();
    let mut parts = ["receive_to_ring", "ring_to_reader", "reader_to_decoded"].map(stage);
    if hook == "xdp" {
        // Where one reading of the clock serves for receiving and writing.
        parts[0] = Some(parts[0].unwrap_or(0));
    }
    let sum = parts.into_iter().try_fold(0, |sum, part| Some(sum + part?));
    assert!(sum.is_some(), "{line:#}");
    assert_eq!(sum, stage("receive_to_decoded"), "{line:#}");
}

fn common(line: &Value) -> Value {
    let mut line = line.clone();
    let fields = line.as_object_mut().unwrap();
    fields.retain(|name, _| !LIVE.contains(&name.as_str()));
    line
}

fn every_capture_counts_live_as_in_its_file() {
    for name in ["C37.118_1PMU_TCP.pcap", "C37.118_4in1PMU_TCP.pcap", "c37_1100_clean_tcp.pcap"] {
        let file = capture(name);
        let (live, offline) = (replayed(&file, "tc"), decoded(&file, &["--summary"]));
        for group in ["bytes", "frames"] {
            let of = |report: &Report| report.summary()["counters"][group].clone();
            assert_eq!(of(&live), of(&offline), "{name}");
        }
        for record in ["delivered", "carried", "no_payload", "malformed"] {
            let counter = format!("records.{record}");
            assert_eq!(live.count(&counter), offline.count(&counter), "{name}: {counter}");
        }
        assert_eq!(live.summary()["frames"], offline.summary()["frames"], "{name}");
    }
}
