//! What the kernel drops of watched flows: its reason, and on which side of the hook.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::process::Command;

use libtest_mimic::Trial;
use monitor::netns::{End, MacAddress, Pair};
use monitor::probe::{Attachment, Options, Probe};
use monitor_common::PLACE_BEFORE_HOOK;
use serde_json::Value;

use crate::harness::{Monitor, Report, Running, configuration, until};
use crate::probed::{Probed, options};
use crate::support::{Need, trial};
use crate::wire::{
    EPHEMERAL, ETHERTYPE_IPV4, PDC, PDC_6, PMU, PMU_6, PORT, Pmu, addressed_pair, datagram, datagram_to,
    ethernet, ipv4, quiet_pair, sender, udp,
};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("what_is_for_another_host_is_dropped_and_no_loss", NEEDS, for_another_host),
        trial("what_no_socket_takes_is_dropped_and_no_loss", NEEDS, || no_socket("tc")),
        trial("at_xdp_what_no_socket_takes_is_after_the_hook", NEEDS, || no_socket("xdp")),
        trial("over_ipv6_what_no_socket_takes_is_dropped_and_no_loss", NEEDS, no_socket_on_ipv6),
        trial("where_a_packet_put_together_was_dropped_is_not_known", NEEDS, put_together),
        trial("drops_that_their_ring_has_no_room_for_are_counted", NEEDS, full_ring),
        trial("what_a_full_socket_has_no_room_for_is_lost_after_the_hook", NEEDS, full_socket),
        trial("a_wrong_udp_checksum_is_lost_after_the_hook", NEEDS, wrong_checksum),
        trial("what_a_later_filter_drops_is_lost_after_the_hook", NEEDS, later_filter),
        trial("what_an_earlier_filter_drops_is_lost_before_the_hook", NEEDS, earlier_filter),
        trial("drops_are_told_only_where_they_are_asked_for", NEEDS, only_where_asked_for),
        trial("an_instance_tells_of_no_drops_and_says_so", NEEDS, not_of_an_instance),
    ]
}

const TOLD: [&str; 1] = ["--drops"];

fn monitored(pair: &Pair, more: &[&str]) -> Running {
    Monitor::on(pair).args(TOLD).args(more).start().attached()
}

/// Asserts that so many packets of the test's flow were dropped, all of one reason and place.
fn all_dropped(report: &Report, reason: &str, place: &str, loss: bool, packets: u64) {
    all_dropped_between([PMU.into(), PDC.into()], report, reason, place, loss, packets);
}

fn all_dropped_between(
    [from, to]: [IpAddr; 2],
    report: &Report,
    reason: &str,
    place: &str,
    loss: bool,
    packets: u64,
) {
    let shown =
        |address: IpAddr| if address.is_ipv6() { format!("[{address}]:") } else { format!("{address}:") };
    let drops = &report.summary()["drops"];
    let by_reason = [serde_json::json!({"reason": reason, "where": place, "loss": loss, "packets": packets})];
    assert_eq!(drops["by_reason"].as_array().unwrap(), &by_reason, "{drops:#}");
    assert_eq!((&drops["matched"], &drops["ring_full"]), (&packets.into(), &0.into()), "{drops:#}");
    let lines: Vec<&Value> = report.of_kind("drop").collect();
    assert_eq!(drops["told"], lines.len(), "{drops:#}");
    let [told, untold] = ["told", "untold"].map(|one| drops[one].as_u64().unwrap());
    assert_eq!(told + untold, packets, "{drops:#}");
    assert_eq!(drops["submitted"], packets, "{drops:#}");
    for sum in
        ["seen", "ignored", "matched", "submitted", "told", "untold", "ring_full", "not_loss", "unknown"]
    {
        assert_eq!(drops[sum], report.count(&format!("drops.{sum}")), "{sum}: {:#}", report.summary());
    }
    for line in lines {
        assert_eq!(
            (&line["reason"], &line["where"], &line["loss"]),
            (&reason.into(), &place.into(), &loss.into())
        );
        assert_eq!((&line["iface"], &line["transport"]), (&"eth1".into(), &"udp".into()), "{line}");
        assert!(line["src"].as_str().unwrap().starts_with(&shown(from)), "{line}");
        assert_eq!(line["dst"], format!("{}{PORT}", shown(to)), "{line}");
    }
}

