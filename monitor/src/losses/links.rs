//! The receive counters of an interface.

use std::collections::BTreeMap;
use std::sync::Arc;

use monitor_core::packet::InterfaceId;
use serde::Serialize;

use super::driver::Driver;
use super::growth::Growth;

/// Counters that are read of each interface.
const COUNTERS: usize = 10;

/// An interface's receive counters, as `struct rtnl_link_stats64` (`include/uapi/linux/if_link.h`) has them: packets
/// since it was made, or as they have grown, whatever they carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkCounts {
    /// Good packets received.
    #[serde(rename = "rx_packets")]
    pub packets: u64,
    /// Bad packets, those of the five below that the driver counts here among them.
    #[serde(rename = "rx_errors")]
    pub errors: u64,
    /// Received and not taken further, by the driver or by the kernel above it (no room, a full backlog).
    #[serde(rename = "rx_dropped")]
    pub dropped: u64,
    /// That the host had no buffer for in time: the card dropped them.
    #[serde(rename = "rx_missed_errors")]
    pub missed: u64,
    /// That overflowed the card's FIFO.
    #[serde(rename = "rx_fifo_errors")]
    pub fifo: u64,
    /// That overflowed the card's receive ring, or were too long.
    #[serde(rename = "rx_over_errors")]
    pub over: u64,
    /// With a wrong check of the Ethernet frame: damaged on the wire.
    #[serde(rename = "rx_crc_errors")]
    pub crc: u64,
    /// Misaligned: damaged on the wire.
    #[serde(rename = "rx_frame_errors")]
    pub frame: u64,
    /// Of a length that is none: damaged on the wire.
    #[serde(rename = "rx_length_errors")]
    pub length: u64,
    /// Dropped since the interface was not active (a standby port of a bond).
    #[serde(rename = "rx_nohandler")]
    pub nohandler: u64,
}

impl LinkCounts {
    const fn all(self) -> [u64; COUNTERS] {
        let Self { packets, errors, dropped, missed, fifo, over, crc, frame, length, nohandler } = self;
        [packets, errors, dropped, missed, fifo, over, crc, frame, length, nohandler]
    }

    /// In the order of [`LinkCounts::all`].
    const fn of(
        [packets, errors, dropped, missed, fifo, over, crc, frame, length, nohandler]: [u64; COUNTERS],
    ) -> Self {
        Self { packets, errors, dropped, missed, fifo, over, crc, frame, length, nohandler }
    }

    /// From the body of `IFLA_STATS64`: numbers of 64 bits, to which newer kernels add at the end. None where it is
    /// shorter than the oldest.
    #[must_use]
    pub fn parse(stats: &[u8]) -> Option<Self> {
        /// Where each stands, in numbers of 64 bits.
        const PACKETS: usize = 0;
        const ERRORS: usize = 4;
        const DROPPED: usize = 6;
        const OVER: usize = 11;
        const CRC: usize = 12;
        const FRAME: usize = 13;
        const LENGTH: usize = 10;
        const FIFO: usize = 14;
        const MISSED: usize = 15;
        const NOHANDLER: usize = 23;
        let number = |place: usize| {
            let bytes = stats.get(place * 8..place * 8 + 8)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        Some(Self {
            packets: number(PACKETS)?,
            errors: number(ERRORS)?,
            dropped: number(DROPPED)?,
            missed: number(MISSED)?,
            fifo: number(FIFO)?,
            over: number(OVER)?,
            crc: number(CRC)?,
            frame: number(FRAME)?,
            length: number(LENGTH)?,
            // From 4.6 on.
            nohandler: number(NOHANDLER).unwrap_or(0),
        })
    }
}

/// How much the counters of one interface have grown since the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InterfaceGrowth {
    /// Its number in events.
    #[serde(skip)]
    pub id: InterfaceId,
    /// Its name.
    pub name: String,
    /// By how much each has grown.
    #[serde(flatten)]
    pub grown: LinkCounts,
    /// Times that they were found to have been set back: what they counted just before is not known.
    pub resets: u64,
    /// Counters of its driver's own that mean a loss, as they have grown; those that have not are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver: BTreeMap<Arc<str>, u64>,
}

impl InterfaceGrowth {
    /// The counters of losses that have grown, by their name.
    pub fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let LinkCounts { packets: _, errors, dropped, missed, fifo, over, crc, frame, length, nohandler } =
            self.grown;
        let all = [
            ("rx_errors", errors),
            ("rx_dropped", dropped),
            ("rx_missed_errors", missed),
            ("rx_fifo_errors", fifo),
            ("rx_over_errors", over),
            ("rx_crc_errors", crc),
            ("rx_frame_errors", frame),
            ("rx_length_errors", length),
            ("rx_nohandler", nohandler),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}

/// One interface that is read again and again.
#[derive(Clone, Debug)]
pub(super) struct Link {
    id: InterfaceId,
    name: String,
    growth: Growth<COUNTERS>,
    pub(super) driver: Driver,
}

impl Link {
    pub(super) fn new(id: InterfaceId, name: String, first: LinkCounts) -> Self {
        Self { id, name, growth: Growth::new(first.all()), driver: Driver::default() }
    }

    /// It was made anew.
    pub(super) fn restart(&mut self) {
        self.growth.restart();
    }

    pub(super) fn take(&mut self, now: LinkCounts) {
        self.growth.take(now.all());
    }

    pub(super) fn grown(&self) -> InterfaceGrowth {
        let grown = LinkCounts::of(self.growth.grown());
        InterfaceGrowth {
            id: self.id,
            name: self.name.clone(),
            grown,
            resets: self.growth.resets(),
            driver: self.driver.grown(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The n-th number is n.
    fn stats(numbers: u64) -> Vec<u8> {
        (0..numbers).flat_map(u64::to_ne_bytes).collect()
    }

    #[test]
    fn each_counter_is_read_where_the_kernel_puts_it() {
        let read = LinkCounts {
            packets: 0,
            errors: 4,
            dropped: 6,
            over: 11,
            crc: 12,
            frame: 13,
            length: 10,
            fifo: 14,
            missed: 15,
            nohandler: 23,
        };
        assert_eq!(LinkCounts::parse(&stats(24)), Some(read));
        assert_eq!(LinkCounts::parse(&stats(31)), Some(read), "a newer kernel's");
        assert_eq!(LinkCounts::parse(&stats(23)), Some(LinkCounts { nohandler: 0, ..read }));
        assert_eq!(LinkCounts::parse(&stats(15)), None, "cut short");
    }

    #[test]
    fn what_has_grown_is_told_by_the_kernels_name() {
        let first = LinkCounts { missed: 40, ..LinkCounts::default() };
        let mut link = Link::new(InterfaceId(1), "eth1".to_owned(), first);
        link.take(LinkCounts { packets: 9, missed: 43, crc: 2, ..LinkCounts::default() });
        let grown = link.grown();
        assert_eq!((grown.name.as_str(), grown.grown.packets, grown.resets), ("eth1", 9, 0));
        let losses: Vec<_> = grown.losses().collect();
        assert_eq!(losses, [("rx_missed_errors", 3), ("rx_crc_errors", 2)]);
    }
}
