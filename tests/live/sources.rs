//! Where a configuration comes from when it does not come over the wire: an earlier run, a file, a PMU that is asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use libtest_mimic::Trial;
use monitor::netns::{End, Pair};
use monitor_core::protocol::c37118::{Command, CommandView, Format, FrameView};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::harness::{Monitor, Report};
use crate::simulated::simulate;
use crate::simulated_tcp::{Server, listened};
use crate::support::{Need, trial};
use crate::wire::{PDC, PMU, PORT, Pmu, addressed_pair, datagram, quiet_pair, sender};

const IDCODE: u16 = 7;
const FRAMES: u64 = 5;
/// As `CommandView` has to see it: the size of a command without extended data.
const COMMAND_SIZE: usize = 18;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_one_run_saw_the_next_one_uses", NEEDS, what_one_run_saw_the_next_one_uses),
        trial("a_run_can_leave_no_state", NEEDS, a_run_can_leave_no_state),
        trial("a_file_lays_data_out", NEEDS, a_file_lays_data_out),
        trial("a_file_that_does_not_fit_is_named", NEEDS, a_file_that_does_not_fit_is_named),
        trial("a_pmu_is_asked_over_tcp", NEEDS, a_pmu_is_asked_over_tcp),
        trial("a_pmu_is_asked_over_udp_where_that_is_allowed", NEEDS, a_pmu_is_asked_over_udp),
        trial("what_is_not_answered_is_said", NEEDS, what_is_not_answered_is_said),
        trial("the_simulator_is_asked_for_either_configuration", NEEDS, the_simulator_is_asked),
    ]
}

/// Where the DATA lines' configurations came from.
fn sources(report: &Report) -> Vec<&Value> {
    report.of_kind("c37118.data").map(|line| &line["config_source"]).collect()
}

/// A run that sees these datagrams and ends.
fn run(pair: &mut Pair, options: &[&str], payloads: &[Vec<u8>]) -> Report {
    let mut running = Monitor::on(pair).args(["--frames"]).args(options).start().attached();
    let wire = sender(&mut pair.stations);
    for payload in payloads {
        wire.send(&datagram(payload)).unwrap();
    }
    running.counted("frames.found", payloads.len() as u64);
    running.stop().adds_up()
}

fn data(pmu: &mut Pmu) -> Vec<Vec<u8>> {
    (0..FRAMES).map(|_| pmu.data()).collect()
}

fn what_one_run_saw_the_next_one_uses() {
    let (mut pair, mut pmu, state) = (quiet_pair(), Pmu::new(IDCODE), TempDir::new().unwrap());
    let options = ["--state-dir", state.path().to_str().unwrap()];
    let config = pmu.config();
    let report = run(&mut pair, &options, &[config.clone(), pmu.data()]);
    assert_eq!(sources(&report), ["wire"]);
    let kept = state.path().join(format!("configs/{PMU}_{IDCODE}.frame"));
    assert_eq!(std::fs::read(&kept).unwrap(), config);

    // Started in mid-session: DATA, and no configuration before the end.
    let report = run(&mut pair, &options, &[data(&mut pmu), vec![pmu.config(), pmu.data()]].concat());
    let expected = [vec!["cached"; data(&mut pmu).len()], vec!["wire"]].concat();
    assert_eq!(sources(&report), expected);
    let last = report.of_kind("c37118.data").next().unwrap();
    assert!(last["pmus"][0]["station"].is_string(), "names come with it: {last}");
    assert_eq!(report.frames("c37118.config"), 1, "the kept one is no frame of this wire");
    assert_eq!(report.stream(IDCODE)["config_changes"], 0);

    // Cut short by whoever: named, and the run is as one without.
    std::fs::write(&kept, &config[..100]).unwrap();
    let report = run(&mut pair, &options, &data(&mut pmu));
    assert!(report.stderr.contains("not used") && report.stderr.contains("_7.frame"), "{}", report.stderr);
    assert!(sources(&report).iter().all(|source| source.is_null()), "{report:#?}");
    assert_eq!(report.count("frames.undecoded.no_configuration"), FRAMES);
}

fn a_run_can_leave_no_state() {
    let (mut pair, mut pmu, place) = (quiet_pair(), Pmu::new(IDCODE), TempDir::new().unwrap());
    let monitor = Monitor::on(&pair).under(&["env", &format!("STATE_DIRECTORY={}", place.path().display())]);
    let mut running = monitor.args(["--no-state"]).start().attached();
    sender(&mut pair.stations).send(&datagram(&pmu.config())).unwrap();
    running.counted("frames.found", 1);
    running.stop().adds_up();
    assert_eq!(place.path().read_dir().unwrap().count(), 0);
}

