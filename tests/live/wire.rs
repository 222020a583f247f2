//! What is put on the wire: frames of a PMU, packets around them byte by byte, and a wire on which nothing else is.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use monitor::capture::Capture;
use monitor::netns::{End, Pair, private_pair};
use monitor::simulate::{Fleet, FleetPlan, Frames, ReportingInstant, ReportingRate};
use monitor::sys::packet::FrameSender;
use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{Command as Asked, Format, IdCode, NominalFrequency, TimeTag, Version};

/// Addresses kept for documentation (RFC 5737, RFC 3849).
pub(crate) const PMU: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const PDC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
pub(crate) const PMU_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(crate) const PDC_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
/// UDP port of C37.118 by convention.
pub(crate) const PORT: u16 = 4713;
/// TCP port of C37.118 by convention.
pub(crate) const TCP_PORT: u16 = 4712;
/// A port that nobody chooses.
pub(crate) const EPHEMERAL: u16 = 40_000;

/// A pair on which nothing is sent but what the test sends: without addresses, and without IPv6's own traffic.
pub(crate) fn quiet_pair() -> Pair {
    let pair = private_pair("stations0", "eth1").unwrap();
    for end in [&pair.stations, &pair.monitor] {
        silence(end);
    }
    pair
}

/// Switches IPv6 off in the namespace of an end, on interfaces that there are and that come.
fn silence(end: &End) {
    let switch = |which: &str| fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    // A kernel without IPv6 is silent anyway.
    let _ = end.run(|| switch("all").and_then(|()| switch("default"))).unwrap();
}

/// A pair with addresses for sockets, IPv4 and IPv6.
pub(crate) fn addressed_pair() -> Pair {
    let mut pair = private_pair("stations0", "eth1").unwrap();
    for (end, four, six) in [(&mut pair.stations, PMU, PMU_6), (&mut pair.monitor, PDC, PDC_6)] {
        end.add_address(IpAddr::V4(four), 24).unwrap();
        end.add_address(IpAddr::V6(six), 64).unwrap();
    }
    pair
}

/// Lets TCP over IPv6 hand packets to the wire that are larger than a record can be (BIG TCP, from Linux 5.19).
pub(crate) fn allow_big_packets(pair: &Pair) {
    const MOST: &str = "200000";
    for end in [&pair.stations, &pair.monitor] {
        let set = ["link", "set", end.name(), "gso_max_size", MOST, "gro_max_size", MOST];
        let status = end.run(|| Command::new("ip").args(set).status().unwrap()).unwrap();
        assert!(status.success(), "ip {set:?}: {status}");
    }
}

/// Sends whole frames from one end.
pub(crate) fn sender(end: &mut End) -> FrameSender {
    let index = end.interface().unwrap().index;
    end.run(|| FrameSender::open(index).unwrap()).unwrap()
}

/// Every packet of a capture, as it was on its wire.
pub(crate) fn packets_of(path: &std::path::Path) -> Vec<Vec<u8>> {
    let mut capture = Capture::open(path).unwrap();
    let mut packets = Vec::new();
    while let Some(record) = capture.next_record().unwrap() {
        packets.push(record.bytes.to_vec());
    }
    packets
}

/// A simulated PMU that sends when it is told to.
pub(crate) struct Pmu {
    idcode: u16,
    fleet: Fleet,
    frames: Frames,
    next: ReportingInstant,
}

impl Pmu {
    pub(crate) const RATE: ReportingRate = ReportingRate::FIFTY;

    pub(crate) fn new(idcode: u16) -> Self {
        Self::of(idcode, |fleet| fleet)
    }

    /// One whose values stand in another format, and whose DATA have another size for it.
    pub(crate) fn formatted(idcode: u16, format: Format) -> Self {
        Self::of(idcode, |fleet| fleet.formatted(format))
    }

    fn of(idcode: u16, shaped: impl FnOnce(Fleet) -> Fleet) -> Self {
        let plan = FleetPlan { seed: 7, pmus: 1, first_idcode: idcode, nominal: NominalFrequency::Hz50 };
        let fleet = shaped(Fleet::new(&plan).unwrap());
        let frames = Frames::new(fleet.stations()[0].clone(), Self::RATE).unwrap();
        Self {
            idcode,
            fleet,
            frames,
            next: ReportingInstant::at_or_after(1_700_000_000_000_000_000, Self::RATE),
        }
    }

    /// Its CFG-2.
    pub(crate) fn config(&mut self) -> Vec<u8> {
        self.frames.config2(self.next.time_tag()).unwrap().to_vec()
    }

    /// Its DATA frame of the next instant.
    pub(crate) fn data(&mut self) -> Vec<u8> {
        let instant = self.next;
        self.next = instant.next();
        self.frames.data(instant, self.fleet.grid(instant)).unwrap().to_vec()
    }

    /// A HDR frame of exactly `size` bytes.
    pub(crate) fn header_of(&self, size: usize) -> Vec<u8> {
        const AROUND_TEXT: usize = 16;
        let text = "h".repeat(size - AROUND_TEXT);
        let mut frame = vec![0; size];
        let written = encode::header(&mut frame, &self.preamble(), text.as_str().into()).unwrap();
        assert_eq!(written, size);
        frame
    }

