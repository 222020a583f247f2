//! Whether the bytes of a TCP flow that two frames came with follow each other without a loss.

/// Where a flow stands when something is taken out of it: two that are equal have every byte between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    /// Number of the connection: another one each time that a flow begins, or begins anew.
    pub connection: u32,
    /// Gaps in its sequence numbers that were given up so far.
    pub lost: u32,
    /// Times that bytes of it were given up here: beyond a bound, or cut off by the capture.
    pub given_up: u32,
}
