//! `decode` as a user runs it: the captures against tshark field by field, and everything that can be wrong with a
//! file or a frame.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "decode/align.rs"]
mod align;
#[path = "decode/clocks.rs"]
mod clocks;
mod support;
#[path = "decode/tables.rs"]
mod tables;
#[path = "decode/tshark.rs"]
mod tshark;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, run};
use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, PmuSample, Preamble, StationConfig, StreamConfig,
};
use monitor_core::protocol::c37118::{
    ConfigView, Coordinates, DataRate, Format, FrameKind, FrameView, IdCode, Layout, LayoutBounds,
    NominalFrequency, PhasorChannel, PhasorFormat, PhasorScaling, PhasorUnit, Stat, Text, TimeBase,
    TimeQuality, TimeTag, Version,
};
use serde_json::Value;
use support::{Need, captures, trial};
use tempfile::TempDir;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let captured = &[Need::Captures];
    let trials = vec![
        trial("the_udp_capture_is_decoded_whole", captured, the_udp_capture_is_decoded_whole),
        trial("every_line_has_the_contracts_keys", captured, every_line_has_the_contracts_keys),
        trial("people_get_one_line_a_frame", captured, people_get_one_line_a_frame),
        trial("pcapng_gives_the_same_lines", captured, pcapng_gives_the_same_lines),
        trial(
            "a_capture_cut_short_is_decoded_up_to_there",
            captured,
            a_capture_cut_short_is_decoded_up_to_there,
        ),
        trial("the_tcp_captures_are_decoded_whole", captured, the_tcp_captures_are_decoded_whole),
        trial("every_capture_adds_up", captured, every_capture_adds_up),
        trial(
            "ieee_1344_is_refused_and_a_good_stream_found",
            captured,
            ieee_1344_is_refused_and_a_good_stream_found,
        ),
        trial(
            "a_file_stands_in_for_a_configuration_that_was_cut_off",
            captured,
            a_file_stands_in_for_a_configuration_that_was_cut_off,
        ),
        trial("broken_frames_cost_themselves_alone", &[], broken_frames_cost_themselves_alone),
        trial("other_ports_are_left_alone", &[], other_ports_are_left_alone),
        trial("what_is_no_capture_is_refused", &[], what_is_no_capture_is_refused),
        trial("a_damaged_capture_fails_after_what_is_good", &[], a_damaged_capture_fails_after_what_is_good),
        trial(
            "a_file_without_permission_is_named",
            &[Need::Root, Need::Setpriv],
            a_file_without_permission_is_named,
        ),
        trial("wrong_usage_is_refused", &[], wrong_usage_is_refused),
        trial("a_reader_that_goes_away_ends_it_quietly", &[], a_reader_that_goes_away_ends_it_quietly),
        trial("a_full_disk_is_said", &[], a_full_disk_is_said),
    ];
    let more =
        align::trials().into_iter().chain(clocks::trials()).chain(tables::trials()).chain(tshark::trials());
    run(&arguments, trials.into_iter().chain(more).collect()).exit_code()
}

const BINARY: &str = env!("CARGO_BIN_EXE_pmu-monitor");

fn decode(file: &Path, options: &[&str]) -> Output {
    Command::new(BINARY).arg("decode").arg(file).args(options).output().unwrap()
}

/// Runs it, demands status 0, and gives its lines.
fn lines(file: &Path, options: &[&str]) -> Vec<Value> {
    let output = decode(file, &[&["--json"], options].concat());
    assert!(output.status.success(), "{output:?}");
    parsed(&output.stdout)
}

