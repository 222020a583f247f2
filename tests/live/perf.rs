//! The perf buffer in the ring's place: the same records, the same events, sums that come out, and refused where it cannot
//! be.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use monitor::probe::offsets::{self, Offsets};
use monitor::probe::{Options, Probe, Subject, Transport};
use monitor::reader::Transport as _;
use monitor::sys::sched::{affinity, set_affinity};
use monitor_common::{RecordHeader, Taken};
use serde_json::Value;

use crate::harness::{Monitor, Report, configuration};
use crate::packets;
use crate::probed::{options, perf_of};
use crate::support::{Need, trial};
use crate::wire::{PORT, Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf];
    const LIVE: &[Need] = &[Need::Bpf, Need::Veth, Need::TwoCpus];
    vec![
        trial("perf_records_are_the_packets", NEEDS, perf_records_are_the_packets),
        trial("what_perf_says_was_lost_is_counted_once", NEEDS, what_perf_says_was_lost_is_counted_once),
        trial("both_transports_give_the_same_events", LIVE, both_transports_give_the_same_events),
        trial("perf_is_refused_where_nobody_may_read", &[], perf_is_refused_where_nobody_may_read),
    ]
}

const BYTES: usize = 256 << 10;
const HEADER: usize = size_of::<RecordHeader>();

fn loaded(take_turns: u32) -> Probe {
    let turns = |(symbol, value)| (symbol, if symbol == "PROGRAMS_TAKE_TURNS" { take_turns } else { value });
    let globals: Offsets = offsets::of_running_kernel().unwrap().into_iter().map(turns).collect();
    let mut probe =
        Probe::load_with_offsets(&Options { transport: Transport::Perf, ..options() }, &globals).unwrap();
    probe.load_all_subjects().unwrap();
    // One CPU's buffer, so that it goes round its end.
    set_affinity(affinity().unwrap().iter().next().unwrap()).unwrap();
    probe
}

/// Of several lengths, so that records meet the buffer's end at every place of theirs; in batches.
fn perf_records_are_the_packets() {
    const ROUNDS: usize = 500;
    const BATCH: usize = 5;
    for take_turns in [0, 1] {
        let probe = loaded(take_turns);
        let mut perf = perf_of(&probe, BYTES);
        let (mut bytes, mut sequence, mut last) = (0, 0, 0);
        for round in 0..ROUNDS {
            // The kernel rewrites its own code for each run of an XDP program that is attached nowhere: fewer of them.
            let subject = match round % 10 {
                0 => Subject::Early,
                rest if rest % 2 == 0 => Subject::Egress,
                _ => Subject::Ingress,
            };
            let size = 18 + u16::try_from(round * 37 % 1_380).unwrap();
            let payload = packets::frame(0x41, 7, size);
            let packet = packets::ethernet(
                packets::IPV4,
                &packets::ipv4(packets::UDP, &packets::udp(40_000, PORT, &payload)),
            );
            probe.trial(subject, &packet, 3).unwrap();
            assert_eq!(perf.pending(), 3);
            let mut read = 0;
            while perf.has_records() {
                let drained = perf.drain_while(BATCH, |record, seen| {
                    let header: RecordHeader = bytemuck::pod_read_unaligned(&record[..HEADER]);
                    assert_eq!(record[HEADER..][..packet.len()], packet, "{subject:?} {header:?}");
                    assert_eq!((header.part_offset, header.part_length as usize), (0, packet.len()));
                    assert!(seen >= header.record_ns, "{header:?} seen at {seen}");
                    assert!(header.record_ns >= last && header.sequence == sequence + 1, "{header:?}");
                    (last, sequence, bytes) = (header.record_ns, header.sequence, bytes + record.len());
                    true
                });
                assert_eq!((drained.discarded, drained.marks), (0, 0));
                read += drained.delivered;
                perf.commit(&Taken::default());
            }
            assert_eq!((read, perf.pending()), (3, 0));
        }
        assert!(bytes > 4 * BYTES, "{bytes} bytes are not around it");
        let counters = probe.kernel().counters().unwrap();
        assert_eq!((counters.submitted, counters.records), (3 * ROUNDS as u64, 3 * ROUNDS as u64));
        assert_eq!((counters.ring_full, counters.read_failed, perf.lost()), (0, 0, 0));
    }
}

