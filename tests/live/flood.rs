//! More than the ring holds: what is missing is what was refused, exactly.

use libtest_mimic::Trial;

use crate::harness::{Monitor, configuration};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, datagram_to, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_the_ring_refuses_is_what_is_missing", NEEDS, || flood("ring", 2_000)),
        // There is a buffer for each CPU: more frames than two of them hold.
        trial("what_the_perf_buffer_refuses_is_what_is_missing", NEEDS, || flood("perf", 4_000)),
    ]
}

/// Sends more frames than a transport holds, while nobody reads.
fn flood(transport: &str, frames: u64) {
    const ROUNDS: u64 = 3;
    let small = configuration("[bounds]\nring-bytes = 262144\nperf-bytes = 262144\n");
    let mut pair = quiet_pair();
    let monitor = Monitor::on(&pair).configured(&small).args(["--transport", transport]);
    let mut running = monitor.start().attached();
    let (wire, mut pmu) = (sender(&mut pair.stations), Pmu::new(7));
    wire.send(&datagram(&pmu.config())).unwrap();
    running.counted("records.delivered", 1);
    for round in 1..=ROUNDS {
        running.freeze();
        for _ in 0..frames {
            wire.send(&datagram(&pmu.data())).unwrap();
            wire.send(&datagram_to(9, b"for somebody else")).unwrap();
        }
        running.signal("CONT");
        running.counted("packets.seen", 1 + round * 2 * frames);
    }
    let report = running.stop().adds_up();
    let sent = 1 + ROUNDS * frames;
    let ([others, submitted], refused) = (report.others_and_ours(), report.packets("ring_full"));
    assert_eq!(others, ROUNDS * frames);
    assert_eq!(submitted + refused, sent);
    assert!(refused > 0 && submitted > ROUNDS, "{submitted} submitted, {refused} refused");
    assert_eq!(report.count("frames.decoded"), submitted);
    // The sequence of time tags says the same of what is missing; what was lost at the end nothing came after.
    let stream = report.stream(7);
    assert_eq!(stream["frames"], submitted - 1);
    assert!(stream["missing"].as_u64().unwrap() <= refused, "{stream:#}");
    assert_eq!(stream["out_of_order"], 0);
}