fn parsed(stdout: &[u8]) -> Vec<Value> {
    let text = str::from_utf8(stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn summary(file: &Path, options: &[&str]) -> Value {
    let mut lines = lines(file, &[&["--summary"], options].concat());
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn kinds(lines: &[Value]) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for line in lines {
        *kinds.entry(line["kind"].as_str().unwrap()).or_default() += 1;
    }
    kinds
}

fn capture(name: &str) -> PathBuf {
    captures().unwrap().join("c37118").join(name)
}

fn udp_capture() -> PathBuf {
    capture("C37.118_1PMU_UDP.pcap")
}

fn the_udp_capture_is_decoded_whole() {
    let counted = [("c37118.command", 4), ("c37118.config", 1), ("c37118.data", 356)];
    assert_eq!(kinds(&lines(&udp_capture(), &[])), BTreeMap::from(counted));
    let summary = summary(&udp_capture(), &[]);
    assert_eq!(summary["frames"].as_object().unwrap().len(), counted.len());
    for (kind, count) in counted {
        assert_eq!(summary["frames"][kind], count);
    }
    for none in ["crc_errors", "skipped_bytes", "undecoded", "unaccounted", "streams_refused"] {
        assert_eq!(summary[none], 0, "{none}");
    }
    let streams = summary["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "{streams:?}");
    assert_eq!(streams[0]["id"], "c37118:192.168.0.60>192.168.0.10:udp:60");
    assert_eq!((&streams[0]["name"], &streams[0]["frames"]), (&"PMU1".into(), &356.into()));
}

fn near(ours: &Value, theirs: f64, tolerance: f64) {
    let ours = ours.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance, "{ours} against {theirs}");
}

fn every_line_has_the_contracts_keys() {
    const COMMON: [&str; 5] = ["kind", "arrival_ns", "transport", "src", "dst"];
    const DATA: [&str; 9] = [
        "idcode",
        "soc",
        "fraction",
        "time_base",
        "time_ns",
        "time_quality",
        "lateness_ns",
        "config_source",
        "pmus",
    ];
    const PMU: [&str; 8] =
        ["idcode", "station", "stat", "phasors", "frequency_hz", "rocof_hz_per_s", "analogs", "digitals"];
    const CONFIG: [&str; 5] = ["idcode", "version", "time_base", "data_rate", "pmus"];
    const CONFIG_PMU: [&str; 8] =
        ["idcode", "station", "format", "nominal_hz", "phasors", "analogs", "digitals", "config_count"];
    for line in lines(&udp_capture(), &[]) {
        has(&line, &COMMON);
        // A capture is not live.
        assert!(line.get("iface").is_none() && line.get("stages_ns").is_none(), "{line}");
        match line["kind"].as_str().unwrap() {
            "c37118.data" => {
                has(&line, &DATA);
                has(&line["pmus"][0], &PMU);
                let late = line["arrival_ns"].as_i64().unwrap() - line["time_ns"].as_i64().unwrap();
                assert_eq!((&line["lateness_ns"], &line["config_source"]), (&late.into(), &"wire".into()));
                assert_eq!(line["pmus"][0]["idcode"], 61);
            }
            "c37118.config" => {
                has(&line, &CONFIG);
                has(&line["pmus"][0], &CONFIG_PMU);
                assert_eq!((&line["version"], &line["data_rate"]), (&2.into(), &50.into()));
                assert_eq!(line["pmus"][0]["digitals"][0]["names"].as_array().unwrap().len(), 16);
            }
            "c37118.command" => has(&line, &["idcode", "command", "name"]),
            other => panic!("{other}"),
        }
    }
}

fn has(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key}: {value}");
    }
}

