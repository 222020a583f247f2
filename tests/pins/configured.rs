//! Where a follower's configurations come from: an earlier follower, a file, a PMU that is asked.

use std::io::Write as _;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::NEEDS;
use crate::room::{IFACE, Room};
use crate::running::{Report, Running};
use crate::support::trial;
use crate::wire::{PMU, Pmu};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("a_follower_has_its_configurations_from_anywhere", NEEDS, from_anywhere)]
}

const FOLLOW: [&str; 3] = ["follow", "--json", "--frames"];
const IDCODE: u16 = 7;
const FRAMES: u64 = 5;

/// Reads the instance with these options; the PMU sends DATA and nothing else. Gives where their layouts came from.
fn sources(room: &Room, pmu: &mut Pmu, options: &[&str], ready: impl FnOnce(&mut Running)) -> Vec<Value> {
    let mut reader = room.start(&[&FOLLOW[..], options].concat()).reading();
    ready(&mut reader);
    pmu.send(FRAMES);
    // What was counted before this reader is in its counters too: its own are the lines.
    for _ in 0..FRAMES {
        reader.line("DATA", |line| line["kind"] == "c37118.data");
    }
    let report: Report = reader.stop().adds_up();
    let data = report.lines.iter().filter(|line| line["kind"] == "c37118.data");
    data.map(|line| line["config_source"].clone()).collect()
}

fn from_anywhere() {
    let mut room = Room::new();
    // Without TCP's port: an answer that goes by on the wire would come from there.
    room.does(&["attach", "--iface", IFACE, "--port", "4713"]);
    let (state, none) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (kept, empty) = (state.path().to_str().unwrap(), none.path().to_str().unwrap());
    let mut pmu = Pmu::new(&room.pair.stations);
    let nothing = |_: &mut Running| {};

    let unknown = sources(&room, &mut pmu, &["--state-dir", empty], nothing);
    assert!(unknown.iter().all(Value::is_null), "{unknown:?}");

    // One that sees the configuration keeps it for the next one.
    let mut reader = room.start(&[&FOLLOW[..], &["--state-dir", kept]].concat()).reading();
    pmu.send_config();
    reader.line("the configuration", |line| line["kind"] == "c37118.config");
    reader.stop().adds_up();
    let file = state.path().join(format!("configs/{PMU}_{IDCODE}.frame"));
    let config = std::fs::read(&file).unwrap();
    let cached = sources(&room, &mut pmu, &["--state-dir", kept], nothing);
    assert!(cached.iter().all(|source| source == "cached") && cached.len() == 5, "{cached:?}");

    let mut hexadecimal = NamedTempFile::new().unwrap();
    let text: Vec<_> = config.iter().map(|byte| format!("{byte:02x}")).collect();
    hexadecimal.write_all(text.concat().as_bytes()).unwrap();
    let path = hexadecimal.path().to_str().unwrap();
    let filed = sources(&room, &mut pmu, &["--no-state", "--config-frame", path], nothing);
    assert!(filed.iter().all(|source| source == "file"), "{filed:?}");

    // The simulator's PMU of this IDCODE and seed is the one that sends.
    room.pair.monitor.add_address(IpAddr::from([192, 0, 2, 20]), 24).unwrap();
    let listen = format!("{PMU}:4712");
    let server = ["simulate", "--listen", &listen, "--first-idcode", "7", "--seed", "7", "--rate", "50"];
    let mut server = room.start_at(&room.pair.stations, &server);
    server.line("its beginning", |line| line.as_str().is_some_and(|line| line.starts_with("listening")));
    let request = format!("--request-config={PMU}/{IDCODE}");
    let requested = sources(&room, &mut pmu, &["--no-state", &request], |reader| {
        reader.complained(&["--request-config is active", "CMD 5"]);
        reader.complained(&["CFG-2 of 192.0.2.1:4712", "was answered"]);
        // The real-time thread looks at least ten times a second.
        thread::sleep(Duration::from_millis(300));
    });
    assert!(requested.iter().all(|source| source == "requested"), "{requested:?}");
    assert_eq!(requested.len() as u64, FRAMES);
    server.stop().done();
    room.does(&["detach"]);
}