fn for_another_host() {
    const FRAMES: u64 = 30;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut running = monitored(&pair, &[]);
    for _ in 0..FRAMES {
        wire.send(&datagram(&pmu.data())).unwrap();
        wire.send(&datagram_to(PORT + 1, &pmu.data())).unwrap();
    }
    running.counted("packets.seen", 2 * FRAMES);
    let report = running.stop().adds_up();
    all_dropped(&report, "OTHERHOST", "after_hook", false, FRAMES);
    assert_eq!(report.summary()["drops"]["not_loss"], FRAMES);
    let length = 20 + 8 + pmu.data().len();
    assert!(report.of_kind("drop").all(|line| line["length"] == length), "{length}");
}

/// A socket of the stations' end, and of a pair whose addresses are resolved.
fn socket(end: &End) -> UdpSocket {
    end.run(|| UdpSocket::bind((PMU, 0)).unwrap()).unwrap()
}

fn resolved_pair() -> Pair {
    let mut pair = addressed_pair();
    let mac = pair.monitor.interface().unwrap().mac.unwrap();
    pair.stations.add_neighbour(PDC.into(), mac).unwrap();
    pair.stations.add_neighbour(PDC_6.into(), mac).unwrap();
    pair
}

fn no_socket(hook: &str) {
    const FRAMES: u64 = 40;
    let pair = resolved_pair();
    let socket = socket(&pair.stations);
    let mut pmu = Pmu::new(7);
    let mut running = monitored(&pair, &["--hook", hook]);
    for _ in 0..FRAMES {
        socket.send_to(&pmu.data(), (PDC, PORT)).unwrap();
    }
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    all_dropped(&report, "NO_SOCKET", "after_hook", false, FRAMES);
}

fn no_socket_on_ipv6() {
    const FRAMES: u64 = 20;
    let pair = resolved_pair();
    let socket = pair.stations.run(|| UdpSocket::bind((PMU_6, 0)).unwrap()).unwrap();
    let mut pmu = Pmu::new(7);
    let mut running = monitored(&pair, &[]);
    for _ in 0..FRAMES {
        socket.send_to(&pmu.data(), (PDC_6, PORT)).unwrap();
    }
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    let between = [PMU_6.into(), PDC_6.into()];
    all_dropped_between(between, &report, "NO_SOCKET", "after_hook", false, FRAMES);
}

/// Of fragments the kernel makes a packet that nobody handed on.
fn put_together() {
    const DATAGRAMS: u16 = 10;
    const IDENTIFICATION: std::ops::Range<usize> = 18..20;
    const MORE: u16 = 0x2000;
    const CUT: usize = 64;
    const UDP: u8 = 17;
    let mut pair = resolved_pair();
    let mac = pair.monitor.interface().unwrap().mac.unwrap();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut running = monitored(&pair, &[]);
    for number in 1..=DATAGRAMS {
        let datagram = udp([EPHEMERAL, PORT], &pmu.data());
        let (first, second) = datagram.split_at(CUT);
        for (fragment, body) in [(MORE, first), (u16::try_from(CUT / 8).unwrap(), second)] {
            let mut packet = ethernet(ETHERTYPE_IPV4, &ipv4(fragment, &[], UDP, body));
            packet[IDENTIFICATION].copy_from_slice(&number.to_be_bytes());
            wire.send(&checked(mac, packet)).unwrap();
        }
    }
    let datagrams = u64::from(DATAGRAMS);
    running.counted("packets.submitted", 2 * datagrams);
    let report = running.stop().adds_up();
    all_dropped(&report, "NO_SOCKET", "unknown", false, datagrams);
    assert_eq!(report.frames("c37118.data"), datagrams, "the monitor itself has them all");
}

