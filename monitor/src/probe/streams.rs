//! What the programs keep of each stream.

use aya::maps::{HashMap, MapData};
use monitor_common::{StreamCounts, StreamKey};

use super::{ProbeError, kernel::map_error};

/// A key as aya takes it.
type RawKey = [u32; size_of::<StreamKey>() / size_of::<u32>()];
/// A value as aya takes it.
type RawCounts = [u64; size_of::<StreamCounts>() / size_of::<u64>()];
/// The map as aya knows it.
pub(super) type StreamMap = HashMap<MapData, RawKey, RawCounts>;

/// The table of streams.
pub(super) struct Streams(StreamMap);

impl Streams {
    pub(super) const fn new(map: StreamMap) -> Self {
        Self(map)
    }

    /// Every stream. One that appears while it is read may be missing: the programs never remove one.
    pub(super) fn read(&self) -> Result<Vec<(StreamKey, StreamCounts)>, ProbeError> {
        let cast = |(key, counts): (RawKey, RawCounts)| (bytemuck::cast(key), bytemuck::cast(counts));
        self.0.iter().map(|entry| entry.map(cast).map_err(|error| map_error("STREAMS", &error))).collect()
    }
}
