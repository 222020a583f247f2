//! Several interfaces at once.

use libtest_mimic::Trial;
use monitor::sys::packet::FrameSender;

use crate::endings::second_interface;
use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("two_interfaces_are_told_apart", NEEDS, two_interfaces_are_told_apart),
        trial("an_interface_named_twice_is_watched_once", NEEDS, an_interface_named_twice_is_watched_once),
    ]
}

fn two_interfaces_are_told_apart() {
    const FRAMES: u64 = 200;
    let mut pair = quiet_pair();
    second_interface(&mut pair, "stations1", "eth2");
    let index = pair.stations.links().interface("stations1").unwrap().index;
    let wires =
        [sender(&mut pair.stations), pair.stations.run(|| FrameSender::open(index).unwrap()).unwrap()];
    let mut running = Monitor::on(&pair).args(["--iface", "eth2", "--frames"]).start().attached();
    let mut pmus = [Pmu::new(7), Pmu::new(8)];
    for (wire, pmu) in wires.iter().zip(&mut pmus) {
        wire.send(&datagram(&pmu.config())).unwrap();
    }
    // Twice as many on the second.
    for place in (0..FRAMES).flat_map(|_| [0, 1, 1]) {
        wires[place].send(&datagram(&pmus[place].data())).unwrap();
    }
    running.counted("frames.decoded", 2 + 3 * FRAMES);
    let report = running.stop().adds_up();
    for (idcode, interface, frames) in [(7, "eth1", FRAMES), (8, "eth2", 2 * FRAMES)] {
        let row = report.stream(idcode);
        assert_eq!((&row["frames"], &row["missing"]), (&frames.into(), &0.into()));
        let lines = || report.of_kind("c37118.data").filter(|line| line["idcode"] == idcode);
        assert_eq!(lines().count() as u64, frames);
        assert!(lines().all(|line| line["iface"] == interface));
    }
}

fn an_interface_named_twice_is_watched_once() {
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut running = Monitor::on(&pair).args(["--iface", "eth1"]).start().attached();
    wire.send(&datagram(&Pmu::new(7).config())).unwrap();
    running.counted("packets.seen", 1);
    let report = running.stop().adds_up();
    assert_eq!(report.packets("seen"), 1);
}
