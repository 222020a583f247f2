//! `decode` against tshark, value by value.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::{Need, trial};
use crate::{capture, lines, near, udp_capture};

pub(crate) fn trials() -> Vec<Trial> {
    const COMPARED: &[Need] = &[Need::Captures, Need::Tshark];
    vec![
        trial("every_value_is_tsharks", COMPARED, every_value_is_tsharks),
        trial("every_value_over_tcp_is_tsharks", COMPARED, every_value_over_tcp_is_tsharks),
        trial("every_phasor_is_its_bytes_to_the_last_bit", COMPARED, every_phasor_is_its_bytes),
    ]
}

/// One DATA frame as tshark prints it.
#[derive(Debug, Default)]
struct Dissected {
    /// Of the packet with the frame's last byte.
    arrival: String,
    idcode: i64,
    soc: i64,
    fraction: i64,
    /// The last digit of the time quality.
    time_quality: i64,
    stations: Vec<Station>,
}

/// What it says of one PMU of the frame.
#[derive(Debug, Default)]
struct Station {
    name: String,
    stat: u64,
    frequency: f64,
    rocof: f64,
    phasors: Vec<Phasor>,
    analogs: Vec<(String, f64)>,
    digitals: Vec<u64>,
}

#[derive(Debug)]
struct Phasor {
    name: String,
    unit: &'static str,
    magnitude: f64,
    degrees: f64,
}

