//! Finds the frames in a datagram.
//!
//! # Which byte goes where
//! A datagram is taken from its first byte to its last, and what stands at the current byte decides:
//!
//! 1. A sound C37.118 frame (type, size and check agree): [`Found::Frame`], and on behind it.
//! 2. A frame whose check is wrong: [`InvalidReason::Crc`]; it takes the bytes that its FRAMESIZE claims. A frame
//!    whose FRAMESIZE reaches beyond the datagram, or whose header does: [`InvalidReason::Truncated`]; it takes all
//!    that is left. Either ends early where a sound frame begins inside it, for then the size was what is wrong.
//! 3. An IEEE 1344 frame proved by its length and check: [`InvalidReason::Ieee1344`]; it takes its length.
//!    At the datagram's first byte, a session PDU of IEC 61850-90-5 ([`InvalidReason::Iec61850_90_5`]) takes all.
//! 4. SYNC's first byte with a type or version that does not exist ([`InvalidReason::Type`]) or with a FRAMESIZE
//!    that the type cannot have ([`InvalidReason::Size`]), or, at the datagram's first byte, anything else
//!    ([`InvalidReason::Type`]): it takes nothing; the bytes up to the next sound frame are skipped.
//! 5. Anything else behind a frame: [`Found::Skipped`], up to the next sound frame.
//!
//! So bytes of 1, 2 and 3 are "in frames", those of 4 and 5 "skipped", and there are no others. 0xAA occurs inside
//! values: the search for the next sound frame believes nothing but type, size and check together. Its work is
//! bounded: see [`RESYNC_BUDGET`], and so is that of checks that do not fit: see [`CLAIM_BUDGET`]. Where one is used up,
//! the rest behind something that is no frame is skipped, and [`Finder::work`] says so.
//!
//! [`RESYNC_BUDGET`]: super::RESYNC_BUDGET
//! [`CLAIM_BUDGET`]: super::CLAIM_BUDGET

use super::search::{SYNC, Search};
use super::{InvalidReason, ResyncCounts, iec61850_90_5, ieee1344};
use crate::protocol::c37118::{FrameError, FrameHeader, FrameView};

/// Something in a datagram. Together they hold each of its bytes exactly once, in order.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A sound frame.
    Frame(FrameView<'a>),
    /// What began like a frame, or stood where one was due, and is none.
    Invalid(Invalid<'a>),
    /// Bytes passed over behind a frame.
    Skipped(&'a [u8]),
}

/// What was no sound frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid<'a> {
    /// Why.
    pub reason: InvalidReason,
    /// Its type bits, where such a type exists.
    pub frame_type: Option<u8>,
    /// Its IDCODE, where the bytes reach it; unproved.
    pub idcode: Option<u16>,
    /// Whether `bytes` were taken as a frame; otherwise they were skipped.
    pub in_frames: bool,
    /// The bytes it took, or those skipped because of it.
    pub bytes: &'a [u8],
}

impl<'a> Found<'a> {
    /// The bytes it holds.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Frame(frame) => frame.bytes(),
            Self::Invalid(invalid) => invalid.bytes,
            Self::Skipped(bytes) => bytes,
        }
    }
}

/// Takes the frames out of one datagram's payload.
#[derive(Clone, Debug)]
pub struct Finder<'a> {
    rest: &'a [u8],
    at_start: bool,
    search: Search,
}

