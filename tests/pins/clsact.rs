//! As on a kernel before 6.6: the whole life of an instance by filters on clsact, which no link keeps. The binary is told
//! that there are no links (`older`); everything else is the running kernel's own.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::interfaces::{create, delete, state};
use crate::killed::{Marked, Moments, is_full};
use crate::object::{Variant, committed};
use crate::room::{IFACE, Room, pin, until};
use crate::running::assert_sums;
use crate::support::{Need, trial};
use crate::wire::Pmu;

const NEEDS: &[Need] =
    &[Need::Root, Need::Bpf, Need::Veth, Need::Unshare, Need::Nsenter, Need::Bpftool, Need::Iproute];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("clsact_a_life_from_attach_to_detach", NEEDS, a_life_from_attach_to_detach),
        trial("clsact_others_filters_stay", NEEDS, others_filters_stay),
        trial("clsact_that_was_there_stays", NEEDS, clsact_that_was_there_stays),
        trial("clsact_goes_with_the_last_instance", NEEDS, clsact_goes_with_the_last_instance),
        trial("clsact_an_upgrade_loses_no_packet", NEEDS, an_upgrade_loses_no_packet),
        trial("clsact_an_upgrade_cut_short_is_completed", NEEDS, an_upgrade_cut_short_is_completed),
        trial("clsact_a_filter_that_is_missing_is_made_good", NEEDS, a_filter_that_is_missing_is_made_good),
        trial("clsact_without_its_pins_a_filter_is_still_known", NEEDS, without_its_pins_a_filter_is_known),
        trial("clsact_an_interface_comes_back", NEEDS, an_interface_comes_back),
        trial("clsact_detached_from_another_namespace", NEEDS, detached_from_another_namespace),
        trial("clsact_killed_at_any_moment", NEEDS, killed_at_any_moment),
    ]
}

/// Names and program numbers of the filters on one side of the monitored interface.
fn filters(room: &Room, side: &str) -> Vec<(String, u64)> {
    let listed = room.json_by("tc", &["-j", "filter", "show", "dev", IFACE, side]);
    let of = |one: &Value| {
        let options = &one["options"];
        let name = options["bpf_name"].as_str()?.to_owned();
        Some((name, options["prog"]["id"].as_u64()?))
    };
    listed.as_array().into_iter().flatten().filter_map(of).collect()
}

/// Numbers of the programs that the filters run, those for what comes in first.
fn running(room: &Room) -> [Vec<u64>; 2] {
    ["ingress", "egress"].map(|side| filters(room, side).into_iter().map(|(_, id)| id).collect())
}

fn has_clsact(room: &Room) -> bool {
    room.told_by("tc", &["qdisc", "show", "dev", IFACE]).contains("clsact")
}

/// Numbers of the pinned programs, and of those that the filters run.
fn numbers(room: &Room, instance: &str) -> [(u64, Vec<u64>); 2] {
    let pinned = |name: &str| room.told("prog", &pin(instance, &format!("programs/{name}")), "id");
    let [ingress, egress] = running(room);
    [(pinned("ingress"), ingress), (pinned("egress"), egress)]
}

/// Asserts that the instance's programs, and no others, are on the interface.
fn assert_on(room: &Room) {
    for (pinned, running) in numbers(room, "default") {
        assert_eq!(running, [pinned]);
    }
    assert_eq!(state(room), "attached");
}

fn assert_off(room: &Room) {
    assert_eq!([filters(room, "ingress"), filters(room, "egress")].concat(), []);
    assert!(!has_clsact(room));
    assert_eq!(room.pins(), [""; 0]);
}

fn a_life_from_attach_to_detach() {
    let room = Room::without_links();
    let attached = room.attach();
    assert!(attached.text().contains("instance default is attached"), "{}", attached.text());
    assert_on(&room);
    let links = room.names("default", "links");
    assert!(links.iter().all(|name| name.starts_with("stage-")) && !links.is_empty(), "{links:?}");
    // What it needs for being detached is written down, for whoever looks by hand.
    let record = room.bpftool(&["map", "dump", "pinned", &pin("default", "maps/INSTANCE")]);
    let record = &record[0]["formatted"]["value"]["interfaces"][0];
    assert_eq!(record["flags"], 3, "{record:#}");
    assert!(record["priorities"][0].as_u64() > Some(0) && record["handles"][0].as_u64() > Some(0));

    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send_config();
    pmu.send(24);
    let status = room.status_of("default");
    assert_sums(&status["counters"]);
    assert_eq!(status["counters"]["packets"]["submitted"], 25);
    // Again, and nothing changes.
    assert!(room.attach().text().contains("its counters go on"));
    assert_on(&room);
    let mut reader = room.start(&["follow", "--json", "--frames"]).reading();
    pmu.send(25);
    reader.counted("records.delivered", 50);
    let report = reader.stop().adds_up();
    assert_eq!(report.count("frames.decoded"), 50);
    let stamped = report.lines.iter().filter(|line| line["stages_ns"]["receive_to_ring"].is_u64());
    assert_eq!(stamped.count(), 50);
    assert!(room.does(&["detach"]).text().contains("instance default is detached"));
    assert_off(&room);
    assert!(room.does(&["detach"]).text().contains("was not attached"));
}

