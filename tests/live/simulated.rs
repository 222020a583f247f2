//! Simulated stations with each fault, watched: what the monitor says at the end is what was injected, exactly.
//!
//! `simulate --json` keeps the books of what a receiver must find; nothing here is a number that was seen once.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use monitor::netns::Pair;
use serde_json::Value;

use crate::harness::{BINARY, Monitor, Report, Running, ring_of};
use crate::support::{Need, trial};
use crate::wire::{PDC, PDC_6, PMU, PMU_6, PORT, addressed_pair};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("faults_of_frames_are_found_exactly", NEEDS, faults_of_frames_are_found_exactly),
        trial("faults_of_clocks_are_found_exactly", NEEDS, faults_of_clocks_are_found_exactly),
        trial("tai_taken_for_utc_is_named_while_it_is_so", NEEDS, tai_taken_for_utc_is_named_while_it_is_so),
        trial("leap_seconds_cost_no_frame", NEEDS, leap_seconds_cost_no_frame),
        trial("streams_that_tag_a_leap_second_differently_are_aligned", NEEDS, leap_seconds_are_aligned),
        trial("a_changed_configuration_is_followed", NEEDS, a_changed_configuration_is_followed),
        trial("pdc_streams_of_any_format_are_decoded", NEEDS, pdc_streams_of_any_format_are_decoded),
        trial("fragments_of_both_versions_of_ip_are_found_exactly", NEEDS, fragments),
        trial(
            "what_a_late_sender_sends_together_is_whole",
            NEEDS,
            what_a_late_sender_sends_together_is_whole,
        ),
    ]
}

/// What `simulate` said that it sent.
#[derive(Debug)]
pub(crate) struct Sent(pub(crate) Value);

/// Runs `simulate --json` at the stations' end of a pair, to its end.
pub(crate) fn simulate(pair: &Pair, arguments: &[&str]) -> Sent {
    let mut command = Command::new(BINARY);
    command.args(["simulate", "--json"]).args(arguments).stdin(Stdio::null());
    let output = pair.stations.run(|| command.output().unwrap()).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {complaints}");
    Sent(serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complaints}")))
}

impl Sent {
    pub(crate) fn streams(&self) -> &[Value] {
        self.0["streams"].as_array().unwrap()
    }

    /// Frames that left, of all kinds and all streams.
    pub(crate) fn frames(&self) -> u64 {
        let total = &self.0["total"];
        ["data", "config1", "config2", "config3", "header"]
            .map(|kind| total[kind].as_u64().unwrap())
            .iter()
            .sum()
    }

    pub(crate) fn injected(&self, idcode: u64, fault: &str) -> u64 {
        let stream = self.streams().iter().find(|stream| stream["idcode"] == idcode).unwrap();
        stream["injected"][fault].as_u64().unwrap()
    }
}

/// What the only receiver of a stream must have found.
pub(crate) fn expected(stream: &Value, what: &str) -> u64 {
    let receivers = stream["receivers"].as_array().unwrap();
    assert_eq!(receivers.len(), 1, "{stream:#}");
    receivers[0]["expected"][what].as_u64().unwrap()
}

/// A number of a stream's row; what is left out is 0.
pub(crate) fn found(row: &Value, what: &str) -> u64 {
    row[what].as_u64().unwrap_or(0)
}

/// Asserts of each stream that what was found is what was sent.
fn agree(report: &Report, sent: &Sent) {
    for stream in sent.streams() {
        let idcode = u16::try_from(stream["idcode"].as_u64().unwrap()).unwrap();
        let row = report.stream(idcode);
        for (column, what) in [
            ("frames", "data"),
            ("missing", "missing"),
            ("duplicate", "duplicate"),
            ("out_of_order", "out_of_order"),
            ("crc_errors", "crc_errors"),
            ("discontinuities", "jumps"),
        ] {
            assert_eq!(found(row, column), expected(stream, what), "{column}: {row:#}{stream:#}");
        }
        assert_eq!(found(row, "undecoded"), 0, "{row:#}");
    }
    let invalid: u64 = sent.streams().iter().map(|stream| expected(stream, "truncated")).sum();
    assert_eq!(invalid_frames(report), sent_with(sent, "crc_errors") + invalid);
}

fn sent_with(sent: &Sent, what: &str) -> u64 {
    sent.streams().iter().map(|stream| expected(stream, what)).sum()
}

/// Frames that the monitor called invalid, for whatever reason.
fn invalid_frames(report: &Report) -> u64 {
    report.of_kind("c37118.invalid").count() as u64
}

