//! Bad frames on the wire cost themselves and nothing else.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use monitor_core::protocol::c37118::crc::checksum;
use monitor_core::protocol::c37118::encode::reseal;
use serde_json::json;

use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{
    EPHEMERAL, ETHERTYPE_IPV6, ETHERTYPE_VLAN, Pmu, datagram, datagram_to, ethernet, ipv6, quiet_pair,
    sender, tagged, udp,
};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("broken_frames_cost_themselves_alone", NEEDS, broken_frames_cost_themselves_alone),
        trial("on_any_port_other_protocols_are_named", NEEDS, || other_protocols_are_named("tc")),
        trial("at_xdp_on_any_port_other_protocols_are_named", NEEDS, || other_protocols_are_named("xdp")),
    ]
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

/// A session PDU as routable GOOSE has it: transport header, session header, something signed.
fn session() -> Vec<u8> {
    let mut pdu = vec![0x01, 0x40, 0xA1, 0x18, 0x80, 0x16];
    pdu.extend([0; 22]);
    pdu.extend([0x5A; 100]);
    pdu
}

/// Where any port may carry frames, the kernel hands on what begins as they do and no more; user space judges the rest.
fn other_protocols_are_named(hook: &str) {
    const UDP: u8 = 17;
    let mut pair = quiet_pair();
    let options = ["--frames", "--port", "any", "--hook", hook];
    let mut running = Monitor::on(&pair).args(options).start().attached();
    let wire = sender(&mut pair.stations);
    let (session, older, mut pmu) = (session(), ieee_1344(), Pmu::new(7));
    let v6 = |payload: &[u8]| ethernet(ETHERTYPE_IPV6, &ipv6(UDP, &udp([EPHEMERAL, 102], payload)));
    let named = [
        datagram_to(102, &session),
        tagged(ETHERTYPE_VLAN, 7, datagram_to(5_000, &changed(&session, 2, &[0xA3]))),
        v6(&session),
        datagram_to(4_722, &older),
        v6(&older),
    ];
    // They begin so, and are none: the lengths of a session header that do not agree, one that ends early (what fills
    // Ethernet's least length up stands behind it), a check that does not fit.
    let handed_on = [
        datagram_to(102, &changed(&session, 3, &[0x17])),
        datagram_to(102, &session[..7]),
        datagram_to(102, &changed(&older, older.len() - 1, &[older[older.len() - 1] ^ 1])),
    ];
    let others = [
        datagram_to(102, &changed(&session, 1, &[0x41])),
        datagram_to(102, &changed(&session, 2, &[0xA4])),
        datagram_to(102, &changed(&session, 4, &[0x81])),
        datagram_to(4_722, &older[..older.len() - 1]),
        datagram_to(4_722, &[&older[..], &older].concat()),
        datagram_to(4_722, &changed(&older, 0, &[0x65])),
    ];
    wire.send(&datagram_to(4_722, &pmu.config())).unwrap();
    for packet in named.iter().chain(&handed_on).chain(&others) {
        wire.send(packet).unwrap();
    }
    wire.send(&datagram_to(4_722, &pmu.data())).unwrap();
    let [named, handed_on, others] = [named.len(), handed_on.len(), others.len()].map(|count| count as u64);
    running.counted("packets.seen", 2 + named + handed_on + others);
    let report = running.stop().adds_up();
    let summary = report.summary();
    assert_eq!([report.packets("ignored"), report.packets("submitted")], [others, 2 + named + handed_on]);
    assert_eq!(summary["packets_ignored"], handed_on, "{summary:#}");
    let reasons = &summary["counters"]["frames"]["invalid_by_reason"];
    assert_eq!(reasons, &json!({ "iec61850_90_5": 3, "ieee1344": 2 }), "{summary:#}");
    assert_eq!(report.stream(7)["frames"], 1, "{summary:#}");
    let told = report.of_kind("c37118.invalid").map(|line| line["error"].as_str().unwrap());
    assert_eq!(told.filter(|error| *error == "iec61850_90_5").count(), 3);
}
