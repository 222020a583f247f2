//! What hands and crashes leave: each is said in a sentence, and cleared away or made good.

use std::fs;

use libtest_mimic::Trial;

use crate::NEEDS;
use crate::killed::sample;
use crate::life::{MAPS, assert_whole};
use crate::room::{Bpffs, IFACE, ROOT, Room, names, pin};
use crate::support::{Need, trial};
use crate::wire::Pmu;

/// What a test without rights needs.
const UNPRIVILEGED: &[Need] =
    &[Need::Root, Need::Bpf, Need::Veth, Need::Unshare, Need::Nsenter, Need::Bpftool, Need::Setpriv];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("without_bpffs_the_remedy_is_said", NEEDS, without_bpffs_the_remedy_is_said),
        trial("a_bpffs_that_cannot_be_written_is_said", NEEDS, a_bpffs_that_cannot_be_written_is_said),
        trial("other_versions_are_named_and_left_alone", NEEDS, other_versions_are_named_and_left_alone),
        trial("strange_pins_are_left_alone", NEEDS, strange_pins_are_left_alone),
        trial("a_map_that_is_missing_is_said", NEEDS, a_map_that_is_missing_is_said),
        trial("a_map_of_another_kind_is_said", NEEDS, a_map_of_another_kind_is_said),
        trial("a_program_that_is_missing_is_made_good", NEEDS, a_program_that_is_missing_is_made_good),
        trial("a_link_that_is_missing_is_made_good", NEEDS, a_link_that_is_missing_is_made_good),
        trial("a_tracepoint_that_is_missing_is_made_good", NEEDS, a_tracepoint_that_is_missing_is_made_good),
        trial("truncated_trees_are_cleared_away", NEEDS, truncated_trees_are_cleared_away),
        trial("wrong_arguments_are_refused", NEEDS, wrong_arguments_are_refused),
    ];
    trials.push(trial("missing_capabilities_are_named", UNPRIVILEGED, missing_capabilities_are_named));
    trials
}

const VERBS: [&[&str]; 5] =
    [&["attach", "--iface", IFACE], &["status"], &["follow"], &["detach"], &["detach", "--all"]];

fn without_bpffs_the_remedy_is_said() {
    let room = Room::with(Bpffs::Absent);
    for verb in VERBS {
        room.run(verb).failed_with(1, &["/sys/fs/bpf", "mount -t bpf"]);
    }
}

fn a_bpffs_that_cannot_be_written_is_said() {
    let room = Room::with(Bpffs::ReadOnly);
    room.run(VERBS[0]).failed_with(1, &[ROOT, "Read-only file system", "writable"]);
    assert!(room.does(&["status"]).text().contains("nothing is attached"));
    room.run(&["follow"]).failed_with(1, &["no instance default"]);
    // bpffs opens no pin where it is mounted read-only, which says nothing against the instance.
    let room = Room::new();
    room.attach();
    Pmu::new(&room.pair.stations).send(4);
    assert!(room.tool("mount", &["-o", "remount,ro", "/sys/fs/bpf"]).status.success());
    for verb in [VERBS[0], VERBS[2], VERBS[3]] {
        room.run(verb).failed_with(1, &["Read-only file system"]);
    }
    let said = room.status_of("default")["broken"].as_str().unwrap().to_owned();
    assert!(said.contains("Read-only file system") && !said.contains("detach"), "{said}");
    assert!(room.tool("mount", &["-o", "remount,rw", "/sys/fs/bpf"]).status.success());
    assert_whole(&room, "default");
    assert_eq!(
        room.does(&["follow", "--json", "--duration", "10ms"]).adds_up().count("records.delivered"),
        4
    );
    room.does(&["detach"]);
    assert_eq!(room.pins(), [""; 0]);
}

/// Pins a map of other sizes.
fn pin_another_map(room: &Room, path: &str, kind: &str, value: &str) {
    let entries = if kind == "ringbuf" { "4096" } else { "1" };
    let key = if kind == "ringbuf" { "0" } else { "4" };
    let what = [
        "map", "create", path, "type", kind, "key", key, "value", value, "entries", entries, "name", "other",
    ];
    room.bpftool(&what);
}

