//! The network card's own stamps: read where it was asked for them, absent where it gives none, and the card as it was
//! afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use monitor::netns::interfaces;
use monitor::probe::{Hook, Options, Probe, Subject};
use monitor::reader::Ring;
use monitor::sys::hwstamp::{self, RECEIVE_ALL, RECEIVE_NONE};
use monitor::sys::{ifname, packet::FrameSender};
use monitor_common::RecordHeader;
use serde_json::Value;

use crate::harness::{Monitor, Report, configuration, until};
use crate::probed::options;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    const GUEST: &[Need] = &[Need::Bpf, Need::Iproute, Need::Guest];
    vec![
        trial("a_cards_stamp_is_in_the_record_where_it_was_asked_for", &[Need::Bpf], stamps_are_in_records),
        trial("an_interface_without_hardware_degrades_the_run", NEEDS, without_hardware),
        trial("hardware_stamps_at_xdp_are_refused", &[], at_xdp_they_are_refused),
        trial(
            "a_card_that_promises_stamps_and_gives_none_is_put_back",
            GUEST,
            a_card_that_promises_stamps_and_gives_none_is_put_back,
        ),
    ]
}

/// Stamps of the records that a probe makes of packets with these stamps.
fn recorded(options: &Options, stamps: &[u64]) -> Vec<u64> {
    let mut probe = Probe::load(options).unwrap();
    probe.load_subject(Subject::Ingress).unwrap();
    let kernel = probe.kernel();
    let mut ring = Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap();
    let mut pmu = Pmu::new(7);
    let mut found = Vec::new();
    for &stamp in stamps {
        probe.trial_stamped(Subject::Ingress, &datagram(&pmu.data()), stamp, 1).unwrap();
        ring.drain(usize::MAX, |record| {
            let header: RecordHeader = bytemuck::pod_read_unaligned(&record[..size_of::<RecordHeader>()]);
            found.push(header.hardware_ns);
        });
    }
    found
}

fn stamps_are_in_records() {
    const STAMPS: [u64; 3] = [1_700_000_000_123_456_789, 0, 42];
    let asked = Options { hardware_stamps: true, ..options() };
    assert_eq!(recorded(&asked, &STAMPS), STAMPS);
    assert_eq!(recorded(&options(), &STAMPS), [0; 3], "nobody asked for them");
}

/// What the summary says of packets, all of which add up.
fn counts(report: &Report) -> [u64; 6] {
    let stamps = &report.summary()["hardware_stamps"];
    let counts = ["packets", "stamped", "unstamped", "unmapped", "misplaced", "outgoing"];
    let counts = counts.map(|one| stamps[one].as_u64().unwrap());
    assert_eq!((counts[0], &stamps["unaccounted"]), (counts[1..].iter().sum(), &0.into()), "{stamps:#}");
    assert_eq!(counts[0], report.count("records.delivered"));
    counts
}

/// A configuration and DATA, so many in all.
fn send(wire: &FrameSender, pmu: &mut Pmu, frames: u64) {
    wire.send(&datagram(&pmu.config())).unwrap();
    (1..frames).for_each(|_| wire.send(&datagram(&pmu.data())).unwrap());
}

fn has_no_stage(report: &Report) {
    let latency = &report.summary()["latency_ns"];
    assert!(latency.get("hardware_to_receive").is_none(), "{latency:#}");
    assert!(latency.get("receive_to_ring").is_some(), "{latency:#}");
}

