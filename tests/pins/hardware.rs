//! An instance whose programs read the network card's own stamps.

use libtest_mimic::Trial;

use crate::NEEDS;
use crate::room::{IFACE, Room};
use crate::support::trial;
use crate::wire::Pmu;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("an_instance_reads_hardware_stamps_if_it_was_attached_so", NEEDS, if_it_was_attached_so)]
}

const FAILED: i32 = 1;
const STAMPS: &str = "--hw-stamps";
const FOLLOW: [&str; 4] = ["follow", "--json", "--duration", "1s"];

fn if_it_was_attached_so() {
    const FRAMES: u64 = 12;
    let room = Room::new();
    let attach = ["attach", "--iface", IFACE];
    let attached = room.does(&[&attach[..], &[STAMPS]].concat());
    attached.complained(&["no hardware stamps from eth1"]);
    // Attached again, it goes on as it was.
    room.does(&attach).complained(&["no hardware stamps from eth1"]);
    Pmu::new(&room.pair.stations).send(FRAMES);
    let followed = room.does(&FOLLOW).adds_up();
    let stamps = &followed.summary()["hardware_stamps"];
    for (what, count) in [("packets", FRAMES), ("unstamped", FRAMES), ("stamped", 0), ("unaccounted", 0)] {
        assert_eq!(stamps[what], count, "{stamps:#}");
    }
    assert_eq!(stamps["refused"].as_array().unwrap().len(), 1, "{stamps:#}");
    room.does(&["detach"]);
    room.does(&attach);
    room.run(&[&attach[..], &[STAMPS]].concat()).failed_with(FAILED, &["without hardware stamps", "detach"]);
    let followed = room.does(&FOLLOW).adds_up();
    assert_eq!(followed.summary().get("hardware_stamps"), None);
}
