//! The next version's programs take the place of those that are attached, while packets pass.

use std::fs;

use libtest_mimic::Trial;

use crate::NEEDS;
use crate::life::assert_whole;
use crate::object::Variant;
use crate::room::{IFACE, Room, pin, until};
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_upgrade_loses_no_packet", NEEDS, an_upgrade_loses_no_packet),
        trial("an_upgrade_cut_short_is_completed", NEEDS, an_upgrade_cut_short_is_completed),
    ]
}

const HOOKS: [&str; 2] = ["ingress", "egress"];

fn link(name: &str) -> String {
    pin("default", &format!("links/0-{name}"))
}

fn program(instance: &str, name: &str) -> String {
    pin(instance, &format!("programs/{name}"))
}

/// Asserts that what runs on the interface, and on the tracepoint, is what is pinned.
fn assert_pinned_is_attached(room: &Room) {
    for name in HOOKS {
        let attached = room.told("link", &link(name), "prog_id");
        assert_eq!(attached, room.told("prog", &program("default", name), "id"), "{name}");
    }
    let stage = room.told("link", &pin("default", "links/stage-receive"), "prog_id");
    assert_eq!(stage, room.told("prog", &program("default", "receive"), "id"));
}

fn tag(room: &Room, pin: &str) -> String {
    room.bpftool(&["prog", "show", "pinned", pin])["tag"].as_str().unwrap().to_owned()
}

fn an_upgrade_loses_no_packet() {
    const UPGRADES: u32 = 3;
    let mut room = Room::new();
    room.attach();
    let links = HOOKS.map(|name| room.told("link", &link(name), "id"));
    let mut tags = vec![tag(&room, &program("default", "ingress"))];
    let stream = Pmu::new(&room.pair.stations).stream();
    for number in 1..=UPGRADES {
        let seen = room.counters("default").seen;
        until("frames pass", || room.counters("default").seen > seen);
        let variant = Variant::new(number);
        room.load(&variant.path());
        let text = room.attach().text();
        assert!(text.contains("its counters go on"), "{text}");
        assert!(text.contains("programs replaced") && text.contains("ingress"), "{text}");
        assert_eq!(HOOKS.map(|name| room.told("link", &link(name), "id")), links);
        assert_pinned_is_attached(&room);
        tags.push(tag(&room, &program("default", "ingress")));
        if number == UPGRADES {
            assert!(!room.attach().text().contains("replaced"), "the same once more");
        }
    }
    let sent = stream.stop().sent.len() as u64;
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), UPGRADES as usize + 1);
    assert_whole(&room, "default");
    let counters = room.counters("default");
    assert_eq!((counters.seen, counters.submitted), (sent, sent));
    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), sent);
    room.does(&["detach"]);
    assert_eq!(room.pins(), [""; 0]);
}

/// The pins are the new version's, the links still have the old one's programs: a kill between the two leaves that.
fn an_upgrade_cut_short_is_completed() {
    let mut room = Room::new();
    room.attach();
    let old = tag(&room, &program("default", "ingress"));
    let variant = Variant::new(1);
    room.load(&variant.path());
    room.does(&["attach", "--iface", IFACE, "--instance", "donor"]);
    let to = room.instance("default").join("programs");
    for name in room.names("donor", "programs") {
        fs::rename(room.instance("donor").join("programs").join(&name), to.join(&name)).unwrap();
    }
    room.does(&["detach", "--instance", "donor"]);
    assert_ne!(tag(&room, &program("default", "ingress")), old);
    room.attach();
    assert_pinned_is_attached(&room);
    Pmu::new(&room.pair.stations).send(5);
    assert_eq!(room.counters("default").submitted, 5, "the programs use this instance's maps");
}
