//! As on a kernel before 6.6: filters on a clsact queueing discipline, which nothing removes but who added them.

use aya::programs::tc::qdisc_add_clsact;
use libtest_mimic::Trial;
use monitor::netns::{End, Pair};
use monitor::probe::Attachment;
use monitor::sys::packet::FrameSender;

use crate::harness::until;
use crate::probed::Probed;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("a_filter_comes_and_goes_with_its_clsact", NEEDS, || comes_and_goes(false, detached)),
        trial("a_clsact_that_was_there_stays", NEEDS, || comes_and_goes(true, detached)),
        trial("a_dropped_probe_leaves_no_filter", NEEDS, || comes_and_goes(false, drop)),
        trial("a_dropped_probe_leaves_anothers_clsact", NEEDS, || comes_and_goes(true, drop)),
        trial("a_renamed_interface_keeps_no_filter", NEEDS, a_renamed_interface_keeps_no_filter),
        trial("a_vanished_interface_is_let_go", NEEDS, a_vanished_interface_is_let_go),
    ]
}

fn by_filter(pair: &Pair) -> Probed {
    Probed::by(Attachment::Filter, pair)
}

fn detached(mut probed: Probed) {
    probed.probe.detach().unwrap();
}

/// Adds a queueing discipline. Gives whether there was none.
fn add_clsact(end: &End, interface: &str) -> bool {
    end.run(|| qdisc_add_clsact(interface).is_ok()).unwrap()
}

/// Sends a frame and gives how many packets the programs have seen since they were loaded.
fn seen_with_one_more(probed: &Probed, wire: &FrameSender) -> u64 {
    wire.send(&datagram(&Pmu::new(7).data())).unwrap();
    probed.counters().seen
}

fn comes_and_goes(was_there: bool, end: fn(Probed)) {
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    assert!(!was_there || add_clsact(&pair.monitor, "eth1"));
    let probed = by_filter(&pair);
    let kernel = std::sync::Arc::clone(probed.probe.kernel());
    until("the filter sees packets", || seen_with_one_more(&probed, &wire) > 0);
    let mut ring = probed.ring();
    until("they are in the ring", || ring.drain(1, |_| {}).delivered > 0);
    end(probed);
    let before = kernel.counters().unwrap().seen;
    (0..100).for_each(|_| wire.send(&datagram(&Pmu::new(7).data())).unwrap());
    assert_eq!(kernel.counters().unwrap().seen, before, "a filter is still there");
    assert_eq!(add_clsact(&pair.monitor, "eth1"), !was_there);
}

fn a_renamed_interface_keeps_no_filter() {
    let mut pair = quiet_pair();
    let probed = by_filter(&pair);
    pair.monitor.links().set_down("eth1").unwrap();
    pair.monitor.links().rename("eth1", "mirror0").unwrap();
    detached(probed);
    assert!(add_clsact(&pair.monitor, "mirror0"));
}

fn a_vanished_interface_is_let_go() {
    let mut pair = quiet_pair();
    let mut probed = by_filter(&pair);
    pair.monitor.links().delete("eth1").unwrap();
    let interface = probed.interface.clone();
    probed.probe.forget(&interface);
    detached(probed);
    // And where nobody has noticed.
    let mut pair = quiet_pair();
    let probed = by_filter(&pair);
    pair.monitor.links().delete("eth1").unwrap();
    detached(probed);
}
