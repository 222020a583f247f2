//! Which packets are ours: by port over everything that a port may stand behind, and which way they go.

use libtest_mimic::Trial;
use monitor_core::protocol::c37118::Command;

use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{
    EPHEMERAL, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_SERVICE_VLAN, ETHERTYPE_SV, ETHERTYPE_VLAN, PORT,
    Pmu, TCP_PORT, datagram, datagram_to, ethernet, ipv4, ipv6, quiet_pair, sender, tagged, tcp, udp,
};

const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("every_way_to_carry_a_port_is_matched", NEEDS, every_way_to_carry_a_port_is_matched),
        trial("what_leaves_is_seen_where_it_is_a_command", NEEDS, what_leaves_is_seen_where_it_is_a_command),
        trial("several_ports_are_matched", NEEDS, several_ports_are_matched),
    ]
}

const UDP: u8 = 17;
const TCP: u8 = 6;
const ICMP: u8 = 1;
const HOP_BY_HOP: u8 = 0;
const DESTINATION: u8 = 60;
const FRAGMENT: u8 = 44;
/// Eight bytes of an IPv6 extension header: what follows, no more than these, a `PadN` option.
fn extension(next: u8) -> [u8; 8] {
    [next, 0, 1, 4, 0, 0, 0, 0]
}

/// Packets that carry `payload` to the port, each in another way.
fn ours(payload: &[u8]) -> Vec<Vec<u8>> {
    let udp4 =
        |options: &[u8]| ethernet(ETHERTYPE_IPV4, &ipv4(0, options, UDP, &udp([EPHEMERAL, PORT], payload)));
    let udp6 = udp([EPHEMERAL, PORT], payload);
    let fragment_of_one = [UDP, 0, 0, 0, 0, 0, 0, 9];
    vec![
        udp4(&[]),
        ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], UDP, &udp([PORT, EPHEMERAL], payload))),
        udp4(&[1; 4]),
        udp4(&[1; 40]),
        tagged(ETHERTYPE_VLAN, 7, udp4(&[])),
        tagged(ETHERTYPE_SERVICE_VLAN, 9, tagged(ETHERTYPE_VLAN, 7, udp4(&[1; 8]))),
        ethernet(ETHERTYPE_IPV6, &ipv6(UDP, &udp6)),
        tagged(ETHERTYPE_VLAN, 0, ethernet(ETHERTYPE_IPV6, &ipv6(UDP, &udp6))),
        ethernet(ETHERTYPE_IPV6, &ipv6(HOP_BY_HOP, &[&extension(UDP)[..], &udp6].concat())),
        ethernet(
            ETHERTYPE_IPV6,
            &ipv6(HOP_BY_HOP, &[&extension(DESTINATION)[..], &extension(UDP), &udp6].concat()),
        ),
        ethernet(ETHERTYPE_IPV6, &ipv6(FRAGMENT, &[&fragment_of_one[..], &udp6].concat())),
    ]
}

/// Packets that are not for us, though some carry a frame.
fn others(frame: &[u8]) -> Vec<Vec<u8>> {
    let ports = [EPHEMERAL, PORT];
    vec![
        datagram_to(PORT + 1, frame),
        datagram_to(PORT - 2, frame),
        datagram_to(PORT.swap_bytes(), frame),
        // The port's number where no port is.
        ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], ICMP, &udp(ports, frame))),
        ethernet(ETHERTYPE_IPV6, &ipv6(59, &udp(ports, frame))),
        ethernet(0x0806, &udp(ports, frame)),
        ethernet(ETHERTYPE_SV, &udp(ports, frame)),
        tagged(ETHERTYPE_VLAN, 7, ethernet(ETHERTYPE_SV, &udp(ports, frame))),
        // Too short for the header that they announce.
        ethernet(ETHERTYPE_IPV4, &[]),
        [&[2; 12][..], &[0x08, 0x00], &[0x45]].concat(),
    ]
}

