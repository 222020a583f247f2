//! Encoders: frames written into the caller's buffer, for the simulator and the tests.
//!
//! Each returns the frame's length. Nothing is allocated, cut or wrapped: what does not fit, a frame into its
//! buffer or a value into its field, is an [`EncodeError`], and the buffer then holds nothing of use. The
//! channel types are those that [`super::ConfigView`] yields, so that what was read can be written again.

mod command;
mod config;
mod config3;
mod data;
mod error;
mod fragments;
mod header;
mod writer;

pub use command::command;
pub use config::{ConfigKind, StationConfig, StreamConfig, config};
pub use config3::{StationConfig3, StreamConfig3, config3, config3_whole};
pub use data::{PmuSample, data};
pub use error::EncodeError;
pub use fragments::Fragments;
pub use header::header;

use super::crc;
use super::frame::{CHECK_SIZE, FrameHeader, IdCode, Version};
use super::time::TimeTag;

/// What every frame begins with, apart from its type and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// The edition to claim.
    pub version: Version,
    /// The stream's IDCODE.
    pub idcode: IdCode,
    /// SOC and FRACSEC.
    pub time: TimeTag,
}

impl From<&FrameHeader> for Preamble {
    fn from(header: &FrameHeader) -> Self {
        Self { version: header.version, idcode: header.idcode, time: header.time }
    }
}

/// Writes CHK anew over the last two bytes, after a byte of `frame` was changed on purpose. Fewer than two
/// bytes are left alone.
pub fn reseal(frame: &mut [u8]) {
    if let Some((checked, check)) = frame.split_last_chunk_mut::<CHECK_SIZE>() {
        *check = crc::checksum(checked).to_be_bytes();
    }
}
