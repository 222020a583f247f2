//! The one table of bounds in the pipeline, and what each costs in memory.

/// How much of everything there is place for. Each has a counter for what exceeded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Streams in the table; each costs about 3 KiB (its state and a histogram).
    pub streams: usize,
    /// Slots for configurations.
    pub configs: usize,
    /// PMUs that one configuration may hold.
    pub pmus_per_config: usize,
    /// Phasors and analogs that one configuration may hold, all its PMUs together.
    pub channels_per_config: usize,
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
            configs: 512,
            pmus_per_config: 128,
            channels_per_config: 1_024,
            instants: 128,
            pmus_per_instant: 4_096,
        }
    }
}
