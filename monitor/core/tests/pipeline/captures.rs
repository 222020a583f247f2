//! Real captures, where they are at hand.

use std::path::PathBuf;

use monitor_core::event::{InvalidReason, Outcome, StreamCounts};
use monitor_core::packet::LinkType;
use monitor_core::pipeline::{Bounds, Ports};
use monitor_core::stream::Agreement;

use crate::packets::record;
use crate::{Bench, assert_adds_up};

/// The packets of a little-endian pcap file with microseconds: arrival and bytes.
fn packets(file: &[u8]) -> Vec<(i64, &[u8])> {
    let (header, mut rest) = file.split_first_chunk::<24>().expect("a file header");
    assert_eq!(header[..4], [0xD4, 0xC3, 0xB2, 0xA1], "little-endian, microseconds");
    assert_eq!(header[20], 1, "Ethernet");
    let mut packets = Vec::new();
    while let Some((head, behind)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (bytes, behind) = behind.split_at(word(8) as usize);
        assert_eq!(word(8), word(12), "the capture cut no packet");
        packets.push((i64::from(word(0)) * 1_000_000_000 + i64::from(word(4)) * 1_000, bytes));
        rest = behind;
    }
    packets
}

/// A capture by name; none, and said so, where it is not at hand.
fn capture(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("PMU_CAPTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures")),
        PathBuf::from,
    );
    let path = folder.join("c37118").join(name);
    let file = std::fs::read(&path).ok();
    if file.is_none() {
        println!("skipped: there is no {} (PMU_CAPTURES names the folder)", path.display());
    }
    file
}

fn run(file: &[u8], ports: Ports) -> Bench {
    let mut bench = Bench::new(ports, &Bounds::default());
    for (arrival, bytes) in packets(file) {
        let record = record(bytes, arrival);
        assert_eq!(record.link, LinkType::Ethernet);
        bench.push(&record);
    }
    let counts = bench.pipeline.counts();
    assert_adds_up(&counts);
    let records = counts.records;
    assert_eq!(records.carried + records.no_payload + records.malformed, packets(file).len() as u64);
    bench
}

fn conventional() -> Ports {
    Ports::Set(vec![4712, 4713])
}

#[test]
fn one_pmu_over_udp() {
    let Some(file) = capture("C37.118_1PMU_UDP.pcap") else { return };
    for ports in [conventional(), Ports::Any] {
        let bench = run(&file, ports);
        let counts = bench.counts();
        assert_eq!(counts.frames.c37118, [356, 0, 0, 1, 4, 0]);
        assert_eq!(counts.frames.found, 361);
        assert_eq!(counts.frames.decoded, 361);
        assert_eq!((counts.frames.invalid, counts.frames.crc_errors), (0, 0));
        assert_eq!((counts.bytes.skipped, counts.bytes.dropped), (0, 0));
        assert_eq!(counts.records.malformed, 0);
        let stream = bench.only_stream();
        assert_eq!(stream.key.to_string(), "c37118:192.168.0.60>192.168.0.10:udp:60");
        let expected = StreamCounts { frames: 356, configs: 1, ..StreamCounts::default() };
        assert_eq!(stream.counts, expected, "nothing is missing, nothing came twice");
        assert_eq!(stream.timing.frequency_hz, Some(50.001));
        let report = stream.report;
        let gaps = report.pace.gaps;
        assert_eq!((gaps.count, gaps.min, gaps.max), (355, 19_792_000, 20_214_000), "{gaps:?}");
        assert_eq!(gaps.mean / 1_000, 20_000);
        assert_eq!((report.pace.declared, report.pace.usual_tag_gap_ns), (Some(50), Some(20_000_000)));
        assert_eq!(report.pace.tag_gaps.deviation, 0);
        // The PMU's clock is 4.8 days behind that of the host: an offset, and no late frame.
        let lateness = report.lateness;
        assert_eq!((lateness.agreement, lateness.judged), (Agreement::Offset, 0));
        assert_eq!(lateness.smallest_ns, Some(416_087_049_213_000));
        assert_eq!((lateness.delayed, lateness.variation.max), (0, 404_000));
        // Locked from the first frame to the last.
        assert_eq!(report.clock.sync, [7_100_182_000, 0]);
        assert_eq!((report.clock.msg_tq[0], report.clock.changes), (7_100_182_000, 0));
        assert_eq!((report.stalls.count, report.copies.skew.count), (0, 0));
    }
}

