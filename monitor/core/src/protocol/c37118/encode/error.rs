//! Why a frame was not written.

use core::fmt;

/// Why a frame was not written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EncodeError {
    /// The buffer ends before the frame does.
    BufferTooSmall {
        /// Bytes of the frame.
        needed: usize,
        /// Bytes of the buffer.
        present: usize,
    },
    /// The frame would be larger than FRAMESIZE can say.
    FrameTooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// The layout is empty.
    NoLayout,
    /// Another number of PMUs or channels than the layout has.
    Count {
        /// What was counted.
        what: &'static str,
        /// The PMU they belong to, from 1.
        pmu: Option<u16>,
        /// The layout's number.
        expected: usize,
        /// The number given.
        given: usize,
    },
    /// A name has more bytes than its field.
    NameTooLong {
        /// The PMU it belongs to, from 1.
        pmu: u16,
        /// Its length in bytes.
        length: usize,
        /// Bytes of the field: 16 in CFG-1 and CFG-2, 255 in CFG-3.
        bound: usize,
    },
    /// A channel that is scaled as another version of the configuration scales it.
    Scaling {
        /// The field that the frame has: PHUNIT and ANUNIT in CFG-1 and CFG-2, PHSCALE and ANSCALE in CFG-3.
        field: &'static str,
        /// The PMU it belongs to, from 1.
        pmu: u16,
        /// The channel, from 1.
        channel: usize,
    },
    /// A fragment that has no room for anything.
    FragmentTooSmall {
        /// Its size in bytes, header and CHK included.
        size: usize,
        /// The smallest that has room for a byte.
        least: usize,
    },
    /// More fragments than CONT_IDX counts.
    TooManyFragments,
    /// A value that its field cannot hold.
    Range {
        /// The field.
        field: &'static str,
        /// The PMU it belongs to, from 1.
        pmu: u16,
        /// The channel, from 1, where the field has several.
        channel: Option<u16>,
        /// The value.
        value: f64,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed, present } => {
                write!(f, "the frame has {needed} bytes and the buffer {present}")
            }
            Self::FrameTooLarge { size } => {
                write!(f, "the frame would have {size} bytes, and FRAMESIZE ends at {}", u16::MAX)
            }
            Self::NoLayout => f.write_str("the layout is empty: fill it from a configuration first"),
            Self::Count { what, pmu, expected, given } => {
                write!(f, "{given} {what} are given where the layout has {expected}")?;
                pmu.map_or(Ok(()), |pmu| write!(f, " (PMU {pmu})"))
            }
            Self::NameTooLong { pmu, length, bound } => {
                write!(f, "a name of PMU {pmu} has {length} bytes, and its field holds {bound}")
            }
            Self::Scaling { field, pmu, channel } => {
                write!(f, "channel {channel} of PMU {pmu} is not scaled by {field}, which the frame has")
            }
            Self::FragmentTooSmall { size, least } => {
                write!(f, "a fragment of {size} bytes has no room for a byte; {least} have")
            }
            Self::TooManyFragments => {
                write!(f, "CONT_IDX counts {} fragments and more are needed; make them larger", u16::MAX)
            }
            Self::Range { field, pmu, channel, value } => {
                write!(f, "{value} does not fit {field} of PMU {pmu}")?;
                channel.map_or(Ok(()), |channel| write!(f, ", channel {channel}"))
            }
        }
    }
}

impl core::error::Error for EncodeError {}
