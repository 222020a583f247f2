//! What the tracepoints cost every packet of the host, monitored or not: datagrams over a private loopback, with the
//! programs on the tracepoints and without, in alternating blocks. And what the one on `kfree_skb`, which is there only
//! where drops are asked for, costs every packet that the host drops; and what those of `--reads` cost.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor::netns::Netns;
use monitor::probe::{Hook, Interface, Matching, Options, Probe, Sizes};
use monitor_core::packet::InterfaceId;

use crate::figures::{Figure, Report, Round};

/// Datagrams in one block.
const DATAGRAMS: u32 = 20_000;
/// Those between which the ring of reads is emptied.
const BURST: u32 = 1000;
/// A port that is watched, and one that is not.
const WATCHED: u16 = 4713;
const OTHERS: u16 = 4799;
/// Rounds.
const ROUNDS: usize = 7;
/// Pairs of blocks in a round.
const BLOCKS: usize = 3;

/// Adds the figures.
pub(crate) fn measure(report: &mut Report) {
    let netns = Arc::new(Netns::create().unwrap_or_else(|error| panic!("{error}")));
    let mut rounds = vec![Round::default(); ROUNDS];
    let options = Options::new(Hook::Tc, Matching::Ports(vec![WATCHED]), Sizes::of_ring(256 << 10));
    for round in &mut rounds {
        for _ in 0..BLOCKS {
            let without = netns.run(block).unwrap();
            let probe = Probe::load(&options).unwrap_or_else(|error| panic!("{error}"));
            let with = netns.run(block).unwrap();
            drop(probe);
            round.push(without, with);
        }
    }
    report.push(Figure::of("tracepoints: any packet of the host", &rounds, None));
    let [watched, others] = read(&netns, &options);
    report.push(Figure::of("--reads: a matching datagram, received and read", &watched, None));
    report.push(Figure::of("--reads: one that does not match, received and read", &others, None));
    report.push(Figure::of("kfree_skb: any packet that the host drops", &dropped(&netns, &options), None));
}

/// Datagrams over the watched loopback to a port that is watched and to one that is not, with the programs on reads and
/// without; the others are there in both.
fn read(netns: &Arc<Netns>, options: &Options) -> [Vec<Round>; 2] {
    let mut rounds = [(); 2].map(|()| vec![Round::default(); ROUNDS]);
    let measured = |reads: bool| {
        let options = Options { reads, ..options.clone() };
        let mut probe = Probe::load(&options).unwrap_or_else(|error| panic!("{error}"));
        let loopback = Interface::find(netns, "lo", InterfaceId(0)).unwrap_or_else(|error| panic!("{error}"));
        probe.attach(&loopback).unwrap_or_else(|error| panic!("{error}"));
        let mut reads = probe.take_reads();
        [WATCHED, OTHERS].map(|port| {
            let mut emptied = || {
                let records = reads.iter_mut().flat_map(|reads| std::iter::from_fn(|| reads.next_record()));
                // A packet and its read, or nothing: else the figures are those of another path.
                let told = records.count();
                let wanted = if options.reads && port == WATCHED { 2 * BURST as usize } else { 0 };
                assert_eq!(told, wanted, "records of {BURST} datagrams");
            };
            netns.run(|| reading_block(port, &mut emptied)).unwrap()
        })
    };
    for round in 0..ROUNDS {
        for _ in 0..BLOCKS {
            let (without, with) = (measured(false), measured(true));
            for (rounds, (without, with)) in rounds.iter_mut().zip(without.into_iter().zip(with)) {
                rounds[round].push(without, with);
            }
        }
    }
    rounds
}

/// Nanoseconds for one datagram, sent, received and read. Between bursts, in time that is not counted, the ring is
/// emptied.
fn reading_block(port: u16, emptied: &mut (dyn FnMut() + Send)) -> f64 {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 64];
    let mut taken = Duration::ZERO;
    for _ in 0..DATAGRAMS / BURST {
        let start = Instant::now();
        for _ in 0..BURST {
            sender.send(&buffer).unwrap();
            receiver.recv(&mut buffer).unwrap();
        }
        taken += start.elapsed();
        emptied();
    }
    taken.as_secs_f64() * 1e9 / f64::from(DATAGRAMS / BURST * BURST)
}

/// Datagrams that no socket takes, with the program on `kfree_skb` and without; the others are there in both.
fn dropped(netns: &Netns, options: &Options) -> Vec<Round> {
    let with_drops = Options { drops: true, ..options.clone() };
    let mut rounds = vec![Round::default(); ROUNDS];
    let measured = |options: &Options| {
        let probe = Probe::load(options).unwrap_or_else(|error| panic!("{error}"));
        let time = netns.run(dropping_block).unwrap();
        drop(probe);
        time
    };
    for round in &mut rounds {
        for _ in 0..BLOCKS {
            let without = measured(options);
            round.push(without, measured(&with_drops));
        }
    }
    rounds
}

/// Nanoseconds for one datagram, sent and dropped.
fn dropping_block() -> f64 {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Nobody listens there any more.
    let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let start = Instant::now();
    for _ in 0..DATAGRAMS {
        sender.send_to(&[0; 64], nobody).unwrap();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(DATAGRAMS)
}

/// Nanoseconds for one datagram, sent and received.
fn block() -> f64 {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 64];
    let start = Instant::now();
    for _ in 0..DATAGRAMS {
        sender.send(&buffer).unwrap();
        receiver.recv(&mut buffer).unwrap();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(DATAGRAMS)
}
