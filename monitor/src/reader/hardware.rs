//! The network card's own stamps on their way through the reader: from the card's clock to this host's, and counted.

use std::{array, sync::Arc};

use monitor_common::{HOOK_TC_INGRESS, INTERFACES_MAX, RecordHeader};
use monitor_core::{packet::InterfaceId, time::Mono};

use crate::clock::CardMap;

/// How long before `netif_receive_skb` a card's stamp of the same packet may lie, nanoseconds. What lies farther off, or
/// behind it, is no stamp of this packet on this clock: a card's clock was stepped, or its driver keeps something else in the
/// stamp's place (`SKBTX_HW_TSTAMP_NETDEV`, `include/linux/skbuff.h`).
const EARLIEST_NS: u64 = 1_000_000_000;

/// Where each interface's card's clock stands, by the interface's number: written beside the real-time thread, read by it.
#[derive(Debug)]
pub struct CardClocks([CardMap; INTERFACES_MAX]);

impl Default for CardClocks {
    fn default() -> Self {
        Self(array::from_fn(|_| CardMap::default()))
    }
}

impl CardClocks {
    /// That of an interface; none for a number that no interface has.
    #[must_use]
    pub fn of(&self, interface: InterfaceId) -> Option<&CardMap> {
        self.0.get(usize::from(interface.0))
    }
}

/// Packets by what the card said of them: `packets = stamped + unstamped + unmapped + misplaced + outgoing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardwareCounts {
    /// With a stamp, which was placed.
    pub stamped: u64,
    /// Without one.
    pub unstamped: u64,
    /// With one of a clock that could not be read.
    pub unmapped: u64,
    /// With one that cannot be this packet's.
    pub misplaced: u64,
    /// That left this host: they have none.
    pub outgoing: u64,
}

/// Places stamps and counts.
#[derive(Debug)]
pub(super) struct Hardware {
    clocks: Arc<CardClocks>,
    counts: HardwareCounts,
}

impl Hardware {
    pub(super) fn new(clocks: Arc<CardClocks>) -> Self {
        Self { clocks, counts: HardwareCounts::default() }
    }

    pub(super) const fn counts(&self) -> HardwareCounts {
        self.counts
    }

    /// A packet's stamp on the monotonic clock; none where it has none that can be believed.
    pub(super) fn place(&mut self, header: &RecordHeader, interface: InterfaceId) -> Option<Mono> {
        let Self { clocks, counts } = self;
        if header.hook != HOOK_TC_INGRESS {
            counts.outgoing += 1;
            return None;
        }
        if header.hardware_ns == 0 {
            counts.unstamped += 1;
            return None;
        }
        let Some(line) = clocks.of(interface).and_then(CardMap::line) else {
            counts.unmapped += 1;
            return None;
        };
        let latest = if header.receive_ns == 0 { header.record_ns } else { header.receive_ns };
        let earliest = latest.saturating_sub(EARLIEST_NS);
        let placed = line.monotonic(header.hardware_ns.cast_signed()).and_then(|ns| u64::try_from(ns).ok());
        let Some(placed) = placed.filter(|ns| (earliest..=latest).contains(ns)) else {
            counts.misplaced += 1;
            return None;
        };
        counts.stamped += 1;
        Mono::new(placed)
    }
}

#[cfg(test)]
mod tests {
    use monitor_common::HOOK_TC_EGRESS;

    use super::*;
    use crate::clock::Line;

    const ETH1: InterfaceId = InterfaceId(1);

    #[test]
    fn each_packet_is_counted_once_by_what_its_card_said() {
        let clocks = Arc::new(CardClocks::default());
        let mut hardware = Hardware::new(Arc::clone(&clocks));
        let header = RecordHeader {
            hook: HOOK_TC_INGRESS,
            receive_ns: 5_000_000_000,
            hardware_ns: 1_700_000_000_000_000_000,
            ..RecordHeader::default()
        };
        assert_eq!(hardware.place(&header, ETH1), None, "its clock was never read");
        let line = Line { card_ns: 1_700_000_000_000_000_000, monotonic_ns: 4_999_990_000, faster: 0 };
        clocks.of(ETH1).unwrap().set(line);
        assert_eq!(hardware.place(&header, ETH1), Mono::new(4_999_990_000));
        assert_eq!(hardware.place(&header, InterfaceId(2)), None, "another card's clock is another");
        assert_eq!(hardware.place(&header, InterfaceId(u16::MAX)), None);
        let later = |by| RecordHeader { hardware_ns: header.hardware_ns.wrapping_add_signed(by), ..header };
        assert_eq!(hardware.place(&later(10_000), ETH1), Mono::new(5_000_000_000));
        assert_eq!(hardware.place(&later(-900_000_000), ETH1), Mono::new(4_099_990_000));
        for misplaced in [later(10_001), later(-1_000_000_000), later(i64::MIN)] {
            assert_eq!(hardware.place(&misplaced, ETH1), None);
        }
        assert_eq!(hardware.place(&RecordHeader { hardware_ns: 0, ..header }, ETH1), None);
        assert_eq!(hardware.place(&RecordHeader { hook: HOOK_TC_EGRESS, ..header }, ETH1), None);
        // Without a receive stamp the record's is as late as it can be.
        let late = RecordHeader { receive_ns: 0, record_ns: 4_999_990_000, ..header };
        assert_eq!(hardware.place(&late, ETH1), Mono::new(4_999_990_000));
        let wanted = HardwareCounts { stamped: 4, unstamped: 1, unmapped: 3, misplaced: 3, outgoing: 1 };
        assert_eq!(hardware.counts(), wanted);
    }
}
