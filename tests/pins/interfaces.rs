//! Interfaces go away, come back, are renamed, are moved; the instance says so, and goes on.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use libtest_mimic::Trial;
use monitor::netns::End;
use monitor_common::INTERFACES_MAX;
use serde_json::Value;

use crate::NEEDS;
use crate::room::{HANGS, IFACE, Room};
use crate::support::{Need, trial};
use crate::wire::Pmu;

const MOVING: &[Need] =
    &[Need::Root, Need::Bpf, Need::Veth, Need::Unshare, Need::Nsenter, Need::Bpftool, Need::Iproute];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_interface_goes_and_comes_back", NEEDS, an_interface_goes_and_comes_back),
        trial("interfaces_come_back_any_number_of_times", NEEDS, interfaces_come_back_any_number_of_times),
        trial("a_renamed_interface_is_said", NEEDS, a_renamed_interface_is_said),
        trial("a_moved_interface_is_said_and_known_again", MOVING, a_moved_interface_is_said_and_known_again),
        trial("an_interface_moved_away_and_back_is_known", MOVING, an_interface_moved_away_and_back_is_known),
        trial("another_namespace_is_said", NEEDS, another_namespace_is_said),
    ]
}

pub(crate) fn state(room: &Room) -> String {
    room.status_of("default")["interfaces"][0]["state"].as_str().unwrap().to_owned()
}

pub(crate) fn delete(room: &mut Room, station: &str) {
    room.pair.stations.links().delete(station).unwrap();
}

pub(crate) fn create(room: &mut Room, station: &str) {
    let netns = Arc::clone(&room.pair.monitor.shared_netns());
    room.pair.stations.links().create_veth(station, IFACE, &netns).unwrap();
    room.raise(station, IFACE);
    let links = room.pair.stations.links();
    links.add_address(station, crate::wire::PMU.into(), 24).unwrap();
    links.add_neighbour(station, crate::wire::NOBODY.into(), crate::wire::NOBODY_MAC).unwrap();
}

