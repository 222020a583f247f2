//! TCP live: whatever pieces a stream is written in, every frame of it is decoded, at either hook.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use libtest_mimic::Trial;
use monitor::netns::Pair;

use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::{PDC, Pmu, TCP_PORT, addressed_pair};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("a_tcp_stream_in_any_pieces_is_decoded_whole", NEEDS, || in_any_pieces("tc")),
        trial("at_xdp_a_tcp_stream_in_any_pieces_is_decoded_whole", NEEDS, || in_any_pieces("xdp")),
        trial("a_tcp_session_is_joined_in_the_middle_of_a_frame", NEEDS, || joined_in_the_middle("tc")),
        trial("at_xdp_a_tcp_session_is_joined_in_the_middle", NEEDS, || joined_in_the_middle("xdp")),
    ]
}

/// Cuts a stream into the pieces that it is written in.
type Cut = fn(&[u8]) -> Vec<&[u8]>;

/// DATA frames of a stream.
const FRAMES: usize = 200;

/// A connection from the stations' end to the monitor's.
fn connected(pair: &Pair) -> (TcpStream, TcpStream) {
    let listener = pair.monitor.run(|| TcpListener::bind((PDC, TCP_PORT)).unwrap()).unwrap();
    let stream = pair.stations.run(|| TcpStream::connect((PDC, TCP_PORT)).unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    (stream, listener.accept().unwrap().0)
}

/// Writes the pieces, reads them at the other end, and closes once everything has been acknowledged.
fn written((mut from, mut to): (TcpStream, TcpStream), pieces: &[&[u8]]) {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let reader = thread::spawn(move || {
        to.read_exact(&mut vec![0; length]).unwrap();
        to
    });
    for piece in pieces {
        from.write_all(piece).unwrap();
    }
    drop(reader.join().unwrap());
}

/// Cuts of 1 to 200 bytes, the same in every run.
fn at_random(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut state = 7_u32;
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (1 + (state >> 16) as usize % 200).min(stream.len());
        let (piece, rest) = stream.split_at(length);
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

fn byte_by_byte(stream: &[u8]) -> Vec<&[u8]> {
    stream.chunks(1).collect()
}

/// Many frames in a segment, which the kernel cuts and merges as it likes.
fn at_once(stream: &[u8]) -> Vec<&[u8]> {
    vec![stream]
}

fn in_any_pieces(hook: &str) {
    let cuts: [Cut; 3] = [at_random, byte_by_byte, at_once];
    for cut in cuts {
        let pair = addressed_pair();
        let mut running = Monitor::on(&pair).args(["--hook", hook]).start().attached();
        let mut pmu = Pmu::new(7);
        let stream = [pmu.config()].into_iter().chain((0..FRAMES).map(|_| pmu.data())).collect::<Vec<_>>();
        let stream = stream.concat();
        written(connected(&pair), &cut(&stream));
        running.counted("bytes.in_frames", stream.len() as u64);
        let report = running.stop().adds_up();
        assert_eq!(report.frames("c37118.data"), FRAMES as u64);
        assert_eq!((&report.stream(7)["frames"], &report.stream(7)["missing"]), (&200.into(), &0.into()));
        assert_eq!(["skipped", "dropped", "buffered"].map(|of| report.count(&format!("bytes.{of}"))), [0; 3]);
        assert_eq!(report.count("bytes.in_frames"), stream.len() as u64);
    }
}

/// The monitor comes when the connection has sent the first half of a frame.
fn joined_in_the_middle(hook: &str) {
    const HALF: usize = 20;
    let pair = addressed_pair();
    let (mut from, mut to) = connected(&pair);
    let mut pmu = Pmu::new(7);
    let begun = pmu.data();
    from.write_all(&begun[..HALF]).unwrap();
    to.read_exact(&mut [0; HALF]).unwrap();
    let mut running = Monitor::on(&pair).args(["--hook", hook]).start().attached();
    let stream = [pmu.config()].into_iter().chain((0..FRAMES).map(|_| pmu.data())).collect::<Vec<_>>();
    let stream = stream.concat();
    written((from, to), &[&[&begun[HALF..], &stream[..]].concat()]);
    running.counted("bytes.in_frames", stream.len() as u64);
    let report = running.stop().adds_up();
    assert_eq!(report.frames("c37118.data"), FRAMES as u64);
    assert_eq!(report.count("bytes.skipped"), (begun.len() - HALF) as u64);
    assert_eq!((&report.stream(7)["frames"], &report.stream(7)["missing"]), (&200.into(), &0.into()));
}
