//! The common header and the check word (clause 6.2): the door through which every C37.118 frame comes.

use core::fmt;

use super::crc;
use super::time::TimeTag;

/// The common header's size in bytes: SYNC 2, FRAMESIZE 2, IDCODE 2, SOC 4, FRACSEC 4.
pub const HEADER_SIZE: usize = 14;

/// The smallest frame: header and check word, which is a HDR frame without text.
pub const MIN_FRAME_SIZE: usize = HEADER_SIZE + CHECK_SIZE;

/// The size of CHK in bytes.
pub(super) const CHECK_SIZE: usize = 2;

/// The first byte of SYNC.
const LEADING_SYNC: u8 = 0xAA;

/// IDCODE: a stream's or a PMU's number, 1 to 65534 by the standard. The stream's and its PMUs' differ.
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
    const fn from_bits(bits: u8) -> Option<Self> {
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
    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(Self::V2005),
            2 => Some(Self::V2011),
            _ => None,
        }
    }
}

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

/// Why bytes are not a frame. [`FrameError::name`] is what `c37118.invalid` reports as `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes end before the frame does.
    Truncated {
        /// Bytes that the header, or FRAMESIZE, asks for.
        needed: usize,
        /// Bytes that are there.
        present: usize,
        /// The IDCODE, where the bytes reach it.
        idcode: Option<IdCode>,
    },
    /// The first byte is not 0xAA: not C37.118 (IEEE 1344 frames end here).
    Sync {
        /// The byte found.
        found: u8,
    },
    /// A frame type that does not exist.
    Type {
        /// Bits 7 to 4 of SYNC.
        found: u8,
        /// The IDCODE, where the bytes reach it.
        idcode: Option<IdCode>,
    },
    /// An edition that is not known.
    Version {
        /// Bits 3 to 0 of SYNC.
        found: u8,
        /// The IDCODE, where the bytes reach it.
        idcode: Option<IdCode>,
    },
    /// A FRAMESIZE that the type cannot have, or that leaves bytes over.
    Size {
        /// The size stated.
        framesize: u16,
        /// The size possible: the type's smallest, or that of the bytes given.
        possible: usize,
        /// The stream's IDCODE.
        idcode: Option<IdCode>,
    },
    /// The check word is wrong: a byte changed, or it never was a frame.
    Crc {
        /// CHK as sent.
        stated: u16,
        /// CHK as computed.
        computed: u16,
        /// The stream's IDCODE as read, which may itself be what changed.
        idcode: IdCode,
    },
}

impl FrameError {
    /// The name that other programs rely on: `truncated`, `sync`, `type`, `version`, `size`, `crc`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Sync { .. } => "sync",
            Self::Type { .. } => "type",
            Self::Version { .. } => "version",
            Self::Size { .. } => "size",
            Self::Crc { .. } => "crc",
        }
    }

    /// The IDCODE where it was read; unproved.
    #[must_use]
    pub const fn idcode(&self) -> Option<IdCode> {
        match *self {
            Self::Sync { .. } => None,
            Self::Truncated { idcode, .. }
            | Self::Type { idcode, .. }
            | Self::Version { idcode, .. }
            | Self::Size { idcode, .. } => idcode,
            Self::Crc { idcode, .. } => Some(idcode),
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, present, .. } => {
                write!(f, "the frame is cut short: {present} of {needed} bytes")
            }
            Self::Sync { found } => write!(f, "not C37.118: the first byte is {found:#04X}, not 0xAA"),
            Self::Type { found, .. } => {
                write!(f, "SYNC has frame type {found}, which does not exist (0 to 5 do)")
            }
            Self::Version { found, .. } => {
                write!(f, "SYNC has version {found}, which is not known (1 is 2005, 2 is 2011)")
            }
            Self::Size { framesize, possible, .. } => {
                write!(
                    f,
                    "FRAMESIZE is {framesize}, but the frame's type or its packet says {possible} bytes"
                )
            }
            Self::Crc { stated, computed, .. } => {
                write!(f, "CHK is {stated:#06X}, but the bytes give {computed:#06X}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

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
