//! Simulated stations over TCP with each fault, watched, and commanded: what the monitor says at the end is what was
//! injected, exactly.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use monitor::netns::Pair;
use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{Command as Asked, FrameKind, FrameView, IdCode, TimeTag, Version};
use serde_json::Value;

use crate::harness::{BINARY, Monitor, Report, until};
use crate::simulated::{Sent, expected, found, with_faults};
use crate::support::{Need, trial};
use crate::wire::{PDC, PMU, PORT, TCP_PORT, addressed_pair};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("faults_over_tcp_are_found_exactly", NEEDS, faults_over_tcp_are_found_exactly),
        trial("commands_and_configurations_over_tcp", NEEDS, commands_and_configurations_over_tcp),
        trial("control_by_tcp_brings_data_by_udp", NEEDS, || {
            control_by_tcp(&["--udp-port", "4713"], "192.0.2.9");
        }),
        trial("control_by_tcp_brings_data_to_a_group", NEEDS, || {
            control_by_tcp(&["--to", "239.1.2.3:4713"], "239.1.2.3");
        }),
    ]
}

/// Between two attempts of a client that is not let in.
const AGAIN: Duration = Duration::from_millis(20);

/// `simulate --json` as a server at the stations' end.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(pair: &Pair, arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["simulate", "--json", "--listen", &format!("{PMU}:{TCP_PORT}")]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(pair.stations.run(|| command.spawn().unwrap()).unwrap())
    }

    /// Ends it as Ctrl-C does, or waits for its own end; gives what it sent.
    pub(crate) fn sent(mut self, end: bool) -> Sent {
        if end {
            let status = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap();
            assert!(status.success());
        }
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let mut complaints = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert!(self.0.wait().unwrap().success(), "{complaints}");
        Sent(serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complaints}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A connection from the monitor's end to a stream's port.
fn connect(pair: &Pair, port: u16) -> Option<TcpStream> {
    pair.monitor.run(|| TcpStream::connect((PMU, port)).ok()).unwrap()
}

/// Waits until the first stream's server takes a connection; this is one.
pub(crate) fn listened(pair: &Pair) {
    until("the server listens", || connect(pair, TCP_PORT).is_some());
}

/// Reads all that a stream's server sends, and comes again where it is put out, until told that the server has ended.
fn reads(pair: &Pair, port: u16, ended: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while !ended.load(Ordering::Relaxed) {
        if let Some(mut stream) = connect(pair, port) {
            // Data are there until the server closes, in good order or not.
            while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
        }
        thread::sleep(AGAIN);
    }
}

const STREAMS: u16 = 9;
/// More than any of their DATA has.
const LONGEST: u64 = 200;

/// Each fault on a stream of its own, and on the last one several. Two frames behind one another that both end early would
/// be one thing that is no frame: here they are apart.
fn faults_over_tcp_are_found_exactly() {
    let pair = addressed_pair();
    let ports: Vec<u16> = (TCP_PORT..TCP_PORT + STREAMS).collect();
    let options = ports.iter().map(|port| format!("--port={port}"));
    let mut running = Monitor::on(&pair).args(options).args(["--frames"]).start().attached();
    let streams = STREAMS.to_string();
    let base = ["--pmus", &streams, "--rate", "100", "--duration", "4s", "--spontaneous"];
    let faults = [
        "crc,every=6,idcode=102",
        "truncate,every=7,bytes=40,idcode=103",
        "loss=0.1,idcode=104",
        "duplicate=0.1,idcode=104",
        "reorder=0.1,depth=2,idcode=104",
        "stat=0x2000,from=1s,for=1s,idcode=105",
        "time-quality=0x0F,from=2s,for=1s,idcode=105",
        "segment=bytes:7,idcode=105",
        "delay=uniform:1ms:40ms,share=0.5,idcode=106",
        "segment=random:40,idcode=106",
        "config-change,from=1s,for=1s,idcode=107",
        "segment=coalesce:3,idcode=107",
        "disconnect,from=1s,for=1s,idcode=108",
        "loss=0.05,idcode=109",
        "truncate,every=9,bytes=30,idcode=109",
        "disconnect,from=2s,for=500ms,idcode=109",
        "segment=random:100,idcode=109",
    ];
    let server = Server::start(&pair, &with_faults(&base, &faults));
    let ended = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        for port in &ports {
            scope.spawn(|| reads(&pair, *port, &ended));
        }
        let sent = server.sent(false);
        ended.store(true, Ordering::Relaxed);
        sent
    });
    let data: u64 = sent.streams().iter().map(|stream| expected(stream, "data")).sum();
    let others: u64 = sent.streams().iter().map(|stream| expected(stream, "others")).sum();
    running.counted("frames.found", data + others);
    let report = running.stop().adds_up();
    assert_eq!(report.count("frames.found"), data + others, "every frame, and none twice");
    assert_eq!(
        (report.count("bytes.dropped"), report.count("bytes.buffered")),
        (0, 0),
        "all came to its end"
    );
    // A byte 0xAA near the end of a broken frame may be where the next one begins: the rest of it is passed over.
    let broken: u64 = sent.streams().iter().map(broken).sum();
    assert!(report.count("bytes.skipped") < broken * LONGEST, "{} skipped", report.count("bytes.skipped"));
    for stream in sent.streams() {
        agrees(&report, stream);
    }
    for (idcode, fault) in [
        (102, "wrong_crc"),
        (103, "truncated"),
        (104, "lost"),
        (104, "duplicated"),
        (106, "delayed"),
        (104, "reordered"),
        (109, "truncated"),
    ] {
        assert!(sent.injected(idcode, fault) > 5, "{idcode} {fault}: {}", sent.0["injected"]);
    }
    let with = |idcode: u64, wanted: &dyn Fn(&Value) -> bool| {
        let frames = report.of_kind("c37118.data").filter(|line| line["idcode"] == idcode);
        frames.filter(|line| wanted(line)).count() as u64
    };
    let marked = |line: &Value| line["pmus"][0]["stat"].as_u64().unwrap() & 0x2000 != 0;
    // A frame for which nobody was there had its fault all the same.
    let gone = sent.streams().iter().find(|stream| stream["idcode"] == 105).unwrap();
    assert!(with(105, &marked) == sent.injected(105, "stat") && with(105, &marked) > 90, "{gone}");
    assert_eq!(with(105, &|line| line["time_quality"] == 0x0F), sent.injected(105, "time_quality"));
    for (idcode, blame, reason) in
        [(102, "wire", "damaged"), (104, "pmu", "not_sent"), (108, "pmu", "no_loss_seen")]
    {
        let row = report.stream(idcode);
        assert_eq!(row["blamed"], serde_json::json!({blame: row["missing"]}), "{row:#}");
        let reasons = report.summary()["blame"].as_array().unwrap();
        let known = reasons.iter().any(|one| one["blame"] == blame && one["reason"] == reason);
        assert!(known, "{reason}: {reasons:#?}");
    }
    assert_eq!(sent.injected(107, "config_changes"), 2);
    assert_eq!(report.stream(107)["config_changes"], 2);
    assert!(sent.injected(108, "disconnected") >= 1 && report.stream(108)["missing"].as_u64() > Some(50));
}

