//! What a frame says that it is: IDCODE, type and edition (clause 6.2.1, Table 2).

use core::fmt;

use super::MIN_FRAME_SIZE;

/// IDCODE: a stream's or a PMU's number (Table 2), 1 to 65534; 0 and 65535 are reserved, and taken as they come. A PDC's
/// stream and its PMUs have different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdCode(pub u16);

impl fmt::Display for IdCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a frame is: bits 6 to 4 of SYNC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// Measurements (clause 6.3).
    Data = 0,
    /// Text for people (clause 6.5).
    Header = 1,
    /// CFG-1: what the sender could send (clause 6.4).
    Config1 = 2,
    /// CFG-2: what the sender sends (clause 6.4).
    Config2 = 3,
    /// To the sender of measurements (clause 6.6).
    Command = 4,
    /// CFG-3: as CFG-2, with names of any length, and in fragments (clause 6.4).
    Config3 = 5,
}

impl FrameKind {
    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Data,
            1 => Self::Header,
            2 => Self::Config1,
            3 => Self::Config2,
            4 => Self::Command,
            5 => Self::Config3,
            _ => return None,
        })
    }

    /// The standard's short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "DATA",
            Self::Header => "HDR",
            Self::Config1 => "CFG-1",
            Self::Config2 => "CFG-2",
            Self::Command => "CMD",
            Self::Config3 => "CFG-3",
        }
    }

    /// The smallest FRAMESIZE that can hold the fields of this kind.
    #[must_use]
    pub const fn min_size(self) -> usize {
        let body = match self {
            // STAT, FREQ and DFREQ of one PMU.
            Self::Data => 6,
            Self::Header => 0,
            // TIME_BASE, NUM_PMU, DATA_RATE.
            Self::Config1 | Self::Config2 => 8,
            Self::Command | Self::Config3 => 2,
        };
        MIN_FRAME_SIZE + body
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The edition a frame claims: bits 3 to 0 of SYNC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Version {
    /// IEEE C37.118-2005.
    V2005 = 1,
    /// IEEE C37.118.2-2011.
    V2011 = 2,
}

impl Version {
    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(Self::V2005),
            2 => Some(Self::V2011),
            _ => None,
        }
    }
}