/// The kernel tells of what found no room in a record of its own, which is no second loss.
fn what_perf_says_was_lost_is_counted_once() {
    const RUNS: u32 = 3_000;
    let probe = loaded(1);
    let mut perf = perf_of(&probe, BYTES);
    let packet = packets::datagram(PORT, 120);
    let mut delivered = 0;
    for _ in 0..3 {
        probe.trial(Subject::Ingress, &packet, RUNS).unwrap();
        let counters = probe.kernel().counters().unwrap();
        // What was refused is no record, so that what is pending is all that there is.
        assert_eq!(counters.records, delivered + perf.pending());
        perf.mark_end();
        while !perf.is_past_end() {
            delivered += perf.drain_while(64, |_, _| true).delivered;
            perf.commit(&Taken::default());
        }
    }
    // The last loss is told before the next record.
    probe.trial(Subject::Ingress, &packet, 1).unwrap();
    delivered += perf.drain_while(64, |_, _| true).delivered;
    let counters = probe.kernel().counters().unwrap();
    assert_eq!(counters.seen, u64::from(3 * RUNS + 1));
    assert_eq!(counters.seen, counters.submitted + counters.ring_full, "{counters:?}");
    assert_eq!((delivered, counters.read_failed), (counters.submitted, 0));
    assert!(counters.ring_full > 0);
    assert_eq!(perf.lost(), counters.ring_full);
}

/// The frames of a monitor, each without what is its own: when it was seen there.
fn frames(report: &Report) -> BTreeMap<(u64, u64), Value> {
    let mut lines = report.of_kind("c37118.data").cloned().collect::<Vec<_>>();
    lines.iter_mut().filter_map(Value::as_object_mut).for_each(|line| {
        for own in ["arrival_ns", "stages_ns", "lateness_ns"] {
            line.remove(own);
        }
    });
    let key = |line: &Value| (line["idcode"].as_u64().unwrap(), line["time_ns"].as_u64().unwrap());
    lines.into_iter().map(|line| (key(&line), line)).collect()
}

fn both_transports_give_the_same_events() {
    const PMUS: u16 = 12;
    const FRAMES: u64 = 100;
    let mut pair = quiet_pair();
    let ways = [("ring", "predict"), ("perf", "predict"), ("perf", "block"), ("perf", "spin")];
    let mut monitors = ways.map(|(transport, wait)| {
        let arguments = ["--frames", "--transport", transport, "--wait", wait];
        Monitor::on(&pair).args(arguments).start().attached()
    });
    let wire = sender(&mut pair.stations);
    let mut pmus: Vec<_> = (1..=PMUS).map(Pmu::new).collect();
    for pmu in &mut pmus {
        wire.send(&datagram(&pmu.config())).unwrap();
    }
    for _ in 0..FRAMES {
        for pmu in &mut pmus {
            wire.send(&datagram(&pmu.data())).unwrap();
        }
    }
    let sent = u64::from(PMUS) * (FRAMES + 1);
    for monitor in &mut monitors {
        monitor.counted("frames.decoded", sent);
    }
    let [by_ring, others @ ..] = monitors.map(|monitor| monitor.stop().adds_up());
    let expected = frames(&by_ring);
    assert_eq!(expected.len() as u64, u64::from(PMUS) * FRAMES);
    for (report, way) in others.iter().zip(&ways[1..]) {
        assert_eq!(frames(report), expected, "{way:?}");
        assert_eq!((report.packets("submitted"), report.count("records.delivered")), (sent, sent));
        assert_eq!(report.summary()["rt"]["wait"], way.1);
        for idcode in 1..=PMUS {
            let stream = report.stream(idcode);
            assert_eq!((&stream["missing"], &stream["out_of_order"]), (&0.into(), &0.into()), "{way:?}");
        }
    }
}

fn perf_is_refused_where_nobody_may_read() {
    let file = configuration("transport = \"perf\"\n");
    for verb in ["attach", "follow"] {
        let words = ["transport", "perf", "`run` alone"];
        Monitor::here(&[verb]).configured(&file).run().failed_with(2, &words);
        Monitor::here(&[verb, "--transport", "perf"]).run().failed_with(2, &["--transport"]);
    }
    Monitor::here(&["decode", "--transport", "perf", "a.pcap"]).run().failed_with(2, &["--transport"]);
    let words = ["--transport", "'pigeon'", "ring and perf"];
    Monitor::here(&["run", "--transport", "pigeon"]).run().failed_with(2, &words);
    let odd = configuration("[bounds]\nperf-bytes = 300000\n");
    Monitor::here(&["run"]).configured(&odd).run().failed_with(1, &["perf-bytes", "power of two", "524288"]);
}
