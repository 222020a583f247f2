//! A known frame through a private loopback: do the programs read of it what it is?
//!
//! The verifier refuses an offset at which no member starts, but not that of another member of the same size. So
//! before anything is believed, a datagram of known length goes through a loopback interface of a namespace made for
//! this alone, and what `netif_receive_skb` read of it is compared. Nothing is sent on any wire.

use std::net::{Ipv4Addr, UdpSocket};

use monitor_common::{InterfaceKey, InterfaceSettings, Stages};

use super::{Probe, ProbeError};
use crate::netns::Netns;

/// Index of the loopback interface in a new namespace (`LOOPBACK_IFINDEX` of the kernel's include/net/flow.h).
const LOOPBACK: u32 = 1;
/// Payload of the known frame; an odd length that no header has.
const PAYLOAD: usize = 337;
/// Headers before it when it is received: IPv4 and UDP.
const HEADERS: usize = 20 + 8;

/// What the self-test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// The programs read what was sent.
    Passed,
    /// It could not be made here.
    Skipped(String),
}

impl SelfTest {
    pub(super) fn run(probe: &mut Probe) -> Result<Self, ProbeError> {
        let netns = match Netns::create() {
            Ok(netns) => netns,
            Err(error) => return Ok(Self::Skipped(format!("no private network namespace: {error}"))),
        };
        let key = InterfaceKey { netns: netns.inode(), ifindex: LOOPBACK };
        probe.watch(key, InterfaceSettings::default())?;
        let sent = netns.run(send_known_frame);
        let seen = probe.stages();
        probe.unwatch(key)?;
        match sent {
            Ok(Ok(())) => compare(&seen?, key),
            Ok(Err(reason)) => Ok(Self::Skipped(reason)),
            Err(error) => Ok(Self::Skipped(error.to_string())),
        }
    }
}

fn send_known_frame() -> Result<(), String> {
    exchange().map_err(|error| format!("a datagram over a private loopback: {error}"))
}

fn exchange() -> std::io::Result<()> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.send_to(&[0; PAYLOAD], receiver.local_addr()?)?;
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
