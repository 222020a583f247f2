//! More than the ring holds: what is missing is what was refused, exactly.

use libtest_mimic::Trial;

use crate::harness::{Monitor, ring_of};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, datagram_to, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("what_the_ring_refuses_is_what_is_missing", &[Need::Bpf, Need::Veth], flood)]
}

fn flood() {
    const ROUNDS: u64 = 3;
    /// More than the ring holds.
    const FRAMES: u64 = 2_000;
    let small = ring_of(256 << 10);
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).configured(&small).start().attached();
    let (wire, mut pmu) = (sender(&mut pair.stations), Pmu::new(7));
    wire.send(&datagram(&pmu.config())).unwrap();
    running.counted("records.delivered", 1);
    for round in 1..=ROUNDS {
        running.freeze();
        for _ in 0..FRAMES {
            wire.send(&datagram(&pmu.data())).unwrap();
            wire.send(&datagram_to(9, b"for somebody else")).unwrap();
        }
        running.signal("CONT");
        running.counted("packets.seen", 1 + round * 2 * FRAMES);
    }
    let report = running.stop().adds_up();
    let sent = 1 + ROUNDS * FRAMES;
    let ([others, submitted], refused) = (report.others_and_ours(), report.packets("ring_full"));
    assert_eq!(others, ROUNDS * FRAMES);
    assert_eq!(submitted + refused, sent);
    assert!(refused > 0 && submitted > ROUNDS, "{submitted} submitted, {refused} refused");
    assert_eq!(report.count("frames.decoded"), submitted);
    // The sequence of time tags says the same of what is missing; what was lost at the end nothing came after.
    let stream = report.stream(7);
    assert_eq!(stream["frames"], submitted - 1);
    assert!(stream["missing"].as_u64().unwrap() <= refused, "{stream:#}");
    assert_eq!(stream["out_of_order"], 0);
}
