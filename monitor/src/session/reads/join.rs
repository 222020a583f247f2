//! Puts packets and reads together, in the order in which the kernel has told them.

use std::collections::HashMap;

use monitor_common::{
    READ_CLOSED, READ_DATAGRAM, READ_OPENED, READ_PACKET, READ_SOCKET, READ_STREAM, ReadCounters, ReadRecord,
};

use super::{
    datagrams::{Datagrams, Found, Port},
    segments::{Ended, Segment, Segments},
    sockets::Sockets,
};
use crate::hub::{PacketReads, ReadBasis, ReadEvents, ReadSummary};

/// Packets that wait to be read or are kept for another reader; some 100 bytes each.
const HELD_MAX: usize = 65_536;
/// Directions of TCP connections, and local ports of UDP.
const FLOWS_MAX: usize = 1024;
/// Segments of a connection that nobody has read from.
const UNREAD_MAX: usize = 1024;
/// Number of TCP in an IP header.
const TCP: u8 = 6;

/// A direction of a TCP connection: namespace, sender, receiver.
type FlowKey = (u32, ([u8; 16], u16), ([u8; 16], u16));

/// Everything that is followed.
#[derive(Default)]
pub(super) struct Join {
    flows: HashMap<FlowKey, Segments>,
    ports: HashMap<u16, Port>,
    sockets: Sockets,
    packets: PacketReads,
    reads: ReadEvents,
    held: usize,
    lost: u32,
}

impl Join {
    /// The next record.
    pub(super) fn take(&mut self, record: &ReadRecord) {
        if record.lost != self.lost {
            self.lost = record.lost;
            self.give_up_what_waits();
        }
        if record.what == READ_PACKET {
            if record.transport == TCP {
                self.segment(record);
            } else {
                self.datagram(record);
            }
            return;
        }
        self.reads.taken += 1;
        match record.what {
            READ_STREAM => self.read_stream(record),
            READ_DATAGRAM => self.read_datagram(record, ReadBasis::Packet, Port::named),
            READ_SOCKET => self.read_datagram(record, ReadBasis::Inferred, Port::some),
            READ_OPENED => {
                self.reads.openings += 1;
                let given_up = self.flows.get_mut(&flow(record)).map_or(0, Segments::open);
                self.packets.closed += given_up as u64;
                self.held -= given_up;
            }
            READ_CLOSED => {
                self.reads.closings += 1;
                if let Some(segments) = self.flows.get_mut(&flow(record)) {
                    segments.close(record.time_ns);
                }
            }
            // Not written by these programs: left over in the sum.
            _ => {}
        }
    }

    fn segment(&mut self, record: &ReadRecord) {
        let key = flow(record);
        if !self.flows.contains_key(&key) && !self.room_for_a_flow() || !self.room() {
            self.packets.not_followed += 1;
            return;
        }
        let segments = self.flows.entry(key).or_default();
        match segments.come(sequence(record), record.time_ns) {
            Segment::Duplicate => self.packets.duplicate += 1,
            Segment::Waits => self.held += 1,
        }
        if segments.ended() == Ended::Never && segments.waiting() > UNREAD_MAX && segments.give_up_first() {
            self.packets.no_reader += 1;
            self.held -= 1;
        }
    }

    fn datagram(&mut self, record: &ReadRecord) {
        let known = self.ports.contains_key(&record.local_port);
        if !known && self.ports.len() >= FLOWS_MAX || !self.room() {
            self.packets.not_followed += 1;
            return;
        }
        self.held += 1;
        let port = self.ports.entry(record.local_port).or_default();
        port.come(record);
        let surplus: Vec<_> = std::iter::from_fn(|| port.surplus()).collect();
        for datagram in surplus {
            self.settle(datagram);
        }
    }

    /// What has been kept for longest of the port with the most makes room.
    fn room(&mut self) -> bool {
        if self.held < HELD_MAX {
            return true;
        }
        let fullest = self.ports.values_mut().max_by_key(|port| port.kept());
        match fullest.and_then(Port::give_up_first) {
            // It may still be read: nothing will be known of it.
            Some(Datagrams::Unread) => {
                self.packets.not_followed += 1;
                self.held -= 1;
            }
            Some(other) => self.settle(other),
            None => return false,
        }
        true
    }

