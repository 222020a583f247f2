//! Why a configuration is no layout.

use core::fmt;

/// Why a configuration is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// A CFG-1: it says what the PMU could send, and lays out nothing.
    Capability,
    /// More PMUs than the slot holds.
    TooManyPmus {
        /// PMUs of the configuration.
        present: usize,
        /// PMUs that fit.
        bound: u16,
    },
    /// More phasors than the slot holds.
    TooManyPhasors {
        /// Phasors of all PMUs together.
        present: usize,
        /// Phasors that fit.
        bound: u16,
    },
    /// More analogs than the slot holds.
    TooManyAnalogs {
        /// Analogs of all PMUs together.
        present: usize,
        /// Analogs that fit.
        bound: u16,
    },
    /// DATA frames by this configuration would be larger than FRAMESIZE can say.
    FrameTooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// The configurations in use leave no room for it, though it is within the bounds of one.
    NoRoom,
}

impl LayoutError {
    /// The name that other programs rely on: `capability`, `too_many_pmus`, `too_many_phasors`,
    /// `too_many_analogs`, `frame_too_large`, `no_room`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::TooManyPmus { .. } => "too_many_pmus",
            Self::TooManyPhasors { .. } => "too_many_phasors",
            Self::TooManyAnalogs { .. } => "too_many_analogs",
            Self::FrameTooLarge { .. } => "frame_too_large",
            Self::NoRoom => "no_room",
        }
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (present, bound, what) = match *self {
            Self::Capability => {
                return f.write_str("a CFG-1 says what could be sent; DATA are laid out by CFG-2 or CFG-3");
            }
            Self::NoRoom => {
                return f.write_str("the configurations in use leave no room for it; raise their bounds");
            }
            Self::FrameTooLarge { size } => {
                return write!(f, "DATA frames would have {size} bytes, and FRAMESIZE ends at {}", u16::MAX);
            }
            Self::TooManyPmus { present, bound } => (present, bound, "PMUs"),
            Self::TooManyPhasors { present, bound } => (present, bound, "phasors"),
            Self::TooManyAnalogs { present, bound } => (present, bound, "analogs"),
        };
        write!(f, "the configuration has {present} {what}, and the bound for a stream is {bound}; raise it")
    }
}

impl core::error::Error for LayoutError {}
