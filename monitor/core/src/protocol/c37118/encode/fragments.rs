//! CFG-3 cut into fragments (clause 6.4, Table 10: CONT_IDX).

use super::super::crc::{self, Checksum};
use super::super::fragment::{CONTENT_AT, Continuation, FRAMESIZE, FragmentChecks};
use super::super::frame::{CHECK_SIZE, HEADER_SIZE};
use super::EncodeError;

/// The smallest fragments have room for two bytes of content: one byte and no CHK would be less than a CFG-3 can have.
const LEAST_SIZE: usize = CONTENT_AT + CHECK_SIZE + 2;

/// Cuts a whole CFG-3 into fragments: the first, any number, the last; at least two. Each takes the whole one's
/// common header, its time tag included.
#[derive(Clone, Copy, Debug)]
pub struct Fragments<'a> {
    header: &'a [u8],
    content: &'a [u8],
    checks: FragmentChecks,
    /// CONT_IDX of the next one, unless it is the last; `None` when all are written.
    next: Option<u16>,
    /// Over what the last CHK runs over, where it is the only one.
    crc: Checksum,
}

impl<'a> Fragments<'a> {
    /// Of `whole`, as [`config3_whole`](super::config3_whole) or [`config3`](super::config3()) wrote it.
    #[must_use]
    pub fn new(whole: &'a [u8], checks: FragmentChecks) -> Self {
        let header = whole.get(..HEADER_SIZE).unwrap_or_default();
        let content = whole.get(CONTENT_AT..whole.len().saturating_sub(CHECK_SIZE)).unwrap_or_default();
        Self { header, content, checks, next: Some(1), crc: Checksum::new() }
    }

    /// Writes the next fragment into `out`, `size` bytes at most; gives its length, or `None` after the last.
    ///
    /// # Errors
    /// [`EncodeError`]: a size that has no room for a byte of content, a buffer that is smaller than the fragment,
    /// more fragments than CONT_IDX counts.
    pub fn write_next(&mut self, size: u16, out: &mut [u8]) -> Option<Result<usize, EncodeError>> {
        let index = self.next?;
        Some(self.write(index, size.into(), out))
    }

    fn write(&mut self, index: u16, size: usize, out: &mut [u8]) -> Result<usize, EncodeError> {
        if size < LEAST_SIZE {
            return Err(EncodeError::FragmentTooSmall { size, least: LEAST_SIZE });
        }
        // The first leaves at least one byte to the last.
        let last = index > 1 && self.content.len() <= size - CONTENT_AT - CHECK_SIZE;
        let with_check = last || self.checks == FragmentChecks::Each;
        let check_size = if with_check { CHECK_SIZE } else { 0 };
        let left = usize::from(!last);
        let share = (size - CONTENT_AT - check_size).min(self.content.len().saturating_sub(left));
        let (content, rest) = self.content.split_at_checked(share).unwrap_or((self.content, &[]));
        let continuation = match (last, index) {
            (true, _) => Continuation::Last,
            (false, 1) => Continuation::First,
            (false, u16::MAX) => return Err(EncodeError::TooManyFragments),
            (false, next) => Continuation::Next(next),
        };
        let length = CONTENT_AT + content.len() + check_size;
        let present = out.len();
        let out = out.get_mut(..length).ok_or(EncodeError::BufferTooSmall { needed: length, present })?;
        let framesize = u16::try_from(length).map_err(|_| EncodeError::FrameTooLarge { size: length })?;
        let (head, body) = out.split_at_mut(CONTENT_AT);
        head[..self.header.len()].copy_from_slice(self.header);
        head[FRAMESIZE].copy_from_slice(&framesize.to_be_bytes());
        head[HEADER_SIZE..].copy_from_slice(&continuation.word().to_be_bytes());
        if index == 1 {
            self.crc.update(head);
        }
        body[..content.len()].copy_from_slice(content);
        self.crc.update(content);
        if with_check {
            let (checked, check) = out.split_at_mut(length - CHECK_SIZE);
            let value = match self.checks {
                FragmentChecks::Each => crc::checksum(checked),
                FragmentChecks::Last => self.crc.value(),
            };
            check.copy_from_slice(&value.to_be_bytes());
        }
        self.content = rest;
        self.next = if last { None } else { Some(index + 1) };
        Ok(length)
    }
}
