//! A known frame over a private wire: do the programs read of it what it is?
//!
//! The verifier refuses an offset at which no member starts, but not that of another member of the same size. So
//! before anything is believed, a datagram of known length goes over a veth pair in namespaces made for this alone, to
//! an interface whose index no other member holds by chance, and what `netif_receive_skb` read of it is compared. Where
//! there are no veth pairs it goes over a loopback, whose index is 1, as other numbers are. Nothing is sent on any wire
//! outside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use monitor_common::{InterfaceKey, InterfaceSettings, Stages};

use super::{Kernel, ProbeError};
use crate::netns::{Netns, Pair, private_pair};

/// Both ends of the private wire.
const ENDS: [&str; 2] = ["known0", "known1"];
/// Who sends on it (RFC 5737), and everybody there, whom no other end needs to be asked for.
const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const EVERYBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 255));
const PREFIX: u8 = 24;
/// The discard service's port (RFC 863).
const NOBODY: u16 = 9;
/// Index of the loopback interface in a new namespace (`LOOPBACK_IFINDEX` of the kernel's include/net/flow.h).
const LOOPBACK: u32 = 1;
/// Payload of the known frame; an odd length that no header has.
const PAYLOAD: usize = 337;
/// Headers before it when it is received: IPv4 and UDP.
const HEADERS: usize = 20 + 8;
/// Frames sent before what is read is taken for wrong: the kernel may put off the first one's receiving, and a packet of
/// its own may come behind one.
const TRIES: u32 = 100;
/// Between two of them.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the self-test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// The programs read what was sent.
    Passed,
    /// It could not be made here.
    Skipped(String),
}

impl SelfTest {
    pub(super) fn run(kernel: &Kernel) -> Result<Self, ProbeError> {
        match KnownWire::veth().or_else(|_| KnownWire::loopback()) {
            Ok(wire) => wire.test(kernel),
            Err(error) => Ok(Self::Skipped(format!("no private network namespace: {error}"))),
        }
    }
}

/// A wire on which only known frames are sent.
struct KnownWire {
    /// Where the frames arrive.
    key: InterfaceKey,
    /// Where they are sent, and to whom.
    place: Place,
}

enum Place {
    Veth(Pair),
    Loopback(Netns),
}

impl KnownWire {
    fn veth() -> Result<Self, crate::netns::Error> {
        let mut pair = private_pair(ENDS[0], ENDS[1])?;
        pair.stations.add_address(SENDER, PREFIX)?;
        let key =
            InterfaceKey { netns: pair.monitor.netns().inode(), ifindex: pair.monitor.interface()?.index };
        Ok(Self { key, place: Place::Veth(pair) })
    }

    fn loopback() -> Result<Self, crate::netns::Error> {
        let netns = Netns::create()?;
        let key = InterfaceKey { netns: netns.inode(), ifindex: LOOPBACK };
        Ok(Self { key, place: Place::Loopback(netns) })
    }

    fn test(&self, kernel: &Kernel) -> Result<SelfTest, ProbeError> {
        kernel.watch(self.key, InterfaceSettings::default())?;
        let tested = self.try_until_read(kernel);
        kernel.unwatch(self.key)?;
        tested
    }

    fn try_until_read(&self, kernel: &Kernel) -> Result<SelfTest, ProbeError> {
        let mut compared = compare(&[], self.key);
        for _ in 0..TRIES {
            if let Err(reason) = self.send() {
                return Ok(SelfTest::Skipped(reason));
            }
            compared = compare(&kernel.stages()?, self.key);
            if compared.is_ok() {
                break;
            }
            thread::sleep(LOOK_EVERY);
        }
        compared
    }

    fn send(&self) -> Result<(), String> {
        let sent = match &self.place {
            Place::Veth(pair) => pair.stations.run(|| send(SENDER, SocketAddr::new(EVERYBODY, NOBODY))),
            Place::Loopback(netns) => netns.run(exchange),
        };
        let sent = sent.map_err(|error| error.to_string())?;
        sent.map_err(|error| format!("a datagram over a private wire: {error}"))
    }
}

fn send(from: IpAddr, to: SocketAddr) -> std::io::Result<()> {
    let sender = UdpSocket::bind((from, 0))?;
    sender.set_broadcast(true)?;
    sender.send_to(&[0; PAYLOAD], to).map(drop)
}

/// Over a loopback the kernel answers where nobody listens, and the answer would come behind the known frame.
fn exchange() -> std::io::Result<()> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    send(Ipv4Addr::LOCALHOST.into(), receiver.local_addr()?)?;
    receiver.recv(&mut [0; PAYLOAD + 1]).map(drop)
}

fn compare(seen: &[Stages], key: InterfaceKey) -> Result<SelfTest, ProbeError> {
    let expected = (key.netns, key.ifindex, PAYLOAD + HEADERS);
    let read =
        |stages: &Stages| (stages.receive_netns, stages.receive_ifindex, stages.receive_length as usize);
    if seen.iter().any(|stages| read(stages) == expected) {
        return Ok(SelfTest::Passed);
    }
    let describe =
        |(netns, ifindex, length)| format!("namespace {netns}, interface {ifindex}, length {length}");
    let found = seen.iter().filter(|stages| stages.receive_ns != 0).map(|stages| describe(read(stages)));
    let found = found.collect::<Vec<_>>().join(" / ");
    Err(ProbeError::SelfTest {
        found: if found.is_empty() { "no packet of that interface".to_owned() } else { found },
        expected: describe(expected),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_frame_read_right_passes() {
        let key = InterfaceKey { netns: 4_026_532_000, ifindex: LOOPBACK };
        let right = Stages {
            receive_ns: 1,
            receive_netns: key.netns,
            receive_ifindex: LOOPBACK,
            receive_length: u32::try_from(PAYLOAD + HEADERS).expect("small"),
            ..Stages::default()
        };
        assert_eq!(compare(&[Stages::default(), right], key).ok(), Some(SelfTest::Passed));
        let wrong = Stages { receive_length: 9, ..right };
        let error = compare(&[wrong], key).expect_err("another length").to_string();
        assert!(error.contains("length 9") && error.contains("length 365"), "{error}");
        assert!(compare(&[], key).is_err());
    }
}
