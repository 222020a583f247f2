//! What `status` says: documented field by field, and true.

use std::collections::BTreeSet;
use std::fs;

use aya::sys::{Stats, enable_stats};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::NEEDS;
use crate::interfaces::{create, delete};
use crate::room::{IFACE, ROOT, Room, pin};
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("every_field_of_status_is_documented", NEEDS, every_field_of_status_is_documented),
        trial(
            "mean_run_times_are_those_the_kernel_counts",
            NEEDS,
            mean_run_times_are_those_the_kernel_counts,
        ),
        trial("streams_are_shown_without_a_reader", NEEDS, streams_are_shown_without_a_reader),
    ]
}

const DOCUMENT: &str = include_str!("../../docs/instances.md");

/// Paths to everything in a value that is neither an object nor a list of them.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let deeper = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            fields.iter().for_each(|(name, value)| paths(value, &deeper(name), found));
        }
        Value::Array(list) => list.iter().for_each(|value| paths(value, &format!("{at}[]"), found)),
        _ => drop(found.insert(at.to_owned())),
    }
}

/// Of the table below the heading.
fn documented() -> BTreeSet<String> {
    let table = DOCUMENT.split_once("## `status --json`").unwrap().1;
    table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect()
}

/// As many things at once as there can be.
fn every_field_of_status_is_documented() {
    let _counting = enable_stats(Stats::RunTime).unwrap();
    let mut room = Room::new();
    room.second_interface("stations1", "eth2");
    room.does(&["attach", "--iface", IFACE, "--iface", "eth2", "--port", "any"]);
    Pmu::new(&room.pair.stations).send(3);
    room.does(&["follow", "--json", "--duration", "10ms"]);
    delete(&mut room, "stations0");
    create(&mut room, "stations0");
    let links = room.pair.monitor.links();
    links.set_down("eth2").unwrap();
    links.rename("eth2", "mirror0").unwrap();
    fs::remove_file(room.instance("default").join("links/stage-softirq_exit")).unwrap();
    fs::create_dir_all(room.path(pin("broken", ""))).unwrap();
    fs::create_dir_all(room.path(format!("{ROOT}/v999/other"))).unwrap();
    let status = room.status();
    let mut found = BTreeSet::new();
    paths(&status, "", &mut found);
    let documented = documented();
    let missing: Vec<_> = found.difference(&documented).collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
    let absent: Vec<_> = documented.difference(&found).collect();
    assert!(absent.is_empty(), "documented, and not there: {absent:?} in {status:#}");
    let interfaces = &status["instances"].as_array().unwrap()[1]["interfaces"];
    assert_eq!(interfaces[0]["state"], "replaced");
    assert_ne!(interfaces[0]["ifindex"], interfaces[0]["now_ifindex"]);
    assert_eq!((&interfaces[1]["state"], &interfaces[1]["now"]), (&"renamed".into(), &"mirror0".into()));
    let text = room.does(&["status"]).text();
    for words in
        ["another eth1 (index", "it is called mirror0 now", "softirq_exit is not on its tracepoint", "v999"]
    {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

/// Counting is on for as long as a descriptor is open (`BPF_ENABLE_STATS`), whatever `kernel.bpf_stats_enabled` says,
/// which stays as it is.
fn mean_run_times_are_those_the_kernel_counts() {
    const FRAMES: u64 = 40;
    let room = Room::new();
    room.attach();
    let program = |name: &str| {
        let status = room.status_of("default");
        let mut programs = status["programs"].as_array().unwrap().iter();
        programs.find(|one| one["name"] == name).unwrap().clone()
    };
    let counted_always = fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled").unwrap().trim() != "0";
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(5);
    if !counted_always {
        let silent = program("ingress");
        assert!(silent["run_count"].is_null() && silent["mean_run_time_ns"].is_null(), "{silent:#}");
        assert!(!room.does(&["status"]).text().contains(" runs of "));
    }
    let counting = enable_stats(Stats::RunTime).unwrap();
    pmu.send(FRAMES);
    let told = program("ingress");
    drop(counting);
    let runs = FRAMES + if counted_always { 5 } else { 0 };
    assert_eq!(told["run_count"], runs, "{told:#}");
    let by_bpftool = room.bpftool(&["prog", "show", "pinned", &pin("default", "programs/ingress")]);
    assert_eq!(by_bpftool["run_cnt"], runs);
    let mean = by_bpftool["run_time_ns"].as_u64().unwrap() / runs;
    assert!(mean > 0, "{by_bpftool:#}");
    assert_eq!(told["mean_run_time_ns"], mean);
    assert!(room.does(&["status"]).text().contains(&format!("{runs} runs of {mean} ns")));
}

fn streams_are_shown_without_a_reader() {
    let room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(1);
    let stream = || room.status_of("default")["streams"][0].clone();
    let first = stream();
    assert_eq!((&first["id"], &first["frames"]), (&"c37118:192.0.2.1>192.0.2.9:udp:7".into(), &1.into()));
    assert!(first["gap_min_ns"].is_null() && first["gap_max_ns"].is_null(), "{first:#}");
    pmu.send(9);
    let last = stream();
    assert_eq!(last["frames"], 10);
    assert_eq!(last["bytes"].as_u64(), first["bytes"].as_u64().map(|bytes| 10 * bytes));
    let [shortest, longest] = ["gap_min_ns", "gap_max_ns"].map(|gap| last[gap].as_u64().unwrap());
    assert!(0 < shortest && shortest <= longest, "{last:#}");
    let ago = stream()["last_ns_ago"].as_u64().unwrap();
    assert!(ago >= last["last_ns_ago"].as_u64().unwrap(), "time runs forwards");
}
