//! What the host itself counts of an interface, in its own network namespace.

use libtest_mimic::Trial;

use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("the_interfaces_own_counters_are_those_of_the_run", NEEDS, own_counters_are_those_of_the_run)]
}

/// Those of before the run are not counted; of a packet of a protocol that nobody takes the kernel counts a drop.
fn own_counters_are_those_of_the_run() {
    const BEFORE: usize = 7;
    const FRAMES: u64 = 100;
    const FOREIGN: u64 = 30;
    /// For local experiments (IEEE 802): no handler takes it.
    const ETHERTYPE: [u8; 2] = [0x88, 0xB5];
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut foreign = datagram(&pmu.data());
    foreign[12..14].copy_from_slice(&ETHERTYPE);
    for _ in 0..BEFORE {
        wire.send(&foreign).unwrap();
    }
    let mut running = Monitor::on(&pair).args(["--iface", "eth1"]).start().attached();
    wire.send(&datagram(&pmu.config())).unwrap();
    for _ in 0..FRAMES {
        wire.send(&datagram(&pmu.data())).unwrap();
    }
    for _ in 0..FOREIGN {
        wire.send(&foreign).unwrap();
    }
    running.counted("packets.seen", 1 + FRAMES + FOREIGN);
    let report = running.stop().adds_up();
    let summary = report.summary();
    let interfaces = summary["interfaces"].as_array().unwrap();
    assert_eq!(interfaces.len(), 1, "{interfaces:?}");
    let eth1 = &interfaces[0];
    assert_eq!((&eth1["name"], &eth1["resets"]), (&"eth1".into(), &0.into()));
    assert_eq!(eth1["rx_packets"], 1 + FRAMES + FOREIGN, "{eth1}");
    assert_eq!((&eth1["rx_missed_errors"], &eth1["rx_crc_errors"]), (&0.into(), &0.into()));
    assert_eq!(eth1["rx_dropped"], FOREIGN, "{eth1}");
    let processed =
        summary["softnet"].as_array().unwrap().iter().map(|cpu| cpu["processed"].as_u64().unwrap());
    assert!(processed.sum::<u64>() > FRAMES + FOREIGN, "{}", summary["softnet"]);
}
