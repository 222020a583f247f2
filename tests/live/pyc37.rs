//! Somebody else's PMU and PDC on TCP, `PyPI`'s pyc37, each in its own namespace, watched passively: from the start and
//! from mid-session. No frame may be lost: what the PDC got is what the monitor saw, time tag by time tag.
//!
//! pyc37 1.0.2 sends a frame each tenth of a second at most, whatever rate it is given. As a PDC it passes over frames
//! that it reads together, and cannot read a DIGUNIT with a normal mask, a STAT with `PMU_TQ`, nor FREQ as a float.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use libtest_mimic::Trial;
use monitor::netns::{End, Pair};
use serde_json::{Value, json};

use crate::harness::{Monitor, Report};
use crate::simulated_tcp::{Server, listened};
use crate::support::{Need, pyc37, trial};
use crate::wire::{PMU, TCP_PORT, addressed_pair};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth, Need::Pyc37];
    vec![
        trial("pyc37_is_watched_from_the_start", NEEDS, from_the_start),
        trial("pyc37_is_watched_from_mid_session", NEEDS, from_mid_session),
        trial("how_late_pyc37_reads_is_told", NEEDS, how_late_it_reads),
        trial("pyc37_reads_our_stations_and_is_watched", NEEDS, reads_our_stations),
    ]
}

const IDCODE: u16 = 7734;
const FRAMES: u64 = 30;

