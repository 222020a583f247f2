//! TCP is emitted whole: on the ports asked for, and where any port may carry frames, from the first segment that begins
//! with one.

use libtest_mimic::Trial;
use monitor::probe::{Attachment, Hook, Matching, Options, Probe, Sizes, Subject};
use monitor::sys::packet::FrameSender;

use crate::harness::until;
use crate::packets;
use crate::probed::{Probed, options};
use crate::support::{Need, trial};
use crate::wire::{
    EPHEMERAL, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN, Pmu, TCP_PORT,
    ethernet, ipv4, ipv6, quiet_pair, sender, tagged, tcp,
};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("segments_without_payload_are_emitted", NEEDS, segments_without_payload_are_emitted),
        trial("a_connection_is_followed_on_any_port", NEEDS, a_connection_is_followed_on_any_port),
        trial(
            "a_full_table_of_connections_gives_up_quiet_ones",
            &[Need::Bpf],
            a_full_table_of_connections_gives_up_quiet_ones,
        ),
        trial("what_leaves_of_a_connection_goes_to_a_pmu", NEEDS, what_leaves_of_a_connection_goes_to_a_pmu),
    ]
}

const TCP: u8 = 6;
const HOOKS: [Hook; 2] = [Hook::Tc, Hook::Xdp];
/// Flags of a TCP header.
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const PUSH: u8 = 0x08;
/// A PMU's port that nobody asks for.
const PORT: u16 = 20_000;

/// How a segment is carried.
#[derive(Clone, Copy)]
enum Carried {
    V4,
    V6,
    Tagged,
    TwiceTagged,
}

use Carried::{Tagged, TwiceTagged, V4, V6};

/// A segment from the first of two ports, by the addresses as they are in the test's packets.
fn segment(carried: Carried, ports: [u16; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    const FLAGS: usize = 13;
    let mut segment = tcp(ports, &[], payload);
    segment[FLAGS] = flags;
    match carried {
        V4 => ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], TCP, &segment)),
        V6 => ethernet(ETHERTYPE_IPV6, &ipv6(TCP, &segment)),
        Tagged => tagged(ETHERTYPE_VLAN, 7, self::segment(V4, ports, flags, payload)),
        TwiceTagged => tagged(ETHERTYPE_SERVICE_VLAN, 9, self::segment(Tagged, ports, flags, payload)),
    }
}

