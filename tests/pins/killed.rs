//! Killed at any moment, every verb leaves what `detach --all` clears away: no program, link, map or pin stays.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::NEEDS;
use crate::life::{MAPS, assert_whole};
use crate::object::Variant;
use crate::room::{IFACE, Room, pin, until};
use crate::running::Running;
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("attach_and_detach_killed_at_any_moment", NEEDS, attach_and_detach_killed_at_any_moment),
        trial("upgrades_killed_at_any_moment", NEEDS, upgrades_killed_at_any_moment),
        trial("readers_killed_at_any_moment", NEEDS, readers_killed_at_any_moment),
    ]
}

/// Whether to take the time that rare moments need.
pub(crate) fn is_full() -> bool {
    env::var("PMU_TEST_FULL").is_ok_and(|value| value == "1")
}

/// How often each verb is killed.
fn kills() -> usize {
    if is_full() { 120 } else { 15 }
}

/// So many of a list, not the same each time; with `PMU_TEST_FULL=1` all.
pub(crate) fn sample<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if is_full() {
        return all.to_vec();
    }
    let mut moments = Moments::new();
    let mut chosen: Vec<_> = all.iter().map(|&one| (moments.next(), one)).collect();
    chosen.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    chosen.into_iter().map(|(_, one)| one).take(most).collect()
}

/// Moments that differ in each run of the tests.
pub(crate) struct Moments(u64);

impl Moments {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self(u64::from(now.subsec_nanos()) | 1)
    }

    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        // Knuth's MMIX generator; its upper half is random enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Sleeps for a random part of a time.
    pub(crate) fn wait(&mut self, most: Duration) {
        thread::sleep(most.mul_f64(self.next()));
    }
}

/// A room whose programs can be told from all others of this machine by their tags.
pub(crate) struct Marked {
    object: Variant,
    maps_before: BTreeSet<u64>,
}

impl Marked {
    pub(crate) fn load(room: &mut Room) -> Self {
        let object = Variant::own();
        room.load(&object.path());
        Self { object, maps_before: maps(room) }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.object.path()
    }

    /// The tags of the programs that are large enough to be marked.
    pub(crate) fn tags(&self, room: &Room, instance: &str) -> Marks<'_> {
        self.tags_of(room, instance, ["ingress", "egress"])
    }

    /// The same with other programs of the instance.
    pub(crate) fn tags_of(&self, room: &Room, instance: &str, programs: [&str; 2]) -> Marks<'_> {
        let tag = |name: &str| {
            let told = room.bpftool(&["prog", "show", "pinned", &pin(instance, &format!("programs/{name}"))]);
            told["tag"].as_str().unwrap().to_owned()
        };
        Marks { marked: self, tags: programs.map(tag) }
    }
}

/// By which the programs of a test are known.
pub(crate) struct Marks<'a> {
    marked: &'a Marked,
    tags: [String; 2],
}

impl Marks<'_> {
    /// Numbers of the programs that the kernel has.
    fn programs(&self, room: &Room) -> BTreeSet<u64> {
        let listed = list(room, "prog");
        let marked = listed.iter().filter(|one| self.tags.iter().any(|tag| one["tag"] == tag.as_str()));
        marked.filter_map(|one| one["id"].as_u64()).collect()
    }

    /// Asserts that the kernel has no program, link or map of the test's. It frees them in its own time.
    pub(crate) fn assert_gone(&self, room: &Room) {
        until("every program is gone", || self.programs(room).is_empty());
        // Other tests come and go meanwhile: theirs have a program or a process. What is left by us has neither.
        until("every map is gone", || {
            let new: BTreeSet<_> = maps(room).difference(&self.marked.maps_before).copied().collect();
            new.is_subset(&in_use(room))
        });
    }

    /// Asserts that nothing on a tracepoint or an interface runs a program of the test's but by these links.
    fn assert_links(&self, room: &Room, count: usize) {
        let programs = self.programs(room);
        let links = list(room, "link");
        let ours =
            links.iter().filter(|link| link["prog_id"].as_u64().is_some_and(|id| programs.contains(&id)));
        assert_eq!(ours.count(), count);
    }
}