/// More than their ring holds, while nobody reads it.
fn full_ring() {
    /// The ring has 64 KiB, and a record takes 72 bytes.
    const FRAMES: u64 = 1_500;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut running = monitored(&pair, &[]);
    running.freeze();
    for _ in 0..FRAMES {
        wire.send(&datagram(&pmu.data())).unwrap();
    }
    running.signal("CONT");
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    let count = |name: &str| report.count(&format!("drops.{name}"));
    assert_eq!((count("matched"), count("matched")), (FRAMES, count("submitted") + count("ring_full")));
    assert_eq!(count("submitted"), count("told") + count("untold"));
    assert_eq!(count("submitted"), count("not_loss"));
    assert_eq!(count("submitted"), 64 * 1024 / 72, "as many as there is room for");
    assert!(count("ring_full") > 0 && count("told") <= 100);
}

/// What the socket has not got the kernel has dropped.
fn full_socket() {
    const DATAGRAMS: u64 = 600;
    let pair = resolved_pair();
    let (sending, receiving) =
        (socket(&pair.stations), pair.monitor.run(|| UdpSocket::bind((PDC, PORT)).unwrap()).unwrap());
    let frame = Pmu::new(7).header_of(1000);
    let mut running = monitored(&pair, &[]);
    for _ in 0..DATAGRAMS {
        sending.send_to(&frame, (PDC, PORT)).unwrap();
    }
    running.counted("packets.submitted", DATAGRAMS);
    let report = running.stop().adds_up();
    receiving.set_nonblocking(true).unwrap();
    let mut got = 0;
    while receiving.recv(&mut [0; 2000]).is_ok() {
        got += 1;
    }
    assert!(got > 0 && got < DATAGRAMS, "{got} of {DATAGRAMS}");
    all_dropped(&report, "SOCKET_RCVBUFF", "after_hook", true, DATAGRAMS - got);
    assert_eq!(report.summary()["drops"]["lost_after_hook"], DATAGRAMS - got);
    assert_eq!(report.frames("c37118.header"), DATAGRAMS, "the monitor itself has them all");
    // A window has a hundred lines at most, and these came within three.
    let untold = report.summary()["drops"]["untold"].as_u64().unwrap();
    assert!(untold > 0, "{:#}", report.summary()["drops"]);
}

/// Sum of 16-bit words in ones' complement (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// A datagram that the monitor's host takes for its own, with a UDP checksum that cannot be right.
fn to_this_host(to: MacAddress, payload: &[u8]) -> Vec<u8> {
    const UDP_CHECK: std::ops::Range<usize> = 40..42;
    let mut packet = checked(to, datagram(payload));
    packet[UDP_CHECK].copy_from_slice(&[0xDE, 0xAD]);
    packet
}

/// The packet to that card, with the check of its IPv4 header.
fn checked(to: MacAddress, mut packet: Vec<u8>) -> Vec<u8> {
    const IP: std::ops::Range<usize> = 14..34;
    const IP_CHECK: std::ops::Range<usize> = 24..26;
    packet[..6].copy_from_slice(&to.0);
    let check = checksum(&packet[IP]).to_be_bytes();
    packet[IP_CHECK].copy_from_slice(&check);
    packet
}

fn wrong_checksum() {
    const FRAMES: u64 = 20;
    let mut pair = resolved_pair();
    let mac = pair.monitor.interface().unwrap().mac.unwrap();
    let wire = sender(&mut pair.stations);
    // The same frame each time: whatever its checksum is, 0xDEAD is it for all or for none, and the test says which.
    let frame = Pmu::new(7).data();
    let mut running = monitored(&pair, &[]);
    for _ in 0..FRAMES {
        wire.send(&to_this_host(mac, &frame)).unwrap();
    }
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    all_dropped(&report, "UDP_CSUM", "after_hook", true, FRAMES);
}

