//! The same traffic on two interfaces: copies, and how far they are apart.

use libtest_mimic::Trial;
use monitor::sys::packet::FrameSender;

use crate::endings::second_interface;
use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

const FRAMES: u64 = 200;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("the_same_packets_on_two_interfaces_are_copies", NEEDS, || {
            twice(|packet, _, _| packet.to_vec(), ["interface", "prp"]);
        }),
        trial("packets_of_both_networks_of_prp_are_copies", NEEDS, || twice(trailed, ["prp", "interface"])),
    ]
}

/// A packet as PRP sends it over LAN A (0) or B (1).
pub(crate) fn trailed(packet: &[u8], number: u64, lan: usize) -> Vec<u8> {
    const ETHERNET_SIZE: usize = 14;
    const TRAILER_SIZE: usize = 6;
    let size = u16::try_from(packet.len() - ETHERNET_SIZE + TRAILER_SIZE).unwrap();
    let lan = u16::try_from(0xA + lan).unwrap();
    let number = u16::try_from(number).unwrap();
    let words = [number, lan << 12 | size, 0x88FB];
    [packet.to_vec(), words.map(u16::to_be_bytes).concat()].concat()
}

/// Sends each packet on both interfaces, the 10th only on the first, the 20th only on the second, the 30th on none.
fn twice(dress: fn(&[u8], u64, usize) -> Vec<u8>, [kind, other]: [&str; 2]) {
    let mut pair = quiet_pair();
    second_interface(&mut pair, "stations1", "eth2");
    let index = pair.stations.links().interface("stations1").unwrap().index;
    let wires =
        [sender(&mut pair.stations), pair.stations.run(|| FrameSender::open(index).unwrap()).unwrap()];
    let mut running = Monitor::on(&pair).args(["--iface", "eth2", "--frames"]).start().attached();
    let mut pmu = Pmu::new(7);
    let config = pmu.config();
    for number in 0..=FRAMES {
        let payload = if number == 0 { config.clone() } else { pmu.data() };
        let packet = datagram(&payload);
        for (lan, wire) in wires.iter().enumerate() {
            let lost = matches!((number, lan), (20, 0) | (10, 1) | (30, _));
            if !lost {
                wire.send(&dress(&packet, number, lan)).unwrap();
            }
        }
    }
    let sent = 2 * (FRAMES + 1) - 4;
    running.counted("records.carried", sent);
    let report = running.stop().adds_up();
    let row = report.stream(7);
    assert_eq!((&row["frames"], &row["missing"]), (&(FRAMES - 1).into(), &1.into()), "{row:#}");
    assert_eq!((&row["duplicate"], &row["out_of_order"]), (&0.into(), &0.into()), "{row:#}");
    // The configuration too; not the two that came once.
    let copies = FRAMES - 2;
    assert_eq!((&row["copies"], &row["copied"][kind]), (&copies.into(), &copies.into()), "{row:#}");
    assert_eq!(row["copied"][other], 0);
    let skew = &row["copied"]["skew_ns"];
    assert_eq!(skew["count"], copies);
    let (min, mean, max) = (skew["min"].as_i64(), skew["mean"].as_i64(), skew["max"].as_i64());
    assert!(min <= mean && mean <= max && max > Some(0), "{skew}");
    assert_eq!(report.of_kind("c37118.data").count() as u64, FRAMES - 1, "never twice");
    let bytes = &report.summary()["counters"]["bytes"];
    assert!(bytes["duplicate"].as_u64() > Some(0), "{bytes}");
    assert_eq!(report.summary()["copies"], copies);
}