/// The configuration in a file, in hexadecimal.
fn file(config: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let text: Vec<_> = config.iter().map(|byte| format!("{byte:02x}")).collect();
    file.write_all(text.join(" ").as_bytes()).unwrap();
    file
}

fn a_file_lays_data_out() {
    let (mut pair, mut pmu) = (quiet_pair(), Pmu::new(IDCODE));
    let config = file(&pmu.config());
    let path = config.path().to_str().unwrap();
    for option in [path.to_owned(), format!("{PMU}/{IDCODE}={path}")] {
        let report = run(&mut pair, &["--config-frame", &option], &data(&mut pmu));
        assert!(sources(&report).iter().all(|source| **source == "file"), "{report:#?}");
        assert_eq!(report.count("frames.decoded"), FRAMES);
    }
    let report = run(&mut pair, &["--config-frame", &format!("192.0.2.77/{IDCODE}={path}")], &data(&mut pmu));
    assert_eq!(report.count("frames.undecoded.no_configuration"), FRAMES, "another PMU's");
}

fn a_file_that_does_not_fit_is_named() {
    let (mut pair, mut pmu) = (quiet_pair(), Pmu::new(IDCODE));
    let mut other = Pmu::formatted(IDCODE, Format::from_word(0));
    let config = file(&other.config());
    let path = config.path().to_str().unwrap();
    let report = run(&mut pair, &["--config-frame", path], &data(&mut pmu));
    let said = report.stderr.lines().filter(|line| line.contains("--config-frame is not used"));
    assert_eq!(said.count(), 1, "{}", report.stderr);
    assert_eq!(report.count("frames.undecoded.no_configuration"), FRAMES);
    Monitor::on(&pair)
        .args(["--config-frame", "/nonexistent"])
        .run()
        .failed_with(1, &["/nonexistent", "--config-frame"]);
    let broken = file(&other.config()[..60]);
    let path = broken.path().to_str().unwrap();
    Monitor::on(&pair)
        .args(["--config-frame", path])
        .run()
        .failed_with(1, &[path, "one whole CFG-2 or CFG-3"]);
}

/// Answers one client with `answer`, once it has got a command, and gives the bytes that the client ever sent.
fn serve(end: &End, port: u16, answer: Vec<u8>) -> JoinHandle<Vec<u8>> {
    let listener = end.run(|| TcpListener::bind((PMU, port)).unwrap()).unwrap();
    thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut got = vec![0; COMMAND_SIZE];
        client.read_exact(&mut got).unwrap();
        // In two pieces, as TCP may cut anywhere.
        let (head, tail) = answer.split_at(answer.len() / 2);
        for piece in [head, tail] {
            // A client that has seen enough has gone, and the rest tells nothing more.
            let _ = client.write_all(piece);
            thread::sleep(Duration::from_millis(20));
        }
        let _ = client.shutdown(std::net::Shutdown::Write);
        let _ = client.read_to_end(&mut got);
        got
    })
}

fn assert_is_one_command(sent: &[u8], command: Command) {
    let frame = FrameView::new(sent).expect("exactly one frame");
    assert_eq!((frame.idcode().0, CommandView::new(frame).unwrap().command()), (IDCODE, command));
}

fn a_pmu_is_asked_over_tcp() {
    let (mut pair, mut pmu) = (addressed_pair(), Pmu::new(IDCODE));
    let answer = [pmu.data(), pmu.header_of(40), pmu.config()].concat();
    let server = serve(&pair.stations, 4_712, answer);
    // TCP's port is not looked at here: the answer comes by the socket alone.
    let options = ["--port", "4713", "--request-config", &format!("{PMU}/{IDCODE}")];
    let mut running = Monitor::on(&pair).args(["--frames"]).args(options).start();
    running.complained(&["--request-config is active", "TCP connection to 192.0.2.1:4712", "CMD 5"]);
    let mut running = running.attached();
    running.complained(&["CFG-2 of 192.0.2.1:4712", "was answered"]);
    assert_is_one_command(&server.join().unwrap(), Command::SendConfig2);
    let wire = sender(&mut pair.stations);
    // The real-time thread looks at least ten times a second.
    thread::sleep(Duration::from_millis(300));
    for payload in data(&mut pmu) {
        wire.send(&datagram(&payload)).unwrap();
    }
    running.counted("frames.decoded", FRAMES);
    let report = running.stop().adds_up();
    assert!(sources(&report).iter().all(|source| **source == "requested"), "{report:#?}");
}

