//! How late other processes on this host read what was watched, as the outputs show it.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

use super::summary::StageLatency;

/// How it is known which packet a read took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBasis {
    /// By the packet itself: the kernel says up to which byte was read, or which datagram.
    Packet,
    /// Inferred for each socket: the kernel says that something was read, and which datagram is next.
    Inferred,
}

impl ReadBasis {
    /// As in the JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Inferred => "inferred",
        }
    }
}

/// What one process read from one socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SocketRow {
    /// Name of the thread that read first.
    pub process: Arc<str>,
    /// Its process, as the kernel's own PID namespace numbers it.
    pub pid: u32,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Address of the socket; of UDP by packet that to which the packets came.
    pub local: SocketAddr,
    /// The other side of a socket that is connected; absent of UDP by packet.
    pub remote: Option<SocketAddr>,
    /// How it is known which packet a read took.
    pub basis: ReadBasis,
    /// Times that bytes were copied out of the socket; of UDP, reads of a datagram that is known.
    pub reads: u64,
    /// Packets whose last byte was among them.
    pub packets: u64,
    /// From a packet's receive stamp to the read of its last byte; absent where no packet was read.
    pub lateness_ns: Option<StageLatency>,
}

/// Watched packets with a payload, as the kernel received them: `seen = read + closed + unread + passed_over + no_reader + duplicate +
/// not_followed + unknown + ring_full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PacketReads {
    /// All of them.
    pub seen: u64,
    /// Read by at least one process.
    pub read: u64,
    /// Not read when their TCP socket was closed.
    pub closed: u64,
    /// Not read by the end of the run, though somebody has read from such a socket.
    pub unread: u64,
    /// Datagrams behind which a later one of the same flow was read: the socket never had them.
    pub passed_over: u64,
    /// Of which no process has read any such packet: nobody on this host wants them, or the reader stands still.
    pub no_reader: u64,
    /// Segments of bytes that had come before.
    pub duplicate: u64,
    /// Beyond what there is room to follow.
    pub not_followed: u64,
    /// That waited when records of reads were lost.
    pub unknown: u64,
    /// Of which nothing but their number is known: the ring was full.
    pub ring_full: u64,
}

/// What the programs on reads have looked at: `seen = ignored + matched`, `matched = taken + ring_full`, and `taken` is
/// the sum of the sockets' `reads`, `openings`, `closings`,
/// `beyond` and `unmatched`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadEvents {
    /// Everything.
    pub seen: u64,
    /// Of no socket that watched packets have come to.
    pub ignored: u64,
    /// Of such sockets.
    pub matched: u64,
    /// Of them, those that were told.
    pub taken: u64,
    /// Of them, those for which the ring had no room.
    pub ring_full: u64,
    /// TCP connections that began between ports that such packets had come to.
    pub openings: u64,
    /// TCP sockets that were closed.
    pub closings: u64,
    /// Reads that took a packet, or of TCP, of sockets beyond those that are told apart.
    pub beyond: u64,
    /// Reads of a datagram that is none of the packets followed: it came before the run, in fragments, in
    /// another network namespace, or was given up.
    pub unmatched: u64,
    /// Packets read once more by another process: the sockets' `packets` are `read` and these, without those `beyond`.
    pub read_again: u64,
    /// Packets of reads `beyond`.
    pub beyond_packets: u64,
}

/// Who else on this host has read what was watched, and how late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadSummary {
    /// How reads of TCP are known; absent where this kernel does not show them.
    pub tcp: Option<ReadBasis>,
    /// How reads of UDP are known; absent where this kernel does not show them.
    pub udp: Option<ReadBasis>,
    /// What became of the packets.
    pub packets: PacketReads,
    /// What became of the reads.
    pub reads: ReadEvents,
    /// By socket and process, in the order in which they were first seen.
    pub sockets: Vec<SocketRow>,
    /// The sums' remainders.
    pub unaccounted: u64,
}

impl ReadSummary {
    /// Computes the remainders. `submitted` is how many records of packets, and of reads, the kernel wrote.
    pub fn settle(&mut self, submitted: (u64, u64)) {
        let (packets, reads) = (&self.packets, &self.reads);
        let told = packets.read
            + packets.closed
            + packets.unread
            + packets.passed_over
            + packets.no_reader
            + packets.duplicate
            + packets.not_followed
            + packets.unknown;
        let sum = |of: fn(&SocketRow) -> u64| self.sockets.iter().map(of).sum::<u64>();
        self.unaccounted = packets.seen.abs_diff(submitted.0 + packets.ring_full)
            + submitted.0.abs_diff(told)
            + reads.seen.abs_diff(reads.ignored + reads.matched)
            + reads.matched.abs_diff(submitted.1 + reads.ring_full)
            + submitted.1.abs_diff(reads.taken)
            + reads.taken.abs_diff(
                sum(|one| one.reads) + reads.openings + reads.closings + reads.beyond + reads.unmatched,
            )
            + (packets.read + reads.read_again).abs_diff(sum(|one| one.packets) + reads.beyond_packets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(reads: u64, packets: u64) -> SocketRow {
        let local = SocketAddr::from(([192, 0, 2, 9], 4713));
        let (process, basis) = ("pdc".into(), ReadBasis::Packet);
        SocketRow {
            process,
            pid: 7,
            transport: "udp",
            local,
            remote: None,
            basis,
            reads,
            packets,
            lateness_ns: None,
        }
    }

    #[test]
    fn every_packet_and_every_read_is_in_one_class_and_what_is_missing_is_told() {
        let mut summary = ReadSummary {
            packets: PacketReads {
                seen: 50,
                read: 20,
                closed: 1,
                unread: 2,
                passed_over: 3,
                no_reader: 4,
                duplicate: 5,
                not_followed: 6,
                unknown: 7,
                ring_full: 2,
            },
            reads: ReadEvents {
                seen: 100,
                ignored: 56,
                matched: 44,
                taken: 43,
                ring_full: 1,
                openings: 1,
                closings: 1,
                beyond: 3,
                unmatched: 4,
                read_again: 5,
                beyond_packets: 1,
            },
            sockets: vec![row(30, 20), row(4, 4)],
            ..ReadSummary::default()
        };
        summary.settle((48, 43));
        assert_eq!(summary.unaccounted, 0);
        summary.sockets[0].packets += 1;
        summary.packets.unread += 1;
        summary.reads.closings += 1;
        summary.settle((48, 43));
        assert_eq!(summary.unaccounted, 3, "one too many in three of the sums");
    }
}
