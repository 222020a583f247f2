//! What network cards said of packets, as the summary shows it.

use serde::Serialize;

use crate::reader::HardwareCounts;

/// A card whose stamps were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HardwareCard {
    /// The interface that is monitored.
    pub iface: String,
    /// The card's clock: its device.
    pub clock: String,
    /// Times that it, or this host's, was stepped.
    pub steps: u64,
    /// The farthest that it was from where it was expected a second before, steps left out, nanoseconds: how far a stamp may
    /// be off. None before its rate was known.
    pub worst_ns: Option<u64>,
}

/// Packets by what the card said of them: `packets = stamped + unstamped + unmapped + misplaced + outgoing`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HardwareSummary {
    /// That were taken.
    pub packets: u64,
    /// With a stamp.
    pub stamped: u64,
    /// Without one.
    pub unstamped: u64,
    /// With one of a clock that could not be read.
    pub unmapped: u64,
    /// With one that cannot be theirs: later than their receiving, or more than a second before it.
    pub misplaced: u64,
    /// That left this host.
    pub outgoing: u64,
    /// The sum's remainder.
    pub unaccounted: u64,
    /// The cards.
    pub cards: Vec<HardwareCard>,
    /// Why others give none: sentences.
    pub refused: Vec<String>,
}

impl HardwareSummary {
    /// Of packets that were counted elsewhere.
    #[must_use]
    pub fn new(
        counts: &HardwareCounts,
        packets: u64,
        cards: Vec<HardwareCard>,
        refused: Vec<String>,
    ) -> Self {
        let HardwareCounts { stamped, unstamped, unmapped, misplaced, outgoing } = *counts;
        let unaccounted = packets.abs_diff(stamped + unstamped + unmapped + misplaced + outgoing);
        Self { packets, stamped, unstamped, unmapped, misplaced, outgoing, unaccounted, cards, refused }
    }
}