fn without_hardware() {
    const FRAMES: u64 = 20;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let leaving = sender(&mut pair.monitor);
    let mut pmu = Pmu::new(7);
    let mut running = Monitor::on(&pair).args(["--hw-stamps"]).start().attached();
    running.complained(&[
        "DEGRADED",
        "no hardware stamps from eth1",
        "ethtool -T eth1",
        "leave out --hw-stamps",
    ]);
    send(&wire, &mut pmu, FRAMES);
    let command = pmu.command(monitor_core::protocol::c37118::Command::SendConfig2);
    leaving.send(&datagram(&command)).unwrap();
    running.counted("packets.submitted", FRAMES + 1);
    let report = running.stop().adds_up();
    assert_eq!(counts(&report), [FRAMES + 1, 0, FRAMES, 0, 0, 1]);
    has_no_stage(&report);
    let stamps = &report.summary()["hardware_stamps"];
    assert_eq!(stamps["cards"].as_array().unwrap(), &[Value::Null; 0]);
    let refused = stamps["refused"].as_array().unwrap();
    assert!(refused.len() == 1 && refused[0].as_str().unwrap().contains("eth1"), "{refused:?}");
    // As a file says it, and of a run that did not ask.
    let file = configuration("hw-stamps = true\n");
    let mut running = Monitor::on(&pair).configured(&file).start();
    running.complained(&["no hardware stamps from eth1"]);
    drop(running);
    let report = Monitor::on(&pair).start().attached().stop().adds_up();
    assert_eq!(report.summary().get("hardware_stamps"), None);
}

fn at_xdp_they_are_refused() {
    const USAGE: i32 = 2;
    let words = ["XDP", "--hw-stamps", "--hook tc"];
    Monitor::here(&["run", "--iface", "lo", "--hook", &Hook::Xdp.to_string(), "--hw-stamps"])
        .run()
        .failed_with(USAGE, &words);
    let attach = ["attach", "--iface", "lo", "--instance", "no-stamps", "--hook", "xdp", "--hw-stamps"];
    Monitor::here(&attach).run().failed_with(USAGE, &words);
}

/// The names of the machine's two cards, which are on one wire.
fn cards() -> [String; 2] {
    let is_card = |name: &String| {
        let driver = fs::canonicalize(Path::new("/sys/class/net").join(name).join("device/driver"));
        driver.is_ok_and(|driver| driver.ends_with("e1000e"))
    };
    let mut names: Vec<_> = interfaces().unwrap().into_iter().map(|one| one.name).filter(is_card).collect();
    names.sort();
    names.try_into().unwrap()
}

fn receive_filter(card: &str) -> i32 {
    hwstamp::setting_of(card).unwrap().receive
}

fn a_card_that_promises_stamps_and_gives_none_is_put_back() {
    const FRAMES: u64 = 30;
    let [sending, card] = cards();
    for name in [&sending, &card] {
        let status = Command::new("ip").args(["link", "set", name, "up"]).status().unwrap();
        assert!(status.success(), "{name}");
    }
    until("both are up", || {
        interfaces().unwrap().iter().filter(|one| one.running && !one.loopback).count() == 2
    });
    assert!(hwstamp::abilities_of(&card).unwrap().stamps_all());
    assert_eq!(receive_filter(&card), RECEIVE_NONE);
    // What the test sends is addressed to nobody.
    let run = ["run", "--json", "--iface", &card, "--hw-stamps", "--promiscuous"];
    let mut running = Monitor::here(&run).start().attached();
    assert_eq!(receive_filter(&card), RECEIVE_ALL);
    let wire = FrameSender::open(ifname::index_of(&sending).unwrap()).unwrap();
    let mut pmu = Pmu::new(7);
    send(&wire, &mut pmu, FRAMES);
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    assert_eq!(counts(&report), [FRAMES, 0, FRAMES, 0, 0, 0]);
    has_no_stage(&report);
    let stamps = &report.summary()["hardware_stamps"];
    assert!(stamps["cards"][0]["clock"].as_str().unwrap().starts_with("/dev/ptp"), "{stamps:#}");
    assert_eq!(stamps["refused"].as_array().unwrap(), &[Value::Null; 0]);
    assert_eq!(receive_filter(&card), RECEIVE_NONE, "as it was");
    // Killed, it leaves the card as it has asked it; what comes next puts it back.
    let next: [(&[&str], _); 2] = [
        (&["detach", "--instance", "none"], "detach"),
        (&["run", "--json", "--iface", &card, "--duration", "10ms"], "another run"),
    ];
    for (next, named) in next {
        Monitor::here(&run).start().attached().kill();
        assert_eq!(receive_filter(&card), RECEIVE_ALL);
        assert_eq!(Monitor::here(next).run().status, Some(0));
        assert_eq!(receive_filter(&card), RECEIVE_NONE, "{named}");
    }
}
