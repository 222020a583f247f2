//! The life of an instance: attached, counting alone, read, detached; and several side by side.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use libtest_mimic::Trial;
use monitor_common::ABI_VERSION;
use serde_json::Value;

use crate::NEEDS;
use crate::killed::Marked;
use crate::room::{IFACE, ROOT, Room, names, pin};
use crate::running::assert_sums;
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_life_from_attach_to_detach", NEEDS, a_life_from_attach_to_detach),
        trial("what_was_kept_is_read_as_it_was_sent", NEEDS, what_was_kept_is_read_as_it_was_sent),
        trial("attaching_twice_changes_nothing", NEEDS, attaching_twice_changes_nothing),
        trial("an_instance_keeps_the_ports_that_it_has", NEEDS, an_instance_keeps_the_ports_that_it_has),
        trial("instances_do_not_meet", NEEDS, instances_do_not_meet),
        trial("several_interfaces_to_an_instance", NEEDS, several_interfaces_to_an_instance),
        trial("eight_attaches_at_once", NEEDS, eight_attaches_at_once),
        trial("attaches_and_detaches_at_once", NEEDS, attaches_and_detaches_at_once),
    ]
}

pub(crate) const MAPS: [&str; 11] = [
    "CONNECTIONS",
    "COUNTERS",
    "ETHERTYPES",
    "INSTANCE",
    "INTERFACES",
    "IRQS",
    "MATCHING",
    "READER",
    "RING",
    "STAGES",
    "STREAMS",
];
const PROGRAMS: [&str; 8] = [
    "egress",
    "ingress",
    "irq_entry",
    "irq_exit",
    "receive",
    "softirq_entry",
    "softirq_exit",
    "softirq_raise",
];

/// Asserts that an instance on one interface has every pin that it should, and no other.
pub(crate) fn assert_whole(room: &Room, instance: &str) {
    let have = |wanted: &[&str], directory: &str| {
        let found = room.names(instance, directory);
        let missing: Vec<_> = wanted.iter().filter(|name| !found.iter().any(|one| one == **name)).collect();
        assert!(missing.is_empty(), "{missing:?} missing in {directory}: {found:?}");
        assert!(!found.iter().any(|name| name.ends_with("-next")), "{found:?}");
    };
    have(&MAPS, "maps");
    have(&PROGRAMS, "programs");
    have(&["0-egress", "0-ingress", "stage-receive"], "links");
    let status = room.status_of(instance);
    assert!(status["broken"].is_null(), "{status:#}");
    assert_eq!(status["interfaces"][0]["state"], "attached", "{status:#}");
}

fn a_life_from_attach_to_detach() {
    const FRAMES: u64 = 25;
    let mut room = Room::new();
    let marked = Marked::load(&mut room);
    assert!(room.attach().text().contains("instance default is attached"));
    assert_whole(&room, "default");
    let version = format!("v{ABI_VERSION}");
    assert_eq!(names(&room.path(ROOT)), [version.as_str()]);
    for directory in [ROOT, &pin("default", ".."), &pin("default", ""), &pin("default", "maps")] {
        let mode = fs::metadata(room.path(directory)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{directory}");
    }
    let marks = marked.tags(&room, "default");

    // Nobody is there any more, and it counts.
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send_config();
    pmu.send(FRAMES - 1);
    let status = room.status_of("default");
    assert_sums(&status["counters"]);
    assert_eq!(status["counters"]["packets"]["submitted"], FRAMES);
    assert_eq!(status["counters"]["records"]["pending"], FRAMES);
    assert_eq!(status["reader"]["reading"], false);
    assert!(status["ring"]["used_bytes"].as_u64() > Some(0), "{status:#}");
    let text = room.does(&["status"]).text();
    for words in [&format!("seen {FRAMES}"), &format!("pending {FRAMES}"), "unaccounted 0", "eth1"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }

    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), FRAMES);
    assert_eq!(report.count("records.pending"), 0);
    assert_eq!(report.count("frames.decoded"), FRAMES);
    assert_eq!(room.status_of("default")["ring"]["used_bytes"], 0);

    assert!(room.does(&["detach"]).text().contains("instance default is detached"));
    assert!(room.does(&["detach"]).text().contains("was not attached"));
    assert!(room.does(&["detach", "--all"]).text().contains("no instance"));
    assert_eq!(room.pins(), [""; 0]);
    marks.assert_gone(&room);
}

fn what_was_kept_is_read_as_it_was_sent() {
    const FRAMES: u64 = 100;
    let room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send_config();
    for round in 1..=2 {
        pmu.sent.clear();
        pmu.send(FRAMES);
        let report = room.does(&["follow", "--json", "--frames", "--duration", "10ms"]).adds_up();
        let data = report.lines.iter().filter(|line| line["kind"] == "c37118.data");
        let tag = |line: &Value| (line["soc"].as_i64(), line["fraction"].as_i64());
        let sent: Vec<_> =
            pmu.sent.iter().map(|ns| (Some(ns / 1_000_000_000), Some(ns % 1_000_000_000 / 1000))).collect();
        assert_eq!(data.clone().map(tag).collect::<Vec<_>>(), sent);
        assert!(data.clone().all(|line| line["iface"] == IFACE));
        // A reader that comes later has not seen the configuration, and says so.
        let decoded = data.filter(|line| !line["pmus"].is_null()).count();
        assert_eq!(decoded as u64, if round == 1 { FRAMES } else { 0 });
    }
}

