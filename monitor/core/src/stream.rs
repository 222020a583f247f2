//! Streams: who sends what to whom, which configuration lays it out, and whether every reporting instant came.
//!
//! Fourth room on a frame's way, behind `flow`. Everything here has its place made at start: [`Streams`] and
//! [`Configs`] never allocate afterwards, and say so where there is no place left.

pub mod align;
mod assembly;
mod config;
mod copies;
mod counts;
mod declared;
mod gaps;
mod key;
mod lateness;
mod leap;
mod limit;
mod pace;
mod quality;
mod reading;
mod report;
mod rules;
mod sequence;
mod stalls;
mod state;
mod streams;
mod table;
mod tally;
mod timescale;

pub use assembly::{Assemblies, EXPIRED_NS, Gathered, IDLE_NS};
pub use config::{Adopted, Configs, Learned, Misfit, Preload, PreloadError, SourceId, SourceKey};
pub use copies::{COPY_WINDOW_NS, CopyKind, PacketIdentity, SEEN, Strangers};
pub use counts::{StreamCounts, StreamTiming};
pub use gaps::{Carriage, Gap, Missing};
pub use key::{ConfigId, ConfigSource, StreamId, StreamKey};
pub use limit::{LateLimit, PerformanceClass};
pub use quality::{ClockState, ClockTimes};
pub use reading::{Reading, StatFlags};
pub use report::{
    Agreement, CopyCounts, LatenessReport, Leaps, LimitBasis, Pace, REPORT_SIZE, Spread, Stalls, StatCounts,
    StreamReport,
};
pub use rules::{
    Prefix, RuleId, STATIONS, StationId, StationSet, Stations, StreamMatch, StreamRule, StreamRules,
    StreamSettings,
};
pub use sequence::{Absence, Cadence, JUMP_NS, LeapStep, Place, Placed, Sequence, WINDOW};
pub use stalls::STALL_NS;
pub use state::{DataFrame, Stream, UNCONFIGURED_NS};
pub use streams::Streams;
