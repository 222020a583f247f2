//! CONT_IDX (clause 6.4, Table 11).

use core::fmt;

use super::super::frame::{FrameKind, FrameView};

/// CONT_IDX of the last fragment.
const LAST: u16 = u16::MAX;

/// CONT_IDX (Table 11): the place of a CFG-3 frame among the fragments of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Continuation {
    /// 0: the frame is the whole configuration.
    Only,
    /// 1: the first of several.
    First,
    /// 2 to 65534: one between the first and the last.
    Next(u16),
    /// 65535: the last.
    Last,
}

impl Continuation {
    /// From the word CONT_IDX.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        match word {
            0 => Self::Only,
            1 => Self::First,
            LAST => Self::Last,
            next => Self::Next(next),
        }
    }

    /// The word CONT_IDX.
    #[must_use]
    pub const fn word(self) -> u16 {
        match self {
            Self::Only => 0,
            Self::First => 1,
            Self::Next(next) => next,
            Self::Last => LAST,
        }
    }

    /// CONT_IDX of a CFG-3 frame; `None` for a frame of another kind.
    #[must_use]
    pub fn of(frame: &FrameView<'_>) -> Option<Self> {
        let word = frame.body().first_chunk().filter(|_| frame.kind() == FrameKind::Config3)?;
        Some(Self::from_word(u16::from_be_bytes(*word)))
    }
}

impl fmt::Display for Continuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("the only frame"),
            Self::First => f.write_str("the first fragment"),
            Self::Next(next) => write!(f, "fragment {next}"),
            Self::Last => f.write_str("the last fragment"),
        }
    }
}