fn people_get_one_line_a_frame() {
    let output = decode(&udp_capture(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 361);
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("2008-08-06 11:52:58.251598000  192.168.0.10:4712 > 192.168.0.60:4713"),
        "{first}"
    );
    assert!(first.ends_with("turn_off"), "{first}");
    let data = text.lines().find(|line| line.contains("DATA")).unwrap();
    assert!(
        data.contains("PMU1") && data.contains("50.000 Hz") && data.contains("VA 100.08 V -89.80°"),
        "{data}"
    );
    let table = decode(&udp_capture(), &["--summary"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("356 data") && table.contains("unaccounted: 0"), "{table}");
    assert!(table.contains("c37118:192.168.0.60>192.168.0.10:udp:60  PMU1"), "{table}");
}

/// Splits a little-endian pcap of microseconds into what stands in front of each packet's bytes, and these.
fn packets(pcap: &[u8]) -> Vec<([u32; 4], &[u8])> {
    assert_eq!(pcap[..4], [0xD4, 0xC3, 0xB2, 0xA1]);
    let mut rest = &pcap[24..];
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at * 4..at * 4 + 4].try_into().unwrap());
        let header = [word(0), word(1), word(2), word(3)];
        let end = 16 + header[2] as usize;
        packets.push((header, &rest[16..end]));
        rest = &rest[end..];
    }
    packets
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().next_multiple_of(4) + 12).unwrap().to_le_bytes();
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    [&kind.to_le_bytes(), &length, body, &padding, &length].concat()
}

/// The same packets as pcapng, on two interfaces in turn, of microseconds and of nanoseconds.
fn as_pcapng(pcap: &[u8]) -> Vec<u8> {
    let section = [&[0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0][..], &[0xFF; 8]].concat();
    let microseconds = [1, 0, 0, 0, 0, 0, 0, 0];
    let nanoseconds = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    let mut out = [block(0x0A0D_0D0A, &section), block(1, &microseconds), block(1, &nanoseconds)].concat();
    for (number, ([seconds, fraction, captured, wire], bytes)) in packets(pcap).into_iter().enumerate() {
        let interface = u32::try_from(number % 2).unwrap();
        let units = u64::from(seconds) * 1_000_000 + u64::from(fraction);
        let units = if interface == 0 { units } else { units * 1_000 };
        let [high, low] = [units >> 32, units & 0xFFFF_FFFF].map(|half| u32::try_from(half).unwrap());
        let fixed: Vec<u8> =
            [interface, high, low, captured, wire].iter().flat_map(|word| word.to_le_bytes()).collect();
        out.extend(block(6, &[&fixed, bytes].concat()));
    }
    out
}

fn pcapng_gives_the_same_lines() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("same.pcapng");
    fs::write(&file, as_pcapng(&fs::read(udp_capture()).unwrap())).unwrap();
    for options in [&["--json"][..], &[], &["--summary"]] {
        assert_eq!(decode(&file, options), decode(&udp_capture(), options));
    }
}

fn a_capture_cut_short_is_decoded_up_to_there() {
    let place = TempDir::new().unwrap();
    let whole = fs::read(udp_capture()).unwrap();
    let all = decode(&udp_capture(), &["--json"]).stdout;
    let pcapng = as_pcapng(&whole);
    for (name, bytes) in [("cut.pcap", &whole), ("cut.pcapng", &pcapng)] {
        let file = place.path().join(name);
        fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
        let output = decode(&file, &["--json"]);
        assert_eq!(output.status.code(), Some(0));
        let said = errors(&output);
        assert!(said.contains(name) && said.contains("ends inside a packet"), "{said}");
        let cut = String::from_utf8(output.stdout).unwrap();
        assert_eq!(cut.lines().count(), 360);
        assert!(all.starts_with(cut.as_bytes()));
        let summary = summary(&file, &[]);
        assert_eq!(summary["capture"]["packets"], 360);
        assert!(summary["capture"]["cut_short_bytes"].as_u64().unwrap() > 0);
    }
}

