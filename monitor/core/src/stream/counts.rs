//! What is counted and measured of one stream.

/// One stream's counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// DATA frames that are not copies, duplicates among them.
    pub frames: u64,
    /// Reporting instants for which no frame came.
    pub missing: u32,
    /// Frames for an instant that had one.
    pub duplicate: u32,
    /// Frames for an instant before the newest one seen.
    pub out_of_order: u32,
    /// Frames with a wrong check.
    pub crc_errors: u32,
    /// DATA frames without a configuration that fits.
    pub undecoded: u32,
    /// Configurations seen.
    pub configs: u32,
    /// Times that DATA went over to a configuration of another content.
    pub config_changes: u32,
    /// Times that the time tags went on elsewhere, and not by the arrivals: a clock that was set. Nothing is said to
    /// be missing across such a jump.
    pub discontinuities: u32,
    /// Frames whose time tag is not of this session: alone at their time, far from the others'. Part of `frames`, and
    /// of nothing else.
    pub stale: u32,
}

/// How a stream runs; sent once a second beside its counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamTiming {
    /// DATA frames per second, measured over the window since the last such event.
    pub rate_hz: f32,
    /// Frequency of the first PMU of the last decoded frame.
    pub frequency_hz: Option<f32>,
    /// Its rate of change.
    pub rocof_hz_per_s: Option<f32>,
    /// `receive_to_decoded` in nanoseconds since the start: median, 99th percentile, maximum.
    pub latency_ns: Option<[u32; 3]>,
    /// Time quality of the last frame (the 8 bits of FRACSEC).
    pub time_quality: u8,
    /// STAT of its first PMU.
    pub stat: u16,
}