/// Another's filter, of a program of the same name.
fn add_anothers(room: &Room, side: &str) -> u64 {
    let all = "/sys/fs/bpf/others";
    room.told_by("bpftool", &["prog", "loadall", committed().to_str().unwrap(), all]);
    let program = format!("{all}/{side}");
    room.told_by(
        "tc",
        &["filter", "add", "dev", IFACE, side, "bpf", "direct-action", "object-pinned", &program],
    );
    let id = room.told("prog", &program, "id");
    std::fs::remove_dir_all(room.path(all)).unwrap();
    id
}

/// They came later than ours, on the queueing discipline that was added for ours; one under the very priority and
/// handle that ours had.
fn others_filters_stay() {
    let room = Room::without_links();
    room.attach();
    let other = add_anothers(&room, "egress");
    room.told_by("tc", &["filter", "del", "dev", IFACE, "ingress"]);
    let impostor = add_anothers(&room, "ingress");
    assert_eq!(state(&room), "detached");
    room.does(&["detach"]);
    assert_eq!(running(&room), [vec![impostor], vec![other]]);
    assert!(has_clsact(&room));
    assert_eq!(room.pins(), [""; 0]);
    // A run that ends leaves them as well.
    room.does(&["run", "--json", "--iface", IFACE, "--duration", "50ms"]).adds_up();
    assert_eq!(running(&room), [vec![impostor], vec![other]]);
}

fn clsact_that_was_there_stays() {
    let room = Room::without_links();
    room.told_by("tc", &["qdisc", "add", "dev", IFACE, "clsact"]);
    room.attach();
    assert_on(&room);
    room.does(&["detach"]);
    assert_eq!([filters(&room, "ingress"), filters(&room, "egress")].concat(), []);
    assert!(has_clsact(&room));
}

fn clsact_goes_with_the_last_instance() {
    let room = Room::without_links();
    for name in ["one", "two"] {
        room.does(&["attach", "--iface", IFACE, "--instance", name]);
    }
    Pmu::new(&room.pair.stations).send(5);
    for name in ["one", "two"] {
        assert_eq!(room.counters(name).submitted, 5);
    }
    let kept = numbers(&room, "two").map(|(pinned, _)| pinned);
    room.does(&["detach", "--instance", "one"]);
    assert_eq!(numbers(&room, "two").map(|(_, running)| running), kept.map(|id| vec![id]));
    room.does(&["detach", "--instance", "two"]);
    assert_off(&room);
}

fn an_upgrade_loses_no_packet() {
    let mut room = Room::without_links();
    room.attach();
    let before = numbers(&room, "default").map(|(pinned, _)| pinned);
    let stream = Pmu::new(&room.pair.stations).stream();
    for number in 1..=2 {
        let seen = room.counters("default").seen;
        until("frames pass", || room.counters("default").seen > seen);
        let variant = Variant::new(number);
        room.load(&variant.path());
        let text = room.attach().text();
        assert!(text.contains("programs replaced") && text.contains("ingress"), "{text}");
        assert_on(&room);
        let programs = room.names("default", "programs");
        assert!(programs.iter().all(|name| !name.contains("replaced")), "{programs:?}");
    }
    let sent = stream.stop().sent.len() as u64;
    assert!(numbers(&room, "default").iter().zip(before).all(|((now, _), before)| *now != before));
    let counters = room.counters("default");
    assert_eq!((counters.seen, counters.submitted), (sent, sent));
    room.does(&["detach"]);
    assert_off(&room);
}

