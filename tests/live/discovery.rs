//! Nothing where it was looked for: what is on the wire instead is said, and accepted where that is asked for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use monitor::sys::packet::FrameSender;

use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{ETHERTYPE_SV, Pmu, datagram_to, ethernet, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_is_on_the_wire_instead_is_said", NEEDS, what_is_on_the_wire_instead_is_said),
        trial("a_silent_wire_is_said", NEEDS, a_silent_wire_is_said),
        trial("any_port_accepts_it", NEEDS, any_port_accepts_it),
    ]
}

/// Where the PMU sends.
const PORT: u16 = 4722;
/// Between two packets: time passes here because a rate is told, not to be in time for something.
const PERIOD: Duration = Duration::from_millis(2);

/// Sends a frame of the PMU's and a sampled value in each period until it is told to stop. Gives how many of each were
/// sent in a second.
fn send(wire: &FrameSender, stop: &AtomicBool) -> f64 {
    let mut pmu = Pmu::new(7);
    let sampled_value = ethernet(ETHERTYPE_SV, &[0x40, 0x00, 0x00, 0x08, 0, 0, 0, 0]);
    let sent = AtomicU64::new(0);
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        wire.send(&datagram_to(PORT, &pmu.data())).unwrap();
        wire.send(&sampled_value).unwrap();
        sent.fetch_add(1, Ordering::Relaxed);
        thread::sleep(PERIOD);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let sent = sent.into_inner() as f64;
    sent / begun.elapsed().as_secs_f64()
}

/// The number before "/s" behind `of`.
fn rate(text: &str, of: &str) -> f64 {
    let (_, behind) = text.split_once(of).unwrap();
    let (_, rate) = behind.split_once(" at ").unwrap();
    rate.split_once("/s").unwrap().0.parse().unwrap()
}

fn what_is_on_the_wire_instead_is_said() {
    /// How far the rate of two seconds may be off that of the whole time on a busy machine.
    const FACTOR: f64 = 3.0;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut running = Monitor::on(&pair).args(["--port", "4712"]).start().attached();
    let stop = AtomicBool::new(false);
    let (report, sent) = thread::scope(|scope| {
        let sending = scope.spawn(|| send(&wire, &stop));
        let words =
            ["no C37.118 on port 4712", "eth1", "UDP port 4722 looks like C37.118, IDCODE 7", "0x88BA"];
        running.complained(&words);
        stop.store(true, Ordering::Relaxed);
        (running.stop().adds_up(), sending.join().unwrap())
    });
    for of in ["0x88BA", "0x0800"] {
        let told = rate(&report.stderr, of);
        assert!((sent / FACTOR..sent * FACTOR).contains(&told), "{told} for {sent}: {}", report.stderr);
    }
    assert!(report.stderr.contains("--port 4722"), "{}", report.stderr);
    // Looked at, not taken for what was asked for.
    assert_eq!(report.count("frames.found"), 0);
    assert!(report.summary()["streams"].as_array().unwrap().is_empty());
}

fn a_silent_wire_is_said() {
    let pair = quiet_pair();
    let mut running = Monitor::on(&pair).start().attached();
    running.complained(&["no C37.118 on ports 4712, 4713 of eth1", "nor anything else"]);
    running.stop().adds_up();
}

fn any_port_accepts_it() {
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut running = Monitor::on(&pair).args(["--port", "any"]).start().attached();
    let mut pmu = Pmu::new(7);
    wire.send(&datagram_to(PORT, &pmu.config())).unwrap();
    for port in [PORT, 5, 60_000] {
        wire.send(&datagram_to(port, &pmu.data())).unwrap();
        wire.send(&datagram_to(port, b"\x55nothing of the sort")).unwrap();
    }
    running.counted("packets.seen", 7);
    let report = running.stop().adds_up();
    assert_eq!(["submitted", "ignored"].map(|counter| report.packets(counter)), [4, 3]);
    assert_eq!(report.stream(7)["frames"], 3);
}