fn list(room: &Room, kind: &str) -> Vec<Value> {
    room.bpftool(&[kind, "show"]).as_array().cloned().unwrap_or_default()
}

/// Numbers of the maps that are called like ours.
fn maps(room: &Room) -> BTreeSet<u64> {
    let listed = list(room, "map");
    let ours = listed.iter().filter(|map| MAPS.iter().any(|name| map["name"] == *name));
    ours.filter_map(|map| map["id"].as_u64()).collect()
}

/// Numbers of the maps that a program uses or a process holds.
fn in_use(room: &Room) -> BTreeSet<u64> {
    let programs = list(room, "prog");
    let used = programs.iter().filter_map(|program| program["map_ids"].as_array()).flatten();
    let mut used: BTreeSet<_> = used.filter_map(Value::as_u64).collect();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    for process in processes {
        let Ok(files) = fs::read_dir(process.path().join("fdinfo")) else { continue };
        let told = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
        let number = |line: &str| line.strip_prefix("map_id:")?.trim().parse::<u64>().ok();
        used.extend(told.filter_map(|text| text.lines().find_map(number)));
    }
    used
}

const ATTACH: [&str; 3] = ["attach", "--iface", IFACE];

/// How long a verb takes here and now.
fn time_of(room: &Room, arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    room.does(arguments);
    begun.elapsed()
}

/// Whatever it was killed at, looking and clearing away work.
fn assert_clears(room: &Room, marks: &Marks<'_>) {
    let status = room.status();
    assert!(status["instances"].is_array(), "{status:#}");
    room.does(&["detach", "--all"]);
    assert_eq!(room.pins(), [""; 0]);
    marks.assert_gone(room);
}

fn kill_in(running: Running, moments: &mut Moments, most: Duration) {
    moments.wait(most);
    running.kill();
}

fn attach_and_detach_killed_at_any_moment() {
    let mut room = Room::new();
    let marked = Marked::load(&mut room);
    let takes = time_of(&room, &ATTACH);
    let marks = marked.tags(&room, "default");
    let detaching = time_of(&room, &["detach"]);
    let mut moments = Moments::new();
    for round in 0..kills() {
        kill_in(room.start(&ATTACH), &mut moments, takes);
        if round % 3 == 0 {
            assert_clears(&room, &marks);
        }
        // The next attach completes what this one began.
        room.attach();
        assert_whole(&room, "default");
        marks.assert_links(&room, 2);
        kill_in(room.start(&["detach"]), &mut moments, detaching);
        if round % 5 == 0 {
            room.attach();
            assert_whole(&room, "default");
            marks.assert_links(&room, 2);
        }
        assert_clears(&room, &marks);
    }
}

fn upgrades_killed_at_any_moment() {
    let mut room = Room::new();
    let mut pmu = Pmu::new(&room.pair.stations);
    let (marked, other) = (Marked::load(&mut room), Variant::own());
    let own = marked.path();
    let takes = time_of(&room, &ATTACH);
    let marks = marked.tags(&room, "default");
    let mut moments = Moments::new();
    let mut sent = 0;
    for _ in 0..kills().div_ceil(3) {
        room.load(&other.path());
        kill_in(room.start(&ATTACH), &mut moments, takes);
        pmu.send(1);
        sent += 1;
        room.load(&own);
        room.attach();
        assert_whole(&room, "default");
        assert_eq!(room.counters("default").submitted, sent);
        marks.assert_links(&room, 2);
    }
    assert_clears(&room, &marks);
}

fn readers_killed_at_any_moment() {
    let mut room = Room::new();
    let marked = Marked::load(&mut room);
    room.attach();
    let marks = marked.tags(&room, "default");
    let mut pmu = Pmu::new(&room.pair.stations);
    let takes = time_of(&room, &["follow", "--json", "--duration", "10ms"]);
    let mut moments = Moments::new();
    for _ in 0..kills() {
        pmu.send(50);
        kill_in(room.start(&["follow", "--json"]), &mut moments, takes * 2);
    }
    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), pmu.sent.len() as u64);
    assert_clears(&room, &marks);
}
