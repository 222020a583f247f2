//! Who keeps the host's clock, asked of real time daemons. They run in private namespaces and steer nothing: ptp4l with
//! `free_running`, chronyd with `-x`.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use libtest_mimic::{Arguments, run};
use monitor::clock::{Daemons, Keeper, Source};
use monitor::netns::{End, Pair, private_pair};
use serde_json::Value;
use support::{Need, trial};
use tempfile::TempDir;

/// What has not come about after so long is not going to.
const HANGS: Duration = Duration::from_mins(1);
const BINARY: &str = env!("CARGO_BIN_EXE_pmu-monitor");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("nobody_keeps_it", &[], nobody_keeps_it),
        trial(
            "ptp4l_gives_grandmaster_and_bound",
            &[Need::Veth, Need::Ptp4l],
            ptp4l_gives_grandmaster_and_bound,
        ),
        trial(
            "a_vague_grandmaster_gives_no_bound",
            &[Need::Veth, Need::Ptp4l],
            a_vague_grandmaster_gives_no_bound,
        ),
        trial("chronyd_gives_server_and_bound", &[Need::Veth, Need::Chronyd], chronyd_gives_server_and_bound),
        trial("the_summary_says_it", &[Need::Bpf, Need::Veth, Need::Ptp4l], the_summary_says_it),
    ];
    run(&arguments, trials).exit_code()
}

/// A daemon that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(end: &End, command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(end.run(|| command.spawn().unwrap()).unwrap())
    }

    /// A ptp4l with software stamps that steers nothing, with quick intervals.
    fn ptp4l(end: &End, place: &Path, name: &str, settings: &str) -> Self {
        let file = place.join(format!("{name}.conf"));
        let socket = place.join(name);
        let text = format!(
            "[global]\nfree_running 1\nuds_address {}\nlogAnnounceInterval -3\nlogSyncInterval -4\n\
             logMinDelayReqInterval -4\nannounceReceiptTimeout 10\n{settings}\n",
            socket.display()
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new("ptp4l");
        Self::start(end, command.args(["-S", "-q", "-i", end.name(), "-f"]).arg(&file))
    }

    /// A chronyd that steers nothing.
    fn chronyd(end: &End, place: &Path, name: &str, settings: &str) -> Self {
        let file = place.join(format!("{name}.conf"));
        let at = |what: &str| place.join(format!("{name}.{what}"));
        let text =
            format!("bindcmdaddress {}\npidfile {}\n{settings}\n", at("sock").display(), at("pid").display());
        fs::write(&file, text).unwrap();
        // -u: as whom it is started, since the user it would become may not exist.
        Self::start(end, Command::new("chronyd").args(["-x", "-d", "-u", "root", "-f"]).arg(&file))
    }
}

