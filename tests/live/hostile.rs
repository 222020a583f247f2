//! Input that is made to harm, all of it in one run: named, counted, bounded, and the good streams untouched.

use libtest_mimic::Trial;
use monitor_core::flow::{CLAIM_BUDGET, RESYNC_BUDGET};
use monitor_core::protocol::c37118::encode::reseal;
use serde_json::json;

use crate::harness::{Monitor, configuration};
use crate::support::{Need, trial};
use crate::wire::{
    EPHEMERAL, ETHERTYPE_IPV4, PORT, Pmu, TCP_PORT, ethernet, ipv4, quiet_pair, segment, sender, udp,
};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("hostile_input_costs_itself_alone", NEEDS, hostile)]
}

/// Streams that there is place for, and good ones among them.
const STREAMS: u64 = 24;
const GOOD: u16 = 4;
/// Streams that come beyond these.
const FLOOD: u16 = 500;
/// Datagrams full of almost-frames.
const ALMOST: usize = 10;
/// Connections that never send a frame, and one by one begin one.
const NEVER: u16 = 40;
/// Rounds of good DATA among all of it.
const ROUNDS: usize = 20;

/// Where fields stand in a CFG-2 (IEEE C37.118.2-2011, table 9).
const NUM_PMU: usize = 18;
const STATION: std::ops::Range<usize> = 20..36;
const PHNMR: usize = 40;

fn changed(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    reseal(&mut frame);
    frame
}

/// A datagram of the greatest length, in a packet that the MTU has to hold.
fn largest(number: usize) -> Vec<u8> {
    const LONGEST: usize = 65_535 - 28;
    let patterns: [&[u8]; 4] = [
        &[0xAA, 0x01, 0x20, 0x00],
        &[0xAA, 0x01, 0x00, 0x10],
        &[0xAA],
        &[0xE5, 0x11, 0x22, 0x33, 0x00, 0x01, 0x1F, 0xFF],
    ];
    let payload: Vec<u8> = patterns[number % patterns.len()].iter().copied().cycle().take(LONGEST).collect();
    udp_packet(&payload)
}

fn udp_packet(payload: &[u8]) -> Vec<u8> {
    const UDP: u8 = 17;
    ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], UDP, &udp([EPHEMERAL, PORT], payload)))
}

/// What comes between the rounds of good DATA, and how many packets of payload it is.
#[derive(Default)]
struct Traffic {
    packets: Vec<Vec<u8>>,
    bytes: u64,
    /// Configurations that contradict themselves.
    impossible: u64,
}

impl Traffic {
    fn datagram(&mut self, payload: &[u8]) {
        self.packets.push(udp_packet(payload));
        self.bytes += payload.len() as u64;
    }

    fn segment(&mut self, port: u16, sequence: usize, payload: &[u8]) {
        let sequence = u32::try_from(sequence).unwrap();
        self.packets.push(segment([TCP_PORT, port], sequence, payload));
        self.bytes += payload.len() as u64;
    }
}

/// Everything that is bad, in one list.
fn bad(config: &[u8]) -> Traffic {
    let mut traffic = Traffic::default();
    for number in 0..ALMOST {
        traffic.packets.push(largest(number));
        traffic.bytes += 65_535 - 28;
    }
    for (at, counts) in
        [(NUM_PMU, &[0xFF, 0xFF][..]), (NUM_PMU, &[0, 0]), (PHNMR, &[0xFF; 6]), (PHNMR + 4, &[0xFF, 0xFF])]
    {
        traffic.datagram(&changed(config, at, counts));
        traffic.impossible += 1;
    }
    // Connections whose first frame claims 60 000 bytes and goes on in single bytes, and such that send nothing like it.
    for connection in 0..NEVER {
        let port = EPHEMERAL + connection;
        traffic.segment(port, 1, &[0xAA, 0x01, 0xEA, 0x60, 0, 99]);
        for n in 0..10 {
            traffic.segment(port, 7 + n, &[0]);
        }
    }
    // More than any frame has.
    for n in 0..70 {
        traffic.segment(EPHEMERAL + NEVER, 1 + 1_000 * n, &[0x55; 1_000]);
    }
    traffic
}

