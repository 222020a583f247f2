//! From the bytes of a ring record to a [`Record`] that the pipeline takes.

use std::sync::Arc;

use monitor_common::{
    FLAG_VLAN, HOOK_TC_EGRESS, HOOK_TC_INGRESS, HOOK_XDP, KIND_CANDIDATE, KIND_PACKET, RecordHeader,
};
use monitor_core::{
    packet::{Direction, LinkType, Record, RecordKind, Stamps, VlanTag},
    time::{Mono, Nanos},
};

use super::{
    CardClocks, HardwareCounts, Interfaces,
    assembly::{Assembly, Part},
    hardware::Hardware,
};

/// Turns ring records into packets, putting together those that came in parts.
pub struct Records {
    interfaces: Interfaces,
    assembly: Assembly,
    malformed: u64,
    /// None where the card was not asked to stamp.
    hardware: Option<Hardware>,
}

impl Records {
    /// Allocates what putting together needs.
    #[must_use]
    pub fn new(interfaces: Interfaces) -> Self {
        Self { interfaces, assembly: Assembly::new(), malformed: 0, hardware: None }
    }

    /// Also looks at the network card's own stamps, on these clocks.
    pub fn read_hardware_stamps(&mut self, clocks: Arc<CardClocks>) {
        self.hardware = Some(Hardware::new(clocks));
    }

    /// What the cards said; none where they were not asked.
    #[must_use]
    pub fn hardware(&self) -> Option<HardwareCounts> {
        self.hardware.as_ref().map(Hardware::counts)
    }

    /// The packet that a record makes whole, if it does. `looked` is the clock at the reader's first look at it,
    /// `utc_offset` what to add to a stamp for UTC.
    pub fn take<'a>(
        &'a mut self,
        bytes: &'a [u8],
        looked: Option<Mono>,
        utc_offset: i64,
    ) -> Option<Record<'a>> {
        let Self { interfaces, assembly, malformed, hardware } = self;
        let Some((header, part)) = split(bytes) else {
            *malformed += 1;
            return None;
        };
        let (packet, records) = if part.len() == header.packet_length as usize {
            (part, 1)
        } else {
            let (part, given_up) = assembly.add(&header, part);
            *malformed += u64::from(given_up);
            match part {
                Part::Whole(packet, records) => (packet, records),
                Part::Waiting => return None,
                Part::Orphan => {
                    *malformed += 1;
                    return None;
                }
            }
        };
        let mut record = describe(&header, packet, records, interfaces, looked, utc_offset);
        if let (Some(record), Some(hardware)) = (&mut record, hardware) {
            record.stamps.hardware = hardware.place(&header, record.interface);
        }
        if record.is_none() {
            *malformed += u64::from(records);
        }
        record
    }

    /// Records that were no packet, or parts of packets that never became whole, those still waited for included.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed + u64::from(self.assembly.pending())
    }
}

/// Header and bytes of a record; none where they contradict each other.
fn split(bytes: &[u8]) -> Option<(RecordHeader, &[u8])> {
    let (header, rest) = bytes.split_at_checked(size_of::<RecordHeader>())?;
    let header: RecordHeader = bytemuck::pod_read_unaligned(header);
    let part = rest.get(..header.part_length as usize)?;
    let end = u64::from(header.part_offset) + u64::from(header.part_length);
    (end <= u64::from(header.packet_length)).then_some((header, part))
}

