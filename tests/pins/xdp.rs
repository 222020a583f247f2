//! The earlier hook: natively where the driver has it, else in the kernel's generic path; through links alone.

use std::net::Ipv4Addr;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::killed::Marked;
use crate::object::{Variant, committed};
use crate::room::{IFACE, Room, pin, until};
use crate::running::assert_sums;
use crate::support::{Need, trial};
use crate::wire::Pmu;

const NEEDS: &[Need] =
    &[Need::Root, Need::Bpf, Need::Veth, Need::Unshare, Need::Nsenter, Need::Bpftool, Need::Iproute];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("xdp_a_life_from_attach_to_detach", NEEDS, a_life_from_attach_to_detach),
        trial("xdp_in_the_generic_path_is_said", NEEDS, in_the_generic_path_is_said),
        trial("xdp_another_program_is_named_and_stays", NEEDS, another_program_is_named_and_stays),
        trial("xdp_an_upgrade_loses_no_packet", NEEDS, an_upgrade_loses_no_packet),
        trial("xdp_through_netlink_is_refused", NEEDS, through_netlink_is_refused),
        trial("xdp_a_link_that_is_missing_is_made_good", NEEDS, a_link_that_is_missing_is_made_good),
        trial("xdp_and_tc_side_by_side", NEEDS, xdp_and_tc_side_by_side),
    ]
}

const ATTACH: [&str; 5] = ["attach", "--iface", IFACE, "--hook", "xdp"];
/// How a program is attached, as `IFLA_XDP_ATTACHED` has it (`include/uapi/linux/if_link.h`).
const NATIVE: u64 = 1;
const GENERIC: u64 = 2;

/// Mode and number of the XDP program on an interface, as `ip` shows it.
fn on(room: &Room, interface: &str) -> Option<(u64, u64)> {
    let shown = room.json_by("ip", &["-j", "-d", "link", "show", "dev", interface]);
    let xdp = &shown[0]["xdp"];
    Some((xdp["mode"].as_u64()?, xdp["prog"]["id"].as_u64()?))
}

fn early(instance: &str) -> String {
    pin(instance, "programs/early")
}

fn a_life_from_attach_to_detach() {
    let mut room = Room::new();
    let marked = Marked::load(&mut room);
    let attached = room.does(&ATTACH);
    // A veth has XDP of its own, and no queues to reset: nothing is to be warned of.
    assert_eq!(attached.stderr, "");
    assert_eq!(on(&room, IFACE), Some((NATIVE, room.told("prog", &early("default"), "id"))));
    let links = room.names("default", "links");
    let hooks: Vec<_> = links.iter().filter(|name| !name.starts_with("stage-")).collect();
    assert_eq!(hooks, ["0-early", "0-egress"]);
    let marks = marked.tags_of(&room, "default", ["early", "egress"]);

    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send_config();
    pmu.send(24);
    let status = room.status_of("default");
    assert_eq!((&status["hook"], &status["interfaces"][0]["state"]), (&"xdp".into(), &"attached".into()));
    assert_sums(&status["counters"]);
    assert_eq!(status["counters"]["packets"]["submitted"], 25);
    assert!(room.does(&["attach", "--iface", IFACE]).text().contains("its counters go on"));
    room.run(&["attach", "--iface", IFACE, "--hook", "tc"]).failed_with(1, &["hook xdp", "detach it first"]);
    let mut reader = room.start(&["follow", "--json", "--frames"]).reading();
    pmu.send(25);
    reader.counted("records.delivered", 50);
    let report = reader.stop().adds_up();
    assert_eq!(report.count("frames.decoded"), 50);
    room.does(&["detach"]);
    assert_eq!((on(&room, IFACE), room.pins()), (None, vec![]));
    marks.assert_gone(&room);
}