fn the_tcp_captures_are_decoded_whole() {
    let captures = [
        (
            "C37.118_1PMU_TCP.pcap",
            [("c37118.command", 3), ("c37118.config", 1), ("c37118.data", 252)].to_vec(),
        ),
        (
            "C37.118_4in1PMU_TCP.pcap",
            [("c37118.command", 8), ("c37118.config", 3), ("c37118.data", 1342)].to_vec(),
        ),
        (
            "c37_1100_clean_tcp.pcap",
            [("c37118.command", 3), ("c37118.config", 1), ("c37118.data", 422), ("c37118.header", 1)]
                .to_vec(),
        ),
    ];
    for (name, counted) in captures {
        let file = capture(name);
        for options in [&[][..], &["--port", "any"]] {
            assert_eq!(kinds(&lines(&file, options)), BTreeMap::from_iter(counted.clone()), "{name}");
            let summary = summary(&file, options);
            for none in ["crc_errors", "skipped_bytes", "undecoded", "unaccounted", "streams_refused"] {
                assert_eq!(summary[none], 0, "{name}: {none}");
            }
            let bytes = &summary["counters"]["bytes"];
            assert_eq!((&bytes["buffered"], &bytes["dropped"]), (&0.into(), &0.into()), "{name}");
            let tcp = &summary["flows"]["tcp"];
            assert_eq!((&tcp["gaps"], &tcp["unframed"]), (&0.into(), &0.into()), "{name}: {tcp}");
        }
    }
}

fn every_capture_adds_up() {
    let places = ["c37118", "goose", "sv"].map(|room| captures().unwrap().join(room));
    let files =
        places.iter().flat_map(|place| fs::read_dir(place).unwrap()).map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "pcap")) {
        for options in [&[][..], &["--port", "any"]] {
            let summary = summary(&file, options);
            assert_eq!(summary["unaccounted"], 0, "{}: {summary}", file.display());
            let records = &summary["counters"]["records"];
            assert_eq!(records["delivered"], summary["capture"]["packets"]);
            let sum = ["carried", "no_payload", "malformed"].map(|part| records[part].as_u64().unwrap());
            assert_eq!(records["delivered"], sum.iter().sum::<u64>());
        }
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
}

/// A pcap of UDP packets over Ethernet and IPv4, one a millisecond.
struct Pcap {
    bytes: Vec<u8>,
    packets: u32,
}

impl Pcap {
    fn new() -> Self {
        let header: [u32; 6] = [0xA1B2_C3D4, 4 << 16 | 2, 0, 0, 262_144, 1];
        Self { bytes: header.iter().flat_map(|word| word.to_le_bytes()).collect(), packets: 0 }
    }

    fn udp(&mut self, port: u16, payload: &[u8]) {
        let length = |more: usize| u16::try_from(payload.len() + more).unwrap().to_be_bytes();
        let (udp, ip) = (length(8), length(28));
        let ports = port.to_be_bytes();
        let packet = [
            &[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0][..],
            &[0x45, 0, ip[0], ip[1], 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9],
            &[ports[0], ports[1], ports[0], ports[1], udp[0], udp[1], 0, 0],
            payload,
        ]
        .concat();
        let length = u32::try_from(packet.len()).unwrap();
        let [seconds, micros] = [self.packets / 1_000, self.packets % 1_000 * 1_000];
        let header = [SOC + seconds, micros, length, length];
        self.bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        self.bytes.extend(packet);
        self.packets += 1;
    }

    fn write(&self) -> (TempDir, PathBuf) {
        let place = TempDir::new().unwrap();
        let file = place.path().join("made.pcap");
        fs::write(&file, &self.bytes).unwrap();
        (place, file)
    }
}

/// 2024-01-01 00:00:00 UTC.
const SOC: u32 = 1_704_067_200;

fn preamble(frame: u32) -> Preamble {
    let time = TimeTag::new(SOC + frame / 50, frame % 50 * 20_000, TimeQuality::from_bits(0)).unwrap();
    Preamble { version: Version::V2011, idcode: IdCode(7), time }
}

fn written(write: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut buffer = vec![0; 1_024];
    let length = write(&mut buffer);
    buffer.truncate(length);
    buffer
}