fn other_versions_are_named_and_left_alone() {
    let room = Room::new();
    fs::create_dir_all(room.path(format!("{ROOT}/v999/other"))).unwrap();
    let strange = format!("{ROOT}/v999/other/COUNTERS");
    pin_another_map(&room, &strange, "array", "8");
    let id = room.told("map", &strange, "id");
    room.attach();
    let status = room.status();
    assert_eq!(status["other_versions"][0]["version"], "v999", "{status:#}");
    assert_eq!(status["other_versions"][0]["instances"][0], "other", "{status:#}");
    let text = room.does(&["status"]).text();
    assert!(text.contains("v999") && text.contains("other"), "{text}");
    for _ in 0..2 {
        room.does(&["detach", "--all"]).complained(&["left alone", "v999", "other"]);
    }
    assert!(room.does(&["detach", "--instance", "other"]).text().contains("was not attached"));
    assert_eq!(room.told("map", &strange, "id"), id);
    assert_eq!(names(&room.path(ROOT)), ["v999"]);
}

fn strange_pins_are_left_alone() {
    let room = Room::new();
    room.attach();
    for strange in [format!("{ROOT}/stray"), pin("stray", "").trim_end_matches('/').to_owned()] {
        pin_another_map(&room, &strange, "array", "8");
    }
    assert_whole(&room, "default");
    assert_eq!(room.status()["instances"].as_array().unwrap().len(), 1);
    assert!(!room.does(&["detach", "--all"]).text().contains("stray"));
    room.told("map", &format!("{ROOT}/stray"), "id");
    room.told("map", pin("stray", "").trim_end_matches('/'), "id");
}

/// Asserts that a broken instance is said to be so by whoever looks, and that attaching makes a new one.
fn assert_broken_and_made_anew(room: &Room, words: &[&str]) {
    let said = room.status_of("default")["broken"].as_str().unwrap_or_default().to_owned();
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    assert!(said.contains("detach --instance default"), "{said}");
    room.run(&["follow"]).failed_with(1, words);
    let attached = room.attach();
    assert!(attached.text().contains("instance default is attached"), "{attached:#?}");
    attached.complained(&["instance default"]);
    attached.complained(words);
    assert_whole(room, "default");
    Pmu::new(&room.pair.stations).send(2);
    assert_eq!(room.counters("default").seen, 2, "one program on the interface");
}

fn assert_clears(room: &Room) {
    room.does(&["detach", "--all"]);
    assert_eq!(room.pins(), [""; 0]);
}

fn a_map_that_is_missing_is_said() {
    let room = Room::new();
    for map in sample(&MAPS, 4) {
        room.attach();
        fs::remove_file(room.instance("default").join("maps").join(map)).unwrap();
        room.run(&["follow"]).failed_with(1, &[map, "missing"]);
        let said = room.status_of("default")["broken"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(map) && said.contains("missing"), "{said}");
        assert_clears(&room);
    }
}

fn a_map_of_another_kind_is_said() {
    let room = Room::new();
    for (map, kind, value) in [
        ("COUNTERS", "array", "88"),
        ("READER", "array", "64"),
        ("RING", "array", "8"),
        ("INSTANCE", "ringbuf", "0"),
    ] {
        room.attach();
        fs::remove_file(room.instance("default").join("maps").join(map)).unwrap();
        pin_another_map(&room, &pin("default", &format!("maps/{map}")), kind, value);
        room.run(&["follow"]).failed_with(1, &[map, "this version makes"]);
        if map == "RING" {
            assert_broken_and_made_anew(&room, &[map, "this version makes"]);
        }
        assert_clears(&room);
    }
    // A program where a map should be.
    room.attach();
    let directory = room.instance("default");
    fs::rename(directory.join("programs/egress"), directory.join("maps/MATCHING")).unwrap();
    room.run(&["follow"]).failed_with(1, &["MATCHING", "detach --instance default"]);
    assert_clears(&room);
}

fn a_program_that_is_missing_is_made_good() {
    let room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(2);
    fs::remove_file(room.instance("default").join("programs/ingress")).unwrap();
    let link = pin("default", "links/0-ingress");
    let before = room.told("link", &link, "id");
    room.attach();
    assert_whole(&room, "default");
    assert_eq!(room.told("link", &link, "id"), before);
    let pinned = room.told("prog", &pin("default", "programs/ingress"), "id");
    assert_eq!(room.told("link", &link, "prog_id"), pinned);
    pmu.send(2);
    assert_eq!(room.counters("default").submitted, 4);
    assert_clears(&room);
}

