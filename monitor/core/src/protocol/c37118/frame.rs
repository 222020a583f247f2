//! The common header and the check word (clause 6.2.1, Table 2): the door through which every C37.118 frame comes.

mod error;
mod header;
mod kind;

pub use error::FrameError;
pub use header::{FrameHeader, looks_like};
pub use kind::{FrameKind, IdCode, Version};

use super::crc;
use super::time::TimeTag;

/// The common header's size in bytes: SYNC 2, FRAMESIZE 2, IDCODE 2, SOC 4, FRACSEC 4.
pub const HEADER_SIZE: usize = 14;

/// The smallest frame: header and check word, which is a HDR frame without text.
pub const MIN_FRAME_SIZE: usize = HEADER_SIZE + CHECK_SIZE;

/// The size of CHK in bytes.
pub(super) const CHECK_SIZE: usize = 2;

/// One whole frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    header: FrameHeader,
    bytes: &'a [u8],
}

impl<'a> FrameView<'a> {
    /// The frame that `bytes` is, from SYNC to CHK and no byte more: type, version, size and check word agree.
    ///
    /// # Errors
    /// [`FrameError`], with the IDCODE where it was read. Bytes behind the frame are a `Size` error; a caller
    /// who may hold several frames uses [`FrameView::split`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (frame, rest) = Self::split(bytes)?;
        if rest.is_empty() { Ok(frame) } else { Err(frame.trailing(bytes.len())) }
    }

    /// The frame at the start of `bytes`, proved by its check word, and what lies behind it.
    ///
    /// # Errors
    /// [`FrameError`], with the IDCODE where it was read.
    #[inline]
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FrameError> {
        let (frame, rest) = Self::cut(bytes)?;
        frame.check()?;
        Ok((frame, rest))
    }

    /// As [`FrameView::reassembled`], but without computing the check word: for bytes that were proved before.
    ///
    /// # Errors
    /// Every [`FrameError`] but `Crc`.
    pub fn without_check(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (frame, rest) = Self::cut(bytes)?;
        if rest.is_empty() {
            return Ok(frame);
        }
        if frame.kind() == FrameKind::Config3 && frame.header.framesize == u16::MAX {
            return Ok(Self { header: frame.header, bytes });
        }
        Err(frame.trailing(bytes.len()))
    }

    /// As [`FrameView::new`], and beyond it a CFG-3 that [`Series`](super::Series) put together: such a frame may
    /// have more bytes than FRAMESIZE can say, which is 65535 then.
    ///
    /// # Errors
    /// [`FrameError`], with the IDCODE where it was read.
    pub fn reassembled(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let frame = Self::without_check(bytes)?;
        frame.check()?;
        Ok(frame)
    }

    #[inline]
    fn cut(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FrameError> {
        let header = FrameHeader::peek(bytes)?;
        match bytes.split_at_checked(header.size()) {
            Some((bytes, rest)) => Ok((Self { header, bytes }, rest)),
            None => Err(FrameError::Truncated {
                needed: header.size(),
                present: bytes.len(),
                idcode: Some(header.idcode),
            }),
        }
    }

    #[inline]
    fn check(&self) -> Result<(), FrameError> {
        let Some((checked, check)) = self.bytes.split_last_chunk::<CHECK_SIZE>() else { return Ok(()) };
        let (stated, computed) = (u16::from_be_bytes(*check), crc::checksum(checked));
        if stated == computed {
            return Ok(());
        }
        Err(FrameError::Crc { stated, computed, idcode: self.header.idcode })
    }

    #[cold]
    fn trailing(&self, present: usize) -> FrameError {
        FrameError::Size {
            framesize: self.header.framesize,
            possible: present,
            idcode: Some(self.header.idcode),
        }
    }

    /// The common header.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// What the frame is.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.header.kind
    }

    /// The stream's IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.header.idcode
    }

    /// SOC and FRACSEC.
    #[must_use]
    pub const fn time(&self) -> TimeTag {
        self.header.time
    }

    /// The whole frame, from SYNC to CHK.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What lies between the common header and CHK.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_SIZE..self.bytes.len() - CHECK_SIZE).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Annex D command: turn on transmission, IDCODE 7734.
    const COMMAND: [u8; 18] = [
        0xAA, 0x41, 0x00, 0x12, 0x1E, 0x36, 0x44, 0x85, 0x60, 0x30, 0x0F, 0x0B, 0xBF, 0xD0, 0x00, 0x02, 0xCE,
        0x00,
    ];

    fn changed(place: usize, byte: u8) -> FrameError {
        let mut bytes = COMMAND;
        bytes[place] = byte;
        FrameView::new(&bytes).unwrap_err()
    }

    #[test]
    fn a_frame_is_read() {
        let frame = FrameView::new(&COMMAND).unwrap();
        assert_eq!(frame.kind(), FrameKind::Command);
        assert_eq!(frame.header().version, Version::V2005);
        assert_eq!(frame.header().sync(), 0xAA41);
        assert_eq!(frame.idcode(), IdCode(7734));
        assert_eq!(frame.time().soc(), 1_149_591_600);
        assert_eq!(frame.time().fraction(), 770_000);
        assert_eq!(frame.time().quality().bits(), 0x0F);
        assert_eq!(frame.body(), [0, 2]);
        assert!(looks_like(&COMMAND));
    }

    #[test]
    fn each_fault_has_its_name() {
        let names = [
            (0, 0xAB, "sync"),
            (1, 0x61, "type"),
            (1, 0xC1, "type"),
            (1, 0x40, "version"),
            (1, 0x43, "version"),
            (3, 0x11, "size"),
            (3, 0x13, "truncated"),
            (15, 0x03, "crc"),
            (17, 0x01, "crc"),
        ];
        for (place, byte, name) in names {
            let error = changed(place, byte);
            assert_eq!(error.name(), name, "byte {place} = {byte:#04X}");
            assert_eq!(error.idcode(), (name != "sync").then_some(IdCode(7734)));
        }
    }

    #[test]
    fn bytes_behind_are_left_or_refused() {
        let mut bytes = COMMAND.to_vec();
        bytes.push(0xAA);
        assert_eq!(FrameView::new(&bytes).unwrap_err().name(), "size");
        let (frame, rest) = FrameView::split(&bytes).unwrap();
        assert_eq!(frame.bytes(), COMMAND);
        assert_eq!(rest, [0xAA]);
    }

    #[test]
    fn every_start_of_a_frame_is_truncated_and_nothing_else() {
        for end in 0..COMMAND.len() {
            let error = FrameView::new(&COMMAND[..end]).unwrap_err();
            assert_eq!(error.name(), "truncated", "first {end} bytes");
            assert_eq!(error.idcode().is_some(), end >= 6);
        }
        assert_eq!(FrameHeader::peek(&[0x55]).unwrap_err().name(), "sync");
        assert_eq!(FrameHeader::peek(&[0xAA, 0x71]).unwrap_err().name(), "type");
    }
}
