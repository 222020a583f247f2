//! Every CPU at once, with senders that preempt each other on each: no count is lost or given twice. Under PREEMPT_RT a
//! program itself may be preempted.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use monitor::netns::Pair;
use monitor::reader::Ring;
use monitor::sys::packet::FrameSender;
use monitor::sys::sched::{CpuList, set_affinity, set_fifo};
use monitor_common::RecordHeader;

use crate::harness::until;
use crate::probed::Probed;
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus];
    vec![trial("contending_cpus_lose_no_count", NEEDS, contending_cpus_lose_no_count)]
}

/// Frames of each sender without priority.
const STEADY: u64 = 4_000;
/// Frames of each that comes in between.
const URGENT: u64 = 400;
const PRIORITY: u8 = 10;
const URGENT_EVERY: Duration = Duration::from_micros(300);

/// For each CPU, the numbers of its records and of its packets.
type Numbers = BTreeMap<u32, [Vec<u64>; 2]>;

fn contending_cpus_lose_no_count() {
    let cpus: Vec<usize> = CpuList::online().unwrap().iter().collect();
    let sent = (STEADY + URGENT) * cpus.len() as u64;
    let mut pair = quiet_pair();
    let probed = Probed::on(&pair);
    let mut ring = probed.ring();
    let (mut numbers, mut read) = (Numbers::new(), 0);
    thread::scope(|scope| {
        for &cpu in &cpus {
            let wires = [wire(&mut pair), wire(&mut pair)];
            let [steady, urgent] = wires;
            scope.spawn(move || {
                set_affinity(cpu).unwrap();
                send(&steady, STEADY, || {});
            });
            scope.spawn(move || {
                set_affinity(cpu).unwrap();
                set_fifo(PRIORITY).unwrap();
                send(&urgent, URGENT, || thread::sleep(URGENT_EVERY));
            });
        }
        until("all is read", || {
            read += take(&mut ring, &mut numbers);
            read == sent
        });
    });
    let counters = probed.counters();
    assert_eq!((counters.seen, counters.submitted), (sent, sent), "{counters:?}");
    assert_eq!((counters.ring_full, counters.read_failed), (0, 0), "{counters:?}");
    assert_eq!(numbers.len(), cpus.len(), "every CPU has handled packets");
    for (cpu, numbers) in numbers {
        for mut each in numbers {
            each.sort_unstable();
            assert!(
                each.iter().copied().eq(1..=each.len() as u64),
                "a number is missing or twice on CPU {cpu}"
            );
        }
    }
}

fn wire(pair: &mut Pair) -> FrameSender {
    sender(&mut pair.stations)
}

fn send(wire: &FrameSender, frames: u64, mut pause: impl FnMut()) {
    let packet = datagram(&Pmu::new(7).data());
    for _ in 0..frames {
        wire.send(&packet).unwrap();
        pause();
    }
}

/// Reads what there is and gives the room back.
fn take(ring: &mut Ring, numbers: &mut Numbers) -> u64 {
    let drained = ring.drain(usize::MAX, |record| {
        let header: RecordHeader = bytemuck::pod_read_unaligned(&record[..size_of::<RecordHeader>()]);
        let [records, packets] = numbers.entry(header.cpu).or_default();
        records.push(header.sequence);
        packets.push(header.packet);
    });
    ring.commit(&ring.taken_before());
    assert_eq!(drained.discarded, 0);
    drained.delivered
}