fn config_frame() -> Vec<u8> {
    let phasors = [PhasorChannel {
        name: Text::from("VA"),
        unit: PhasorUnit::Volt,
        scaling: PhasorScaling::Unit { factor: 1_000 },
    }];
    let station = StationConfig {
        station: Text::from("ALPHA"),
        idcode: IdCode(8),
        format: Format::new(PhasorFormat::IntRectangular, false, false),
        phasors: &phasors,
        analogs: &[],
        digitals: &[],
        nominal: NominalFrequency::Hz50,
        config_count: 1,
    };
    let stream = StreamConfig {
        time_base: TimeBase::MICROSECONDS,
        stations: &[station],
        data_rate: DataRate::from_word(50).unwrap(),
    };
    written(|buffer| encode::config(buffer, &preamble(0), ConfigKind::Config2, &stream).unwrap())
}

fn data_frame(number: u32) -> Vec<u8> {
    let config = config_frame();
    let view = ConfigView::new(FrameView::new(&config).unwrap()).unwrap();
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 1, analogs: 0 });
    layout.fill(&view).unwrap();
    let sample = PmuSample {
        stat: Stat::from_word(0),
        phasors: &[Some(Coordinates::Rectangular { re: 3.0, im: 4.0 })],
        frequency_hz: Some(50.025),
        rocof_hz_per_s: Some(-0.5),
        analogs: &[],
        digitals: &[],
    };
    written(|buffer| encode::data(buffer, &preamble(number), &layout, &[sample]).unwrap())
}

fn broken_frames_cost_themselves_alone() {
    let good = data_frame(0);
    let mut wrong_check = good.clone();
    wrong_check[15] ^= 1;
    let mut wrong_size = good.clone();
    wrong_size[2..4].copy_from_slice(&4_u16.to_be_bytes());
    encode::reseal(&mut wrong_size);
    let mut wrong_type = good.clone();
    wrong_type[1] = 0x71;
    encode::reseal(&mut wrong_type);
    let mut pcap = Pcap::new();
    pcap.udp(4713, &config_frame());
    for (number, broken) in
        (1..).zip([&wrong_check[..], &wrong_size, &wrong_type, &good[..good.len() - 4], b""])
    {
        pcap.udp(4713, broken);
        pcap.udp(4713, &data_frame(number));
    }
    let (_place, file) = pcap.write();
    let lines = lines(&file, &[]);
    let data: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "c37118.data").collect();
    assert_eq!(data.len(), 5);
    for (number, line) in (1_i64..).zip(data) {
        let pmu = &line["pmus"][0];
        assert_eq!(line["time_ns"], i64::from(SOC) * 1_000_000_000 + number * 20_000_000);
        assert_eq!((&pmu["frequency_hz"], &pmu["rocof_hz_per_s"]), (&50.025.into(), &(-0.5).into()));
        near(&pmu["phasors"][0]["magnitude"], 5.0, 0.01);
        near(&pmu["phasors"][0]["angle_rad"], 4_f64.atan2(3.0), 0.01);
    }
    let errors: Vec<&str> = lines.iter().filter_map(|line| line["error"].as_str()).collect();
    assert_eq!(errors, ["crc", "size", "type", "truncated"]);
    let summary = summary(&file, &[]);
    assert_eq!(
        (&summary["frames"]["c37118.data"], &summary["frames"]["c37118.invalid"]),
        (&5.into(), &4.into())
    );
    assert_eq!((&summary["crc_errors"], &summary["unaccounted"]), (&1.into(), &0.into()));
    assert_eq!(summary["streams"][0]["crc_errors"], 1);
}