/// A program whose lines are read, and which is ended where it is dropped.
struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(end: &End, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = end.run(|| command.spawn().unwrap()).unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn python(end: &End, script: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/pyc37").join(script);
        let python = pyc37().unwrap();
        // Without buffers of Python's own between it and the test.
        Self::start(end, Command::new(python).arg("-u").arg(script).args(arguments))
    }

    /// Ends its standard input: told that it may end.
    fn told(mut self) -> Self {
        drop(self.child.stdin.take());
        self
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// The lines up to the end, as JSON.
    fn objects(&mut self) -> Vec<Value> {
        let mut objects = Vec::new();
        while let Some(line) = self.line() {
            objects.push(serde_json::from_str(&line).unwrap());
        }
        let mut complaints = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert!(self.child.wait().unwrap().success(), "{complaints}");
        objects
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Their PMU, listening.
fn their_pmu(pair: &Pair) -> Peer {
    // Far more than the PDC takes, which stops them.
    let more = (100 * FRAMES).to_string();
    let (address, port, idcode) = (PMU.to_string(), TCP_PORT.to_string(), IDCODE.to_string());
    let mut pmu = Peer::python(&pair.stations, "pmu.py", &[&address, &port, &idcode, "100", &more]);
    assert_eq!(pmu.line().as_deref(), Some("listening"));
    pmu
}

fn their_pdc(pair: &Pair, idcode: u16) -> Peer {
    let (address, port) = (PMU.to_string(), TCP_PORT.to_string());
    Peer::python(&pair.monitor, "pdc.py", &[&address, &port, &idcode.to_string(), &FRAMES.to_string()])
}

/// SOC and fraction of each DATA frame.
fn tags<'a>(lines: impl IntoIterator<Item = &'a Value>, kind: &str) -> Vec<(u64, u64)> {
    let of_kind = lines.into_iter().filter(|line| line["kind"] == kind);
    of_kind.map(|line| (line["soc"].as_u64().unwrap(), line["fraction"].as_u64().unwrap())).collect()
}

/// The monitor's DATA begin where it began to look, and go on to at least the last that the PDC took.
fn agree(report: &Report, got: &[Value]) -> usize {
    let (seen, got) = (tags(&report.lines, "c37118.data"), tags(got, "data"));
    assert!(got.len() as u64 >= FRAMES);
    let begin = got.iter().position(|tag| Some(tag) == seen.first());
    let begin = begin.unwrap_or_else(|| panic!("the first seen is none of those got: {seen:?} {got:?}"));
    assert!(seen.len() >= got.len() - begin, "{} of {} seen", seen.len(), got.len() - begin);
    assert_eq!(seen[..got.len() - begin], got[begin..]);
    begin
}

fn kinds(got: &[Value]) -> Vec<&str> {
    got.iter().map(|line| line["kind"].as_str().unwrap()).take(3).collect()
}

/// Sums come out, and no byte was passed over or given up.
fn sound(report: Report) -> Report {
    let report = report.adds_up();
    for lost in ["bytes.skipped", "bytes.dropped"] {
        assert_eq!(report.count(lost), 0, "{lost}: {:#}", report.summary());
    }
    assert_eq!(report.summary()["crc_errors"], 0);
    report
}

fn from_the_start() {
    let pair = addressed_pair();
    let running = Monitor::on(&pair).args(["--frames"]).start().attached();
    let _pmu = their_pmu(&pair);
    let got = their_pdc(&pair, IDCODE).told().objects();
    assert_eq!(kinds(&got), ["header", "config", "data"]);
    let report = sound(running.stop());
    assert_eq!(agree(&report, &got), 0, "all of them");
    let commands: Vec<_> = report.of_kind("c37118.command").map(|line| line["name"].clone()).collect();
    assert_eq!(commands, ["send_hdr", "send_cfg2", "turn_on", "turn_off"].map(|name| json!(name)));
    assert_eq!(report.of_kind("c37118.header").count(), 1);
    assert_eq!(report.of_kind("c37118.config").count(), 1);
    // HDR, CFG-2, the commands and DATA, and nothing else.
    assert_eq!(report.count("frames.found"), report.frames("c37118.data") + 2 + 4);
    assert_eq!(report.frames("c37118.data"), report.of_kind("c37118.data").count() as u64);
    assert!(
        report.of_kind("c37118.data").all(|line| line["pmus"][0]["phasors"].as_array().unwrap().len() == 4)
    );
    assert_eq!(report.count("frames.undecoded"), 0);
}

/// Every frame that the PDC got was read from its socket by it, and by nobody else.
fn how_late_it_reads() {
    let pair = addressed_pair();
    let running = Monitor::on(&pair).args(["--reads"]).start().attached();
    let _pmu = their_pmu(&pair);
    let got = their_pdc(&pair, IDCODE).told().objects();
    let report = sound(running.stop());
    let reads = &report.summary()["reads"];
    let [row] = &reads["sockets"].as_array().unwrap()[..] else { panic!("{reads:#}") };
    assert!(row["process"].as_str().unwrap().starts_with("python"), "{row:#}");
    assert_eq!((&row["transport"], &row["remote"]), (&json!("tcp"), &json!(format!("{PMU}:{TCP_PORT}"))));
    // A frame is a segment here, or two of them are one.
    let packets = row["packets"].as_u64().unwrap();
    assert!(packets > 0 && packets == reads["packets"]["read"].as_u64().unwrap(), "{reads:#}");
    assert!(packets <= report.count("frames.found"), "{packets} {got:?}");
    assert!(row["reads"].as_u64().unwrap() >= got.len() as u64 / 2, "{row:#}");
}

fn from_mid_session() {
    let pair = addressed_pair();
    let _pmu = their_pmu(&pair);
    let mut pdc = their_pdc(&pair, IDCODE);
    // The session has begun, its configuration has gone by.
    let first: Vec<Value> = (0..4).map(|_| serde_json::from_str(&pdc.line().unwrap()).unwrap()).collect();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    running.counted("frames.found", 10);
    let got: Vec<Value> = first.into_iter().chain(pdc.told().objects()).collect();
    let report = sound(running.stop());
    let begin = agree(&report, &got);
    assert!(begin >= 2, "the first were gone by when the monitor began");
    let data: Vec<_> = report.of_kind("c37118.data").collect();
    assert!(data.iter().all(|line| line["pmus"].is_null() && line["reason"] == "no_configuration"));
    assert_eq!(report.stream(IDCODE)["undecoded"], data.len());
    // What opened the session was gone by: DATA and the command that ends them are all that there is.
    let commands: Vec<_> = report.of_kind("c37118.command").map(|line| line["name"].clone()).collect();
    assert_eq!(commands, [json!("turn_off")]);
    assert_eq!((report.frames("c37118.header"), report.frames("c37118.config")), (0, 0));
    assert_eq!(report.frames("c37118.data"), data.len() as u64);
    assert_eq!(report.count("frames.found"), data.len() as u64 + 1);
}

/// Our stations, read by their PDC: what it got is part of what the monitor saw, and that is what was sent.
fn reads_our_stations() {
    let pair = addressed_pair();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    let idcode = IDCODE.to_string();
    let readable = ["--digitals", "0", "--fault", "stat=0,clear=0x01C0"];
    let formats = ["--format", "phasors=float-polar,analogs=float,freq=int"];
    let stream = ["--rate", "25", "--first-idcode", &idcode];
    let server = Server::start(&pair, &[&stream[..], &readable, &formats].concat());
    listened(&pair);
    let got = their_pdc(&pair, IDCODE).told().objects();
    assert_eq!(kinds(&got)[..2], ["header", "config"]);
    let sent = server.sent(true);
    let total = |what: &str| sent.0["total"][what].as_u64().unwrap();
    assert_eq!((total("connections"), total("commands"), total("refused")), (2, 4, 0));
    running.counted("frames.found", sent.frames() + total("commands"));
    let report = sound(running.stop());
    assert_eq!(report.frames("c37118.data"), total("data"));
    assert_eq!(report.frames("c37118.command"), total("commands"));
    assert_eq!((report.frames("c37118.header"), report.frames("c37118.config")), (1, 1));
    assert_eq!(report.count("frames.found"), sent.frames() + total("commands"));
    assert_eq!(
        (&report.stream(IDCODE)["missing"], &report.stream(IDCODE)["undecoded"]),
        (&json!(0), &json!(0))
    );
    let seen = tags(&report.lines, "c37118.data");
    let mut rest = seen.iter();
    let got = tags(&got, "data");
    assert!(got.len() as u64 >= FRAMES);
    assert!(got.iter().all(|tag| rest.any(|seen| seen == tag)), "in this order: {got:?} of {seen:?}");
}