/// The loopback interface has no driver.
fn in_the_generic_path_is_said() {
    let room = Room::new();
    let attached = room.does(&["attach", "--iface", "lo", "--hook", "xdp"]);
    attached.complained(&["lo", "its driver has no XDP", "generic path"]);
    assert_eq!(on(&room, "lo"), Some((GENERIC, room.told("prog", &early("default"), "id"))));
    let mut pmu = Pmu::on(&room.pair.monitor, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
    // Somebody listens, or the kernel would answer that nobody does, with the frame in its answer.
    let _receiver = room.pair.monitor.run(|| std::net::UdpSocket::bind(("127.0.0.1", crate::wire::PORT)));
    pmu.send_config();
    pmu.send(9);
    let report = room.does(&["follow", "--json", "--frames", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("frames.decoded"), 10, "{:#}", report.summary());
    // What leaves is seen at tc, where frames other than commands are not for us.
    assert_eq!(report.count("packets.ignored"), 10);
    room.does(&["detach"]);
    assert_eq!(on(&room, "lo"), None);
    let run = room.does(&["run", "--iface", "lo", "--hook", "xdp", "--json", "--duration", "50ms"]);
    run.complained(&["lo", "generic path"]);
    assert_eq!(on(&room, "lo"), None);
}

fn another_program_is_named_and_stays() {
    let room = Room::new();
    let other = "/sys/fs/bpf/others";
    room.told_by("bpftool", &["prog", "loadall", committed().to_str().unwrap(), other]);
    let program = format!("{other}/empty_early");
    room.told_by("ip", &["link", "set", "dev", IFACE, "xdpdrv", "pinned", &program]);
    let id = room.told("prog", &program, "id");
    let named = format!("program {id}, empty_early");
    for verb in [&ATTACH[..], &["run", "--iface", IFACE, "--hook", "xdp"]] {
        let refused = room.run(verb);
        refused.failed_with(1, &["eth1", "another XDP program is on it", &named, "--hook tc"]);
        assert_eq!(on(&room, IFACE), Some((NATIVE, id)));
    }
    assert_eq!(room.pins(), ["others"]);
    // Another instance of ours, which has it through a link.
    room.told_by("ip", &["link", "set", "dev", IFACE, "xdpdrv", "off"]);
    room.does(&ATTACH);
    let own = room.told("prog", &early("default"), "id");
    let second = room.run(&[&ATTACH[..], &["--instance", "second"]].concat());
    second.failed_with(1, &["another XDP program is on it", &format!("program {own}, early")]);
    assert_eq!(on(&room, IFACE), Some((NATIVE, own)));
    assert_eq!(room.status()["instances"].as_array().unwrap().len(), 1);
}

fn an_upgrade_loses_no_packet() {
    let mut room = Room::new();
    room.does(&ATTACH);
    let link = pin("default", "links/0-early");
    let (id, before) = (room.told("link", &link, "id"), room.told("prog", &early("default"), "id"));
    let stream = Pmu::new(&room.pair.stations).stream();
    for number in 1..=2 {
        let seen = room.counters("default").seen;
        until("frames pass", || room.counters("default").seen > seen);
        let variant = Variant::new(number);
        room.load(&variant.path());
        let text = room.does(&["attach", "--iface", IFACE]).text();
        assert!(text.contains("programs replaced") && text.contains("early"), "{text}");
        assert_eq!(room.told("link", &link, "id"), id);
        let pinned = room.told("prog", &early("default"), "id");
        assert_eq!(room.told("link", &link, "prog_id"), pinned);
        assert_eq!(on(&room, IFACE), Some((NATIVE, pinned)));
    }
    let sent = stream.stop().sent.len() as u64;
    assert_ne!(room.told("prog", &early("default"), "id"), before);
    let counters = room.counters("default");
    assert_eq!((counters.seen, counters.submitted), (sent, sent));
    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), sent);
}

/// As on a kernel that has no links for XDP, where aya attaches through netlink without a word.
fn through_netlink_is_refused() {
    let room = Room::without_links();
    for verb in [&ATTACH[..], &["run", "--iface", IFACE, "--hook", "xdp"]] {
        let refused = room.run(verb);
        refused.failed_with(1, &["eth1", "netlink", "cannot be pinned", "--hook tc"]);
        assert_eq!(on(&room, IFACE), None, "it is taken off again");
        assert_eq!(room.pins(), [""; 0]);
    }
}

fn a_link_that_is_missing_is_made_good() {
    let room = Room::new();
    room.does(&ATTACH);
    std::fs::remove_file(room.instance("default").join("links/0-early")).unwrap();
    assert_eq!(on(&room, IFACE), None);
    let status = room.status_of("default");
    assert_eq!(status["interfaces"][0]["state"], "detached", "{status:#}");
    room.does(&["attach", "--iface", IFACE]);
    assert_eq!(on(&room, IFACE), Some((NATIVE, room.told("prog", &early("default"), "id"))));
    Pmu::new(&room.pair.stations).send(2);
    assert_eq!(room.counters("default").seen, 2);
}

fn xdp_and_tc_side_by_side() {
    let room = Room::new();
    room.does(&[&ATTACH[..], &["--instance", "early"]].concat());
    room.does(&["attach", "--iface", IFACE, "--instance", "later"]);
    Pmu::new(&room.pair.stations).send(10);
    for name in ["early", "later"] {
        assert_eq!(room.counters(name).submitted, 10, "{name}");
    }
    room.does(&["detach", "--instance", "early"]);
    assert_eq!(on(&room, IFACE), None);
    Pmu::new(&room.pair.stations).send(10);
    assert_eq!(room.counters("later").submitted, 20);
    let states = &room.status_of("later")["interfaces"][0]["state"];
    assert_eq!(states, &Value::from("attached"));
}
