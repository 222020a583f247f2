//! How much of flows there is place for.

/// Bounds of flows; part of the table of bounds in [`Bounds`](crate::pipeline::Bounds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowBounds {
    /// TCP flows, two for each connection; each costs about 700 bytes with the cap at its default. One more takes the
    /// place of the one used longest ago ([`TcpCounts::evicted`](super::TcpCounts)).
    pub flows: usize,
    /// IP packets whose fragments are waited for; each costs about 300 bytes. One more takes the place of the oldest
    /// ([`FragmentCounts::evicted`](super::FragmentCounts)).
    pub fragmented: usize,
    /// Bytes that may wait, of all flows and fragments together; each page of 2 KiB costs 200 bytes more. A flow gets
    /// at most as much as is left ([`TcpCounts::no_place`](super::TcpCounts) and its like).
    pub pool_bytes: usize,
    /// Bytes between the first that waits in a flow and the last: how far behind a gap segments are kept. At least
    /// [`FlowBounds::LEAST_CAP`].
    pub flow_bytes: usize,
}

impl FlowBounds {
    /// The largest frame, or IP packet, and half as much.
    pub const LEAST_CAP: usize = 96 << 10;

    /// Where nothing else is said.
    pub const DEFAULT: Self =
        Self { flows: 4_096, fragmented: 64, pool_bytes: 4 << 20, flow_bytes: 128 << 10 };
}

impl Default for FlowBounds {
    fn default() -> Self {
        Self::DEFAULT
    }
}