/// Watches until all that was sent has been read, and ends.
fn watched(pair: &Pair, arguments: &[&str]) -> (Report, Sent) {
    let mut running: Running = Monitor::on(pair).args(["--frames"]).start().attached();
    let to = format!("{PDC}:{PORT}");
    let from = PMU.to_string();
    let sent = simulate(pair, &[&["--to", &to, "--from", &from], arguments].concat());
    running.counted("records.delivered", sent.frames());
    (running.stop().adds_up(), sent)
}

pub(crate) fn with_faults<'a>(base: &[&'a str], faults: &[&'a str]) -> Vec<&'a str> {
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    base.iter().copied().chain(faults).collect()
}

/// Each fault by itself, on a stream of its own, and on the last one all of them.
fn faults_of_frames_are_found_exactly() {
    let pair = addressed_pair();
    let base = ["--pmus", "9", "--rate", "100", "--duration", "5s"];
    let faults = [
        "loss=0.1,idcode=102",
        "duplicate=0.1,copies=2,idcode=103",
        "reorder=0.1,depth=3,idcode=104",
        "delay=exponential:15ms,share=0.5,idcode=105",
        "crc=0.1,idcode=106",
        "truncate=0.1,bytes=40,idcode=107",
        "silence,from=2s,for=1s,idcode=108",
        "loss=0.05,idcode=109",
        "duplicate=0.05,after=7ms,idcode=109",
        "reorder=0.05,depth=2,idcode=109",
        "delay=normal:10ms:5ms,share=0.3,idcode=109",
        "crc=0.05,idcode=109",
        "truncate=0.05,bytes=30,idcode=109",
    ];
    let (report, sent) = watched(&pair, &with_faults(&base, &faults));
    agree(&report, &sent);
    for (idcode, fault) in [
        (102, "lost"),
        (103, "duplicated"),
        (104, "reordered"),
        (105, "delayed"),
        (106, "wrong_crc"),
        (107, "truncated"),
        (108, "silent"),
    ] {
        assert!(sent.injected(idcode, fault) > 20, "{fault}: {:#}", sent.0);
        assert!(sent.injected(109, fault) > 0 || fault == "silent");
    }
    let mut reasons = BTreeMap::new();
    for line in report.of_kind("c37118.invalid") {
        *reasons.entry(line["error"].as_str().unwrap()).or_insert(0) += 1;
    }
    let wanted = [("crc", sent_with(&sent, "crc_errors")), ("truncated", sent_with(&sent, "truncated"))];
    assert_eq!(reasons, BTreeMap::from(wanted));
    assert_eq!(report.stream(101)["missing"], 0);
    // A frame that was not sent, or broken on the way: nobody else is blamed.
    for (idcode, blame) in [(102, "pmu"), (106, "wire"), (107, "wire"), (108, "pmu")] {
        let row = report.stream(idcode);
        assert_eq!(row["blamed"], serde_json::json!({blame: row["missing"]}), "{row:#}");
    }
}

fn faults_of_clocks_are_found_exactly() {
    let pair = addressed_pair();
    let base = ["--pmus", "6", "--rate", "100", "--duration", "5s"];
    let faults = [
        "clock-offset=-25ms,idcode=101",
        "clock-offset=1h,from=2s,for=1s,idcode=102",
        "clock-drift=900,idcode=103",
        "clock-stuck,from=2s,for=500ms,idcode=104",
        "time-quality=0x0F,from=2s,for=1s,idcode=105",
        "stat=0x2000,from=2s,for=1s,idcode=106",
    ];
    let (report, sent) = watched(&pair, &with_faults(&base, &faults));
    agree(&report, &sent);
    assert!(sent.injected(102, "clock_off") > 90 && sent.injected(104, "clock_stuck") > 40, "{:#}", sent.0);
    let with = |idcode: u64, wanted: &dyn Fn(&Value) -> bool| {
        let frames = report.of_kind("c37118.data").filter(|line| line["idcode"] == idcode);
        frames.filter(|line| wanted(line)).count() as u64
    };
    assert_eq!(with(105, &|line| line["time_quality"] == 0x0F), sent.injected(105, "time_quality"));
    let unlocked = |line: &Value| line["pmus"][0]["stat"].as_u64().unwrap() & 0x2000 != 0;
    assert_eq!(with(106, &unlocked), sent.injected(106, "stat"));
}

/// The clock of one station shows TAI for three seconds, and that of another from the start; a third is off by no such
/// number.
fn tai_taken_for_utc_is_named_while_it_is_so() {
    let pair = addressed_pair();
    let base = ["--pmus", "4", "--rate", "100", "--duration", "7s"];
    let faults = [
        "clock-offset=37s,from=1s,for=4s,idcode=101",
        "clock-offset=-36s,idcode=102",
        "clock-offset=19s,idcode=103",
    ];
    let (report, sent) = watched(&pair, &with_faults(&base, &faults));
    agree(&report, &sent);
    // It was said while it was so, in the windows and in a sentence, and it was mended.
    let windows: Vec<&Value> = report.of_kind("window").collect();
    let said = |idcode: u16, seconds: u64| {
        let row = |window: &&Value| {
            let rows = window["streams"].as_array().unwrap();
            rows.iter().any(|row| {
                row["id"].as_str().unwrap().ends_with(&format!(":{idcode}"))
                    && row["lateness"]["tai_mistake_s"] == seconds
            })
        };
        windows.iter().filter(|window| row(window)).count()
    };
    assert!(said(101, 37) > 0 && said(102, 36) > 0, "{windows:#?}");
    assert_eq!(said(103, 36) + said(103, 37) + said(104, 36) + said(104, 37), 0);
    let notices: Vec<&str> = windows
        .iter()
        .filter_map(|window| window["notices"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for words in ["37 s ahead of this host's", "36 s behind this host's", "no longer 37 s off"] {
        assert_eq!(
            notices.iter().filter(|notice| notice.contains(words)).count(),
            1,
            "{words}: {notices:#?}"
        );
    }
    let lateness = |idcode: u16| &report.stream(idcode)["lateness"];
    assert!(lateness(101)["tai_mistake_s"].is_null(), "mended: {:#}", lateness(101));
    assert_eq!(lateness(101)["clocks"], "agree");
    assert!(lateness(101)["not_judged"]["clocks_differ"].as_u64() > Some(300), "{:#}", lateness(101));
    assert_eq!(lateness(102)["tai_mistake_s"], 36);
    assert!(lateness(102)["clock_offset_ns"].as_i64() > Some(35_500_000_000));
    assert!(report.stream(102)["late"].is_null(), "no frame of it is judged late");
    for idcode in [101, 102, 103, 104] {
        let lateness = lateness(idcode);
        let unjudged = lateness["not_judged"].as_object().unwrap();
        let unjudged: u64 = unjudged.values().filter_map(Value::as_u64).sum();
        assert_eq!(
            lateness["judged"].as_u64().unwrap() + unjudged,
            lateness["variation_ns"]["count"],
            "{lateness:#}"
        );
    }
}

fn leap_seconds_cost_no_frame() {
    let pair = addressed_pair();
    let base = ["--pmus", "3", "--rate", "50", "--duration", "6s", "--start", "2026-12-31T23:59:57Z"];
    let faults = ["leap=insert,idcode=101", "leap=insert,tagged=last,idcode=102", "leap=delete,idcode=103"];
    let (report, sent) = watched(&pair, &with_faults(&base, &faults));
    agree(&report, &sent);
    assert_eq!(sent.injected(101, "leap_second"), 50);
    assert_eq!(sent_with(&sent, "missing") + sent_with(&sent, "duplicate"), 0);
}

/// Two stations announce it and repeat different seconds; a third repeats one without a word.
fn leap_seconds_are_aligned() {
    let pair = addressed_pair();
    let base = ["--pmus", "3", "--rate", "50", "--duration", "6s", "--start", "2026-12-31T23:59:57Z"];
    let faults = [
        "leap=insert,idcode=101",
        "leap=insert,tagged=last,idcode=102",
        "leap=insert,announced=no,idcode=103",
    ];
    let mut running: Running =
        Monitor::on(&pair).args(["--frames", "--align=relative:300ms"]).start().attached();
    let (to, from) = (format!("{PDC}:{PORT}"), PMU.to_string());
    let sent = simulate(&pair, &[&["--to", &to, "--from", &from], &with_faults(&base, &faults)[..]].concat());
    running.counted("records.delivered", sent.frames());
    let report = running.stop().adds_up();
    for (idcode, leap) in [(101, "inserted"), (102, "inserted"), (103, "repeated")] {
        let row = report.stream(idcode);
        let duplicates = if idcode == 103 { 50 } else { 0 };
        assert_eq!(
            (&row["leap_seconds"][leap], &row["duplicate"]),
            (&1.into(), &duplicates.into()),
            "{row:#}"
        );
    }
    let alignment = &report.summary()["alignment"];
    let rows = alignment["streams"].as_array().unwrap();
    let of = |idcode: u16| {
        rows.iter().find(|row| row["id"].as_str().unwrap().ends_with(&format!(":{idcode}"))).unwrap()
    };
    let frames = sent_with(&sent, "data") / 3;
    for idcode in [101, 102] {
        let row = of(idcode);
        let numbers = ["aligned", "absent", "late", "out_of_step"].map(|what| row[what].as_u64().unwrap());
        assert_eq!(numbers, [frames, 0, 0, 0], "{alignment:#}");
    }
    // What it gave for 23:59:60 is put beside no frame of another second.
    let row = of(103);
    assert_eq!((&row["absent"], &row["late"]), (&50.into(), &0.into()), "{alignment:#}");
    assert_eq!(alignment["incomplete"], 50, "{alignment:#}");
    let leap = report.of_kind("c37118.instant").filter(|instant| instant["leap_second"] == true);
    assert_eq!(leap.count(), 50);
}

fn a_changed_configuration_is_followed() {
    let pair = addressed_pair();
    let base = ["--pmus", "16", "--rate", "50", "--duration", "3s"];
    let (report, sent) = watched(&pair, &with_faults(&base, &["config-change,from=1s,for=1s"]));
    agree(&report, &sent);
    assert_eq!(sent.0["injected"]["config_changes"], 32);
    assert_eq!(report.frames("c37118.config"), 16 * 3);
}

/// Streams of several PMUs, with frames above the MTU where there are many channels.
fn pdc_streams_of_any_format_are_decoded() {
    let pair = addressed_pair();
    for format in ["int-rect", "int-polar", "float-rect", "phasors=float-polar,analogs=int,freq=int"] {
        let base = ["--pmus", "10", "--per-stream", "5", "--first-stream-idcode", "60", "--duration", "1s"];
        let (report, sent) =
            watched(&pair, &[&base[..], &["--format", format, "--phasors", "3", "--digitals", "0"]].concat());
        agree(&report, &sent);
        assert_eq!(report.of_kind("c37118.data").count(), 100, "{format}");
        assert!(report.of_kind("c37118.data").all(|line| line["pmus"].as_array().unwrap().len() == 5));
    }
}

/// Datagrams in IP fragments, in order and not, whole and not, over IPv4 and IPv6; with CFG-3, itself in fragments, as all
/// that lays them out.
fn fragments() {
    let pair = addressed_pair();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    let base =
        ["--pmus", "4", "--rate", "50", "--duration", "1s", "--announce", "3", "--config3-size", "400"];
    let mut sums = BTreeMap::new();
    let mut all = Vec::new();
    for (first, to, from) in [
        (101, format!("{PDC}:{PORT}"), PMU.to_string()),
        (201, format!("[{PDC_6}]:{PORT}"), PMU_6.to_string()),
    ] {
        let ids = [first, first + 1, first + 2].map(|idcode| format!(",idcode={idcode}"));
        let faults = [
            format!("fragment=24{}", ids[0]),
            format!("fragment=40,reversed=yes{}", ids[1]),
            format!("fragment=32,incomplete=yes,share=0.3{}", ids[2]),
        ];
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        let first = first.to_string();
        let place = ["--to", &to, "--from", &from, "--first-idcode", &first];
        let sent = simulate(&pair, &with_faults(&[&base[..], &place].concat(), &faults));
        for (name, count) in [
            ("fragmented", sent.0["injected"]["fragmented"].as_u64().unwrap()),
            ("unfinished", sent_with(&sent, "unfinished")),
            ("data", sent_with(&sent, "data")),
            ("config3", sent.0["total"]["config3"].as_u64().unwrap()),
        ] {
            *sums.entry(name).or_insert(0) += count;
        }
        all.push(sent);
    }
    running.counted("frames.found", sums["data"] + sums["config3"]);
    let report = running.stop().adds_up();
    for sent in &all {
        agree(&report, sent);
    }
    assert_eq!(report.count("frames.found"), sums["data"] + sums["config3"]);
    assert_eq!(report.flow("fragments.whole"), sums["fragmented"] - sums["unfinished"]);
    assert!(sums["unfinished"] > 10 && sums["fragmented"] > 200, "{sums:?}");
    assert!(sums["config3"] >= 2 * 8, "{sums:?}");
    for none in ["contradicting", "overlaps", "duplicates", "no_place"] {
        assert_eq!(report.flow(&format!("fragments.{none}")), 0, "{none}");
    }
    let versions: Vec<_> = report.of_kind("c37118.config").map(|line| line["version"].clone()).collect();
    assert!(versions.iter().all(|version| *version == 3), "{versions:?}");
}

/// Of more frames than a sender keeps up with, what each stream has missed goes together: none is missing, twice or in
/// another place, and what is lost on purpose is found exactly.
fn what_a_late_sender_sends_together_is_whole() {
    let pair = addressed_pair();
    let ring = ring_of(64 << 20);
    let mut running = Monitor::on(&pair).configured(&ring).start().attached();
    let to = format!("{PDC}:{PORT}");
    let many = ["--to", &to, "--pmus", "500", "--rate", "240", "--duration", "250ms"];
    let sent = simulate(&pair, &with_faults(&many, &["loss=0.5,idcode=102"]));
    running.counted("records.delivered", sent.frames());
    let report = running.stop().adds_up();
    assert_eq!(report.packets("ring_full"), 0);
    assert_eq!(sent.streams().len(), 500);
    assert!(sent_with(&sent, "missing") > 0);
    agree(&report, &sent);
}
