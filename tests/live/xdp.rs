//! The earlier hook live: jumbo frames in several buffers, VLAN tags, PMUs that stream.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;

use libtest_mimic::Trial;
use monitor::probe::{Attachment, Hook, Interface, Options, Probe};
use monitor::reader::{Interfaces, Records};
use monitor_core::packet::{InterfaceId, Packet, VlanTag};

use crate::harness::{BINARY, Monitor};
use crate::probed::{Probed, options};
use crate::support::{Need, trial};
use crate::wire::{
    EPHEMERAL, ETHERTYPE_VLAN, PDC, PMU, PORT, Pmu, addressed_pair, datagram, quiet_pair, sender, tagged,
};

const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("at_xdp_a_jumbo_frame_arrives_whole", NEEDS, at_xdp_a_jumbo_frame_arrives_whole),
        trial("at_xdp_a_tag_is_known_or_unknown_never_absent", NEEDS, at_xdp_a_tag_is_known_or_unknown),
        trial("at_xdp_everything_adds_up_while_pmus_stream", NEEDS, at_xdp_everything_adds_up),
    ]
}

/// A datagram that fills an MTU of 9000 to the last byte: several buffers, of which a program without `xdp.frags` would
/// see the first, and to which the driver would not let it be attached.
fn at_xdp_a_jumbo_frame_arrives_whole() {
    const MTU: u32 = 9_000;
    const IPV4_AND_UDP: usize = 28;
    let mut pair = addressed_pair();
    pair.set_mtu(MTU).unwrap();
    let mut pmu = Pmu::new(7);
    let mut payload = pmu.config();
    let largest = MTU as usize - IPV4_AND_UDP;
    let mut data = 0;
    while payload.len() + 500 < largest {
        payload.extend(pmu.data());
        data += 1;
    }
    payload.extend(pmu.header_of(largest - payload.len()));
    let mut running = Monitor::on(&pair).args(["--hook", "xdp", "--frames"]).start().attached();
    let socket = pair.stations.run(|| UdpSocket::bind((PMU, EPHEMERAL)).unwrap()).unwrap();
    for _ in 0..10 {
        socket.send_to(&payload, (PDC, PORT)).unwrap();
    }
    running.counted("packets.submitted", 10);
    let report = running.stop().adds_up();
    assert_eq!(report.frames("c37118.data"), 10 * data);
    assert_eq!((report.frames("c37118.config"), report.frames("c37118.header")), (10, 10));
    assert_eq!(report.count("bytes.in_frames"), 10 * largest as u64);
    assert_eq!(report.count("records.malformed"), 0);
}

fn at_xdp_a_tag_is_known_or_unknown() {
    let mut pair = quiet_pair();
    let wire = sender(&mut pair.stations);
    let probe = Probe::load(&Options { hook: Hook::Xdp, ..options() }).unwrap();
    let probed = Probed::with(probe, Attachment::Best, &pair);
    let frame = datagram(&Pmu::new(7).config());
    wire.send(&tagged(ETHERTYPE_VLAN, 0x6007, frame.clone())).unwrap();
    wire.send(&frame).unwrap();
    let Interface { key, .. } = probed.interface;
    let mut records = Records::new(Interfaces::new([(key, InterfaceId(0))]));
    let (mut ring, mut seen) = (probed.ring(), Vec::new());
    crate::harness::until("both are in the ring", || {
        ring.drain(64, |bytes| {
            let record = records.take(bytes, None, 0).unwrap();
            let packet = Packet::parse(&record).unwrap();
            seen.push((packet.vlan, packet.vlan_unknown));
        });
        seen.len() == 2
    });
    // A tag in the bytes is what it is. Without one, the card may have stripped it: nobody can know.
    assert_eq!(seen, [(Some(VlanTag::from_tci(0x6007)), false), (None, true)]);
}

fn at_xdp_everything_adds_up() {
    let pair = addressed_pair();
    let mut running = Monitor::on(&pair).args(["--hook", "xdp"]).start().attached();
    let to = format!("{PDC}:{PORT}");
    let mut simulate = Command::new(BINARY);
    simulate.args(["simulate", "--to", &to, "--pmus", "20", "--rate", "100", "--duration", "2s"]);
    let listener = Arc::new(pair.monitor.run(|| UdpSocket::bind((PDC, PORT)).unwrap()).unwrap());
    let sent = pair.stations.run(|| simulate.output().unwrap()).unwrap();
    let said = String::from_utf8(sent.stdout).unwrap();
    assert!(said.contains("sent 4000 DATA"), "{said}");
    running.counted("frames.decoded", 4_020);
    let report = running.stop().adds_up();
    drop(listener);
    assert_eq!(report.frames("c37118.data"), 4_000);
    let rows = report.summary()["streams"].as_array().unwrap();
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| row["frames"] == 200 && row["missing"] == 0), "{rows:#?}");
    // The whole of each frame's way is known, from the program's own entry on.
    let stages = &report.summary()["latency_ns"];
    assert!(stages["receive_to_decoded"]["count"].as_u64() >= Some(4_020), "{stages:#}");
}
