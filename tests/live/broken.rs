//! Bad frames on the wire cost themselves and nothing else.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use monitor_core::protocol::c37118::crc::checksum;
use monitor_core::protocol::c37118::encode::reseal;
use serde_json::json;

use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("broken_frames_cost_themselves_alone", NEEDS, broken_frames_cost_themselves_alone)]
}

/// Where fields stand (IEEE C37.118.2-2011, tables 2 and 8).
const SYNC_TYPE: usize = 1;
const FRAMESIZE: usize = 2;
const NUM_PMU: usize = 18;
const PHNMR: usize = 20 + 16 + 2 + 2;

fn changed(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

fn resealed(mut frame: Vec<u8>) -> Vec<u8> {
    reseal(&mut frame);
    frame
}

/// A frame of the protocol before: SOC, sample count, status with the length, four phasors, check.
fn ieee_1344() -> Vec<u8> {
    const LENGTH: u16 = 28;
    let mut frame = vec![0xE5, 0x11, 0x22, 0x33, 0x00, 0x01];
    frame.extend(LENGTH.to_be_bytes());
    frame.extend([0x11; 18]);
    frame.extend(checksum(&frame).to_be_bytes());
    frame
}

fn broken_frames_cost_themselves_alone() {
    const ROUNDS: u64 = 20;
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    let wire = sender(&mut pair.stations);
    let (mut good, mut bad) = (Pmu::new(7), Pmu::new(8));
    let (config, data) = (bad.config(), bad.data());
    let last = data.len() - 1;
    let broken = [
        // A bit of the check, of the same IDCODE as the good stream's and of another.
        changed(&good.data(), last, &[0]),
        changed(&data, last, &[data[last] ^ 1]),
        // A size beyond the datagram, one below any frame's, a type and a version that do not exist.
        changed(&data, FRAMESIZE, &0x7FFF_u16.to_be_bytes()),
        changed(&data, FRAMESIZE, &3_u16.to_be_bytes()),
        resealed(changed(&data, SYNC_TYPE, &[0x71])),
        resealed(changed(&data, SYNC_TYPE, &[0x0F])),
        data[..10].to_vec(),
        ieee_1344(),
        b"nothing of the sort".to_vec(),
        vec![0xAA; 1_400],
    ];
    // One is counted as truncated that stands before a good frame, below.
    let errors = [("crc", 2), ("truncated", 2 + 1), ("size", 1), ("type", 4), ("ieee1344", 1)];
    let impossible = [
        resealed(changed(&config, NUM_PMU, &[0xFF, 0xFF])),
        resealed(changed(&config, NUM_PMU, &[0, 0])),
        resealed(changed(&config, PHNMR, &[0xFF; 6])),
    ];
    wire.send(&datagram(&good.config())).unwrap();
    for _ in 0..ROUNDS {
        for frame in broken.iter().chain(&impossible).chain([&data, &Vec::new()]) {
            wire.send(&datagram(frame)).unwrap();
        }
        // The good one, and one behind bytes that are none.
        wire.send(&datagram(&good.data())).unwrap();
        wire.send(&datagram(&[&[0xAA, 0x01, 0x00][..], &good.data()].concat())).unwrap();
    }
    let packets = 1 + ROUNDS * (broken.len() + impossible.len() + 2 + 2) as u64;
    running.counted("records.delivered", packets);
    let report = running.stop().adds_up();

    let stream = report.stream(7);
    assert_eq!((&stream["frames"], &stream["missing"]), (&(2 * ROUNDS).into(), &0.into()), "{stream:#}");
    assert_eq!((&stream["undecoded"], &stream["crc_errors"]), (&0.into(), &ROUNDS.into()), "{stream:#}");
    let undecoded = &report.summary()["counters"]["frames"]["undecoded"];
    let wanted = json!({ "bad_configuration": impossible.len() as u64 * ROUNDS, "no_configuration": ROUNDS });
    assert_eq!(undecoded, &wanted);
    let mut told = BTreeMap::new();
    for line in report.of_kind("c37118.invalid") {
        *told.entry(line["error"].as_str().unwrap()).or_insert(0) += 1;
    }
    let wanted = errors.map(|(error, times)| (error, times * ROUNDS));
    assert_eq!(told, BTreeMap::from(wanted));
    assert_eq!(report.summary()["crc_errors"], 2 * ROUNDS);
    assert_eq!(report.count("records.no_payload"), ROUNDS);
}
