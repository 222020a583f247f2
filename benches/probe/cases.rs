//! Which packets are handed to which programs, and what each may cost.

use monitor::probe::Subject;

use crate::packets;

/// The port that matches.
pub(crate) const PORT: u16 = 4713;
/// Runs between two drains: their records must fit into the ring.
const RUNS_OF_A_MATCH: u32 = 400;
/// Runs in one call of a program that writes no record.
const RUNS_OF_NO_MATCH: u32 = 10_000;
/// Most that a packet which does not match may cost, nanoseconds.
const LIMIT_NO_MATCH: f64 = 12.0;
/// Most that a frame of 128 bytes may cost, copied and counted by stream, nanoseconds.
const LIMIT_MATCH: f64 = 160.0;

/// Ethertype of a VLAN tag (IEEE 802.1Q), and the tag of VLAN 5 before IPv4.
const VLAN: u16 = 0x8100;
const TAG: [u8; 4] = [0, 5, 8, 0];

/// One line of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) subject: Subject,
    pub(crate) packet: Vec<u8>,
    pub(crate) matches: bool,
    pub(crate) limit: Option<f64>,
}

impl Case {
    /// The program that does nothing at the same hook.
    pub(crate) fn baseline(&self) -> Subject {
        if self.subject == Subject::Early { Subject::EmptyEarly } else { Subject::EmptyIngress }
    }

    /// Runs in one call.
    pub(crate) const fn runs(&self) -> u32 {
        if self.matches { RUNS_OF_A_MATCH } else { RUNS_OF_NO_MATCH }
    }
}

/// All of them. The first is by what the others are told.
pub(crate) fn all() -> Vec<Case> {
    let other_port = packets::datagram(5_000, 86);
    let not_ip = packets::ethernet(0x88BA, &[0; 114]);
    let whole = packets::datagram(PORT, 86);
    assert_eq!(whole.len(), 128, "Ethernet, IPv4, UDP and the frame");
    let frame = packets::datagram(PORT, 128);
    let other = packets::udp(40_000, 5_000, &packets::data_frame(7, 86));
    let ipv6 = packets::ethernet(packets::IPV6, &packets::ipv6(packets::UDP, &other));
    let tagged = packets::ethernet(VLAN, &[&TAG[..], &packets::ipv4(packets::UDP, &other)].concat());
    let unmatched = |name, subject, packet: &[u8]| Case {
        name,
        subject,
        packet: packet.to_vec(),
        matches: false,
        limit: Some(LIMIT_NO_MATCH),
    };
    let matched = |name, subject, packet: &[u8]| Case {
        matches: true,
        limit: Some(LIMIT_MATCH),
        ..unmatched(name, subject, packet)
    };
    vec![
        Case { limit: None, ..unmatched("a reading of the kernel's clock", Subject::Clock, &other_port) },
        unmatched("tc: UDP to another port", Subject::Ingress, &other_port),
        unmatched("tc: UDP over IPv6 to another port", Subject::Ingress, &ipv6),
        unmatched("tc: sampled values", Subject::Ingress, &not_ip),
        matched("tc: 128 bytes, matched", Subject::Ingress, &whole),
        matched("tc: frame of 128 bytes, matched", Subject::Ingress, &frame),
        unmatched("XDP: UDP to another port", Subject::Early, &other_port),
        unmatched("XDP: UDP over IPv6 to another port", Subject::Early, &ipv6),
        unmatched("XDP: UDP in a VLAN to another port", Subject::Early, &tagged),
        unmatched("XDP: sampled values", Subject::Early, &not_ip),
        matched("XDP: 128 bytes, matched", Subject::Early, &whole),
        matched("XDP: frame of 128 bytes, matched", Subject::Early, &frame),
    ]
}
