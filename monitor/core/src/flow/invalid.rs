//! Why bytes that came where a frame was due are none.

/// Why something that began like a frame is none. The names are the contract's `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum InvalidReason {
    /// Its check does not fit its bytes.
    Crc,
    /// FRAMESIZE cannot be that of such a frame, or leaves bytes over.
    Size,
    /// Fewer bytes than FRAMESIZE says.
    Truncated,
    /// No such SYNC word, frame type or version.
    Type,
    /// IEEE 1344, the older protocol on the same ports.
    Ieee1344,
    /// A long stretch of a TCP flow without a sound frame: it hardly speaks C37.118.
    NoFrame,
    /// IEC 61850-90-5, routable GOOSE and sampled values: not C37.118, though it may carry synchrophasors.
    Iec61850_90_5,
}

impl InvalidReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Crc,
        Self::Size,
        Self::Truncated,
        Self::Type,
        Self::Ieee1344,
        Self::NoFrame,
        Self::Iec61850_90_5,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc => "crc",
            Self::Size => "size",
            Self::Truncated => "truncated",
            Self::Type => "type",
            Self::Ieee1344 => "ieee1344",
            Self::NoFrame => "no_frame",
            Self::Iec61850_90_5 => "iec61850_90_5",
        }
    }
}