/// A filter on what comes in that drops everything: classic BPF that returns 2, `TC_ACT_SHOT`.
fn drop_all(pair: &Pair, preference: &str) {
    let filter = ["filter", "add", "dev", "eth1", "ingress", "pref", preference];
    tc(pair, &[&filter[..], &["bpf", "da", "bytecode", "1,6 0 0 2,"]].concat());
}

/// Runs `tc` in the monitor's namespace.
fn tc(pair: &Pair, arguments: &[&str]) {
    let done = pair.monitor.run(|| Command::new("tc").args(arguments).output().unwrap()).unwrap();
    assert!(done.status.success(), "tc {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A tcx link is before every filter.
fn later_filter() {
    const FRAMES: u64 = 25;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut running = monitored(&pair, &[]);
    tc(&pair, &["qdisc", "add", "dev", "eth1", "clsact"]);
    drop_all(&pair, "1");
    for _ in 0..FRAMES {
        wire.send(&datagram(&pmu.data())).unwrap();
    }
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    all_dropped(&report, "TC_INGRESS", "after_hook", true, FRAMES);
}

/// As a filter, with another before it.
fn earlier_filter() {
    const FRAMES: u64 = 25;
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    let mut probe = Probe::load(&Options { drops: true, ..options() }).unwrap();
    let mut drops = probe.take_drops().unwrap();
    let probed = Probed::with(probe, Attachment::Filter, &pair);
    drop_all(&pair, "1");
    let before = drops.counters().unwrap();
    for _ in 0..FRAMES {
        wire.send(&datagram(&pmu.data())).unwrap();
    }
    until("every drop is counted", || drops.counters().unwrap().submitted >= before.submitted + FRAMES);
    let mut records = Vec::new();
    records.extend(std::iter::from_fn(|| drops.next_record()));
    assert_eq!(records.len() as u64, FRAMES);
    let reasons = drops.reasons();
    for record in &records {
        assert_eq!((record.place, reasons.name(record.reason).as_str()), (PLACE_BEFORE_HOOK, "TC_INGRESS"));
        assert_eq!((record.ifindex, record.destination_port), (probed.interface.key.ifindex, PORT));
    }
    assert_eq!(probed.probe.kernel().counters().unwrap().submitted, 0, "the hook has seen none of them");
    let after = drops.counters().unwrap();
    assert_eq!(after.seen, after.ignored + after.matched);
    assert_eq!((after.matched, after.ring_full), (after.submitted, 0));
}

/// Links of a process to tracepoints.
fn tracing_links(process: u32) -> usize {
    let infos = fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap().filter_map(Result::ok);
    let texts = infos.filter_map(|info| fs::read_to_string(info.path()).ok());
    texts
        .filter(|text| {
            text.lines().any(|line| line.starts_with("link_type") && line.ends_with("raw_tracepoint"))
        })
        .count()
}

fn only_where_asked_for() {
    let pair = quiet_pair();
    let with = monitored(&pair, &[]);
    let links = tracing_links(with.pid());
    let report = with.stop().adds_up();
    assert_eq!(report.summary()["drops"]["matched"], 0);
    let without = Monitor::on(&pair).start().attached();
    assert_eq!(tracing_links(without.pid()) + 1, links);
    let report = without.stop().adds_up();
    assert_eq!(report.summary().get("drops"), None);
}

fn not_of_an_instance() {
    const USAGE: i32 = 2;
    let file = configuration("drops = true\n");
    let path = file.path().display().to_string();
    let attach = ["attach", "--iface", "lo", "--instance", "drops-refused", "--config", &path];
    Monitor::here(&attach).run().failed_with(USAGE, &["drops", "run"]);
    let follow = ["follow", "--instance", "drops-refused", "--config", &path];
    Monitor::here(&follow).run().failed_with(USAGE, &["drops", "run"]);
}