fn hostile() {
    let bounds = configuration(&format!("[bounds]\nstreams = {STREAMS}\ntcp-flows = 32\n"));
    let mut pair = quiet_pair();
    pair.set_mtu(65_535).unwrap();
    let mut running = Monitor::on(&pair).configured(&bounds).args(["--frames"]).start().attached();
    let wire = sender(&mut pair.stations);
    let mut packets = 0;
    let mut send = |packet: &[u8]| {
        wire.send(packet).unwrap();
        packets += 1;
    };

    let mut good: Vec<Pmu> = (1..=GOOD).map(Pmu::new).collect();
    let mut bytes = 0;
    for pmu in &mut good {
        let config = pmu.config();
        bytes += config.len() as u64;
        send(&udp_packet(&config));
    }
    // One whose names are no UTF-8, and one that declares no rate.
    let mut strange = Pmu::new(60);
    let config = strange.config();
    let rate_at = config.len() - 4;
    let nameless = changed(&config, STATION.start, &[0xC3, 0x28, 0xFF, 0xFE, 0x80, b'"', b'\\', 0x00]);
    let without_rate = changed(&changed(&config, rate_at, &[0, 0]), 4, &61_u16.to_be_bytes());
    let data = strange.data();
    for payload in [nameless.clone(), data.clone(), without_rate, changed(&data, 4, &61_u16.to_be_bytes())] {
        bytes += payload.len() as u64;
        send(&udp_packet(&payload));
    }

    let traffic = bad(&config);
    let per_round = traffic.packets.len().div_ceil(ROUNDS);
    let mut flood = (1_000..1_000 + FLOOD).map(|idcode| changed(&data, 4, &idcode.to_be_bytes()));
    let mut parts = traffic.packets.chunks(per_round);
    for _ in 0..ROUNDS {
        parts.next().unwrap_or_default().iter().for_each(|packet| send(packet));
        for payload in flood.by_ref().take(usize::from(FLOOD) / ROUNDS) {
            bytes += payload.len() as u64;
            send(&udp_packet(&payload));
        }
        for pmu in &mut good {
            let data = pmu.data();
            bytes += data.len() as u64;
            send(&udp_packet(&data));
        }
    }
    running.counted("records.delivered", packets);
    let report = running.stop().adds_up();

    assert_eq!(report.count("bytes.received"), bytes + traffic.bytes, "every byte is in a counter");
    for idcode in 1..=GOOD {
        let row = report.stream(idcode);
        assert_eq!((&row["frames"], &row["missing"]), (&ROUNDS.into(), &0.into()), "{row:#}");
        assert_eq!((&row["undecoded"], &row["crc_errors"]), (&0.into(), &0.into()), "{row:#}");
    }
    let summary = report.summary();
    // Streams: those that there was place for. The others' frames are all counted; of the others themselves as many are
    // told apart as there are places.
    assert_eq!(summary["streams"].as_array().unwrap().len() as u64, STREAMS);
    let streams = u64::from(GOOD) + 2 + u64::from(FLOOD);
    assert_eq!(report.count("frames.undecoded.too_many_streams"), streams - STREAMS);
    assert_eq!(summary["streams_refused"], STREAMS);
    // Work: bounded for each datagram that has it done.
    let resync = |counter: &str| report.flow(&format!("resync.{counter}"));
    let work = &summary["flows"]["resync"];
    assert!(resync("exhausted") >= ALMOST as u64 / 2, "{work}");
    let most = (RESYNC_BUDGET + CLAIM_BUDGET + 65_535 + 8_191) * (ALMOST + 1);
    assert!(resync("checked_bytes") <= most as u64, "{work}");
    assert!(resync("looks") <= (RESYNC_BUDGET / 16 * (ALMOST + 1)) as u64, "{work}");
    // Connections: the one with much that is none is named; those that only begin were pushed out by one another.
    assert_eq!(report.flow("tcp.flows"), u64::from(NEVER) + 1);
    assert_eq!(report.flow("tcp.evicted"), u64::from(NEVER) + 1 - 32);
    let named: Vec<_> = report.of_kind("c37118.invalid").filter(|line| line["error"] == "no_frame").collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0]["dst"], json!(format!("192.0.2.9:{}", EPHEMERAL + NEVER)));
    // Configurations: what contradicts itself lays nothing out.
    assert_eq!(report.count("frames.undecoded.bad_configuration"), traffic.impossible);
    assert_eq!(summary["configs_without_rate"], 1);
    let rate = report.stream(61);
    assert_eq!((&rate["frames"], &rate["missing"], &rate["undecoded"]), (&1.into(), &0.into(), &0.into()));
    // Names: every line was JSON, and what was no text is shown as such.
    let strange = report.of_kind("c37118.data").find(|line| line["idcode"] == 60).unwrap();
    let station = strange["pmus"][0]["station"].as_str().unwrap();
    assert!(station.contains('\u{FFFD}') && station.contains('"'), "{station:?}");
}
