//! On what a missing frame is blamed that was lost on this host before the hook: by the kernel's reason, by a driver's
//! counter.

use aya::Ebpf;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, Xdp, XdpMode, tc::TcAttachOptions};
use libtest_mimic::Trial;
use monitor::netns::Pair;
use monitor::sys::ethtool::DriverStatistics;
use serde_json::{Value, json};

use crate::harness::{Monitor, until};
use crate::shot::{early_shot, shot};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_a_driver_counts_as_lost_is_blamed_by_its_counter", NEEDS, by_the_drivers_counter),
        trial("what_the_kernel_dropped_before_the_hook_is_blamed_on_its_reason", NEEDS, || {
            before_the_hook(true);
        }),
        trial("where_drops_are_not_watched_the_blame_says_that_less_is_known", NEEDS, || {
            before_the_hook(false);
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

/// By a driver's own counter: veth counts what an XDP program drops, and the hook at tc never sees it.
fn by_the_drivers_counter() {
    const LOST: u64 = 7;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut running = Monitor::on(&pair).start().attached();
    for frame in [pmu.config(), pmu.data()] {
        wire.send(&datagram(&frame)).unwrap();
    }
    running.counted("packets.seen", 2);
    let mut shot = Ebpf::load(&early_shot()).unwrap();
    let program: &mut Xdp = shot.program_mut("shot").unwrap().try_into().unwrap();
    program.load().unwrap();
    pair.monitor.run(|| program.attach("eth1", XdpMode::Driver).map(drop).unwrap()).unwrap();
    for _ in 0..LOST {
        wire.send(&datagram(&pmu.data())).unwrap();
    }
    until("the driver has counted them", || xdp_drops(&pair) == LOST);
    // The counters go with the program: first they must have been read.
    running.until_window("the host's counters say so", |window| {
        let drops = window["interfaces"][0]["driver"].as_object();
        drops.is_some_and(|drops| drops.values().filter_map(Value::as_u64).sum::<u64>() == LOST)
    });
    drop(shot);
    wire.send(&datagram(&pmu.data())).unwrap();
    running.counted("packets.seen", 3);
    let report = running.stop().adds_up();
    assert_eq!(report.stream(7)["blamed"], json!({"kernel": LOST}), "{:#}", report.summary());
    let blame = &report.summary()["blame"][0];
    assert!(blame["reason"].as_str().unwrap().ends_with("_xdp_drops"), "{blame}");
    assert_eq!(blame["evidence"], "window");
}

/// What the driver of the watched end says.
fn xdp_drops(pair: &Pair) -> u64 {
    let read = || {
        let mut statistics = DriverStatistics::open().unwrap();
        (statistics.names("eth1").unwrap(), statistics.values("eth1").unwrap())
    };
    let (names, values) = pair.monitor.run(read).unwrap();
    assert_eq!(names.len(), values.len());
    let of_rx = |name: &str| name.starts_with("rx_queue_") && name.ends_with("_xdp_drops");
    names.iter().zip(values).filter(|(name, _)| of_rx(name)).map(|(_, value)| value).sum()
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