fn ieee_1344_is_refused_and_a_good_stream_found() {
    /// Fits a datagram without fragments.
    const CHUNK: usize = 1_400;
    let bytes = fs::read(capture("ieee1344_negative.bin")).unwrap();
    let mut pcap = Pcap::new();
    for chunk in bytes.chunks(CHUNK) {
        pcap.udp(4713, chunk);
    }
    pcap.udp(4713, &config_frame());
    pcap.udp(4713, &data_frame(1));
    let (_place, file) = pcap.write();
    let lines = lines(&file, &[]);
    let sound: Vec<&Value> = lines.iter().filter(|line| line["kind"] != "c37118.invalid").collect();
    let kinds: Vec<&Value> = sound.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["c37118.config", "c37118.data"]);
    assert!(lines.iter().any(|line| line["error"] == "ieee1344"));
    let summary = summary(&file, &[]);
    let payload = &summary["counters"]["bytes"];
    let sound = config_frame().len() + data_frame(1).len();
    assert_eq!(payload["received"], bytes.len() + sound);
    assert_eq!((&summary["unaccounted"], &summary["undecoded"]), (&0.into(), &0.into()));
}

/// The capture without the packets before its first DATA, its configuration among them, and that configuration.
fn without_its_configuration(capture: &Path) -> (Vec<u8>, Vec<u8>) {
    const FILE_HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    /// Ethernet, IPv4 without options, UDP.
    const HEADERS: usize = 42;
    let whole = fs::read(capture).unwrap();
    assert_eq!(whole[..4], [0xD4, 0xC3, 0xB2, 0xA1], "pcap, little-endian");
    let mut at = FILE_HEADER;
    let mut config = Vec::new();
    loop {
        let length = u32::from_le_bytes(whole[at + 8..at + 12].try_into().unwrap()) as usize;
        let payload = &whole[at + RECORD_HEADER + HEADERS..at + RECORD_HEADER + length];
        match FrameView::split(payload).map(|(frame, _)| frame) {
            Ok(frame) if frame.kind() == FrameKind::Config2 => config = frame.bytes().to_vec(),
            Ok(frame) if frame.kind() == FrameKind::Data => break,
            _ => {}
        }
        at += RECORD_HEADER + length;
    }
    assert!(!config.is_empty(), "the capture has a CFG-2 before its DATA");
    ([&whole[..FILE_HEADER], &whole[at..]].concat(), config)
}

