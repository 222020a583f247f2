//! Readers that die, and readers that meet.

use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::NEEDS;
use crate::killed::Moments;
use crate::room::{IFACE, Room, until};
use crate::running::assert_sums;
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("readers_killed_in_the_flow_lose_nothing", NEEDS, readers_killed_in_the_flow_lose_nothing),
        trial("after_a_kill_every_frame_wakes_the_reader", NEEDS, after_a_kill_every_frame_wakes_the_reader),
        trial("a_second_reader_is_refused_by_name_of_the_first", NEEDS, a_second_reader_is_refused),
        trial("looking_never_keeps_a_reader_out", NEEDS, looking_never_keeps_a_reader_out),
        trial("status_takes_nothing", NEEDS, status_takes_nothing),
        trial("a_reader_sees_its_instance_go", NEEDS, a_reader_sees_its_instance_go),
    ]
}

const FOLLOW: [&str; 2] = ["follow", "--json"];

fn readers_killed_in_the_flow_lose_nothing() {
    const KILLS: usize = 6;
    let room = Room::new();
    room.attach();
    let mut moments = Moments::new();
    let stream = Pmu::new(&room.pair.stations).stream();
    for _ in 0..KILLS {
        let reader = room.start(&FOLLOW);
        moments.wait(Duration::from_millis(400));
        reader.kill();
        let status = room.status_of("default");
        assert_sums(&status["counters"]);
        assert_eq!(status["reader"]["reading"], false, "{status:#}");
    }
    // One that certainly reads while frames come.
    let mut reader = room.start(&FOLLOW).reading();
    let taken = room.counters("default").submitted;
    reader.counted("records.delivered", taken + 100);
    reader.kill();
    assert!(room.reader_page("default").commits > 0);
    let sent = stream.stop().sent.len() as u64;

    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("packets.submitted"), sent);
    assert_eq!(report.count("records.submitted"), sent);
    assert_eq!(report.count("records.delivered"), sent);
    assert_eq!(report.count("records.carried"), sent);
    let status = room.status_of("default");
    assert_sums(&status["counters"]);
    assert_eq!(status["counters"]["records"]["pending"], 0);
    assert_eq!(status["ring"]["used_bytes"], 0);
}

fn after_a_kill_every_frame_wakes_the_reader() {
    const FRAMES: u64 = 20;
    let room = Room::new();
    room.attach();
    let mut pmu = Pmu::new(&room.pair.stations);
    let asleep = || room.reader_page("default").sleeping != 0;
    let mut sent = 0;
    for _ in 0..3 {
        let reader = room.start(&FOLLOW).reading();
        let before = room.counters("default").wakeups;
        for _ in 0..FRAMES {
            until("the reader sleeps", asleep);
            pmu.send(1);
            sent += 1;
            until("the frame is taken", || {
                let page = room.reader_page("default");
                page.taken[usize::from(page.commits % 2 == 1)].delivered == sent
            });
        }
        // A sleep that its time ends in the very moment of a frame needs no waking.
        let woken = room.counters("default").wakeups - before;
        assert!(woken >= FRAMES / 2, "{woken} wake-ups for {FRAMES} frames");
        until("it sleeps when it is killed", asleep);
        reader.kill();
    }
    let report = room.does(&["follow", "--json", "--duration", "10ms"]).adds_up();
    assert_eq!(report.count("records.delivered"), sent);
}

fn a_second_reader_is_refused() {
    let room = Room::new();
    room.attach();
    // On a wire on which nothing has come yet, behind a reader that is gone, and behind one that has read.
    for frames in [0, 0, 3] {
        let first = room.start(&FOLLOW).reading();
        Pmu::new(&room.pair.stations).send(frames);
        let pid = first.pid().to_string();
        let second = room.run(&FOLLOW);
        second.failed_with(1, &["instance default", "pmu-monitor", &format!("process {pid})"), "one reader"]);
        let status = room.status_of("default");
        assert_eq!(status["reader"]["reading"], true);
        assert_eq!(status["reader"]["pid"], first.pid(), "{status:#}");
        assert!(room.does(&["status"]).text().contains(&format!("reader: process {pid}")));
        first.stop().adds_up();
        assert_eq!(room.status_of("default")["reader"]["reading"], false);
    }
}

fn looking_never_keeps_a_reader_out() {
    const ROUNDS: usize = 5;
    let room = Room::new();
    room.attach();
    thread::scope(|scope| {
        let lookers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..ROUNDS * 8).for_each(|_| drop(room.does(&["status"])))))
            .collect();
        for _ in 0..ROUNDS {
            room.does(&["follow", "--json", "--duration", "1ms"]).adds_up();
        }
        for looker in lookers {
            looker.join().unwrap();
        }
    });
}

fn status_takes_nothing() {
    let room = Room::new();
    room.attach();
    Pmu::new(&room.pair.stations).send(10);
    let facts = || ["counters", "ring", "reader"].map(|one| room.status_of("default")[one].clone());
    let (page, first) = (room.reader_page("default"), facts());
    for _ in 0..3 {
        assert_eq!(facts(), first);
        room.does(&["status"]);
    }
    assert_eq!(room.reader_page("default"), page);
    assert_eq!(
        room.does(&["follow", "--json", "--duration", "10ms"]).adds_up().count("records.delivered"),
        10
    );
}

fn a_reader_sees_its_instance_go() {
    let room = Room::new();
    room.attach();
    Pmu::new(&room.pair.stations).send(10);
    let mut reader = room.start(&FOLLOW).reading();
    reader.counted("records.delivered", 10);
    room.does(&["detach"]);
    let report = reader.finish();
    report.failed_with(1, &["instance default was detached"]);
    assert_eq!(report.summary()["unaccounted"], 0);
    // Attached again, it is another instance.
    room.does(&["attach", "--iface", IFACE]);
    assert_eq!(room.counters("default").seen, 0);
}
