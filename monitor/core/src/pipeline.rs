//! The way of a packet through the rooms: packet, flow, protocol, stream, detect, event.
//!
//! The live loop and `decode FILE` call the same [`Pipeline`]; only the records, the clock and the outlet differ.

mod bounds;
mod histograms;

pub use bounds::Bounds;
pub use histograms::{Percentiles, StageHistograms};

use crate::event::{Counts, Outlet, StreamCounts, StreamId, StreamKey, StreamTiming};
use crate::packet::Record;
use crate::time::{Clock, Nanos};

/// Which UDP and TCP ports C37.118 is looked for on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// On whatever port a sound frame (type, size, CRC) is found.
    Any,
    /// On these, as source or destination.
    Set(Vec<u16>),
}

/// One stream as the summary shows it.
#[derive(Clone, Copy, Debug)]
pub struct StreamSummary {
    /// Its number.
    pub id: StreamId,
    /// What makes it one.
    pub key: StreamKey,
    /// Its counts.
    pub counts: StreamCounts,
    /// How it ran; the rate is that of the whole run.
    pub timing: StreamTiming,
}

/// Takes records, gives events. All that it needs is allocated by [`Pipeline::new`].
pub struct Pipeline {}

impl Pipeline {
    /// Makes the pools: memory as the table of bounds says.
    #[must_use]
    pub fn new(_ports: Ports, _bounds: &Bounds) -> Self {
        Self {}
    }

    /// Takes one packet through. Never fails: what is wrong with a packet is counted and told as an event.
    pub fn push<C: Clock, O: Outlet>(&mut self, _record: &Record<'_>, _clock: &mut C, _out: &mut O) {}

    /// Tells how streams run: each stream once a second, a bounded number of them in one call.
    pub fn tick<O: Outlet>(&mut self, _now: Nanos, _out: &mut O) {}

    /// All that was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// The streams, in the order in which they were first seen.
    pub fn streams(&self) -> impl Iterator<Item = StreamSummary> {
        std::iter::empty()
    }

    /// Latency by stage of every frame that was decoded.
    #[must_use]
    pub fn stages(&self) -> &StageHistograms {
        unimplemented!("replaced by the pipeline proper")
    }
}
