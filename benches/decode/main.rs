//! How many frames a second `decode` takes from a capture of 100 MB, against tshark on the same file: whole processes,
//! from start to end, in alternating runs, of which the fastest are told.
//!
//! The capture is made here, into `target/tmp`, and read once before it is measured. tshark runs without name
//! resolution and in one pass, and every mode of it that is measured dissects each frame: its lines (the default), the
//! values as fields (`-T fields`), everything as text (`-V`) and as JSON (`-T json`). The ratios are against the
//! fastest of them, which does less than `decode`: it prints a line for each frame, and no value. With `--check` a
//! ratio beyond its limit is a failure. Criterion has no place here: a run takes seconds.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to tell but where")]

mod capture;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use capture::Capture;

const BINARY: &str = env!("CARGO_BIN_EXE_pmu-monitor");

/// Bytes of the capture, and of the one for what takes tshark minutes.
const BYTES: u64 = 100_000_000;
const FEWER_BYTES: u64 = 10_000_000;

/// Rounds of alternating runs.
const ROUNDS: usize = 3;

/// Times as many frames a second as tshark that each mode must take.
const SUMMARY_LIMIT: f64 = 20.0;
const JSON_LIMIT: f64 = 5.0;

/// Modes of tshark on the whole capture.
const MODES: [(&str, &[&str]); 2] = [
    ("tshark -n (lines)", &[]),
    (
        "tshark -n -T fields",
        &[
            "-T",
            "fields",
            "-e",
            "frame.time_epoch",
            "-e",
            "synphasor.idcode_stream_source",
            "-e",
            "synphasor.actual_frequency_value",
        ],
    ),
];
/// On the smaller one: they are far from the fastest.
const SLOW_MODES: [(&str, &[&str]); 2] = [("tshark -n -V", &["-V"]), ("tshark -n -T json", &["-T", "json"])];

/// One way to read a capture.
struct Reader {
    name: &'static str,
    program: &'static str,
    arguments: Vec<&'static str>,
    fastest: Duration,
}

impl Reader {
    fn decode(name: &'static str, options: &[&'static str]) -> Self {
        Self::new(name, BINARY, [&["decode"], options].concat())
    }

    fn tshark((name, options): (&'static str, &[&'static str])) -> Self {
        Self::new(name, "tshark", [&["-n"], options, &["-r"]].concat())
    }

    fn new(name: &'static str, program: &'static str, arguments: Vec<&'static str>) -> Self {
        Self { name, program, arguments, fastest: Duration::MAX }
    }

    /// The whole process, its output thrown away.
    fn run(&mut self, file: &Path) {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let status = command.status().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let took = begun.elapsed();
        assert!(status.success(), "{}: {status}", self.name);
        self.fastest = self.fastest.min(took);
    }

    fn rate(&self, capture: &Capture) -> f64 {
        f64::from(capture.frames) / self.fastest.as_secs_f64()
    }
}

fn main() -> ExitCode {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let has_tshark =
        Command::new("tshark").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_tshark.is_ok_and(|status| status.success()) {
        eprintln!("this bench compares with tshark, which is not installed; apt-get install tshark");
        return ExitCode::FAILURE;
    }
    let capture = Capture::of(BYTES);
    assert_dissected(&capture);
    let mut ours =
        [Reader::decode("decode --summary", &["--summary"]), Reader::decode("decode --json", &["--json"])];
    let mut theirs = MODES.map(Reader::tshark);
    for _ in 0..ROUNDS {
        for reader in ours.iter_mut().chain(&mut theirs) {
            reader.run(&capture.file);
        }
    }
    let fastest = theirs.iter().map(|reader| reader.rate(&capture)).fold(0.0, f64::max);
    println!(
        "{} frames in {} bytes; frames a second, and times as many as tshark at its fastest",
        capture.frames, capture.bytes
    );
    let mut within = true;
    for (reader, limit) in ours.iter().zip([SUMMARY_LIMIT, JSON_LIMIT]) {
        let ratio = reader.rate(&capture) / fastest;
        within &= ratio >= limit;
        let beyond = if ratio >= limit { "" } else { "   below its limit" };
        println!(
            "{:<24} {:>12.0} {ratio:>8.1}   at least {limit}{beyond}",
            reader.name,
            reader.rate(&capture)
        );
    }
    for reader in &theirs {
        println!("{:<24} {:>12.0}", reader.name, reader.rate(&capture));
    }
    if !asked("--fast") {
        let capture = Capture::of(FEWER_BYTES);
        for mode in SLOW_MODES {
            let mut reader = Reader::tshark(mode);
            reader.run(&capture.file);
            println!(
                "{:<24} {:>12.0}   once, of {} frames",
                reader.name,
                reader.rate(&capture),
                capture.frames
            );
        }
    }
    if within || !asked("--check") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// That both sides see what is measured: every frame decoded by us, and dissected by tshark down to its values.
fn assert_dissected(capture: &Capture) {
    let summary =
        Command::new(BINARY).args(["decode", "--summary", "--json"]).arg(&capture.file).output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary.stdout).unwrap();
    assert_eq!(summary["counters"]["frames"]["decoded"], capture.frames, "{summary:#}");
    let first = ["-n", "-c", "100", "-T", "fields", "-e", "synphasor.actual_frequency_value", "-r"];
    let fields = Command::new("tshark").args(first).arg(&capture.file).output().unwrap();
    let fields = String::from_utf8(fields.stdout).unwrap();
    let values = fields.lines().filter(|line| line.parse::<f64>().is_ok()).count();
    assert!(values >= 80, "tshark gave {values} values of the first 100 packets");
}