/// The pins are the new version's, the filters still run the old one's: a kill between the two leaves that.
fn an_upgrade_cut_short_is_completed() {
    let cut_short = || {
        let mut room = Room::without_links();
        room.attach();
        let programs = room.instance("default").join("programs");
        for name in ["ingress", "egress"] {
            let id = room.told("prog", &pin("default", &format!("programs/{name}")), "id");
            std::fs::rename(programs.join(name), programs.join(format!("{name}-replaced-{id}"))).unwrap();
        }
        let variant = Variant::new(1);
        room.load(&variant.path());
        room.does(&["attach", "--iface", IFACE, "--instance", "donor"]);
        for name in ["ingress", "egress"] {
            let from = room.instance("donor").join("programs").join(name);
            std::fs::rename(from, programs.join(name)).unwrap();
        }
        // Its filters have no pins of their own any more, and are known by the record.
        room.does(&["detach", "--instance", "donor"]);
        (room, variant)
    };
    let (room, _variant) = cut_short();
    for (pinned, running) in numbers(&room, "default") {
        assert!(running.len() == 1 && running[0] != pinned, "{running:?}");
    }
    room.attach();
    assert_on(&room);
    Pmu::new(&room.pair.stations).send(5);
    assert_eq!(room.counters("default").submitted, 5, "the programs use this instance's maps");
    room.does(&["detach"]);
    assert_off(&room);
    let (room, _variant) = cut_short();
    room.does(&["detach", "--all"]);
    assert_off(&room);
}

fn a_filter_that_is_missing_is_made_good() {
    let room = Room::without_links();
    for side in ["ingress", "egress"] {
        room.attach();
        room.told_by("tc", &["filter", "del", "dev", IFACE, side]);
        assert_eq!(state(&room), "detached");
        room.attach();
        assert_on(&room);
        Pmu::new(&room.pair.stations).send(2);
        assert_eq!(room.counters("default").seen, 2, "one program on the interface");
        room.does(&["detach"]);
        assert_off(&room);
    }
}

fn without_its_pins_a_filter_is_known() {
    let room = Room::without_links();
    room.attach();
    for name in room.names("default", "programs") {
        std::fs::remove_file(room.instance("default").join("programs").join(name)).unwrap();
    }
    room.does(&["detach"]);
    assert_off(&room);
}

fn an_interface_comes_back() {
    let mut room = Room::without_links();
    room.attach();
    Pmu::new(&room.pair.stations).send(10);
    delete(&mut room, "stations0");
    assert_eq!(state(&room), "gone");
    create(&mut room, "stations0");
    assert_eq!(state(&room), "replaced");
    room.does(&["attach", "--reattach"]);
    assert_on(&room);
    let mut reader = room.start(&["follow", "--json", "--reattach"]).reading();
    Pmu::new(&room.pair.stations).send(10);
    reader.counted("records.delivered", 20);
    delete(&mut room, "stations0");
    reader.complained(&["vanished"]);
    create(&mut room, "stations0");
    reader.complained(&["eth1", "is attached now"]);
    assert_on(&room);
    Pmu::new(&room.pair.stations).send(10);
    reader.counted("records.delivered", 30);
    assert_eq!(reader.stop().adds_up().count("records.carried"), 30);
    room.does(&["detach"]);
    assert_off(&room);
}

/// The filters are in the interface's namespace, which detaching looks for.
fn detached_from_another_namespace() {
    let room = Room::without_links();
    room.attach();
    // Nothing but this process's own open file keeps the namespace until somebody is in it.
    let mut resident = std::process::Command::new("cat");
    resident.stdin(std::process::Stdio::piped());
    let mut resident = room.pair.monitor.run(move || resident.spawn().unwrap()).unwrap();
    let status = room.start_at(&room.pair.stations, &["status", "--json"]).finish().done();
    assert_eq!(status.lines[0]["instances"][0]["interfaces"][0]["state"], "elsewhere");
    let detached = room.start_at(&room.pair.stations, &["detach"]).finish().done();
    assert!(detached.text().contains("is detached"), "{}", detached.text());
    assert_off(&room);
    drop(resident.stdin.take());
    resident.wait().unwrap();
}

fn killed_at_any_moment() {
    let mut room = Room::without_links();
    let marked = Marked::load(&mut room);
    let begun = std::time::Instant::now();
    room.attach();
    let takes = begun.elapsed();
    let marks = marked.tags(&room, "default");
    let mut moments = Moments::new();
    for round in 0..if is_full() { 40 } else { 6 } {
        let verb: &[&str] = if round % 2 == 0 { &["detach"] } else { &["attach", "--iface", IFACE] };
        let running = room.start(verb);
        moments.wait(takes);
        running.kill();
        if round % 3 == 0 {
            room.attach();
            assert_on(&room);
        } else {
            room.does(&["detach", "--all"]);
            assert_off(&room);
            marks.assert_gone(&room);
        }
    }
    room.does(&["detach", "--all"]);
    assert_off(&room);
    marks.assert_gone(&room);
}