    /// Connections that were closed, and with nothing that waits, make room.
    fn room_for_a_flow(&mut self) -> bool {
        if self.flows.len() >= FLOWS_MAX {
            self.flows.retain(|_, segments| segments.waiting() > 0 || segments.ended() != Ended::Closed);
        }
        self.flows.len() < FLOWS_MAX
    }

    fn read_stream(&mut self, record: &ReadRecord) {
        let row = self.sockets.read(record, ReadBasis::Packet);
        let Some(segments) = self.flows.get_mut(&flow(record)) else { return };
        while let Some(stamp) = segments.next_read(sequence(record)) {
            self.packets.read += 1;
            self.held -= 1;
            self.sockets.packet(row, record.time_ns.saturating_sub(stamp));
        }
    }

    fn read_datagram(
        &mut self,
        record: &ReadRecord,
        basis: ReadBasis,
        find: fn(&mut Port, &ReadRecord) -> Option<Found>,
    ) {
        // What is of another namespace's socket on the same port belongs to no row.
        let Some(Found { stamp, again }) =
            self.ports.get_mut(&record.local_port).and_then(|port| find(port, record))
        else {
            self.reads.unmatched += 1;
            return;
        };
        let row = self.sockets.read(record, basis);
        self.sockets.packet(row, record.time_ns.saturating_sub(stamp));
        self.reads.read_again += u64::from(again);
    }

    /// A datagram that is no longer kept.
    fn settle(&mut self, datagram: Datagrams) {
        self.held -= 1;
        let count = match datagram {
            Datagrams::Read => &mut self.packets.read,
            Datagrams::PassedOver => &mut self.packets.passed_over,
            Datagrams::Unread => &mut self.packets.unread,
            Datagrams::NoReader => &mut self.packets.no_reader,
        };
        *count += 1;
    }

    /// Records were lost: what waits may have been read.
    fn give_up_what_waits(&mut self) {
        for segments in self.flows.values_mut() {
            let given_up = segments.give_up();
            self.packets.unknown += given_up as u64;
            self.held -= given_up;
        }
        for port in self.ports.values_mut() {
            port.forget_next();
            while let Some(datagram) = port.give_up_first() {
                self.held -= 1;
                let is_read = datagram == Datagrams::Read;
                *(if is_read { &mut self.packets.read } else { &mut self.packets.unknown }) += 1;
            }
        }
    }

    /// What came of it all by the end of the run. `tcp` and `udp` say how reads are known.
    pub(super) fn finish(
        mut self,
        counters: &ReadCounters,
        (tcp, udp): (Option<ReadBasis>, Option<ReadBasis>),
    ) -> ReadSummary {
        for segments in self.flows.values_mut() {
            let ended = segments.ended();
            let waited = segments.give_up() as u64;
            match ended {
                Ended::Closed => self.packets.closed += waited,
                Ended::Read => self.packets.unread += waited,
                Ended::Never => self.packets.no_reader += waited,
            }
        }
        for mut port in std::mem::take(&mut self.ports).into_values() {
            while let Some(datagram) = port.give_up_first() {
                self.settle(datagram);
            }
        }
        (self.packets.seen, self.packets.ring_full) = (counters.packets, counters.packets_full);
        let reads = ReadEvents {
            seen: counters.seen,
            ignored: counters.ignored,
            matched: counters.matched,
            ring_full: counters.full,
            beyond: self.sockets.beyond,
            beyond_packets: self.sockets.beyond_packets,
            ..self.reads
        };
        let sockets = self.sockets.shown();
        let mut summary = ReadSummary { tcp, udp, packets: self.packets, reads, sockets, unaccounted: 0 };
        summary.settle((counters.packets_submitted, counters.submitted));
        summary
    }
}

/// The sequence number of a record of TCP, of which the mark has the low half.
const fn sequence(record: &ReadRecord) -> u32 {
    (record.mark & 0xFFFF_FFFF) as u32
}