/// Two hosts, and a directory for the daemons' files that only root may enter, as chronyd wants it.
fn world() -> (Pair, TempDir) {
    let mut pair = private_pair("clock0", "clock1").unwrap();
    for (end, address) in [(&mut pair.stations, [192, 0, 2, 1]), (&mut pair.monitor, [192, 0, 2, 2])] {
        end.add_address(IpAddr::from(address), 24).unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    (pair, place)
}

fn daemons(ptp4l: &Path, chrony: &Path) -> Daemons {
    Daemons { ptp4l_socket: Some(ptp4l.to_owned()), chrony_socket: Some(chrony.to_owned()) }
}

/// Asks until the answer is as it should be.
fn until(daemons: &Daemons, mut is_so: impl FnMut(&Keeper) -> bool) -> Keeper {
    let begun = Instant::now();
    loop {
        let keeper = Keeper::ask(daemons);
        if is_so(&keeper) {
            return keeper;
        }
        assert!(begun.elapsed() < HANGS, "it stays {keeper:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn nobody_keeps_it() {
    let place = tempfile::tempdir().unwrap();
    let keeper = Keeper::ask(&daemons(&place.path().join("ptp4l"), &place.path().join("chrony")));
    assert!(matches!(keeper.source, Source::AdjtimexSynchronised | Source::AdjtimexUnsynchronised));
    assert_eq!((keeper.error_bound_ns, keeper.grandmaster), (None, None));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "a socket file was left");
}

/// A grandmaster that claims 100 ns, and a follower.
fn ptp_world(pair: &Pair, place: &Path, master: &str) -> [Daemon; 2] {
    [
        Daemon::ptp4l(&pair.stations, place, "master", &format!("priority1 1\n{master}")),
        Daemon::ptp4l(&pair.monitor, place, "follower", "slaveOnly 1"),
    ]
}

fn ptp4l_gives_grandmaster_and_bound() {
    let (mut pair, place) = world();
    let _running = ptp_world(&pair, place.path(), "clockClass 6\nclockAccuracy 0x21");
    let nobody = place.path().join("nobody");
    let asked = daemons(&place.path().join("follower"), &nobody);
    let keeper = until(&asked, |keeper| keeper.error_bound_ns.is_some());
    assert_eq!(keeper.source, Source::Ptp4l);
    // Both clocks are this host's one clock: beside the claimed 100 ns there is only what the path makes, which on a
    // busy machine is milliseconds at most.
    assert!((100..100_000_000).contains(&keeper.error_bound_ns.unwrap()), "{keeper:?}");
    // The grandmaster follows nobody, and names itself to those who ask it.
    let master = Keeper::ask(&daemons(&place.path().join("master"), &nobody));
    assert_eq!((master.error_bound_ns, master.grandmaster), (None, None), "{master:?}");
    let identity = keeper.grandmaster.unwrap().to_string();
    let address = pair.stations.interface().unwrap().mac.unwrap().to_string().replace(':', "");
    assert_eq!(identity.replace('.', ""), format!("{}fffe{}", &address[..6], &address[6..]));
}

fn a_vague_grandmaster_gives_no_bound() {
    let (pair, place) = world();
    // Class 248 and accuracy unknown: ptp4l's defaults.
    let _running = ptp_world(&pair, place.path(), "");
    let asked = daemons(&place.path().join("follower"), &place.path().join("nobody"));
    let keeper = until(&asked, |keeper| keeper.source == Source::Ptp4l);
    assert_eq!(keeper.error_bound_ns, None);
    assert!(keeper.grandmaster.is_some());
}

fn chronyd_gives_server_and_bound() {
    let (pair, place) = world();
    let place = place.path();
    let _server = Daemon::chronyd(&pair.stations, place, "server", "local stratum 1\nallow all\nport 123");
    let settings = "port 0\nserver 192.0.2.1 iburst minpoll -4 maxpoll -4";
    let _client = Daemon::chronyd(&pair.monitor, place, "client", settings);
    let asked = daemons(&place.join("nobody"), &place.join("client.sock"));
    let keeper = until(&asked, |keeper| keeper.source == Source::Chrony);
    assert_eq!(keeper.reference.as_deref(), Some("192.0.2.1"));
    assert!((1..1_000_000_000).contains(&keeper.error_bound_ns.unwrap()), "{keeper:?}");
    let questions = || fs::read_dir(place).unwrap().filter_map(Result::ok).map(|one| one.file_name());
    assert!(
        questions().all(|name| !name.to_string_lossy().starts_with("pmu-monitor")),
        "a socket file was left"
    );
}

fn the_summary_says_it() {
    let (pair, place) = world();
    let _running = ptp_world(&pair, place.path(), "clockClass 6\nclockAccuracy 0x21");
    let [socket, nobody, file] = ["follower", "nobody", "pmu.toml"].map(|name| place.path().join(name));
    until(&daemons(&socket, &nobody), |keeper| keeper.error_bound_ns.is_some());
    let table = [("ptp4l-socket", &socket), ("chrony-socket", &nobody)];
    let lines = table.map(|(key, path)| format!("{key} = {:?}\n", path.display().to_string()));
    fs::write(&file, format!("[clock]\n{}", lines.concat())).unwrap();
    let output = Command::new(BINARY)
        .args(["run", "--json", "--duration", "2s", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let summary: Value = serde_json::from_slice(last).unwrap();
    let clock = &summary["clock"];
    assert_eq!(clock["source"], "ptp4l", "{clock:#}");
    assert!(clock["error_bound_ns"].as_u64().is_some_and(|bound| bound >= 100), "{clock:#}");
    assert!(clock["grandmaster"].is_string() && clock["grandmaster"] == clock["reference"], "{clock:#}");
    // What is late is judged by that bound; before the first answer, as if there were no error.
    for stream in summary["streams"].as_array().unwrap() {
        let lateness = &stream["lateness"];
        let bound = lateness["host_bound_ns"].as_u64().unwrap_or_else(|| panic!("{stream:#}"));
        let [judged, unbounded] =
            ["judged", "judged_unbounded"].map(|count| lateness[count].as_u64().unwrap());
        let not_judged = lateness["not_judged"]["host_clock"].as_u64().unwrap_or(0);
        assert!(bound >= 100 && unbounded <= judged && judged + not_judged > 50, "{lateness:#}");
        assert!(unbounded * 2 < judged + not_judged, "{lateness:#}");
    }
    assert!(clock["drift_ppb"].is_i64() && clock["tai_mistake_s"].is_null(), "{clock:#}");
}