fn tshark(file: &Path, options: &[&str]) -> String {
    let output = Command::new("tshark").arg("-r").arg(file).args(options).env("TZ", "UTC").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every DATA frame, of which a TCP segment ends several.
fn dissect(file: &Path) -> Vec<Dissected> {
    const DATA: &str = "IEEE C37.118 Synchrophasor Protocol, Data Frame";
    let text = tshark(file, &["-V", "-Y", "synphasor.frtype == 0"]);
    let mut frames = Vec::new();
    for packet in text.split("\nFrame ") {
        let (head, data) = packet.split_once(DATA).unwrap();
        let mut epochs = head.lines().filter_map(|line| line.trim().strip_prefix("Epoch Time: "));
        let arrival = epochs.next().unwrap().trim_end_matches(" seconds").replace('.', "");
        frames.extend(data.split(DATA).map(|text| Dissected { arrival: arrival.clone(), ..dissected(text) }));
    }
    frames
}

fn dissected(text: &str) -> Dissected {
    let mut frame = Dissected::default();
    for line in text.lines().map(str::trim) {
        let (label, value) = line.split_once(": ").unwrap_or((line, ""));
        match label {
            "PMU/DC ID number (Stream source ID)" => frame.idcode = value.parse().unwrap(),
            "SOC time stamp" => frame.soc = unix_seconds(value),
            "Fraction of second (raw)" => frame.fraction = value.parse().unwrap(),
            "Station" => {
                let name = value.trim_matches('"').trim_end().to_owned();
                frame.stations.push(Station { name, ..Station::default() });
            }
            _ if label.ends_with("Message Time Quality indicator code") => {
                frame.time_quality = bits(label).1.cast_signed();
            }
            _ => {
                if let Some(station) = frame.stations.last_mut() {
                    of_a_station(station, label, value);
                }
            }
        }
    }
    frame
}

fn of_a_station(station: &mut Station, label: &str, value: &str) {
    match label {
        "Frequency deviation from nominal" => {
            let (_, actual) = value.split_once("actual frequency: ").unwrap();
            station.frequency = actual.trim_end_matches("Hz)").parse().unwrap();
        }
        "Actual frequency value" => station.frequency = value.parse().unwrap(),
        "Rate of change of frequency" => station.rocof = value.trim_end_matches("Hz/s").parse().unwrap(),
        _ if label.starts_with("Phasor #") => station.phasors.push(phasor(value)),
        _ if label.starts_with("Analog value #") => {
            let (name, value) = value.trim_start_matches('"').split_once("\", ").unwrap();
            station.analogs.push((name.trim_end().to_owned(), value.trim().parse().unwrap()));
        }
        _ if label.starts_with("Digital status word #") => {
            station.digitals.push(u64::from_str_radix(value.trim_start_matches("0x"), 16).unwrap());
        }
        // A part of STAT, such as `..1. .... .... .... = Time synchronized`.
        _ if label.contains(" = ") && bits(label).0 == 16 => station.stat |= bits(label).1,
        _ => {}
    }
}

/// How many bits a row such as `.... 1111 = ...` is about, and those that it shows, where they stand.
fn bits(label: &str) -> (usize, u64) {
    let (row, _) = label.split_once(" = ").unwrap();
    let places = row.chars().filter(|place| "01.".contains(*place));
    places.fold((0, 0), |(count, word), place| (count + 1, word << 1 | u64::from(place == '1')))
}

/// From `"VA              ",    100.077V ∠-89.797° alt ...`.
fn phasor(text: &str) -> Phasor {
    let (name, values) = text.trim_start_matches('"').split_once('"').unwrap();
    let (magnitude, angle) = values.trim_start_matches(',').split_once('∠').unwrap();
    let (degrees, _) = angle.split_once('°').unwrap();
    let magnitude = magnitude.trim();
    let unit = if magnitude.ends_with('A') { "A" } else { "V" };
    Phasor {
        name: name.trim_end().to_owned(),
        unit,
        magnitude: magnitude.strip_suffix(unit).unwrap().parse().unwrap(),
        degrees: degrees.trim().parse().unwrap(),
    }
}

/// From `Aug  1, 2008 16:18:11.000000000 UTC`.
fn unix_seconds(text: &str) -> i64 {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let fields: Vec<&str> = text.split([' ', ',', ':', '.']).filter(|field| !field.is_empty()).collect();
    let number = |at: usize| fields[at].parse::<i64>().unwrap();
    let month = MONTHS.iter().position(|name| *name == fields[0]).unwrap();
    let (day, year) = (number(1), number(2));
    let years: i64 = (1970..year).map(|year| 365 + i64::from(leap(year))).sum();
    let months = DAYS[..month].iter().sum::<i64>() + i64::from(month > 1 && leap(year));
    ((years + months + day - 1) * 24 + number(3)) * 3_600 + number(4) * 60 + number(5)
}

/// The payloads between the common header and CHK, as tshark took them out of the packets.
fn payloads(file: &Path) -> Vec<Vec<u8>> {
    let text = tshark(file, &["-Y", "synphasor.frtype == 0", "-T", "fields", "-e", "synphasor.data"]);
    let byte = |at: usize, hex: &str| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    text.lines()
        .map(|line| line.replace(':', ""))
        .map(|hex| (0..hex.len()).step_by(2).map(|at| byte(at, &hex)).collect())
        .collect()
}

/// Ticks of a second in the capture's only time base.
fn time_base(file: &Path) -> i64 {
    let options = [
        "-Y",
        "synphasor.conf.timebase",
        "-T",
        "fields",
        "-E",
        "occurrence=f",
        "-e",
        "synphasor.conf.timebase",
    ];
    let text = tshark(file, &options);
    let mut bases: Vec<i64> = text.lines().map(|line| line.trim().parse().unwrap()).collect();
    bases.dedup();
    assert_eq!(bases.len(), 1, "{bases:?}");
    bases[0]
}

fn data_of(file: &Path) -> Vec<Value> {
    lines(file, &[]).into_iter().filter(|line| line["kind"] == "c37118.data").collect()
}

fn every_value_is_tsharks() {
    compare(&udp_capture(), 356, whole);
}

fn every_value_over_tcp_is_tsharks() {
    compare(&capture("C37.118_1PMU_TCP.pcap"), 252, whole);
    compare(&capture("C37.118_4in1PMU_TCP.pcap"), 1_342, whole);
    // The only one with FREQ and DFREQ in floating point.
    compare(&capture("c37_1100_clean_tcp.pcap"), 422, six_digits);
}

/// What a FREQ or DFREQ may differ by from what tshark prints.
type Printed = fn(f64) -> f64;

fn compare(file: &Path, frames: usize, printed: Printed) {
    let (ours, theirs, time_base) = (data_of(file), dissect(file), time_base(file));
    assert_eq!((ours.len(), theirs.len()), (frames, frames), "{}", file.display());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours["arrival_ns"].to_string(), theirs.arrival);
        let told = ["idcode", "soc", "fraction", "time_quality", "time_base"].map(|key| ours[key].as_i64());
        let said = [theirs.idcode, theirs.soc, theirs.fraction, theirs.time_quality, time_base];
        assert_eq!(told, said.map(Some));
        // To the nearest one.
        let nanoseconds = (theirs.fraction * 1_000_000_000 + time_base / 2) / time_base;
        assert_eq!(ours["time_ns"], theirs.soc * 1_000_000_000 + nanoseconds);
        let pmus = ours["pmus"].as_array().unwrap();
        assert_eq!(pmus.len(), theirs.stations.len());
        for (ours, theirs) in pmus.iter().zip(&theirs.stations) {
            compare_station(ours, theirs, printed);
        }
    }
}

