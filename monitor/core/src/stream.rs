//! Streams.
mod counts;
mod key;
pub use counts::{StreamCounts, StreamTiming};
pub use key::{ConfigId, StreamId, StreamKey};