fn an_interface_goes_and_comes_back() {
    let mut room = Room::new();
    room.attach();
    Pmu::new(&room.pair.stations).send(10);
    delete(&mut room, "stations0");
    assert_eq!(state(&room), "gone");
    assert!(room.does(&["status"]).text().contains("gone"));
    // Nothing to attach again to yet; what was counted and kept is there.
    room.does(&["attach", "--reattach"]);
    assert_eq!(room.status_of("default")["counters"]["records"]["pending"], 10);

    create(&mut room, "stations0");
    assert_eq!(state(&room), "replaced");
    assert!(room.does(&["status"]).text().contains("attach --instance default --reattach"));
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(5);
    assert_eq!(room.counters("default").seen, 10, "nothing is attached to it");
    let text = room.does(&["attach", "--reattach"]).text();
    assert!(text.contains("its counters go on; interfaces: eth1"), "{text}");
    assert_eq!(state(&room), "attached");
    assert_eq!(room.status_of("default")["interfaces"].as_array().unwrap().len(), 1);
    assert_eq!(room.names("default", "links").iter().filter(|name| !name.starts_with("stage")).count(), 2);
    pmu.send(10);
    assert_eq!(room.counters("default").submitted, 20);
    // The stream has a line for each, the one that goes on last.
    let streams = room.status_of("default")["streams"].clone();
    let lines: Vec<_> =
        streams.as_array().unwrap().iter().map(|line| (&line["iface"], &line["frames"])).collect();
    assert_eq!(lines, [(&Value::Null, &10.into()), (&IFACE.into(), &10.into())], "{streams:#}");
    assert!(streams[0]["id"] == streams[1]["id"] && streams[0]["ifindex"] != streams[1]["ifindex"]);
    let text = room.does(&["status"]).text();
    assert!(text.contains(" on an interface that is gone (index ") && text.contains(" on eth1 "), "{text}");
    // What was kept of the one that went is read as well.
    let report = room.does(&["follow", "--json", "--frames", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.carried"), 20, "{:#}", report.summary());
    assert_eq!(report.lines.iter().filter(|line| line["kind"] == "c37118.data").count(), 20);
    room.does(&["detach"]);
    assert_eq!(room.pins(), [""; 0]);
}

fn interfaces_come_back_any_number_of_times() {
    let mut room = Room::new();
    room.attach();
    // As after so many times that the table of interfaces has no line left.
    let table = room.map("default", "INTERFACES");
    let mut table = aya::maps::HashMap::<_, [u32; 2], [u32; 2]>::try_from(table).unwrap();
    let here = room.pair.monitor.netns().inode();
    for gone in 1..u32::try_from(INTERFACES_MAX).unwrap() {
        table.insert([here, 1000 + gone], [0, 0], 0).unwrap();
    }
    delete(&mut room, "stations0");
    create(&mut room, "stations0");
    room.does(&["attach", "--reattach"]);
    Pmu::new(&room.pair.stations).send(5);
    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.carried"), 5);
    assert_eq!(state(&room), "attached");
    assert_eq!(table.keys().count(), 1, "only what is there now");
    room.does(&["detach"]);
}

fn a_renamed_interface_is_said() {
    let mut room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    let links = room.pair.monitor.links();
    links.set_down(IFACE).unwrap();
    links.rename(IFACE, "mirror0").unwrap();
    room.raise("stations0", "mirror0");
    assert_eq!(state(&room), "renamed");
    assert_eq!(room.status_of("default")["interfaces"][0]["now"], "mirror0");
    assert!(room.does(&["status"]).text().contains("it is called mirror0 now"));
    pmu.send(5);
    assert_eq!(room.counters("default").submitted, 5);
    // Attached again under its new name, it is the same one.
    room.does(&["attach", "--iface", "mirror0"]);
    assert_eq!(room.status_of("default")["interfaces"].as_array().unwrap().len(), 1);
    pmu.send(5);
    assert_eq!(room.counters("default").seen, 10);
    assert_eq!(state(&room), "attached");
    assert_eq!(room.does(&["follow", "--json", "--duration", "10ms"]).adds_up().count("records.carried"), 10);
    room.does(&["detach"]);
    assert_eq!(room.pins(), [""; 0]);
}

/// A process by which `ip` finds the namespace of an end.
struct Resident(Child);

impl Resident {
    fn of(end: &End) -> Self {
        let mut there = Command::new("cat");
        there.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(end.run(move || there.spawn().unwrap()).unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn a_moved_interface_is_said_and_known_again() {
    for hook in ["tc", "xdp"] {
        let mut room = Room::new();
        room.does(&["attach", "--iface", IFACE, "--hook", hook]);
        let mut pmu = Pmu::new(&room.pair.stations);
        pmu.send(5);
        let there = Resident::of(&room.pair.stations);
        room.told_by("ip", &["link", "set", IFACE, "netns", &there.pid()]);
        assert_eq!(state(&room), "moved");
        let text = room.does(&["status"]).text();
        assert!(text.contains("moved") && text.contains("--reattach` there"), "{text}");
        // There it is told from an interface that has only its number.
        let status = room.start_at(&room.pair.stations, &["status", "--json"]).finish().done();
        assert_eq!(status.lines[0]["instances"][0]["interfaces"][0]["state"], "moved", "{hook}");

        let links = room.names("default", "links");
        let again = room.start_at(&room.pair.stations, &["attach", "--reattach"]).finish().done();
        assert!(again.text().contains("interfaces: eth1"), "{}", again.text());
        assert_eq!(room.names("default", "links"), links, "its programs never went");
        room.pair.stations.links().set_up(IFACE).unwrap();
        // Both ends: what is sent before the sender's own end runs again is dropped there.
        for end in [IFACE, "stations0"] {
            room.pair.stations.links().wait_running(end, HANGS).unwrap();
        }
        pmu.send(7);
        let follow = ["follow", "--json", "--frames", "--duration", "10ms"];
        let report = room.start_at(&room.pair.stations, &follow).finish().adds_up();
        assert_eq!(report.count("records.carried"), 12, "{hook}: {:#}", report.summary());
        let frames = report.lines.iter().filter(|line| line["kind"] == "c37118.data");
        assert_eq!(frames.filter(|line| line["iface"] == IFACE).count(), 12);
        assert_eq!(state(&room), "elsewhere");
        room.does(&["detach"]);
        assert_eq!(room.pins(), [""; 0]);
    }
}

fn an_interface_moved_away_and_back_is_known() {
    let mut room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(5);
    let (here, there) = (Resident::of(&room.pair.monitor), Resident::of(&room.pair.stations));
    room.told_by("ip", &["link", "set", IFACE, "netns", &there.pid()]);
    let back = ["-t", &there.pid(), "--net", "ip", "link", "set", IFACE, "netns", &here.pid()];
    room.told_by("nsenter", &back);
    room.raise("stations0", IFACE);
    pmu.send(5);
    room.does(&["attach", "--reattach"]);
    assert_eq!(state(&room), "attached");
    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.carried"), 10, "{:#}", report.summary());
}

/// Looked at from elsewhere, an interface is not mistaken for one of its name that is here.
fn another_namespace_is_said() {
    let mut room = Room::new();
    room.attach();
    let mut other = Room::new();
    std::mem::swap(&mut room.pair, &mut other.pair);
    assert_eq!(state(&room), "elsewhere");
    assert!(room.does(&["status"]).text().contains("another network namespace"));
}