impl<'a> Finder<'a> {
    /// At the first byte of a datagram.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload, at_start: true, search: Search::new() }
    }

    /// What looking for frames has cost so far.
    #[must_use]
    pub const fn work(&self) -> ResyncCounts {
        self.search.work()
    }

    /// Takes `length` bytes off.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    #[cold]
    fn without_frame(&mut self, error: FrameError, at_start: bool) -> Found<'a> {
        if !self.search.pay_for_telling() {
            return Found::Skipped(self.take(self.rest.len()));
        }
        let mut in_vain = 0;
        match ieee1344::frame(self.rest).map(<[u8]>::len) {
            Ok(length) => return self.other(InvalidReason::Ieee1344, length),
            Err(checked) => in_vain += checked,
        }
        if at_start && iec61850_90_5::is_session(self.rest) {
            return self.other(InvalidReason::Iec61850_90_5, self.rest.len());
        }
        let (reason, claimed) = match error {
            FrameError::Crc { .. } => {
                (InvalidReason::Crc, FrameHeader::peek(self.rest).map_or(1, |it| it.size()))
            }
            FrameError::Truncated { .. } => (InvalidReason::Truncated, self.rest.len()),
            FrameError::Size { .. } => (InvalidReason::Size, 0),
            FrameError::Sync { .. } | FrameError::Type { .. } | FrameError::Version { .. } => {
                (InvalidReason::Type, 0)
            }
        };
        if matches!(error, FrameError::Crc { .. }) {
            in_vain += claimed;
        }
        if !self.search.pay_for_claim(in_vain) {
            return Found::Skipped(self.take(self.rest.len()));
        }
        let frame_type = frame_type(self.rest);
        let in_frames = claimed > 0;
        let limit = if in_frames { claimed } else { self.rest.len() };
        let length = self.search.ahead(self.rest, limit).sound.unwrap_or(limit);
        let bytes = self.take(length);
        if !at_start && matches!(error, FrameError::Sync { .. }) {
            return Found::Skipped(bytes);
        }
        let idcode = error.idcode().map(|idcode| idcode.0);
        Found::Invalid(Invalid { reason, frame_type, idcode, in_frames, bytes })
    }

    /// Something of another protocol.
    fn other(&mut self, reason: InvalidReason, length: usize) -> Found<'a> {
        let bytes = self.take(length);
        Found::Invalid(Invalid { reason, frame_type: None, idcode: None, in_frames: true, bytes })
    }
}

/// The type bits at the start of `bytes`, where they are behind a SYNC and of a type that exists.
pub(super) fn frame_type(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [SYNC, second, ..] => Some(second >> 4).filter(|bits| *bits <= 5),
        _ => None,
    }
}

impl<'a> Iterator for Finder<'a> {
    type Item = Found<'a>;

    #[inline]
    fn next(&mut self) -> Option<Found<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let at_start = std::mem::take(&mut self.at_start);
        match FrameView::split(self.rest) {
            Ok((frame, rest)) => {
                self.rest = rest;
                Some(Found::Frame(frame))
            }
            Err(error) => Some(self.without_frame(error, at_start)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The Annex D command: turn on transmission, IDCODE 7734.
    const COMMAND: [u8; 18] = [
        0xAA, 0x41, 0x00, 0x12, 0x1E, 0x36, 0x44, 0x85, 0x60, 0x30, 0x0F, 0x0B, 0xBF, 0xD0, 0x00, 0x02, 0xCE,
        0x00,
    ];

    /// Sound frames, and bytes that are none, between them.
    fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let other = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..30),
            (1_usize..17).prop_map(|length| COMMAND[..length].to_vec()),
            Just([0xAA, 0x01, 0x00, 0x20].repeat(9)),
        ];
        prop::collection::vec(prop_oneof![Just(COMMAND.to_vec()), other], 0..12)
    }

    proptest! {
        #[test]
        fn every_byte_is_held_once_and_every_sound_frame_found(pieces in pieces()) {
            let payload = pieces.concat();
            let found: Vec<_> = Finder::new(&payload).collect();
            let held: Vec<u8> = found.iter().flat_map(Found::bytes).copied().collect();
            prop_assert_eq!(&held, &payload);
            prop_assert!(found.iter().all(|found| !found.bytes().is_empty()));
            let sound = pieces.iter().filter(|piece| **piece == COMMAND).count();
            prop_assert_eq!(found.iter().filter(|found| matches!(found, Found::Frame(_))).count(), sound);
        }
    }

    #[test]
    fn bytes_made_to_look_like_headers_use_up_the_budget_and_no_more() {
        // Each claims 8 KiB, so that four searches are paid for; the sound frame behind them is not looked for.
        let mut payload = [0xAA, 0x01, 0x20, 0x00].repeat(6_000);
        payload.extend(COMMAND);
        let found: Vec<_> = Finder::new(&payload).collect();
        assert!(found.iter().all(|found| !matches!(found, Found::Frame(_))));
        assert_eq!(found.iter().map(|found| found.bytes().len()).sum::<usize>(), payload.len());
    }
}
