//! A wire with PMUs on it: a private veth pair whose one end a monitor watches as `eth1`, while stations send on the
//! other.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};

use monitor::netns::{Pair, private_pair};

/// The watched end: where the stations send to.
const MONITOR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The other end.
const STATIONS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const PREFIX: u8 = 24;
/// UDP port of C37.118 by convention.
const PORT: u16 = 4713;

pub(crate) struct Wire {
    pub(crate) pair: Pair,
    /// Without a socket the kernel would answer that nobody listens.
    _listening: [UdpSocket; 2],
}

impl Wire {
    pub(crate) fn new() -> Self {
        let mut pair = private_pair("stations0", "eth1").unwrap();
        let mut listening = Vec::new();
        for (end, address) in [(&mut pair.monitor, MONITOR), (&mut pair.stations, STATIONS)] {
            end.add_address(IpAddr::V4(address), PREFIX).unwrap();
            listening.push(end.run(|| UdpSocket::bind((address, PORT)).unwrap()).unwrap());
        }
        Self { pair, _listening: listening.try_into().unwrap() }
    }

    /// Starts a program where the watched end is, its output piped.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        // Kept configurations are the host's, and would be found by other tests.
        command.env("STATE_DIRECTORY", "");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.pair.monitor.run(|| command.spawn().unwrap()).unwrap()
    }

    /// Starts stations that send to the watched end.
    pub(crate) fn start_stations(&self, arguments: &[&str]) -> Child {
        let mut simulate = Command::new(env!("CARGO_BIN_EXE_pmu-monitor"));
        simulate.args(["simulate", "--to", &format!("{MONITOR}:{PORT}")]).args(arguments);
        simulate.stdin(Stdio::null()).stdout(Stdio::piped());
        self.pair.stations.run(|| simulate.spawn().unwrap()).unwrap()
    }
}

/// Sends a signal by name, as "INT".
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill: {status}");
}