fn compare_station(ours: &Value, theirs: &Station, printed: Printed) {
    /// Half of the last digit that tshark prints of phasors and analogs.
    const PRINTED: f64 = 0.000_500_1;
    assert_eq!((&ours["station"], &ours["stat"]), (&theirs.name.as_str().into(), &theirs.stat.into()));
    near(&ours["frequency_hz"], theirs.frequency, printed(theirs.frequency));
    near(&ours["rocof_hz_per_s"], theirs.rocof, printed(theirs.rocof));
    let phasors = ours["phasors"].as_array().unwrap();
    assert_eq!(phasors.len(), theirs.phasors.len());
    for (ours, theirs) in phasors.iter().zip(&theirs.phasors) {
        assert_eq!((&ours["name"], &ours["unit"]), (&theirs.name.as_str().into(), &theirs.unit.into()));
        near(&ours["magnitude"], theirs.magnitude, PRINTED);
        near(&ours["angle_rad"].as_f64().unwrap().to_degrees().into(), theirs.degrees, PRINTED);
    }
    let analogs = ours["analogs"].as_array().unwrap();
    assert_eq!(analogs.len(), theirs.analogs.len());
    for (ours, (name, value)) in analogs.iter().zip(&theirs.analogs) {
        assert_eq!(ours["name"], name.as_str());
        near(&ours["value"], *value, PRINTED);
    }
    let digitals: Vec<_> = theirs.digitals.iter().map(|&word| Value::from(word)).collect();
    assert_eq!(ours["digitals"].as_array().unwrap(), &digitals);
}

/// FREQ and DFREQ in integers are printed whole.
const fn whole(_value: f64) -> f64 {
    1e-9
}

/// Half of the last of the six digits that tshark prints of a FREQ or DFREQ in floating point.
fn six_digits(value: f64) -> f64 {
    value.abs() * 1e-5 / 2.0 + 1e-9
}

/// What tshark has taken out of the packets, against its bytes: phasors in polar floating point behind STAT.
fn every_phasor_is_its_bytes() {
    let (ours, payloads) = (data_of(&udp_capture()), payloads(&udp_capture()));
    assert_eq!((ours.len(), payloads.len()), (356, 356));
    for (ours, payload) in ours.iter().zip(&payloads) {
        let pmu = &ours["pmus"][0];
        let phasors = pmu["phasors"].as_array().unwrap();
        assert_eq!(phasors.len(), 3);
        for (ours, raw) in phasors.iter().zip(payload[2..26].chunks(8)) {
            let float = |at: usize| f64::from(f32::from_be_bytes(raw[at..at + 4].try_into().unwrap()));
            assert_eq!((&ours["magnitude"], &ours["angle_rad"]), (&float(0).into(), &float(4).into()));
        }
        assert_eq!(pmu["stat"], u16::from_be_bytes([payload[0], payload[1]]));
    }
}
