//! HDR (clause 6.5).

use super::super::frame::{FrameKind, MIN_FRAME_SIZE};
use super::super::text::Text;
use super::writer::Frame;
use super::{EncodeError, Preamble};

/// Writes a HDR frame.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, a text beyond 65519 bytes.
pub fn header(out: &mut [u8], preamble: &Preamble, text: Text<'_>) -> Result<usize, EncodeError> {
    let mut frame = Frame::begin(out, FrameKind::Header, preamble, MIN_FRAME_SIZE + text.raw().len())?;
    frame.put(text.raw())?;
    frame.finish()
}