fn a_link_that_is_missing_is_made_good() {
    let room = Room::new();
    for link in ["0-ingress", "0-egress"] {
        room.attach();
        fs::remove_file(room.instance("default").join("links").join(link)).unwrap();
        let status = room.status_of("default");
        assert_eq!(status["interfaces"][0]["state"], "detached", "{status:#}");
        let text = room.does(&["status"]).text();
        assert!(text.contains("attach --instance default --iface eth1"), "{text}");
        room.attach();
        assert_whole(&room, "default");
        Pmu::new(&room.pair.stations).send(2);
        assert_eq!(room.counters("default").seen, 2, "one program on the interface");
        assert_clears(&room);
    }
}

fn a_tracepoint_that_is_missing_is_made_good() {
    let room = Room::new();
    room.attach();
    let status = room.status_of("default");
    assert!(status["missing_stages"].is_null(), "{status:#}");
    fs::remove_file(room.instance("default").join("links/stage-receive")).unwrap();
    let status = room.status_of("default");
    assert_eq!(status["missing_stages"][0], "receive", "{status:#}");
    assert!(room.does(&["status"]).text().contains("receive"));
    room.attach();
    assert_whole(&room, "default");
    let status = room.status_of("default");
    assert!(status["missing_stages"].is_null(), "{status:#}");
    Pmu::new(&room.pair.stations).send(2);
    let report = room.does(&["follow", "--json", "--frames", "--duration", "10ms"]).adds_up();
    let stamped = report.lines.iter().filter(|line| line["stages_ns"]["receive_to_ring"].is_u64());
    assert_eq!(stamped.count(), 2, "{:#?}", report.lines);
    assert_clears(&room);
}

fn truncated_trees_are_cleared_away() {
    let room = Room::new();
    for depth in ["", "links"] {
        fs::create_dir_all(room.path(pin("default", depth))).unwrap();
        let status = room.status_of("default");
        assert!(status["broken"].is_string(), "{status:#}");
        room.run(&["follow"]).failed_with(1, &["default"]);
        assert_clears(&room);
        fs::create_dir_all(room.path(pin("default", depth))).unwrap();
        room.attach();
        assert_whole(&room, "default");
        assert_clears(&room);
    }
    // As attaching leaves it when it is killed before its end: directories, maps, some links, no programs.
    room.attach();
    for program in room.names("default", "programs") {
        fs::remove_file(room.instance("default").join("programs").join(program)).unwrap();
    }
    fs::remove_file(room.instance("default").join("maps/INSTANCE")).unwrap();
    assert_broken_and_made_anew(&room, &["INSTANCE"]);
    assert_clears(&room);
    // As detaching leaves it: no links, and some of the maps.
    room.attach();
    for link in room.names("default", "links") {
        fs::remove_file(room.instance("default").join("links").join(link)).unwrap();
    }
    fs::remove_file(room.instance("default").join("maps/COUNTERS")).unwrap();
    assert_broken_and_made_anew(&room, &["COUNTERS"]);
    assert_clears(&room);
}

fn wrong_arguments_are_refused() {
    let room = Room::new();
    room.run(&["attach", "--iface", "eth9"]).failed_with(1, &["eth9", "eth1"]);
    room.run(&["attach"]).failed_with(1, &["attach needs an interface"]);
    room.run(&["attach", "--reattach"]).failed_with(1, &["no instance default"]);
    let long = "x".repeat(33);
    for name in ["..", "a/b", "", "two words", &long] {
        for verb in ["attach", "follow", "detach", "status"] {
            room.run(&[verb, "--instance", name]).failed_with(2, &["instance name", "1 to 32"]);
        }
    }
    room.run(&["detach", "--all", "--instance", "one"]).failed_with(2, &["--all", "--instance"]);
    assert_eq!(room.pins(), [""; 0], "nothing is left of what was refused");
    // One of two that does not exist costs the other nothing, and the instance neither.
    room.attach();
    room.run(&["attach", "--iface", IFACE, "--iface", "eth9"]).failed_with(1, &["eth9"]);
    assert_whole(&room, "default");
}

fn missing_capabilities_are_named() {
    let room = Room::new();
    let binary = crate::room::BINARY;
    let without =
        room.tool("setpriv", &["--bounding-set=-bpf", "--inh-caps=-bpf", binary, "attach", "--iface", IFACE]);
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    // CAP_SYS_ADMIN stands in for it (bpf_capable of include/linux/capability.h), yet the check is for what is needed.
    assert!(without.status.code() == Some(1) && said.contains("CAP_BPF"), "{said}");
    assert_eq!(room.pins(), [""; 0]);
}