fn every_way_to_carry_a_port_is_matched() {
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    let wire = sender(&mut pair.stations);
    let mut pmu = Pmu::new(7);
    // By IPv6 it is another stream, which is told of its configuration by IPv6.
    wire.send(&datagram(&pmu.config())).unwrap();
    let config = ipv6(UDP, &udp([EPHEMERAL, PORT], &pmu.config()));
    wire.send(&ethernet(ETHERTYPE_IPV6, &config)).unwrap();
    // Each way with the next instant's frame, so that one which is missing or seen twice shows in the sequence.
    let ways = ours(&[]).len();
    let ours: Vec<_> = (0..ways).map(|way| ours(&pmu.data())[way].clone()).collect();
    let others = others(&pmu.data());
    ours.iter().chain(&others).for_each(|packet| wire.send(packet).unwrap());
    let segment = tcp([TCP_PORT, EPHEMERAL], &[1; 12], b"a stream's bytes");
    wire.send(&ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], TCP, &segment))).unwrap();
    let fragment = ipv4(185, &[], UDP, b"the middle of a datagram");
    wire.send(&ethernet(ETHERTYPE_IPV4, &fragment)).unwrap();

    let matched = 2 + ways as u64 + 2;
    running.counted("packets.seen", matched + others.len() as u64);
    let report = running.stop().adds_up();
    assert_eq!(report.others_and_ours(), [others.len() as u64, matched]);
    assert_eq!(report.count("frames.decoded"), 2 + ways as u64);
    // The middle of a stream, in which no frame is, and the end of a datagram, of which the rest never came.
    let bytes = ["skipped", "buffered"].map(|counter| report.count(&format!("bytes.{counter}")));
    assert_eq!(bytes, [b"a stream's bytes".len() as u64, b"the middle of a datagram".len() as u64]);
    assert_eq!(report.summary()["streams"].as_array().unwrap().len(), 2, "{:#}", report.summary());
}

fn what_leaves_is_seen_where_it_is_a_command() {
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).args(["--frames"]).start().attached();
    let mut pmu = Pmu::new(7);
    let (there, here) = (sender(&mut pair.stations), sender(&mut pair.monitor));
    for frame in [pmu.config(), pmu.data()] {
        there.send(&datagram(&frame)).unwrap();
        here.send(&datagram(&frame)).unwrap();
    }
    // Two commands that differ; the first one leaves again, byte by byte, as if this host passed it on: a copy.
    let command = datagram(&pmu.command(Command::SendConfig2));
    there.send(&command).unwrap();
    here.send(&command).unwrap();
    here.send(&datagram(&pmu.command(Command::TurnOn))).unwrap();
    running.counted("packets.seen", 7);
    let report = running.stop().adds_up();
    assert_eq!(report.others_and_ours(), [2, 5]);
    assert_eq!(report.summary()["copies"], 1, "{:#}", report.summary());
    let frames = ["config", "data", "command"].map(|kind| report.frames(&format!("c37118.{kind}")));
    assert_eq!(frames, [1, 1, 2]);
    let stamped = |line: &&serde_json::Value| line["stages_ns"]["receive_to_ring"].is_u64();
    assert_eq!(report.of_kind("c37118.command").filter(stamped).count(), 1, "what leaves was not received");
}

fn several_ports_are_matched() {
    let mut pair = quiet_pair();
    let mut running = Monitor::on(&pair).args(["--port", "1", "--port", "65535"]).start().attached();
    let (wire, mut pmu) = (sender(&mut pair.stations), Pmu::new(7));
    for (port, frame) in [(1, pmu.config()), (65_535, pmu.data()), (2, pmu.data()), (PORT, pmu.data())] {
        wire.send(&datagram_to(port, &frame)).unwrap();
    }
    running.counted("packets.seen", 4);
    let report = running.stop().adds_up();
    assert_eq!(report.others_and_ours(), [2, 2]);
    assert_eq!(report.stream(7)["frames"], 1);
}
