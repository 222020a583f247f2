//! A frame being written.

use super::super::config::NAME_SIZE;
use super::super::crc;
use super::super::frame::{FrameHeader, FrameKind};
use super::super::text::Text;
use super::{EncodeError, Preamble};

/// A frame being written: its bytes, and how many of them there are.
pub(super) struct Frame<'o> {
    bytes: &'o mut [u8],
    at: usize,
}

impl<'o> Frame<'o> {
    pub(super) fn begin(
        out: &'o mut [u8],
        kind: FrameKind,
        preamble: &Preamble,
        size: usize,
    ) -> Result<Self, EncodeError> {
        let framesize = u16::try_from(size).map_err(|_| EncodeError::FrameTooLarge { size })?;
        Self::begin_sized(out, kind, preamble, framesize, size)
    }

    /// As [`Frame::begin`], with a FRAMESIZE that is not the frame's size.
    pub(super) fn begin_sized(
        out: &'o mut [u8],
        kind: FrameKind,
        preamble: &Preamble,
        framesize: u16,
        size: usize,
    ) -> Result<Self, EncodeError> {
        let present = out.len();
        let bytes = out.get_mut(..size).ok_or(EncodeError::BufferTooSmall { needed: size, present })?;
        let Preamble { version, idcode, time } = *preamble;
        let header = FrameHeader { kind, version, framesize, idcode, time };
        let mut frame = Self { bytes, at: 0 };
        frame.put(&header.sync().to_be_bytes())?;
        frame.put(&framesize.to_be_bytes())?;
        frame.put(&idcode.0.to_be_bytes())?;
        frame.put(&time.soc().to_be_bytes())?;
        frame.put(&time.fracsec().to_be_bytes())?;
        Ok(frame)
    }

    pub(super) fn put(&mut self, field: &[u8]) -> Result<(), EncodeError> {
        let needed = self.at + field.len();
        let present = self.bytes.len();
        let place =
            self.bytes.get_mut(self.at..needed).ok_or(EncodeError::BufferTooSmall { needed, present })?;
        place.copy_from_slice(field);
        self.at = needed;
        Ok(())
    }

    pub(super) fn put_count(&mut self, count: usize) -> Result<(), EncodeError> {
        // Every channel takes more than one byte, so a frame of 65535 bytes cannot hold a larger count.
        let count = u16::try_from(count).map_err(|_| EncodeError::FrameTooLarge { size: count })?;
        self.put(&count.to_be_bytes())
    }

    /// A name in 16 bytes, padded with spaces.
    pub(super) fn put_name(&mut self, name: Text<'_>, pmu: u16) -> Result<(), EncodeError> {
        let raw = name.raw();
        let mut field = [b' '; NAME_SIZE];
        field
            .get_mut(..raw.len())
            .ok_or(EncodeError::NameTooLong { pmu, length: raw.len(), bound: NAME_SIZE })?
            .copy_from_slice(raw);
        self.put(&field)
    }

    /// A name behind a byte that holds its length.
    pub(super) fn put_prefixed_name(&mut self, name: Text<'_>, pmu: u16) -> Result<(), EncodeError> {
        let raw = name.raw();
        let length = u8::try_from(raw.len()).map_err(|_| EncodeError::NameTooLong {
            pmu,
            length: raw.len(),
            bound: u8::MAX.into(),
        })?;
        self.put(&[length])?;
        self.put(raw)
    }

    pub(super) fn finish(mut self) -> Result<usize, EncodeError> {
        let written = self.bytes.get(..self.at).unwrap_or_default();
        let check = crc::checksum(written);
        self.put(&check.to_be_bytes())?;
        Ok(self.at)
    }
}