/// Frames that were sent and are none.
fn broken(stream: &Value) -> u64 {
    expected(stream, "crc_errors") + expected(stream, "truncated")
}

/// What was found of a stream is what was sent of it. A frame that ends early is seen as one whose check does not fit,
/// since the next one follows in its place; the last one of a connection as what it is.
fn agrees(report: &Report, stream: &Value) {
    let idcode = u16::try_from(stream["idcode"].as_u64().unwrap()).unwrap();
    let row = report.stream(idcode);
    for (column, what) in [
        ("frames", "data"),
        ("missing", "missing"),
        ("duplicate", "duplicate"),
        ("out_of_order", "out_of_order"),
        ("discontinuities", "jumps"),
    ] {
        assert_eq!(found(row, column), expected(stream, what), "{column} of {idcode}: {row}{stream}");
    }
    assert_eq!(found(row, "undecoded"), 0, "{row}");
    let told = |error: &str| {
        let lines = report.of_kind("c37118.invalid").filter(|line| line["idcode"] == idcode);
        lines.filter(|line| line["error"] == error).count() as u64
    };
    assert_eq!(told("crc") + told("truncated"), broken(stream), "{row}{stream}");
    assert_eq!(found(row, "crc_errors"), told("crc"), "{row}");
}

/// Asks, and reads up to the end of the answer: so many frames of a kind, past DATA.
struct Client {
    stream: TcpStream,
    idcode: u16,
    read: Vec<u8>,
    commands: u64,
}

impl Client {
    fn connect(pair: &Pair, port: u16, idcode: u16) -> Self {
        let mut stream = None;
        until("the server listens", || {
            stream = connect(pair, port);
            stream.is_some()
        });
        Self { stream: stream.unwrap(), idcode, read: Vec::new(), commands: 0 }
    }

    fn ask(&mut self, command: Asked) {
        let mut bytes = [0; 18];
        let preamble =
            Preamble { version: Version::V2011, idcode: IdCode(self.idcode), time: TimeTag::default() };
        encode::command(&mut bytes, &preamble, command, &[]).unwrap();
        self.stream.write_all(&bytes).unwrap();
        self.commands += 1;
    }

    fn next(&mut self) -> FrameKind {
        let mut buffer = [0; 4096];
        loop {
            if let Ok((frame, rest)) = FrameView::split(&self.read) {
                let kind = frame.kind();
                self.read = rest.to_vec();
                return kind;
            }
            match self.stream.read(&mut buffer) {
                Ok(length) if length > 0 => self.read.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => panic!("{other:?} before the answer"),
            }
        }
    }

    /// Reads to a frame of this kind.
    fn until(&mut self, kind: FrameKind) {
        while self.next() != kind {}
    }
}

