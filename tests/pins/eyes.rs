//! bpftool sees an instance as it is.

use std::process::Command;

use aya::programs::{SchedClassifier, TcAttachType};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::NEEDS;
use crate::life::MAPS;
use crate::object::committed;
use crate::room::{IFACE, Room, names, pin};
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("bpftool_names_every_pin", NEEDS, bpftool_names_every_pin),
        trial("maps_are_dumped_with_field_names", NEEDS, maps_are_dumped_with_field_names),
        trial("the_interface_shows_its_programs", NEEDS, the_interface_shows_its_programs),
        trial("the_committed_object_loads_by_itself", NEEDS, the_committed_object_loads_by_itself),
    ]
}

fn attached() -> Room {
    let room = Room::new();
    room.attach();
    room
}

fn bpftool_names_every_pin() {
    let room = attached();
    let status = room.status_of("default");
    for name in room.names("default", "programs") {
        let told = room.bpftool(&["prog", "show", "pinned", &pin("default", &format!("programs/{name}"))]);
        assert_eq!(told["name"].as_str(), Some(&name[..name.len().min(15)]), "{told:#}");
        let mut programs = status["programs"].as_array().unwrap().iter();
        let said = programs.find(|one| one["name"] == name.as_str()).unwrap();
        for field in ["id", "tag"] {
            assert_eq!(said[field], told[field], "{name}: {field}");
        }
    }
    for name in MAPS {
        let told = room.bpftool(&["map", "show", "pinned", &pin("default", &format!("maps/{name}"))]);
        assert_eq!(told["name"], name, "{told:#}");
    }
    let programs = room.names("default", "programs");
    let ids =
        programs.iter().map(|name| room.told("prog", &pin("default", &format!("programs/{name}")), "id"));
    let ids: Vec<_> = ids.collect();
    for name in room.names("default", "links") {
        let program = room.told("link", &pin("default", &format!("links/{name}")), "prog_id");
        assert!(ids.contains(&program), "{name} has program {program}, pinned are {ids:?}");
    }
}

/// The value of a map's only entry, of the first CPU where each has one.
fn dumped(room: &Room, name: &str) -> Value {
    let dump = room.bpftool(&["map", "dump", "pinned", &pin("default", &format!("maps/{name}"))]);
    let entry = &dump[0];
    // With BTF it stands beside the bytes, or in their place, as the map's kind and bpftool's version have it.
    let entry = if entry["formatted"].is_object() { &entry["formatted"] } else { entry };
    match entry["values"].as_array() {
        Some(cpus) => cpus[0]["value"].clone(),
        None => entry["value"].clone(),
    }
}

fn maps_are_dumped_with_field_names() {
    let room = attached();
    Pmu::new(&room.pair.stations).send(3);
    room.does(&["follow", "--json", "--duration", "10ms"]);
    for (map, fields) in [
        ("COUNTERS", &["seen", "ignored", "submitted", "ring_full", "read_failed", "wakeups"][..]),
        ("READER", &["sleeping", "woken", "reader_pid", "commits", "taken"]),
        ("INSTANCE", &["abi_version", "state", "hook", "attached_ns", "interfaces"]),
        ("INTERFACES", &["number"]),
        ("MATCHING", &["settings", "ports"]),
        ("STREAMS", &["key", "state", "counts"]),
    ] {
        let value = dumped(&room, map);
        let missing: Vec<_> = fields.iter().filter(|field| value.get(**field).is_none()).collect();
        assert!(missing.is_empty(), "{map}: no {missing:?} in {value:#}");
    }
    let seen: u64 = {
        let dump = room.bpftool(&["map", "dump", "pinned", &pin("default", "maps/COUNTERS")]);
        let entry = if dump[0]["formatted"].is_object() { &dump[0]["formatted"] } else { &dump[0] };
        let cpus = entry["values"].as_array().unwrap();
        cpus.iter().filter_map(|cpu| cpu["value"]["seen"].as_u64()).sum()
    };
    assert_eq!(seen, 3);
    let taken = &dumped(&room, "READER")["taken"];
    let delivered = taken.as_array().unwrap().iter().filter_map(|slot| slot["delivered"].as_u64()).max();
    assert_eq!(delivered, Some(3), "{taken:#}");
    let instance = dumped(&room, "INSTANCE");
    assert_eq!(instance["state"], 1, "{instance:#}");
    assert!(instance["interfaces"][0]["ifindex"].as_u64() > Some(0));
}

fn the_interface_shows_its_programs() {
    let room = attached();
    let ids = ["ingress", "egress"]
        .map(|name| room.told("prog", &pin("default", &format!("programs/{name}")), "id"));
    let query = |way| {
        let query = || SchedClassifier::query_tcx(IFACE, way).unwrap().1;
        let programs = room.pair.monitor.run(query).unwrap();
        programs.iter().map(|program| u64::from(program.id())).collect::<Vec<_>>()
    };
    assert_eq!([query(TcAttachType::Ingress), query(TcAttachType::Egress)], ids.map(|id| vec![id]));
    let shown = room.bpftool(&["net", "show"]);
    if knows_tcx() {
        for id in ids {
            let listed = shown[0]["tc"].as_array().unwrap();
            let ours = listed.iter().find(|one| one["devname"] == IFACE && one["prog_id"] == id);
            assert!(ours.is_some(), "no program {id} on {IFACE}: {shown:#}");
        }
    }
    room.does(&["detach"]);
    assert_eq!([query(TcAttachType::Ingress), query(TcAttachType::Egress)].concat(), [0; 0]);
}

/// bpftool lists programs on tcx since 7.3.
fn knows_tcx() -> bool {
    let output = Command::new("bpftool").args(["-j", "version"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let version = told["version"].as_str().unwrap().trim_start_matches('v').to_owned();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(7), Some(3))
}

fn the_committed_object_loads_by_itself() {
    let room = Room::new();
    let object = committed().to_str().unwrap();
    let output = room.tool("bpftool", &["prog", "loadall", object, "/sys/fs/bpf/all"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let loaded = names(&room.path("/sys/fs/bpf/all"));
    for name in ["ingress", "egress", "receive"] {
        assert!(loaded.iter().any(|one| one == name), "{loaded:?}");
        assert_eq!(
            room.bpftool(&["prog", "show", "pinned", &format!("/sys/fs/bpf/all/{name}")])["name"],
            name
        );
    }
}
