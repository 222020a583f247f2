//! The one table of bounds in the pipeline, and what each costs in memory.

use crate::flow::FlowBounds;
use crate::protocol::c37118::{ArenaBounds, LayoutBounds};

/// How much of everything there is place for. Each has a counter for what exceeded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Streams in the table; each costs about 6 KiB (its state, the last 64 packets, a histogram).
    pub streams: usize,
    /// Configurations in use at the same time, and those replaced of which events are still on their way; each costs
    /// about 100 bytes.
    pub configs: usize,
    /// PMUs of all configurations in use together; 28 bytes each.
    pub pmus: usize,
    /// Phasors of all configurations in use together, and as many analogs; 40 bytes for the two.
    pub channels: usize,
    /// PMUs that one configuration may hold.
    pub pmus_per_config: usize,
    /// Phasors, and as many analogs, that one configuration may hold, all its PMUs together.
    pub channels_per_config: usize,
    /// TCP flows and IP fragments.
    pub flows: FlowBounds,
    /// CFG-3 that may be on their way in fragments at the same time.
    pub config_series: usize,
    /// Bytes that one of them may have; each place costs as many.
    pub config_series_bytes: usize,
    /// Instants that may be open at the same time, where streams are aligned: each costs 24 bytes for every stream and
    /// every PMU of which values are kept, and 1.5 bytes for every stream. Memory that is not used is not resident.
    pub instants: usize,
    /// PMUs of which values are kept for one instant.
    pub pmus_per_instant: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            streams: 2_048,
            configs: 4_096,
            pmus: 4_096,
            channels: 16_384,
            pmus_per_config: 1_024,
            channels_per_config: 4_096,
            flows: FlowBounds::DEFAULT,
            config_series: 4,
            config_series_bytes: 128 << 10,
            instants: 128,
            pmus_per_instant: 4_096,
        }
    }
}

impl Bounds {
    pub(super) fn arena(&self) -> ArenaBounds {
        let narrow = |wide: usize| u16::try_from(wide).unwrap_or(u16::MAX);
        let channels = narrow(self.channels_per_config);
        ArenaBounds {
            layouts: self.configs,
            pmus: self.pmus,
            channels: self.channels,
            each: LayoutBounds { pmus: narrow(self.pmus_per_config), phasors: channels, analogs: channels },
        }
    }
}
