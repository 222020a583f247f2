//! Fragments on their way to become one frame.

use core::fmt;

use super::super::crc::{self, Checksum};
use super::super::frame::{CHECK_SIZE, HEADER_SIZE, IdCode};
use super::{CONTENT_AT, Continuation, FRAMESIZE, Fragment, FragmentChecks};

/// The fragments of one CFG-3 on their way to become one frame in a buffer, which the caller keeps and gives to
/// each call. Nothing is allocated.
///
/// What comes out is the frame that a sender would have made if it fitted into one: CONT_IDX 0, CHK over all of it,
/// and the first fragment's time tag. FRAMESIZE is its length, or 65535 where it is longer than that;
/// [`FrameView::reassembled`](super::FrameView::reassembled) proves it.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    idcode: IdCode,
    checks: FragmentChecks,
    /// Bytes in the buffer.
    length: usize,
    /// CONT_IDX that comes next, unless the last does.
    next: u16,
    /// Over what the last fragment's CHK runs over, where it is the only one.
    crc: Checksum,
}

impl Series {
    /// Begins with the first fragment.
    ///
    /// # Errors
    /// [`SeriesError::Order`] where it is not the first, [`SeriesError::TooLarge`] where the buffer is too small.
    pub fn begin(first: &Fragment<'_>, buffer: &mut [u8]) -> Result<Self, SeriesError> {
        if first.continuation != Continuation::First {
            return Err(SeriesError::Order { expected: 1, found: first.continuation });
        }
        let checks = if first.checked { FragmentChecks::Each } else { FragmentChecks::Last };
        let head = first.bytes.get(..CONTENT_AT).unwrap_or_default();
        let mut series =
            Self { idcode: first.header.idcode, checks, length: 0, next: 2, crc: Checksum::new() };
        series.append(head, buffer)?;
        series.append(first.content(checks), buffer)?;
        Ok(series)
    }

    /// Adds the next fragment; gives the length of the whole frame in `buffer` with the last one. After an error
    /// the series is lost: the sender has to be waited for until it sends the configuration anew.
    ///
    /// # Errors
    /// [`SeriesError`]: another stream's, not the next in order, a check that is wrong, or no room in the buffer.
    pub fn push(&mut self, next: &Fragment<'_>, buffer: &mut [u8]) -> Result<Option<usize>, SeriesError> {
        if next.header.idcode != self.idcode {
            return Err(SeriesError::IdCode { expected: self.idcode, found: next.header.idcode });
        }
        match next.continuation {
            Continuation::Last => {}
            Continuation::Next(index) if index == self.next => self.next += 1,
            found => return Err(SeriesError::Order { expected: self.next, found }),
        }
        if self.checks == FragmentChecks::Each && !next.checked {
            return Err(SeriesError::Crc { fragment: Some(next.continuation) });
        }
        self.append(next.content(self.checks), buffer)?;
        if next.continuation != Continuation::Last {
            return Ok(None);
        }
        let stated = next.bytes.last_chunk().map(|check| u16::from_be_bytes(*check));
        if self.checks == FragmentChecks::Last && stated != Some(self.crc.value()) {
            return Err(SeriesError::Crc { fragment: None });
        }
        self.seal(buffer).map(Some)
    }

    /// The stream's IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.idcode
    }

    /// Which fragments end with a CHK.
    #[must_use]
    pub const fn checks(&self) -> FragmentChecks {
        self.checks
    }

    /// Bytes in the buffer so far.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    fn append(&mut self, content: &[u8], buffer: &mut [u8]) -> Result<(), SeriesError> {
        // There has to be room for CHK too.
        let (end, bound) = (self.length + content.len(), buffer.len());
        let needed = end + CHECK_SIZE;
        let place = buffer.get_mut(self.length..end).filter(|_| needed <= bound);
        place.ok_or(SeriesError::TooLarge { needed, bound })?.copy_from_slice(content);
        self.crc.update(content);
        self.length = end;
        Ok(())
    }

    /// Makes one frame of it; gives its length.
    fn seal(&self, buffer: &mut [u8]) -> Result<usize, SeriesError> {
        let (length, bound) = (self.length + CHECK_SIZE, buffer.len());
        let frame = buffer.get_mut(..length).ok_or(SeriesError::TooLarge { needed: length, bound })?;
        seal_whole(frame);
        Ok(length)
    }
}

/// Writes FRAMESIZE (65535 where it is more), CONT_IDX 0 and CHK into a CFG-3 that is whole otherwise.
fn seal_whole(frame: &mut [u8]) {
    let framesize = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    if let Some(place) = frame.get_mut(FRAMESIZE) {
        place.copy_from_slice(&framesize.to_be_bytes());
    }
    if let Some(place) = frame.get_mut(HEADER_SIZE..CONTENT_AT) {
        place.copy_from_slice(&Continuation::Only.word().to_be_bytes());
    }
    if let Some((checked, check)) = frame.split_last_chunk_mut::<CHECK_SIZE>() {
        *check = crc::checksum(checked).to_be_bytes();
    }
}

/// Why a fragment does not continue a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesError {
    /// Not the fragment that comes next: one was lost, repeated or out of order.
    Order {
        /// CONT_IDX that comes next.
        expected: u16,
        /// What came.
        found: Continuation,
    },
    /// A fragment of another stream.
    IdCode {
        /// The stream of the series.
        expected: IdCode,
        /// The fragment's.
        found: IdCode,
    },
    /// A CHK is wrong.
    Crc {
        /// Whose; `None` for the one over the whole series.
        fragment: Option<Continuation>,
    },
    /// The configuration does not fit into the buffer.
    TooLarge {
        /// Bytes that it takes so far.
        needed: usize,
        /// Bytes of the buffer.
        bound: usize,
    },
}

impl SeriesError {
    /// The name that other programs rely on: `order`, `idcode`, `crc`, `too_large`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Order { .. } => "order",
            Self::IdCode { .. } => "idcode",
            Self::Crc { .. } => "crc",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

impl fmt::Display for SeriesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { expected, found } => {
                write!(f, "{found} of a CFG-3 came where CONT_IDX {expected} was next")
            }
            Self::IdCode { expected, found } => {
                write!(f, "a fragment of stream {found} does not continue stream {expected}")
            }
            Self::Crc { fragment: Some(continuation) } => write!(f, "CHK of {continuation} is wrong"),
            Self::Crc { fragment: None } => {
                f.write_str("CHK of the last fragment fits neither it nor the fragments together")
            }
            Self::TooLarge { needed, bound } => {
                write!(
                    f,
                    "the CFG-3 takes at least {needed} bytes, and the bound for one is {bound}; raise it"
                )
            }
        }
    }
}

impl core::error::Error for SeriesError {}