fn attaching_twice_changes_nothing() {
    let room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(10);
    let facts = |room: &Room| {
        ["counters", "programs", "interfaces"].map(|one| room.status_of("default")[one].clone())
    };
    let before = facts(&room);
    let ids = |room: &Room| {
        ["0-ingress", "0-egress", "stage-receive"]
            .map(|link| room.told("link", &pin("default", &format!("links/{link}")), "id"))
    };
    let links = ids(&room);
    assert!(room.attach().text().contains("its counters go on"));
    assert_eq!(ids(&room), links);
    assert_eq!(facts(&room), before);
    assert_whole(&room, "default");
    pmu.send(10);
    assert_eq!(room.counters("default").submitted, 20);
}

fn an_instance_keeps_the_ports_that_it_has() {
    let room = Room::new();
    let mut pmu = Pmu::new(&room.pair.stations);
    // A port that is not the PMU's, so that nothing matches until it is.
    room.does(&["attach", "--iface", IFACE, "--port", "4999"]);
    pmu.send(1);
    room.attach();
    room.does(&["attach", "--reattach"]);
    pmu.send(1);
    let counters = room.counters("default");
    assert_eq!((counters.ignored, counters.submitted), (2, 0));
    room.does(&["attach", "--iface", IFACE, "--port", "4713"]);
    pmu.send(1);
    assert_eq!(room.counters("default").submitted, 1);
}

fn instances_do_not_meet() {
    let room = Room::new();
    for name in ["one", "two"] {
        room.does(&["attach", "--iface", IFACE, "--instance", name]);
    }
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(10);
    for name in ["one", "two"] {
        assert_eq!(room.counters(name).submitted, 10, "{name}");
    }
    let report = room.does(&["follow", "--instance", "one", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), 10);
    assert_eq!(room.status_of("two")["counters"]["records"]["pending"], 10);
    room.does(&["detach", "--instance", "one"]);
    pmu.send(10);
    assert_whole(&room, "two");
    let report = room.does(&["follow", "--instance", "two", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), 20);
    let absent = room.run(&["follow", "--instance", "one"]);
    absent.failed_with(1, &["no instance one", "attached are: two", "attach --instance one"]);
    room.run(&["status", "--instance", "one"]).failed_with(1, &["no instance one", "two"]);
    let text = room.does(&["detach", "--all"]).text();
    assert!(text.contains("two") && !text.contains("one"), "{text}");
    assert_eq!(room.pins(), [""; 0]);
}

fn several_interfaces_to_an_instance() {
    let mut room = Room::new();
    room.second_interface("stations1", "eth2");
    room.does(&["attach", "--iface", IFACE, "--iface", "eth2"]);
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(5);
    let on = |room: &Room, place: usize| room.status_of("default")["interfaces"][place]["state"].clone();
    assert_eq!([on(&room, 0), on(&room, 1)], ["attached", "attached"]);
    assert_eq!(room.names("default", "links").iter().filter(|name| !name.starts_with("stage")).count(), 4);
    // A third one is added to what is there.
    room.second_interface("stations2", "eth3");
    assert!(room.does(&["attach", "--iface", "eth3"]).text().contains("interfaces: eth3"));
    assert_eq!(room.status_of("default")["interfaces"].as_array().unwrap().len(), 3);
    assert_eq!(room.counters("default").submitted, 5, "counters go on");
    room.does(&["detach"]);
    assert_eq!(room.pins(), [""; 0]);
}

fn eight_attaches_at_once() {
    let room = Room::new();
    let all: Vec<_> = (0..8).map(|_| room.start(&["attach", "--iface", IFACE])).collect();
    let texts: Vec<_> = all.into_iter().map(|one| one.finish().done().text()).collect();
    assert_eq!(texts.iter().filter(|text| text.contains("is attached")).count(), 1, "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("already")).count(), 7, "{texts:?}");
    assert_whole(&room, "default");
    assert_eq!(room.names("default", "links").iter().filter(|name| !name.starts_with("stage")).count(), 2);
    Pmu::new(&room.pair.stations).send(10);
    assert_eq!(room.counters("default").seen, 10, "one program on each side");
}

fn attaches_and_detaches_at_once() {
    let room = Room::new();
    for _ in 0..2 {
        let one = |word: &str, name: &str| match word {
            "attach" => room.start(&["attach", "--iface", IFACE, "--instance", name]),
            _ => room.start(&["detach", "--instance", name]),
        };
        let names = ["a", "b"];
        let all: Vec<_> = names
            .iter()
            .flat_map(|name| ["attach", "detach", "detach"].map(|word| one(word, name)))
            .collect();
        for one in all {
            drop(one.finish().done());
        }
    }
    room.does(&["detach", "--all"]);
    assert_eq!(room.pins(), [""; 0]);
}