fn a_file_stands_in_for_a_configuration_that_was_cut_off() {
    let place = TempDir::new().unwrap();
    let [cut, raw, hex] = ["cut.pcap", "config.frame", "config.hex"].map(|name| place.path().join(name));
    let (capture, config) = without_its_configuration(&udp_capture());
    fs::write(&cut, capture).unwrap();
    fs::write(&raw, &config).unwrap();
    let digits: Vec<_> = config.iter().map(|byte| format!("{byte:02X}")).collect();
    fs::write(&hex, digits.join("\n")).unwrap();
    let data = |lines: Vec<Value>| {
        let data = lines.into_iter().filter(|line| line["kind"] == "c37118.data");
        data.collect::<Vec<_>>()
    };
    let undecoded = data(lines(&cut, &[]));
    assert_eq!(undecoded.len(), 356);
    assert!(
        undecoded.iter().all(|line| line["reason"] == "no_configuration" && line["config_source"].is_null())
    );

    let mut whole = data(lines(&udp_capture(), &[]));
    for line in &mut whole {
        assert_eq!(line["config_source"], "wire");
        line["config_source"] = "file".into();
    }
    let bound = format!("192.168.0.60/60={}", raw.display());
    for option in [raw.to_str().unwrap(), hex.to_str().unwrap(), &bound] {
        assert_eq!(data(lines(&cut, &["--config-frame", option])), whole, "{option}");
    }

    // Somebody else's: what it is for is said, and nothing is decoded by it.
    let other = format!("192.168.0.61/60={}", raw.display());
    let unbound = data(lines(&cut, &["--config-frame", &other]));
    assert!(unbound.iter().all(|line| line["pmus"].is_null()));
    let output = decode(&cut, &["--config-frame", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("/nonexistent"), "{output:?}");
    let wrong = format!("192.168.0.60/61={}", raw.display());
    let output = decode(&cut, &["--config-frame", &wrong]);
    assert!(errors(&output).contains("IDCODE 60, and was given for 61"), "{output:?}");
}

fn other_ports_are_left_alone() {
    let mut pcap = Pcap::new();
    pcap.udp(4722, &config_frame());
    pcap.udp(4722, &data_frame(1));
    pcap.udp(53, b"something else");
    let (_place, file) = pcap.write();
    let output = decode(&file, &["--json"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert!(errors(&output).contains("3 packets are of other ports"), "{output:?}");
    for options in [&["--port", "4722"][..], &["--port", "any"], &["--port", "1", "--port", "4722"]] {
        assert_eq!(lines(&file, options).len(), 2, "{options:?}");
    }
    let summary = summary(&file, &[]);
    assert_eq!((&summary["packets_ignored"], &summary["unaccounted"]), (&3.into(), &0.into()));
    let table = decode(&file, &["--summary"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("--port any"), "{table:?}");
}

fn what_is_no_capture_is_refused() {
    let place = TempDir::new().unwrap();
    let made = |name: &str, bytes: &[u8]| {
        let file = place.path().join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    for (file, expected) in [
        (made("empty", b""), "is empty"),
        (made("text", b"station,frequency\n1,50.0\n"), "begins with 73 74 61 74"),
        (made("packed.gz", b"\x1f\x8b\x08\0\0\0\0\0"), "unpack it first"),
        (made("short", b"\xd4\xc3\xb2\xa1\x02\0"), "inside its pcap header"),
        (place.path().to_owned(), "is a directory; name a pcap"),
        (place.path().join("missing"), "check the path"),
        // Opens, and then cannot be read.
        (PathBuf::from("/proc/self/mem"), "cannot read"),
    ] {
        let output = decode(&file, &["--json"]);
        let said = errors(&output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(expected) && said.contains(file.to_str().unwrap()), "{said}");
    }
}

fn a_damaged_capture_fails_after_what_is_good() {
    let mut pcap = Pcap::new();
    pcap.udp(4713, &config_frame());
    pcap.bytes.extend([0xFF; 16]);
    let (_place, file) = pcap.write();
    let output = decode(&file, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(kinds(&parsed(&output.stdout)), BTreeMap::from([("c37118.config", 1)]));
    assert!(errors(&output).contains("is damaged at byte"), "{output:?}");
}

fn a_file_without_permission_is_named() {
    const NOBODY: &str = "65534";
    let place = TempDir::new().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let (binary, file) = (place.path().join("pmu-monitor"), place.path().join("secret.pcap"));
    fs::copy(BINARY, &binary).unwrap();
    fs::write(&file, &Pcap::new().bytes).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    let setpriv = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"];
    let output = Command::new("setpriv").args(setpriv).arg(binary).arg("decode").arg(&file).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("secret.pcap") && said.contains("change its permissions"), "{said}");
}

fn wrong_usage_is_refused() {
    for (options, expected) in [
        (&["--port", "0"][..], "port 0 carries no traffic"),
        (&["--port", "65536"], "a number from 1 to 65535"),
        (&["--port", "all"], "'any'"),
        (&["--frames"], "--frames"),
    ] {
        let output = decode(Path::new("any.pcap"), options);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(errors(&output).contains(expected), "{}", errors(&output));
    }
}

fn a_reader_that_goes_away_ends_it_quietly() {
    let mut pcap = Pcap::new();
    pcap.udp(4713, &config_frame());
    for number in 0..2_000 {
        pcap.udp(4713, &data_frame(number % 50));
    }
    let (_place, file) = pcap.write();
    let mut child = Command::new(BINARY)
        .arg("decode")
        .arg(&file)
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), errors(&output)), (Some(0), String::new()));
}

fn a_full_disk_is_said() {
    let mut pcap = Pcap::new();
    pcap.udp(4713, &config_frame());
    let (_place, file) = pcap.write();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        Command::new(BINARY).arg("decode").arg(&file).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("cannot write to standard output"), "{output:?}");
}
