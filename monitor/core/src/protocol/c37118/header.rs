//! Header frames (clause 6.5, Table 13): text for people, in ASCII, of any length that FRAMESIZE allows, up to 65 519 bytes.
//! Sent when asked for by CMD 3.

use core::fmt;

use super::frame::{FrameKind, FrameView};
use super::text::Text;

/// A header frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct HeaderView<'a>(Text<'a>);

impl<'a> HeaderView<'a> {
    /// The text in `frame`.
    ///
    /// # Errors
    /// [`HeaderError`] for a frame of another kind.
    pub fn new(frame: FrameView<'a>) -> Result<Self, HeaderError> {
        match frame.kind() {
            FrameKind::Header => Ok(Self(Text::new(frame.body()))),
            kind => Err(HeaderError { kind }),
        }
    }

    /// The text between the common header and CHK; may be empty. What is no UTF-8 in it is the sender's doing: see
    /// [`Text`].
    #[must_use]
    pub const fn text(&self) -> Text<'a> {
        self.0
    }
}

/// The frame is no header frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// What it is.
    pub kind: FrameKind,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} frame is not a header frame", self.kind)
    }
}

impl core::error::Error for HeaderError {}
