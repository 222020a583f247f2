//! The common header (clause 6.2.1, Table 2), read by its looks alone.

use super::super::time::TimeTag;
use super::{FrameError, FrameKind, HEADER_SIZE, IdCode, Version};

/// The first byte of SYNC.
const LEADING_SYNC: u8 = 0xAA;

/// The common header's fields, each possible in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What follows.
    pub kind: FrameKind,
    /// The edition claimed.
    pub version: Version,
    /// FRAMESIZE: bytes from SYNC to CHK, at least [`FrameKind::min_size`].
    pub framesize: u16,
    /// The stream's IDCODE; for a command, the stream that is commanded.
    pub idcode: IdCode,
    /// SOC and FRACSEC.
    pub time: TimeTag,
}

impl FrameHeader {
    /// Reads the header at the start of `bytes`, by its looks alone: SYNC, type, version, and a size that the
    /// type can have. Cheap, and meant for finding frames; nothing is proved before the check word is.
    ///
    /// # Errors
    /// Every [`FrameError`] but `Crc`. [`FrameError::Truncated`] means that what is there so far could be the
    /// start of a frame: a byte stream waits for more, anything else passes over a byte.
    #[inline]
    pub fn peek(bytes: &[u8]) -> Result<Self, FrameError> {
        let (header, _) = bytes.split_first_chunk::<HEADER_SIZE>().ok_or_else(|| short_header(bytes))?;
        let [lead, sync, s0, s1, i0, i1, t0, t1, t2, t3, f0, f1, f2, f3] = *header;
        let idcode = IdCode(u16::from_be_bytes([i0, i1]));
        let (kind, version) = read_sync(lead, sync, Some(idcode))?;
        let framesize = u16::from_be_bytes([s0, s1]);
        let least = kind.min_size();
        if usize::from(framesize) < least {
            return Err(FrameError::Size { framesize, possible: least, idcode: Some(idcode) });
        }
        let time =
            TimeTag::from_words(u32::from_be_bytes([t0, t1, t2, t3]), u32::from_be_bytes([f0, f1, f2, f3]));
        Ok(Self { kind, version, framesize, idcode, time })
    }

    /// FRAMESIZE as a length.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::from(self.framesize)
    }

    /// The word SYNC.
    #[must_use]
    pub const fn sync(&self) -> u16 {
        u16::from_be_bytes([LEADING_SYNC, (self.kind as u8) << 4 | self.version as u8])
    }
}

/// Whether a whole header that could be C37.118 stands at the start of `bytes`: see [`FrameHeader::peek`].
#[must_use]
pub fn looks_like(bytes: &[u8]) -> bool {
    FrameHeader::peek(bytes).is_ok()
}

fn read_sync(lead: u8, sync: u8, idcode: Option<IdCode>) -> Result<(FrameKind, Version), FrameError> {
    if lead != LEADING_SYNC {
        return Err(FrameError::Sync { found: lead });
    }
    // Bit 7 is reserved and zero, which makes it part of a type that does not exist.
    let kind = FrameKind::from_bits(sync >> 4).ok_or(FrameError::Type { found: sync >> 4, idcode })?;
    let version =
        Version::from_bits(sync & 0x0F).ok_or(FrameError::Version { found: sync & 0x0F, idcode })?;
    Ok((kind, version))
}

/// Why fewer bytes than a header are no header: what is there is judged as far as it goes.
#[cold]
fn short_header(bytes: &[u8]) -> FrameError {
    let truncated = FrameError::Truncated {
        needed: HEADER_SIZE,
        present: bytes.len(),
        idcode: bytes.get(4..6).and_then(|id| id.first_chunk()).map(|id| IdCode(u16::from_be_bytes(*id))),
    };
    match *bytes {
        [] => truncated,
        [lead] if lead == LEADING_SYNC => truncated,
        [lead] => FrameError::Sync { found: lead },
        [lead, sync, ..] => read_sync(lead, sync, None).err().unwrap_or(truncated),
    }
}
