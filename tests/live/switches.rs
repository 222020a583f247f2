//! What user space writes into the object before it is loaded decides which half of the programs the verifier keeps: here
//! both halves are loaded, at every hook, and what they count and copy is the same.

use std::collections::HashMap;

use libtest_mimic::Trial;
use monitor::probe::offsets::{self, Offsets};
use monitor::probe::{Probe, Subject};
use monitor::reader::Ring;
use monitor_common::{PacketCounters, RecordHeader};

use crate::packets::{self, IPV4, TCP, UDP};
use crate::probed::options;
use crate::support::{Need, trial};
use crate::wire::{PORT, TCP_PORT};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf];
    vec![trial(
        "both_values_of_every_switch_count_the_same",
        NEEDS,
        both_values_of_every_switch_count_the_same,
    )]
}

const TAKE_TURNS: &str = "PROGRAMS_TAKE_TURNS";
/// Runs of each packet.
const RUNS: u32 = 5;

fn both_values_of_every_switch_count_the_same() {
    let known = offsets::of_running_kernel().unwrap();
    // As nobody has written them: the programs then read nothing by them.
    let unknown: Offsets = known.iter().map(|&(symbol, _)| (symbol, 0)).collect();
    for offsets in [known, unknown] {
        for take_turns in [0, 1] {
            let globals: Offsets = offsets
                .iter()
                .map(|&(symbol, value)| (symbol, if symbol == TAKE_TURNS { take_turns } else { value }))
                .collect();
            assert!(globals.contains(&(TAKE_TURNS, take_turns)), "{globals:?}");
            let mut probe = Probe::load_with_offsets(&options(), &globals).unwrap();
            probe.load_all_subjects().unwrap();
            for subject in [Subject::Ingress, Subject::Early, Subject::Egress] {
                counts_right(&probe, subject);
            }
        }
    }
}

/// Packets that match: short, of another size class, in parts of the longest class's size; and one that does not. What
/// is sent as a command to a PMU's port matches at egress too.
fn counts_right(probe: &Probe, subject: Subject) {
    let command = |size| packets::udp(40_000, PORT, &packets::frame(0x41, 7, size));
    let short = packets::ethernet(IPV4, &packets::ipv4(UDP, &command(18)));
    let longer = packets::ethernet(IPV4, &packets::ipv4(UDP, &command(900)));
    let segment = packets::ethernet(IPV4, &packets::ipv4(TCP, &packets::tcp(40_000, TCP_PORT, 5, b"bytes")));
    let tagged = packets::ethernet(0x8100, &[&[0, 5, 8, 0], &packets::ipv4(UDP, &command(18))[..]].concat());
    let other = packets::datagram(9, 60);
    let before = probe.kernel().counters().unwrap();
    let mut ring = ring(probe);
    // Each CPU numbers its own, and a trial runs where the scheduler puts it.
    let mut last = HashMap::new();
    for packet in [&short, &longer, &segment, &tagged] {
        let records = records(probe, &mut ring, subject, packet);
        assert_eq!(records.len(), RUNS as usize, "{subject:?}: {} bytes", packet.len());
        for (header, bytes) in records {
            assert_eq!(&bytes, packet, "{subject:?}");
            assert!(header.record_ns != 0 && header.ifindex != 0, "{header:?}");
            let numbers = (header.sequence, header.packet);
            if let Some((sequence, packet)) = last.insert(header.cpu, numbers) {
                assert_eq!(numbers, (sequence + 1, packet + 1), "{subject:?}");
            }
        }
    }
    assert!(records(probe, &mut ring, subject, &other).is_empty());
    let after = probe.kernel().counters().unwrap();
    let counted = |field: fn(&PacketCounters) -> u64| field(&after) - field(&before);
    let (matched, runs) = (4 * u64::from(RUNS), u64::from(RUNS));
    assert_eq!(counted(|counters| counters.seen), matched + runs, "{subject:?}");
    assert_eq!(counted(|counters| counters.ignored), runs);
    assert_eq!([counted(|counters| counters.matched), counted(|counters| counters.submitted)], [matched; 2]);
    assert_eq!(counted(|counters| counters.records), matched);
    assert_eq!(counted(|counters| counters.ring_full + counters.read_failed), 0);
    let bytes = [&short, &longer, &segment, &tagged].iter().map(|packet| packet.len() as u64).sum::<u64>();
    assert_eq!(counted(|counters| counters.bytes), bytes * runs);
}

fn ring(probe: &Probe) -> Ring {
    let kernel = probe.kernel();
    Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap()
}

fn records(probe: &Probe, ring: &mut Ring, subject: Subject, packet: &[u8]) -> Vec<(RecordHeader, Vec<u8>)> {
    const HEADER: usize = size_of::<RecordHeader>();
    probe.trial(subject, packet, RUNS).unwrap();
    let mut found = Vec::new();
    ring.drain(usize::MAX, |record| {
        let header: RecordHeader = bytemuck::pod_read_unaligned(&record[..HEADER]);
        let end = HEADER + usize::try_from(header.part_length).unwrap();
        found.push((header, record[HEADER..end].to_vec()));
    });
    ring.commit(&monitor_common::Taken::default());
    found
}