/// A capture of a session over TCP from its beginning: how many DATA, HDR, CFG-2 and CMD frames it holds.
fn tcp_session(name: &str, [data, header, config, command]: [u64; 4]) {
    let Some(file) = capture(name) else { return };
    for ports in [conventional(), Ports::Any] {
        let bench = run(&file, ports);
        let counts = bench.counts();
        assert_eq!(counts.frames.c37118, [data, header, 0, config, command, 0], "{name}");
        assert_eq!(counts.frames.decoded, data + header + config + command, "{name}");
        assert_eq!((counts.frames.found, counts.frames.invalid), (counts.frames.decoded, 0), "{name}");
        let bytes = counts.bytes;
        assert_eq!(bytes.received, bytes.in_frames + bytes.duplicate, "{name}");
        assert_eq!((bytes.skipped, bytes.buffered, bytes.dropped), (0, 0, 0), "{name}");
        assert_eq!((counts.flows.tcp.gaps, counts.flows.tcp.evicted), (0, 0), "{name}");
    }
}

#[test]
fn one_pmu_over_tcp() {
    tcp_session("C37.118_1PMU_TCP.pcap", [252, 0, 1, 3]);
}

#[test]
fn four_pmus_in_one_over_tcp() {
    tcp_session("C37.118_4in1PMU_TCP.pcap", [1342, 0, 3, 8]);
}

#[test]
fn a_clean_session_over_tcp() {
    tcp_session("c37_1100_clean_tcp.pcap", [422, 1, 1, 3]);
}

#[test]
fn ieee_1344_is_named_and_costs_no_neighbour() {
    let Some(file) = capture("ieee1344_negative.bin") else { return };
    let mut bench = Bench::on_port();
    // As datagrams of several frames each, whose ends fall anywhere.
    let datagrams = file.chunks(1_400);
    for (number, datagram) in datagrams.enumerate() {
        bench.send(datagram, i64::try_from(number).expect("few"));
    }
    bench.send(&crate::pmu().config(1), 0);
    bench.send(&crate::pmu().data(50), 0);
    let counts = bench.counts();
    assert_eq!(counts.frames.c37118, [1, 0, 0, 1, 0, 0]);
    assert_eq!(counts.frames.decoded, 2);
    assert!(counts.frames.invalid > 0);
    let named = |reason| bench.out.frames().filter(|(_, outcome)| *outcome == reason).count();
    assert!(named(Outcome::Invalid(InvalidReason::Ieee1344)) > 30);
}

#[test]
fn a_pmu_that_runs_unlocked_is_said_to() {
    let Some(file) = capture("c37_1100_clean_tcp.pcap") else { return };
    let bench = run(&file, Ports::Any);
    let stream = bench.pipeline.streams().max_by_key(|stream| stream.counts.frames).expect("a stream");
    let (frames, report) = (stream.counts.frames - u64::from(stream.counts.undecoded), stream.report);
    assert_eq!((frames, stream.counts.missing, stream.counts.stale), (422, 0, 0));
    assert_eq!((report.pace.gaps.min, report.pace.gaps.max), (15_579_000, 17_740_000));
    assert_eq!((report.pace.declared, report.pace.usual_tag_gap_ns), (Some(60), Some(16_666_667)));
    // STAT 0x21F0 and MSG_TQ F in every frame.
    let clock = report.clock;
    assert_eq!((clock.state.msg_tq(), clock.state.pmu_tq(), clock.state.unlocked_time()), (15, 7, 3));
    assert!(clock.state.sync_lost());
    assert_eq!((clock.sync[0], clock.changes), (0, 0));
    assert_eq!(
        (clock.msg_tq[15], clock.pmu_tq[7], clock.unlocked[3]),
        (clock.sync[1], clock.sync[1], clock.sync[1])
    );
    assert_eq!((clock.sync[1], report.stat.sync_lost), (7_015_279_000, 422));
    assert_eq!(
        (report.lateness.agreement, report.lateness.smallest_ns),
        (Agreement::Offset, Some(28_961_238_000))
    );
    assert_eq!(report.lateness.judged, 0, "it says itself that its time is not reliable");
}
