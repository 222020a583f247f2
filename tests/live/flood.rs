//! More than the ring holds: what is missing is what was refused, exactly.

use libtest_mimic::Trial;
use monitor::sys::sched::{affinity, set_affinity};

use crate::harness::{Monitor, configuration};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, datagram_to, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_the_ring_refuses_is_what_is_missing", NEEDS, || flood("ring")),
        trial("what_the_perf_buffer_refuses_is_what_is_missing", NEEDS, || flood("perf")),
    ]
}

/// Sends more frames than a transport holds, while nobody reads.
fn flood(transport: &str) {
    const ROUNDS: u64 = 3;
    /// More than the transport holds, which is about 990, and so few more that what is missing is less than ten seconds.
    const FRAMES: u64 = 1_300;
    let small = configuration("[bounds]\nring-bytes = 262144\nperf-bytes = 262144\n");
    let mut pair = quiet_pair();
    let monitor = Monitor::on(&pair).configured(&small).args(["--transport", transport]);
    let mut running = monitor.start().attached();
    // There is a perf buffer for each CPU; from here all of it is sent on one.
    let cpus = affinity().unwrap();
    set_affinity(cpus.iter().next().unwrap()).unwrap();
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
    // One more, before which everything that was lost is missing.
    wire.send(&datagram(&pmu.data())).unwrap();
    let sent = 2 + ROUNDS * FRAMES;
    running.counted("packets.seen", sent + ROUNDS * FRAMES);
    let report = running.stop().adds_up();
    let ([others, submitted], refused) = (report.others_and_ours(), report.packets("ring_full"));
    assert_eq!(others, ROUNDS * FRAMES);
    assert_eq!(submitted + refused, sent);
    assert!(refused > 0 && submitted > ROUNDS, "{submitted} submitted, {refused} refused");
    assert_eq!(report.count("frames.decoded"), submitted);
    // The sequence of time tags says the same of what is missing.
    let stream = report.stream(7);
    assert_eq!(stream["frames"], submitted - 1);
    assert_eq!(stream["missing"], refused, "{stream:#}");
    assert_eq!(stream["out_of_order"], 0);
    assert_eq!(
        stream["blamed"],
        serde_json::json!({"ring": stream["missing"]}),
        "each once, and on nobody else"
    );
    let blame = &report.summary()["blame"][0];
    assert_eq!((&blame["reason"], &blame["evidence"]), (&"ring_full".into(), &"window".into()), "{blame}");
}
