//! Why bytes are not DATA of a layout.

use core::fmt;

use super::super::frame::{FrameError, FrameKind};

/// Why bytes are not DATA of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataError {
    /// Not a frame.
    Frame(FrameError),
    /// A frame of another kind.
    NotData {
        /// What it is.
        kind: FrameKind,
    },
    /// The layout predicts another size: it is not this stream's, or the configuration has changed.
    SizeMismatch {
        /// FRAMESIZE by the layout; `None` where it is empty.
        predicted: Option<u16>,
        /// FRAMESIZE of the frame.
        framesize: u16,
        /// Bytes given.
        present: usize,
    },
}

impl DataError {
    /// The name that other programs rely on: that of the [`FrameError`], `not_data` or `size_mismatch`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Frame(error) => error.name(),
            Self::NotData { .. } => "not_data",
            Self::SizeMismatch { .. } => "size_mismatch",
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::NotData { kind } => write!(f, "a {kind} frame holds no measurements"),
            Self::SizeMismatch { predicted: Some(predicted), framesize, present } => {
                write!(
                    f,
                    "the configuration predicts {predicted} bytes, FRAMESIZE is {framesize}, {present} are there"
                )
            }
            Self::SizeMismatch { predicted: None, framesize, .. } => {
                write!(f, "there is no configuration by which to read the {framesize} bytes")
            }
        }
    }
}

impl core::error::Error for DataError {}
