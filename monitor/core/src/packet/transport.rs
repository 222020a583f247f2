//! UDP (RFC 768) and TCP (RFC 9293) headers.

use super::Malformed;
use super::ip::limit;

/// What both have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transported<'a> {
    /// Source and destination.
    pub(super) ports: [u16; 2],
    /// Sequence and acknowledgement number, and flags; 0 for UDP.
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    pub(super) payload: &'a [u8],
    /// Bytes of the payload that a capture cut off.
    pub(super) cut: usize,
}

impl<'a> Transported<'a> {
    /// A datagram. Bytes behind its length field's end are not its own.
    #[inline]
    pub(super) fn udp(bytes: &'a [u8], cut: usize, merged: bool) -> Result<Self, Malformed> {
        let (&[s0, s1, d0, d1, l0, l1, _, _], rest) =
            bytes.split_first_chunk::<8>().ok_or(Malformed::Transport)?;
        let stated = match usize::from(u16::from_be_bytes([l0, l1])) {
            0 if merged => rest.len(),
            stated => stated.checked_sub(8).ok_or(Malformed::Transport)?,
        };
        let (payload, cut) = limit(rest, stated, cut).ok_or(Malformed::Transport)?;
        let ports = [u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])];
        Ok(Self { ports, sequence: 0, acknowledgement: 0, flags: 0, payload, cut })
    }

    /// A segment, behind its options.
    pub(super) fn tcp(bytes: &'a [u8], cut: usize) -> Result<Self, Malformed> {
        let (fixed, _) = bytes.split_first_chunk::<20>().ok_or(Malformed::Transport)?;
        let header_size = usize::from(fixed[12] >> 4) * 4;
        if header_size < 20 {
            return Err(Malformed::Transport);
        }
        let payload = bytes.get(header_size..).ok_or(Malformed::Transport)?;
        let ports = [u16::from_be_bytes([fixed[0], fixed[1]]), u16::from_be_bytes([fixed[2], fixed[3]])];
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let (sequence, acknowledgement) = (word(4), word(8));
        Ok(Self { ports, sequence, acknowledgement, flags: fixed[13], payload, cut })
    }
}
