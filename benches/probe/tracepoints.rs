//! What the tracepoints cost every packet of the host, monitored or not: datagrams over a private loopback, with the
//! programs on the tracepoints and without, in alternating blocks. And what the one on `kfree_skb`, which is there only
//! where drops are asked for, costs every packet that the host drops.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Instant;

use monitor::netns::Netns;
use monitor::probe::{Hook, Matching, Options, Probe, Sizes, Transport};

use crate::figures::{Figure, Report, Round};

/// Datagrams in one block.
const DATAGRAMS: u32 = 20_000;
/// Rounds.
const ROUNDS: usize = 7;
/// Pairs of blocks in a round.
const BLOCKS: usize = 3;

/// Adds the figures.
pub(crate) fn measure(report: &mut Report) {
    let netns = Netns::create().unwrap_or_else(|error| panic!("{error}"));
    let mut rounds = vec![Round::default(); ROUNDS];
    let options = Options {
        matching: Matching::Ports(vec![4713]),
        sizes: Sizes::of_ring(256 << 10),
        hook: Hook::Tc,
        transport: Transport::Ring,
        drops: false,
        hardware_stamps: false,
    };
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
    report.push(Figure::of("kfree_skb: any packet that the host drops", &dropped(&netns, &options), None));
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