/// Every command with its answer, in fragments where they are asked for; spontaneous CFG-3 beside it.
fn commands_and_configurations_over_tcp() {
    let pair = addressed_pair();
    let ports = ["--port", "4712", "--port", "4713"];
    let mut running = Monitor::on(&pair).args(ports).args(["--frames"]).start().attached();
    // The first stream is asked; the second, to its newcomer, says all unasked.
    let options =
        ["--pmus", "2", "--rate", "50", "--config3-size", "300", "--announce", "1,3", "--commanded"];
    let server = Server::start(&pair, &options);
    let mut client = Client::connect(&pair, TCP_PORT, 101);
    for (command, kind) in [
        (Asked::SendConfig1, FrameKind::Config1),
        (Asked::SendConfig2, FrameKind::Config2),
        (Asked::SendHeader, FrameKind::Header),
        (Asked::SendConfig3, FrameKind::Config3),
    ] {
        client.ask(command);
        client.until(kind);
    }
    client.ask(Asked::TurnOn);
    for _ in 0..10 {
        client.until(FrameKind::Data);
    }
    client.ask(Asked::TurnOff);
    client.ask(Asked::SendHeader);
    client.until(FrameKind::Header);
    let mut other = Client::connect(&pair, TCP_PORT + 1, 102);
    other.until(FrameKind::Config1);
    other.until(FrameKind::Config3);
    other.ask(Asked::TurnOn);
    for _ in 0..5 {
        other.until(FrameKind::Data);
    }
    let commands = client.commands + other.commands;
    let sent = server.sent(true);
    let total = &sent.0["total"];
    let count = |what: &str| total[what].as_u64().unwrap();
    let whole = sent.frames() + commands;
    running.counted("frames.found", whole);
    let report = running.stop().adds_up();
    assert_eq!(count("commands"), commands);
    assert_eq!(report.frames("c37118.command"), commands);
    assert_eq!(report.frames("c37118.header"), count("header"));
    assert_eq!(report.frames("c37118.data"), count("data"));
    // CFG-3 came in fragments, each a frame, and both streams' became whole.
    let fragments = count("config3");
    assert!(fragments >= 4, "{total}");
    let frames = report.frames("c37118.config") + report.frames("c37118.fragment");
    assert_eq!(frames, count("config1") + count("config2") + fragments, "{}", report.summary()["frames"]);
    assert_eq!(report.count("frames.found"), whole);
    let versions = |idcode: u64| {
        let configs = report.of_kind("c37118.config").filter(|line| line["idcode"] == idcode);
        configs.map(|line| line["version"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert!(versions(101).contains(&2) && versions(101).contains(&3), "{:?}", versions(101));
    assert!(versions(102).contains(&3), "{:?}", versions(102));
    let none = ["bytes.skipped", "bytes.dropped", "bytes.buffered", "frames.undecoded"];
    assert_eq!(none.map(|counter| report.count(counter)), [0; 4]);
    let decoded = report.of_kind("c37118.data").all(|line| line["pmus"].is_array());
    assert!(decoded, "the CFG-3 alone lays the second stream out");
}

/// Commands and configurations over TCP, DATA elsewhere: laid out by what TCP brought.
fn control_by_tcp(to: &[&str], receiver: &str) {
    let pair = addressed_pair();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    // Without a socket the kernel would answer that nobody listens.
    let _listening = pair.monitor.run(|| UdpSocket::bind((PDC, PORT)).unwrap()).unwrap();
    let server = Server::start(&pair, &[&["--rate", "100"][..], to].concat());
    let mut client = Client::connect(&pair, TCP_PORT, 101);
    client.ask(Asked::SendConfig2);
    client.until(FrameKind::Config2);
    client.ask(Asked::TurnOn);
    running.counted("frames.decoded", 100);
    client.ask(Asked::TurnOff);
    client.ask(Asked::SendHeader);
    client.until(FrameKind::Header);
    let sent = server.sent(true);
    let data = sent.0["total"]["data"].as_u64().unwrap();
    let commands = client.commands;
    // What came last is the answer's acknowledgement; the window behind it has all.
    running.counted("frames.found", data + 2 + commands);
    let report = running.stop().adds_up();
    assert_eq!(report.frames("c37118.data"), data);
    assert_eq!(report.frames("c37118.command"), commands);
    let stream = sent.streams().first().unwrap();
    let receivers = stream["receivers"].as_array().unwrap();
    let by_udp = receivers.iter().find(|one| one["transport"] == "udp").unwrap();
    assert_eq!(by_udp["address"], receiver);
    let id = format!("c37118:{PMU}>{receiver}:udp:101");
    let rows = report.summary()["streams"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id.as_str()).unwrap_or_else(|| panic!("no {id}"));
    assert_eq!((&row["frames"], &row["missing"]), (&data.into(), &0.into()), "{row}");
    assert_eq!((&row["undecoded"], &row["duplicate"]), (&0.into(), &0.into()), "{row}");
    let from: SocketAddr = (PMU, TCP_PORT).into();
    let lines: Vec<_> = report.of_kind("c37118.data").collect();
    assert!(lines.iter().all(|line| line["transport"] == "udp" && line["src"] == from.to_string().as_str()));
}
