//! Who reads: a row for each process and socket, with how late it was.

use std::{
    collections::HashMap,
    net::{Ipv6Addr, SocketAddr},
    sync::Arc,
};

use hdrhistogram::Histogram;
use monitor_common::ReadRecord;

use crate::hub::{ReadBasis, SocketRow, StageLatency};

/// Rows; a histogram takes some 21 KiB.
const ROWS_MAX: usize = 256;
/// From 1 ns to an hour, by two digits; what is later is told as an hour but for the largest.
const LATENESS: (u64, u64, u8) = (1, 3_600_000_000_000, 2);
/// Number of TCP in an IP header.
const TCP: u8 = 6;

/// What tells rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    process: u32,
    transport: u8,
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

/// One row.
struct Row {
    key: Key,
    name: Arc<str>,
    basis: ReadBasis,
    reads: u64,
    packets: u64,
    lateness: Histogram<u32>,
    max: u64,
}

/// All of them, and what was beyond.
#[derive(Default)]
pub(super) struct Sockets {
    rows: Vec<Row>,
    places: HashMap<Key, usize>,
    pub(super) beyond: u64,
    pub(super) beyond_packets: u64,
}

impl Sockets {
    /// Counts a read; gives the row that it belongs to, where there is place for it.
    pub(super) fn read(&mut self, record: &ReadRecord, basis: ReadBasis) -> Option<usize> {
        let connected = record.remote_port != 0 && record.socket != 0;
        let key = Key {
            process: record.process,
            transport: record.transport,
            local: address(record.local, record.local_port),
            remote: connected.then(|| address(record.remote, record.remote_port)),
        };
        let place = self.places.get(&key).copied().or_else(|| self.begin(key, record, basis));
        match place.and_then(|place| self.rows.get_mut(place)) {
            Some(row) => row.reads += 1,
            None => self.beyond += 1,
        }
        place
    }

    fn begin(&mut self, key: Key, record: &ReadRecord, basis: ReadBasis) -> Option<usize> {
        if self.rows.len() >= ROWS_MAX {
            return None;
        }
        let (low, high, digits) = LATENESS;
        let lateness = Histogram::new_with_bounds(low, high, digits).ok()?;
        let name = record.name.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into();
        self.places.insert(key, self.rows.len());
        self.rows.push(Row { key, name, basis, reads: 0, packets: 0, lateness, max: 0 });
        Some(self.rows.len() - 1)
    }

    /// A packet was read so many nanoseconds after it was received.
    pub(super) fn packet(&mut self, place: Option<usize>, lateness: u64) {
        match place.and_then(|place| self.rows.get_mut(place)) {
            Some(row) => {
                row.packets += 1;
                row.lateness.saturating_record(lateness);
                row.max = row.max.max(lateness);
            }
            None => self.beyond_packets += 1,
        }
    }

    /// As the outputs show them.
    pub(super) fn shown(&self) -> Vec<SocketRow> {
        self.rows.iter().map(Row::shown).collect()
    }
}

impl Row {
    fn shown(&self) -> SocketRow {
        let at = |quantile| self.lateness.value_at_quantile(quantile).min(self.max);
        let latency = StageLatency {
            count: self.packets,
            min: self.lateness.min(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: self.max,
        };
        SocketRow {
            process: Arc::clone(&self.name),
            pid: self.key.process,
            transport: if self.key.transport == TCP { "tcp" } else { "udp" },
            local: self.key.local,
            remote: self.key.remote,
            basis: self.basis,
            reads: self.reads,
            packets: self.packets,
            lateness_ns: (self.packets > 0).then_some(latency),
        }
    }
}

/// An address as the kernel tells it, of either version in one form.
pub(super) fn address(bytes: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from(bytes).to_canonical(), port)
}