    /// A command to it.
    pub(crate) fn command(&self, command: Asked) -> Vec<u8> {
        let mut frame = vec![0; 18];
        encode::command(&mut frame, &self.preamble(), command, &[]).unwrap();
        frame
    }

    fn preamble(&self) -> Preamble {
        let time: TimeTag = self.next.time_tag();
        Preamble { version: Version::V2005, idcode: IdCode(self.idcode), time }
    }
}

/// Whom the packets below are addressed to: nobody on the pair, so that no end of it answers.
const NOBODY: [u8; 6] = [2, 0, 0, 0, 0, 9];
const SOMEBODY: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86DD;
pub(crate) const ETHERTYPE_SV: u16 = 0x88BA;
pub(crate) const ETHERTYPE_VLAN: u16 = 0x8100;
pub(crate) const ETHERTYPE_SERVICE_VLAN: u16 = 0x88A8;
const UDP: u8 = 17;
const TCP: u8 = 6;

fn word(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

/// An Ethernet frame, filled up to the 60 bytes that Ethernet asks for.
pub(crate) fn ethernet(ethertype: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = [&NOBODY[..], &SOMEBODY, &ethertype.to_be_bytes(), body].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// The frame with an 802.1Q or 802.1ad tag behind its addresses.
pub(crate) fn tagged(protocol: u16, id: u16, mut frame: Vec<u8>) -> Vec<u8> {
    frame.splice(12..12, [protocol.to_be_bytes(), id.to_be_bytes()].concat());
    frame
}

/// A UDP datagram. Nobody on its way looks at its check.
pub(crate) fn udp(ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let [source, destination] = ports.map(u16::to_be_bytes);
    [&source[..], &destination, &word(8 + payload.len()), &[0, 0], payload].concat()
}

/// A TCP segment with `options`, whose length is a multiple of 4.
pub(crate) fn tcp(ports: [u16; 2], options: &[u8], payload: &[u8]) -> Vec<u8> {
    const FIXED: usize = 20;
    let offset = u8::try_from((FIXED + options.len()) / 4).unwrap() << 4;
    let [source, destination] = ports.map(u16::to_be_bytes);
    let fixed = [0, 0, 0, 1, 0, 0, 0, 1, offset, 0x18, 0xFF, 0xFF, 0, 0, 0, 0];
    [&source[..], &destination, &fixed, options, payload].concat()
}

/// A TCP segment over IPv4 over Ethernet, from the PMU, with ACK and PSH.
pub(crate) fn segment(ports: [u16; 2], sequence: u32, payload: &[u8]) -> Vec<u8> {
    const SEQUENCE: std::ops::Range<usize> = 4..8;
    let mut segment = tcp(ports, &[], payload);
    segment[SEQUENCE].copy_from_slice(&sequence.to_be_bytes());
    ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], TCP, &segment))
}

/// The same segment with other flags.
pub(crate) fn flagged(mut segment: Vec<u8>, flags: u8) -> Vec<u8> {
    /// Behind the headers of Ethernet and IPv4.
    const FLAGS: usize = 14 + 20 + 13;
    segment[FLAGS] = flags;
    segment
}

/// An IPv4 packet: flags and fragment offset, options (a multiple of 4 bytes), protocol.
pub(crate) fn ipv4(fragment: u16, options: &[u8], protocol: u8, body: &[u8]) -> Vec<u8> {
    const FIXED: usize = 20;
    let version_and_length = 0x40 | u8::try_from((FIXED + options.len()) / 4).unwrap();
    let mut packet = vec![version_and_length, 0];
    packet.extend(word(FIXED + options.len() + body.len()));
    packet.extend(identification(fragment).to_be_bytes());
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(PMU.octets());
    packet.extend(PDC.octets());
    packet.extend(options);
    packet.extend(body);
    packet
}

/// A packet's own number, as a sender counts them: a second packet with the same one is a copy. The fragments of a packet
/// share theirs.
fn identification(fragment: u16) -> u16 {
    static LAST: AtomicU16 = AtomicU16::new(1);
    // Relaxed: the number only has to differ from the others.
    if fragment == 0 { LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1) } else { 1 }
}

/// An IPv6 packet whose `next` stands at the beginning of `body`.
pub(crate) fn ipv6(next: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(word(body.len()));
    packet.extend([next, 64]);
    packet.extend(PMU_6.octets());
    packet.extend(PDC_6.octets());
    packet.extend(body);
    packet
}

/// A packet of TCP or UDP over IPv4 without options and tags, the other way: addresses and ports change places.
pub(crate) fn answered(mut packet: Vec<u8>) -> Vec<u8> {
    const ADDRESSES: (usize, usize) = (26, 4);
    const PORTS: (usize, usize) = (34, 2);
    for (at, length) in [ADDRESSES, PORTS] {
        let (source, destination) = packet[at..at + 2 * length].split_at_mut(length);
        source.swap_with_slice(destination);
    }
    packet
}

/// UDP over IPv4 over Ethernet, from the PMU to a port.
pub(crate) fn datagram_to(port: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(ETHERTYPE_IPV4, &ipv4(0, &[], UDP, &udp([EPHEMERAL, port], payload)))
}

/// The same to the port by convention.
pub(crate) fn datagram(payload: &[u8]) -> Vec<u8> {
    datagram_to(PORT, payload)
}
