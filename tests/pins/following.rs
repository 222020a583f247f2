//! A follower follows its instance, whatever becomes of the interfaces.

use libtest_mimic::Trial;

use crate::NEEDS;
use crate::interfaces::{create, delete, state};
use crate::room::{IFACE, Room, pin};
use crate::running::{Report, Running};
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_follower_takes_up_what_others_attach", NEEDS, a_follower_takes_up_what_others_attach),
        trial("a_follower_attaches_again_where_asked", NEEDS, a_follower_attaches_again_where_asked),
        trial("a_follower_says_what_it_finds", NEEDS, a_follower_says_what_it_finds),
        trial("a_follower_makes_good_what_it_finds", NEEDS, a_follower_makes_good_what_it_finds),
        trial(
            "a_follower_reads_an_interface_that_is_added",
            NEEDS,
            a_follower_reads_an_interface_that_is_added,
        ),
    ]
}

const FOLLOW: [&str; 3] = ["follow", "--json", "--frames"];

/// DATA frames that were printed, and all of them from the interface.
fn frames(report: &Report, iface: &str) -> usize {
    report.lines.iter().filter(|line| line["kind"] == "c37118.data" && line["iface"] == iface).count()
}

fn follower(room: &Room, more: &[&str]) -> Running {
    room.start(&[&FOLLOW[..], more].concat()).reading()
}

fn a_follower_takes_up_what_others_attach() {
    let mut room = Room::new();
    room.attach();
    let mut reader = follower(&room, &[]);
    Pmu::new(&room.pair.stations).send(10);
    reader.counted("records.delivered", 10);
    // Its only interface vanishes: frames may come again, so it goes on.
    delete(&mut room, "stations0");
    reader.complained(&["interface eth1 has vanished"]);
    create(&mut room, "stations0");
    reader.complained(&["another eth1 (index", "attach --instance default --reattach"]);
    let mut pmu = Pmu::new(&room.pair.stations);
    pmu.send(3);
    room.does(&["attach", "--reattach"]);
    reader.complained(&["interface eth1 (index", "is attached now; its frames are read"]);
    pmu.send(20);
    reader.counted("records.delivered", 30);
    let report = reader.stop().adds_up();
    assert_eq!(report.count("records.carried"), 30, "{:#}", report.summary());
    assert_eq!(frames(&report, IFACE), 30);
}

fn a_follower_attaches_again_where_asked() {
    for hook in ["tc", "xdp"] {
        let mut room = Room::new();
        room.does(&["attach", "--iface", IFACE, "--hook", hook]);
        let numbers = |room: &Room| {
            let names = room.names("default", "programs");
            let pins = names.iter().map(|name| pin("default", &format!("programs/{name}")));
            pins.map(|pin| room.told("prog", &pin, "id")).collect::<Vec<_>>()
        };
        let programs = numbers(&room);
        let mut reader = follower(&room, &["--reattach"]);
        for round in 1..=3_u8 {
            Pmu::new(&room.pair.stations).send(10);
            reader.counted("records.delivered", 10 * u64::from(round));
            delete(&mut room, "stations0");
            reader.complained_times(round.into(), &["interface eth1 has vanished"]);
            create(&mut room, "stations0");
            reader.complained_times(round.into(), &["eth1", "is attached now"]);
        }
        assert_eq!(state(&room), "attached");
        assert_eq!(room.status_of("default")["interfaces"].as_array().unwrap().len(), 1);
        assert_eq!(numbers(&room), programs, "nothing was loaded anew");
        Pmu::new(&room.pair.stations).send(10);
        reader.counted("records.delivered", 40);
        let report = reader.stop().adds_up();
        assert_eq!(report.count("records.carried"), 40, "{:#}", report.summary());
        assert_eq!(frames(&report, IFACE), 40);
        room.does(&["detach"]);
        assert_eq!(room.pins(), [""; 0]);
    }
}

/// Gone, or replaced, before anybody followed.
fn a_follower_says_what_it_finds() {
    let mut room = Room::new();
    room.attach();
    Pmu::new(&room.pair.stations).send(10);
    delete(&mut room, "stations0");
    let mut reader = follower(&room, &[]);
    reader.complained(&["interface eth1 is gone"]);
    assert_eq!(reader.stop().adds_up().count("records.carried"), 10);
    create(&mut room, "stations0");
    let mut reader = follower(&room, &[]);
    reader.complained(&["another eth1 (index", "--reattach"]);
    reader.stop().adds_up();
    // Detached meanwhile, there is nothing left to wait for.
    let reader = follower(&room, &["--reattach"]);
    room.does(&["detach"]);
    reader.finish().failed_with(1, &["instance default was detached"]);
}

fn a_follower_makes_good_what_it_finds() {
    let mut room = Room::new();
    room.attach();
    Pmu::new(&room.pair.stations).send(10);
    delete(&mut room, "stations0");
    create(&mut room, "stations0");
    let mut reader = follower(&room, &["--reattach"]);
    reader.complained(&["eth1", "is attached now"]);
    Pmu::new(&room.pair.stations).send(10);
    reader.counted("records.delivered", 20);
    assert_eq!(reader.stop().adds_up().count("records.carried"), 20);
}

fn a_follower_reads_an_interface_that_is_added() {
    let mut room = Room::new();
    room.attach();
    let mut reader = follower(&room, &[]);
    room.second_interface("stations1", "eth2");
    room.does(&["attach", "--iface", "eth2"]);
    reader.complained(&["interface eth2 (index", "is attached now"]);
    let links = room.pair.stations.links();
    links.delete("stations0").unwrap();
    links.add_address("stations1", crate::wire::PMU.into(), 24).unwrap();
    links.add_neighbour("stations1", crate::wire::NOBODY.into(), crate::wire::NOBODY_MAC).unwrap();
    Pmu::new(&room.pair.stations).send(10);
    reader.counted("records.delivered", 10);
    let report = reader.stop().adds_up();
    assert_eq!(frames(&report, "eth2"), 10, "{:#?}", report.lines);
}
