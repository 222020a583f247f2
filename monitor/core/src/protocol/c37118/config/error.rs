//! Why a frame is not a configuration that can be read.

use core::fmt;

use super::super::fragment::Continuation;
use super::super::frame::FrameKind;

/// Why a frame is not a configuration that can be read: which field, whose, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A frame of another kind.
    NotConfiguration {
        /// What it is.
        kind: FrameKind,
    },
    /// One fragment of a CFG-3 alone: the others have to be put behind it first
    /// ([`Series`](super::super::Series)).
    Fragment {
        /// Its place among them.
        continuation: Continuation,
    },
    /// TIME_BASE counts zero parts to the second.
    TimeBase,
    /// `NUM_PMU` is zero.
    NoPmu,
    /// A field reaches beyond the frame: a count or a name's length is too large, or the frame too short.
    Short {
        /// The field, and the count that sizes it.
        field: &'static str,
        /// The PMU it belongs to, from 1; `None` for the stream's own fields.
        pmu: Option<u16>,
        /// Where it begins, in bytes from SYNC.
        at: usize,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that are left before CHK.
        present: usize,
    },
    /// Bytes are left behind DATA_RATE: a count is too small or the frame too long.
    Excess {
        /// Where they begin, in bytes from SYNC.
        at: usize,
        /// How many there are.
        left: usize,
    },
}

impl ConfigError {
    /// The name that other programs rely on: `not_configuration`, `fragment`, `time_base`, `no_pmu`, `short`,
    /// `excess`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotConfiguration { .. } => "not_configuration",
            Self::Fragment { .. } => "fragment",
            Self::TimeBase => "time_base",
            Self::NoPmu => "no_pmu",
            Self::Short { .. } => "short",
            Self::Excess { .. } => "excess",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfiguration { kind } => write!(f, "a {kind} frame is not a configuration"),
            Self::Fragment { continuation } => {
                write!(f, "the frame is {continuation} of a CFG-3, which is read when all are there")
            }
            Self::TimeBase => f.write_str("TIME_BASE is 0, so no time can be computed"),
            Self::NoPmu => f.write_str("NUM_PMU is 0"),
            Self::Short { field, pmu, at, needed, present } => {
                write!(f, "{field} takes {needed} bytes at {at}, where the frame has {present}")?;
                pmu.map_or(Ok(()), |pmu| write!(f, " (PMU {pmu})"))
            }
            Self::Excess { at, left } => write!(f, "{left} bytes are left at {at}, behind DATA_RATE"),
        }
    }
}

impl core::error::Error for ConfigError {}
