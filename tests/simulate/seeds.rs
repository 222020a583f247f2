//! The same seed and the same beginning give the same bytes on the wire, whatever the host does meanwhile.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use monitor::netns::Netns;
use monitor_core::protocol::c37118::{FrameKind, FrameView};
use serde_json::Value;

use crate::support::{Need, trial};

const BINARY: &str = env!("CARGO_BIN_EXE_pmu-monitor");
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("one_seed_gives_the_same_datagrams", &[Need::Veth], one_seed_gives_the_same_datagrams),
        trial("one_seed_gives_the_same_stream", &[Need::Veth], one_seed_gives_the_same_stream),
    ]
}

/// Faults of every sort that changes what leaves, and in which order.
const FAULTS: [&str; 9] = [
    "loss=0.1",
    "duplicate=0.1,copies=2,after=7ms",
    "reorder=0.1,depth=3",
    "delay=exponential:15ms,share=0.3",
    "crc=0.1",
    "truncate=0.1",
    "clock-drift=900,idcode=102",
    "time-quality=0x0F,from=200ms,for=300ms",
    "config-change,from=300ms,for=300ms",
];

fn arguments(seed: &str) -> Vec<&str> {
    let mut arguments = vec!["simulate", "--json", "--seed", seed, "--start", "2026-06-01T00:00:00Z"];
    arguments.extend(["--rate", "100", "--duration", "1s"]);
    arguments
}

/// All datagrams of a run, in their order, and what was said of it.
fn datagrams(netns: &Netns, seed: &str) -> (Vec<Vec<u8>>, Value) {
    let socket = netns.run(|| UdpSocket::bind((LOOPBACK, 0)).unwrap()).unwrap();
    let to = socket.local_addr().unwrap().to_string();
    let mut command = Command::new(BINARY);
    command
        .args(arguments(seed))
        .args(["--pmus", "3", "--to", &to])
        .args(FAULTS.iter().flat_map(|fault| ["--fault", fault]));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = netns.run(|| command.spawn().unwrap()).unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = [0; 4_096];
        loop {
            match socket.recv(&mut buffer).unwrap() {
                0 => return all,
                length => all.push(buffer[..length].to_vec()),
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    // An empty datagram ends the reading: it comes behind all that were sent.
    let end = netns.run(|| UdpSocket::bind((LOOPBACK, 0)).unwrap()).unwrap();
    end.send_to(&[], &to).unwrap();
    (reader.join().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn one_seed_gives_the_same_datagrams() {
    let netns = Netns::create().unwrap();
    let (first, said) = datagrams(&netns, "9");
    let (again, said_again) = datagrams(&netns, "9");
    let total = said["total"]["data"].as_u64().unwrap() + said["total"]["config2"].as_u64().unwrap();
    assert_eq!(first.len() as u64, total);
    assert_eq!(first, again, "byte for byte, in the same order");
    assert_eq!(said["injected"], said_again["injected"]);
    for fault in ["lost", "duplicated", "reordered", "delayed", "wrong_crc", "truncated", "config_changes"] {
        assert!(said["injected"][fault].as_u64() > Some(0), "{fault}: {}", said["injected"]);
    }
    let (other, _) = datagrams(&netns, "10");
    assert_ne!(first, other);
}

/// What a client of a spontaneous server gets, by time tag: DATA as they are written.
fn stream(netns: &Netns, seed: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let port = netns.run(|| std::net::TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap().port());
    let server = SocketAddr::new(LOOPBACK, port.unwrap());
    let mut command = Command::new(BINARY);
    command.args(arguments(seed)).args(["--listen", &server.to_string(), "--spontaneous", "--pmus", "1"]);
    command.args(["--fault", "segment=random:30", "--fault", "stat=0x2000,share=0.5"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = netns.run(|| command.spawn().unwrap()).unwrap();
    let mut bytes = Vec::new();
    while child.try_wait().unwrap().is_none() {
        if let Ok(mut client) = netns.run(|| TcpStream::connect(server)).unwrap() {
            client.read_to_end(&mut bytes).unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    let (mut rest, mut data) = (bytes.as_slice(), BTreeMap::new());
    while let Ok((frame, behind)) = FrameView::split(rest) {
        if frame.kind() == FrameKind::Data {
            data.insert(frame.bytes()[6..14].to_vec(), frame.bytes().to_vec());
        }
        rest = behind;
    }
    assert_eq!(rest.len(), 0, "whole frames");
    data
}

/// When a client comes is not the seed's: what both runs' clients got of an instant is the same.
fn one_seed_gives_the_same_stream() {
    let netns = Netns::create().unwrap();
    let (first, again, other) = (stream(&netns, "9"), stream(&netns, "9"), stream(&netns, "10"));
    let both = |other: &BTreeMap<Vec<u8>, Vec<u8>>| {
        first.keys().filter(|tag| other.contains_key(*tag)).cloned().collect::<Vec<_>>()
    };
    let tags = both(&again);
    assert!(tags.len() > 20, "{} and {} frames", first.len(), again.len());
    assert!(tags.iter().all(|tag| first[tag] == again[tag]));
    assert!(both(&other).iter().any(|tag| first[tag] != other[tag]));
}