fn describe<'a>(
    header: &RecordHeader,
    bytes: &'a [u8],
    records: u32,
    interfaces: &Interfaces,
    looked: Option<Mono>,
    utc_offset: i64,
) -> Option<Record<'a>> {
    let stamps = Stamps {
        // The card's clock is not this host's: it is placed where there is a translation.
        hardware: None,
        irq: Mono::new(header.irq_ns),
        softirq: Mono::new(header.softirq_ns),
        receive: Mono::new(header.receive_ns),
        ring: Mono::new(header.record_ns),
        reader: looked,
    };
    let arrival = stamps.receive.or(stamps.ring)?;
    Some(Record {
        arrival: Nanos(utc_offset.saturating_add_unsigned(arrival.ns())),
        stamps,
        interface: interfaces.find(header.netns, header.ifindex)?,
        direction: match header.hook {
            HOOK_TC_INGRESS | HOOK_XDP => Direction::Ingress,
            HOOK_TC_EGRESS => Direction::Egress,
            _ => return None,
        },
        kind: match header.kind {
            KIND_PACKET => RecordKind::Packet,
            KIND_CANDIDATE => RecordKind::Candidate,
            _ => return None,
        },
        link: LinkType::Ethernet,
        vlan: (header.flags & FLAG_VLAN != 0).then(|| VlanTag::from_tci(header.vlan_tci)),
        // The card may have stripped the tag, and at XDP it has nobody to tell.
        vlan_unknown: header.hook == HOOK_XDP,
        segments: header.segments,
        segment_size: header.segment_size,
        wire_length: header.packet_length,
        bytes,
        records,
    })
}

#[cfg(test)]
mod tests {
    use monitor_common::InterfaceKey;
    use monitor_core::packet::InterfaceId;

    use super::*;

    const KEY: InterfaceKey = InterfaceKey { netns: 7, ifindex: 3 };

    fn header() -> RecordHeader {
        RecordHeader {
            record_ns: 2_000,
            receive_ns: 1_000,
            netns: KEY.netns,
            ifindex: KEY.ifindex,
            packet_length: 4,
            part_length: 4,
            kind: KIND_PACKET,
            hook: HOOK_TC_INGRESS,
            ..RecordHeader::default()
        }
    }

    fn record(header: &RecordHeader, packet: &[u8]) -> Vec<u8> {
        // A size class leaves bytes over behind the packet.
        [bytemuck::bytes_of(header), packet, &[0xEE; 28]].concat()
    }

    fn records() -> Records {
        Records::new(Interfaces::new([(KEY, InterfaceId(1))]))
    }

    #[test]
    fn a_record_is_its_packet_and_nothing_behind_it() {
        let bytes = record(&header(), b"abcd");
        let mut records = records();
        let packet = records.take(&bytes, Mono::new(2_500), 1_000_000).expect("a packet");
        assert_eq!(
            (packet.bytes, packet.arrival, packet.interface),
            (&b"abcd"[..], Nanos(1_001_000), InterfaceId(1))
        );
        assert_eq!((packet.stamps.irq, packet.stamps.receive), (None, Mono::new(1_000)));
        assert_eq!(records.malformed(), 0);
    }

    #[test]
    fn without_a_receive_stamp_it_arrived_when_the_ring_got_it() {
        let bytes = record(&RecordHeader { receive_ns: 0, ..header() }, b"abcd");
        let mut records = records();
        let packet = records.take(&bytes, None, 0).expect("a packet");
        assert_eq!((packet.arrival, packet.stamps.receive), (Nanos(2_000), None));
    }

    #[test]
    fn at_xdp_a_stripped_tag_is_unknown_rather_than_absent() {
        let bytes = record(&RecordHeader { hook: HOOK_XDP, ..header() }, b"abcd");
        assert!(records().take(&bytes, None, 0).is_some_and(|packet| packet.vlan_unknown));
        let bytes = record(&header(), b"abcd");
        assert!(records().take(&bytes, None, 0).is_some_and(|packet| !packet.vlan_unknown));
    }

    #[test]
    fn what_contradicts_itself_is_counted() {
        let mut records = records();
        let wrong = [
            RecordHeader { part_length: 99, packet_length: 99, ..header() },
            RecordHeader { part_offset: 1, ..header() },
            RecordHeader { hook: 9, ..header() },
            RecordHeader { kind: 9, ..header() },
            RecordHeader { ifindex: 4, ..header() },
            RecordHeader { netns: 8, ..header() },
        ];
        for (count, header) in wrong.iter().enumerate() {
            assert!(records.take(&record(header, b"abcd"), None, 0).is_none());
            assert_eq!(records.malformed(), count as u64 + 1);
        }
        assert!(records.take(b"short", None, 0).is_none());
    }
}
