//! What the programs keep of each stream.

use std::collections::HashMap;

use aya::maps::{Array, MapData};
use monitor_common::{SLOT_TAKEN, StreamCounts, StreamKey, StreamSlot};

use super::{ProbeError, kernel::map_error};

/// A slot as aya takes it.
type RawSlot = [u64; size_of::<StreamSlot>() / size_of::<u64>()];
/// The map as aya knows it.
pub(super) type StreamMap = Array<MapData, RawSlot>;

/// The table of streams.
pub(super) struct Streams(StreamMap);

impl Streams {
    pub(super) const fn new(map: StreamMap) -> Self {
        Self(map)
    }

    /// Every stream. One that appears while it is read may be missing: the programs never remove one.
    pub(super) fn read(&self) -> Result<Vec<(StreamKey, StreamCounts)>, ProbeError> {
        let mut streams = HashMap::new();
        for place in 0..self.0.len() {
            let raw = self.0.get(&place, 0).map_err(|error| map_error("STREAMS", &error))?;
            let StreamSlot { key, state, counts } = bytemuck::cast(raw);
            // No frame: a CPU has just written the key, and has not counted yet.
            if state == SLOT_TAKEN && counts.frames > 0 {
                streams.entry(key).and_modify(|known| *known = together(known, &counts)).or_insert(counts);
            }
        }
        Ok(streams.into_iter().collect())
    }
}

/// Of a stream that has two slots, since its first frames came to two CPUs at once.
fn together(one: &StreamCounts, other: &StreamCounts) -> StreamCounts {
    let shortest = match (one.gap_min_ns, other.gap_min_ns) {
        (0, gap) | (gap, 0) => gap,
        (one, other) => one.min(other),
    };
    StreamCounts {
        frames: one.frames + other.frames,
        bytes: one.bytes + other.bytes,
        last_ns: one.last_ns.max(other.last_ns),
        gap_min_ns: shortest,
        gap_max_ns: one.gap_max_ns.max(other.gap_max_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_of_a_stream_are_one_stream() {
        let many = StreamCounts { frames: 9, bytes: 900, last_ns: 70, gap_min_ns: 4, gap_max_ns: 6 };
        let single = StreamCounts { frames: 1, bytes: 100, last_ns: 8, ..StreamCounts::default() };
        let sum = StreamCounts { frames: 10, bytes: 1_000, ..many };
        assert_eq!((together(&many, &single), together(&single, &many)), (sum, sum));
    }
}