fn flow(record: &ReadRecord) -> FlowKey {
    (record.netns, (record.remote, record.remote_port), (record.local, record.local_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PMU: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1];
    const PDC: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 9];

    fn record(what: u8, transport: u8, time_ns: u64, mark: u64) -> ReadRecord {
        ReadRecord {
            time_ns,
            mark,
            remote: PMU,
            local: PDC,
            name: *b"pdc\0\0\0\0\0\0\0\0\0\0\0\0\0",
            process: 7,
            remote_port: 4712,
            local_port: 40_000,
            transport,
            what,
            ..ReadRecord::default()
        }
    }

    /// Takes records as if the kernel had written all of them; the summary must add up.
    fn summary(records: &[ReadRecord]) -> ReadSummary {
        let mut join = Join::default();
        for record in records {
            join.take(record);
        }
        let packets = records.iter().filter(|record| record.what == READ_PACKET).count() as u64;
        let reads = records.len() as u64 - packets;
        let counters = ReadCounters {
            packets,
            packets_submitted: packets,
            seen: reads,
            matched: reads,
            submitted: reads,
            ..ReadCounters::default()
        };
        let summary = join.finish(&counters, (Some(ReadBasis::Packet), Some(ReadBasis::Inferred)));
        assert_eq!(summary.unaccounted, 0, "{summary:#?}");
        summary
    }

    #[test]
    fn tcp_is_late_by_the_read_of_a_segments_last_byte() {
        let packet = |time, end| record(READ_PACKET, TCP, time, end);
        let read = |time, to| record(READ_STREAM, TCP, time, to);
        let records = [
            packet(1_000, 54),
            read(2_000, 27),
            packet(2_500, 108),
            read(3_000, 54),
            packet(4_000, 108),
            record(READ_CLOSED, TCP, 5_000, 0),
        ];
        let ReadSummary { packets, reads, sockets, .. } = summary(&records);
        assert_eq!((packets.read, packets.closed, packets.duplicate), (1, 1, 1));
        assert_eq!((reads.taken, reads.closings), (3, 1));
        let [row] = &sockets[..] else { panic!("{sockets:?}") };
        assert_eq!((&*row.process, row.pid, row.transport, row.reads), ("pdc", 7, "tcp", 2));
        assert_eq!(row.lateness_ns.unwrap().max, 2_000);
    }

    #[test]
    fn two_processes_may_read_the_same_datagram() {
        let datagram = |what, process| ReadRecord { process, ..record(what, 17, 10, 0x1234) };
        let records = [datagram(READ_PACKET, 0), datagram(READ_DATAGRAM, 7), datagram(READ_DATAGRAM, 8)];
        let ReadSummary { packets, reads, sockets, .. } = summary(&records);
        assert_eq!((packets.read, reads.read_again, sockets.len()), (1, 1, 2));
    }

    #[test]
    fn where_records_were_lost_nothing_is_known_of_what_waited() {
        let tcp = |time, end| record(READ_PACKET, TCP, time, end);
        let udp = record(READ_PACKET, 17, 3, 0x99);
        let late = ReadRecord { lost: 4, ..record(READ_STREAM, TCP, 90, 200) };
        let ReadSummary { packets, .. } = summary(&[tcp(1, 100), tcp(2, 200), udp, late]);
        assert_eq!((packets.unknown, packets.read, packets.no_reader), (3, 0, 0));
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_counted() {
        let flood = (0..70_000_u32).map(|at| ReadRecord {
            remote_port: u16::try_from(at % 2_000).unwrap(),
            local_port: u16::try_from(at % 60).unwrap(),
            transport: if at % 2 == 0 { TCP } else { 17 },
            ..record(READ_PACKET, TCP, at.into(), (at * 100).into())
        });
        let packets = summary(&flood.collect::<Vec<_>>()).packets;
        assert_eq!(packets.seen, 70_000);
        assert_eq!(packets.no_reader + packets.not_followed, 70_000, "{packets:?}");
    }
}
