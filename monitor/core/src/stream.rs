//! Streams: who sends what to whom, which configuration lays it out, and whether every reporting instant came.
//!
//! Fourth room on a frame's way, behind `flow`. Everything here has its place made at start: [`Streams`] and
//! [`Configs`] never allocate afterwards, and say so where there is no place left.

pub mod align;
mod assembly;
mod config;
mod counts;
mod key;
mod quality;
mod reading;
mod report;
mod sequence;
mod state;
mod table;

pub use assembly::{Assemblies, EXPIRED_NS, Gathered, IDLE_NS};
pub use config::{Adopted, Configs, Learned, Misfit, Preload, PreloadError, SourceId, SourceKey};
pub use counts::{StreamCounts, StreamTiming};
pub use key::{ConfigId, ConfigSource, StreamId, StreamKey};
pub use quality::{ClockState, ClockTimes};
pub use reading::Reading;
pub use report::{
    Agreement, CopyCounts, LatenessReport, Leaps, LimitBasis, Pace, REPORT_SIZE, Spread, Stalls, StatCounts,
    StreamReport,
};
pub use sequence::{Cadence, JUMP_NS, Sequence, WINDOW};
pub use state::{Stream, Streams, UNCONFIGURED_NS};