/// One that goes the other way: both addresses and both ports change places.
fn answer(carried: Carried, ports: [u16; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = segment(carried, [ports[1], ports[0]], flags, payload);
    let (first, length) = match carried {
        V4 => (26, 4),
        V6 => (22, 16),
        Tagged => (30, 4),
        TwiceTagged => (34, 4),
    };
    let (source, destination) = packet[first..first + 2 * length].split_at_mut(length);
    source.swap_with_slice(destination);
    packet
}

fn segments_without_payload_are_emitted() {
    for hook in HOOKS {
        let mut pair = quiet_pair();
        let probe = Probe::load(&Options { hook, ..options() }).unwrap();
        let probed = Probed::with(probe, Attachment::Best, &pair);
        let wire = sender(&mut pair.stations);
        let mut sent = 0;
        for carried in [V4, V6, Tagged, TwiceTagged] {
            for flags in [SYN, SYN | ACK, ACK, FIN | ACK, RST] {
                for packet in [
                    segment(carried, [TCP_PORT, EPHEMERAL], flags, &[]),
                    answer(carried, [TCP_PORT, EPHEMERAL], flags, &[]),
                ] {
                    wire.send(&packet).unwrap();
                    sent += 1;
                }
            }
        }
        wire.send(&segment(V4, [PORT, EPHEMERAL], SYN, &[])).unwrap();
        until("all are seen", || probed.counters().seen == sent + 1);
        let counters = probed.counters();
        assert_eq!((counters.submitted, counters.ignored), (sent, 1), "{hook:?}: {counters:?}");
    }
}

/// Programs that match any port, and a wire to them.
struct AnyPort {
    probed: Probed,
    sent: u64,
}

impl AnyPort {
    /// Sends packets, all of which are to have the same fate; gives how many were submitted.
    fn submitted(&mut self, wire: &FrameSender, packets: &[Vec<u8>]) -> u64 {
        let before = self.probed.counters();
        for packet in packets {
            wire.send(packet).unwrap();
        }
        self.sent += packets.len() as u64;
        until("all are seen", || self.probed.counters().seen == self.sent);
        let after = self.probed.counters();
        assert_eq!(after.seen, after.ignored + after.submitted, "{after:?}");
        after.submitted - before.submitted
    }
}

fn any_port(hook: Hook, pair: &monitor::netns::Pair) -> AnyPort {
    let options = Options { hook, matching: Matching::AnyPort, ..options() };
    AnyPort { probed: Probed::with(Probe::load(&options).unwrap(), Attachment::Best, pair), sent: 0 }
}

fn a_connection_is_followed_on_any_port() {
    for hook in HOOKS {
        let mut pair = quiet_pair();
        let mut any = any_port(hook, &pair);
        let wire = sender(&mut pair.stations);
        let frame = Pmu::new(7).data();
        // The last has one port at both ends: then the addresses say which end is which.
        let connections =
            [(V4, [PORT, EPHEMERAL]), (V6, [PORT, EPHEMERAL]), (Tagged, [EPHEMERAL, 1]), (V4, [PORT; 2])];
        for (place, (carried, ports)) in connections.into_iter().enumerate() {
            let whole = [
                segment(carried, ports, SYN | ACK, &[]),
                answer(carried, ports, ACK, &[]),
                segment(carried, ports, ACK | PUSH, &frame[20..]),
                answer(carried, ports, FIN | ACK, &[]),
                segment(carried, ports, RST, &[]),
            ];
            assert_eq!(any.submitted(&wire, &whole), 0, "{hook:?}: nothing is known of it");
            assert_eq!(any.submitted(&wire, &[segment(carried, ports, ACK | PUSH, &frame)]), 1);
            assert_eq!(any.submitted(&wire, &whole), whole.len() as u64, "{hook:?}: all of it");
            // On another path it is the same connection.
            let elsewhere = match carried {
                V4 => TwiceTagged,
                Tagged => V4,
                V6 | TwiceTagged => V6,
            };
            assert_eq!(any.submitted(&wire, &[answer(elsewhere, ports, ACK, &[])]), 1);
            // Another connection of either end is not.
            let other = [ports[0], ports[1] + 1];
            assert_eq!(any.submitted(&wire, &[segment(carried, other, ACK, &frame[20..])]), 0);
            assert_eq!(any.probed.counters().connections, place as u64 + 1);
        }
        // A datagram is matched for itself alone.
        let datagram = crate::wire::datagram_to(PORT, &frame[20..]);
        assert_eq!(any.submitted(&wire, &[datagram]), 0);
    }
}

fn what_leaves_of_a_connection_goes_to_a_pmu() {
    use monitor_core::protocol::c37118::Command;
    let mut pair = quiet_pair();
    let mut any = any_port(Hook::Tc, &pair);
    let (there, here) = (sender(&mut pair.stations), sender(&mut pair.monitor));
    let mut pmu = Pmu::new(7);
    let (data, command) = (pmu.data(), pmu.command(Command::SendConfig2));
    let ports = [PORT, EPHEMERAL];
    // A PDC on this host, which is known by what comes in.
    assert_eq!(any.submitted(&here, &[answer(V4, ports, ACK, &[])]), 0);
    assert_eq!(any.submitted(&there, &[segment(V4, ports, ACK | PUSH, &data)]), 1);
    assert_eq!(any.submitted(&here, &[answer(V4, ports, ACK, &[]), answer(V4, ports, FIN, &[])]), 2);
    // Another, which is known by the command that it sends.
    let ports = [PORT, EPHEMERAL + 1];
    assert_eq!(any.submitted(&here, &[answer(V4, ports, ACK | PUSH, &command)]), 1);
    assert_eq!(any.submitted(&there, &[segment(V4, ports, ACK, &data[20..])]), 1);
    // A PMU on this host: who asks it is seen, what it sends is not.
    let ports = [PORT, EPHEMERAL + 2];
    assert_eq!(any.submitted(&there, &[answer(V4, ports, ACK | PUSH, &command)]), 1);
    assert_eq!(any.submitted(&here, &[segment(V4, ports, ACK | PUSH, &data)]), 0);
    assert_eq!(any.probed.counters().connections, 3);
}

/// What was taken up is kept or was given up; nothing is refused.
fn a_full_table_of_connections_gives_up_quiet_ones() {
    const PLACES: u32 = 1_024;
    const MADE: u16 = 3_000;
    let sizes = Sizes { connections: PLACES, ..options().sizes };
    let any_port = Options { matching: Matching::AnyPort, sizes, ..options() };
    let mut probe = Probe::load(&any_port).unwrap();
    probe.load_subject(Subject::Ingress).unwrap();
    let kernel = probe.kernel();
    let hand_over = |client: u16| {
        let segment = packets::tcp(PORT, 30_000 + client, 5, &packets::data_frame(7, 40));
        let packet = packets::ethernet(packets::IPV4, &packets::ipv4(packets::TCP, &segment));
        probe.trial(Subject::Ingress, &packet, 2).unwrap();
    };
    (0..MADE).for_each(hand_over);
    let counters = kernel.counters().unwrap();
    let kept = kernel.connections().unwrap();
    assert_eq!((counters.connections, counters.connections_refused), (MADE.into(), 0));
    assert!(0 < kept && kept <= PLACES.into(), "{kept} kept");
    assert_eq!(counters.submitted + counters.ring_full, 2 * u64::from(MADE), "{counters:?}");
    // The newest is known, and not taken up once more; the oldest is.
    hand_over(MADE - 1);
    assert_eq!(kernel.counters().unwrap().connections, u64::from(MADE));
    hand_over(0);
    assert_eq!(kernel.counters().unwrap().connections, u64::from(MADE) + 1);
}
