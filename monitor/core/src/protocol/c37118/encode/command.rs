//! CMD (clause 6.6).

use super::super::command::Command;
use super::super::frame::FrameKind;
use super::writer::Frame;
use super::{EncodeError, Preamble};

/// Writes a CMD frame; `extended` stands behind CMD, and is empty but for [`Command::Extended`].
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, extended data beyond 65517 bytes.
pub fn command(
    out: &mut [u8],
    preamble: &Preamble,
    command: Command,
    extended: &[u8],
) -> Result<usize, EncodeError> {
    let size = FrameKind::Command.min_size() + extended.len();
    let mut frame = Frame::begin(out, FrameKind::Command, preamble, size)?;
    frame.put(&command.word().to_be_bytes())?;
    frame.put(extended)?;
    frame.finish()
}
