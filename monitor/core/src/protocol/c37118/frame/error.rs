//! Why bytes are no frame.

use core::fmt;

use super::IdCode;

/// Why bytes are not a frame. [`FrameError::name`] is what `c37118.invalid` reports as `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes end before the frame does.
    Truncated {
        /// Bytes that the header, or FRAMESIZE, asks for.
        needed: usize,
        /// Bytes that are there.
        present: usize,
        /// The IDCODE, where the bytes reach it.
        idcode: Option<IdCode>,
    },
    /// The first byte is not 0xAA: not C37.118 (IEEE 1344 frames end here).
    Sync {
        /// The byte found.
        found: u8,
    },
    /// A frame type that does not exist.
    Type {
        /// Bits 7 to 4 of SYNC.
        found: u8,
        /// The IDCODE, where the bytes reach it.
        idcode: Option<IdCode>,
    },
    /// An edition that is not known.
    Version {
        /// Bits 3 to 0 of SYNC.
        found: u8,
        /// The IDCODE, where the bytes reach it.
        idcode: Option<IdCode>,
    },
    /// A FRAMESIZE that the type cannot have, or that leaves bytes over.
    Size {
        /// The size stated.
        framesize: u16,
        /// The size possible: the type's smallest, or that of the bytes given.
        possible: usize,
        /// The stream's IDCODE.
        idcode: Option<IdCode>,
    },
    /// The check word is wrong: a byte changed, or it never was a frame.
    Crc {
        /// CHK as sent.
        stated: u16,
        /// CHK as computed.
        computed: u16,
        /// The stream's IDCODE as read, which may itself be what changed.
        idcode: IdCode,
    },
}

impl FrameError {
    /// The name that other programs rely on: `truncated`, `sync`, `type`, `version`, `size`, `crc`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Sync { .. } => "sync",
            Self::Type { .. } => "type",
            Self::Version { .. } => "version",
            Self::Size { .. } => "size",
            Self::Crc { .. } => "crc",
        }
    }

    /// The IDCODE where it was read; unproved.
    #[must_use]
    pub const fn idcode(&self) -> Option<IdCode> {
        match *self {
            Self::Sync { .. } => None,
            Self::Truncated { idcode, .. }
            | Self::Type { idcode, .. }
            | Self::Version { idcode, .. }
            | Self::Size { idcode, .. } => idcode,
            Self::Crc { idcode, .. } => Some(idcode),
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, present, .. } => {
                write!(f, "the frame is cut short: {present} of {needed} bytes")
            }
            Self::Sync { found } => write!(f, "not C37.118: the first byte is {found:#04X}, not 0xAA"),
            Self::Type { found, .. } => {
                write!(f, "SYNC has frame type {found}, which does not exist (0 to 5 do)")
            }
            Self::Version { found, .. } => {
                write!(f, "SYNC has version {found}, which is not known (1 is 2005, 2 is 2011)")
            }
            Self::Size { framesize, possible, .. } => {
                write!(
                    f,
                    "FRAMESIZE is {framesize}, but the frame's type or its packet says {possible} bytes"
                )
            }
            Self::Crc { stated, computed, .. } => {
                write!(f, "CHK is {stated:#06X}, but the bytes give {computed:#06X}")
            }
        }
    }
}

impl core::error::Error for FrameError {}
