//! Recognises IEEE 1344-1995, the protocol before C37.118, which older PMUs send to the same ports.
//!
//! Its frames begin with SOC (four bytes, seconds since 1900), two bytes of frame type and sample count, and two of
//! status whose low 13 bits are the frame's length; the last two are the same CRC-CCITT as C37.118's. Length and
//! check together prove a frame, as they do there. Nothing more of it is read.

use super::search::SYNC;
use crate::protocol::c37118::crc::checksum;

/// SOC, sample count, status and check.
const MIN_SIZE: usize = 10;
/// The bits of the status word that hold the length.
const LENGTH_MASK: u16 = 0x1FFF;

/// The IEEE 1344 frame at the start of `bytes`, where length and check agree that there is one; else how many bytes were
/// run through the check in vain. One whose first byte is SYNC's would be of 1990, before the standard.
pub(super) fn frame(bytes: &[u8]) -> Result<&[u8], usize> {
    claim(bytes).ok_or(0).and_then(|frame| {
        let (checked, check) = frame.split_last_chunk().ok_or(0_usize)?;
        if u16::from_be_bytes(*check) == checksum(checked) { Ok(frame) } else { Err(frame.len()) }
    })
}

/// The bytes that would be a frame.
fn claim(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.first() == Some(&SYNC) {
        return None;
    }
    let status = bytes.get(6..)?.first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*status) & LENGTH_MASK);
    bytes.get(..length).filter(|frame| frame.len() >= MIN_SIZE)
}

/// Bytes that it takes to say whether an IEEE 1344 frame begins where `bytes` do: the header's, then the frame's; none
/// where there are enough, or no such frame is possible.
pub(super) fn needed(bytes: &[u8]) -> Option<usize> {
    const HEADER_SIZE: usize = 8;
    let Some(status) = bytes.get(6..).and_then(|status| status.first_chunk()) else {
        return Some(HEADER_SIZE);
    };
    let length = usize::from(u16::from_be_bytes(*status) & LENGTH_MASK);
    Some(length).filter(|length| *length >= MIN_SIZE && *length > bytes.len())
}
