//! On what a missing frame is blamed that was lost on this host before the hook.

use aya::Ebpf;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, tc::TcAttachOptions};
use libtest_mimic::Trial;
use monitor::netns::Pair;
use serde_json::json;

use crate::harness::Monitor;
use crate::shot::shot;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_the_kernel_dropped_before_the_hook_is_blamed_on_its_reason", NEEDS, || {
            before_the_hook(true)
        }),
        trial("where_drops_are_not_watched_the_blame_says_that_less_is_known", NEEDS, || {
            before_the_hook(false)
        }),
    ]
}

/// Drops everything that comes in, before any other program of tc, until it is dropped itself.
fn drop_first(pair: &Pair) -> Ebpf {
    let mut ebpf = Ebpf::load(&shot()).unwrap();
    let program: &mut SchedClassifier = ebpf.program_mut("shot").unwrap().try_into().unwrap();
    program.load().unwrap();
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    pair.monitor
        .run(|| program.attach_with_options("eth1", TcAttachType::Ingress, first).map(drop).unwrap())
        .unwrap();
    ebpf
}

fn before_the_hook(watched: bool) {
    const LOST: u64 = 9;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let drops: &[&str] = if watched { &["--drops"] } else { &[] };
    let mut running = Monitor::on(&pair).args(drops).start().attached();
    for frame in [pmu.config(), pmu.data()] {
        wire.send(&datagram(&frame)).unwrap();
    }
    let shot = drop_first(&pair);
    for _ in 0..LOST {
        wire.send(&datagram(&pmu.data())).unwrap();
    }
    drop(shot);
    wire.send(&datagram(&pmu.data())).unwrap();
    running.counted("packets.seen", 3);
    let report = running.stop().adds_up();
    assert_eq!(report.packets("seen"), 3);
    let [blame, reason, evidence] =
        if watched { ["kernel", "TC_INGRESS", "exact"] } else { ["pmu", "no_loss_seen", "none"] };
    assert_eq!(report.stream(7)["blamed"], json!({blame: LOST}));
    let row = json!({"blame": blame, "reason": reason, "evidence": evidence, "frames": LOST});
    assert_eq!(report.summary()["blame"], json!([row]));
}