fn a_pmu_is_asked_over_udp() {
    let (mut pair, mut pmu) = (addressed_pair(), Pmu::new(IDCODE));
    let socket = pair.stations.run(|| UdpSocket::bind((PMU, PORT)).unwrap()).unwrap();
    let answer = pmu.config();
    let server = thread::spawn(move || {
        let mut got = [0; 100];
        let (length, client): (usize, SocketAddr) = socket.recv_from(&mut got).unwrap();
        socket.send_to(&answer, client).unwrap();
        got[..length].to_vec()
    });
    let target = format!("udp:{PMU}");
    let options = ["--request-config", &target, "--idcode", "7", "--request-config-udp"];
    let mut running = Monitor::on(&pair).args(["--frames"]).args(options).start().attached();
    running.complained(&["CFG-2 of 192.0.2.1:4713 (UDP, IDCODE 7) was answered"]);
    assert_is_one_command(&server.join().unwrap(), Command::SendConfig2);
    sender(&mut pair.stations).send(&datagram(&pmu.data())).unwrap();
    running.counted("frames.decoded", 3);
    let report = running.stop().adds_up();
    // The answer passed the interface that is watched, and so did the command: what the wire says wins.
    assert_eq!(sources(&report), ["wire"], "{report:#?}");
    assert_eq!([report.frames("c37118.command"), report.frames("c37118.config")], [1, 1]);
}

fn what_is_not_answered_is_said() {
    let (pair, mut pmu) = (addressed_pair(), Pmu::new(IDCODE));
    let closed = serve(&pair.stations, 5_002, Vec::new());
    let other = serve(&pair.stations, 5_003, Pmu::new(8).config());
    let garbage = serve(&pair.stations, 5_004, b"HTTP/1.1 400 Bad Request\r\n".to_vec());
    let mut broken = pmu.config();
    broken[40] ^= 1;
    let broken = serve(&pair.stations, 5_005, broken);
    // Takes the connection, and says nothing.
    let silent = pair.stations.run(|| TcpListener::bind((PMU, 5_006)).unwrap()).unwrap();
    let targets = (5_001..=5_006).map(|port| format!("--request-config={PMU}:{port}/{IDCODE}"));
    let options = ["--request-config-version", "3"];
    let mut running = Monitor::on(&pair).args(targets).args(options).start().attached();
    for (port, why) in [
        (5_001, "no connection"),
        (5_002, "closed before a configuration came"),
        (5_003, "of IDCODE 8, and 7 was asked for"),
        (5_004, "no sound C37.118 frame"),
        (5_005, "no sound C37.118 frame"),
        (5_006, "no configuration came within"),
    ] {
        running.complained(&[&format!("CFG-3 of {PMU}:{port} "), "was not got", why]);
    }
    for server in [closed, other, garbage, broken] {
        assert_is_one_command(&server.join().unwrap(), Command::SendConfig3);
    }
    drop(silent);
    // None of it harms the run.
    running.stop().adds_up();
}

/// Servers of the simulator are asked, by CMD 5 and by CMD 6; DATA of the same PMUs go by without a configuration.
fn the_simulator_is_asked() {
    let pair = addressed_pair();
    let stations = ["--pmus", "2", "--rate", "50", "--first-idcode", "7", "--config3-size", "300"];
    for (version, asked) in [("2", "CFG-2"), ("3", "CFG-3")] {
        let server = Server::start(&pair, &stations);
        listened(&pair);
        let requests = [7, 8].map(|idcode| format!("--request-config={PMU}:{}/{idcode}", 4_705 + idcode));
        let options = ["--frames", "--port", "4999", "--request-config-version", version];
        let mut running = Monitor::on(&pair).args(options).args(&requests).start().attached();
        for idcode in [7, 8] {
            let place = format!("{asked} of {PMU}:{}", 4_705 + idcode);
            running.complained(&[&place, "was answered"]);
        }
        let answers = server.sent(true);
        let count = |what: &str| answers.0["total"][what].as_u64().unwrap();
        assert_eq!((count("commands"), count("connections"), count("refused")), (2, 2 + 1, 0));
        assert_eq!((count("config2") > 0, count("config3") > 2), (version == "2", version == "3"));
        // The real-time thread looks at least ten times a second.
        thread::sleep(Duration::from_millis(300));
        let to = format!("{PDC}:4999");
        let from = PMU.to_string();
        let place = ["--to", &to, "--from", &from, "--announce", "none", "--duration", "200ms"];
        let sent = simulate(&pair, &[&stations[..], &place].concat());
        running.counted("frames.decoded", sent.frames());
        let report = running.stop().adds_up();
        assert_eq!(report.frames("c37118.data"), sent.frames());
        assert!(sources(&report).iter().all(|source| **source == "requested"), "{:?}", sources(&report));
        assert_eq!((report.count("frames.undecoded"), report.frames("c37118.config")), (0, 0));
    }
}
