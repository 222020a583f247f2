//! Finds the frames in a stream of bytes, of which more may come.
//!
//! It is given what is there of the stream, from the first byte that has not been taken yet, and says what that begins
//! with, or with how many bytes it can be said. The frames that it finds are the same however the stream is cut.
//!
//! # Where a frame is due
//! Behind a frame, and at the first byte of a connection whose beginning was seen, a frame is due: what claims to be
//! one and is none is told as invalid, as in a datagram. In the middle of a stream nothing is due, and nothing is told:
//! bytes up to the first sound frame are skipped.
//!
//! # What claims to be a frame
//! A claim (a header with a possible type, version and size) waits for the bytes that it claims, and is judged by its
//! check. Meanwhile, and where its check is wrong, it is searched for sound frames that begin inside it: one of them
//! says that the claim's size was wrong, and ends it. So a damaged FRAMESIZE costs its own frame, and a byte 0xAA in the
//! middle of a stream nothing. (A sound frame within a sound frame, which nobody sends, may therefore be taken for
//! either.) The search is bounded for each packet: see [`RESYNC_BUDGET`](super::RESYNC_BUDGET).

use super::finder::frame_type;
use super::search::{Ahead, Search};
use super::{Found, Invalid, InvalidReason, ResyncCounts, iec61850_90_5, ieee1344};
use crate::protocol::c37118::{FrameError, FrameHeader, FrameView};

/// Up to this length, what is there is looked at with every byte that comes; above, when it has grown by an eighth: so
/// that looking costs in proportion to what comes.
const LOOKED_AT_ALWAYS: usize = 2_048;

/// What is to be expected at the current byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expected {
    /// Anything.
    #[default]
    Anything,
    /// A frame: it is the first byte of a connection.
    FirstFrame,
    /// A frame: one has just ended.
    Frame,
    /// A frame of IEEE 1344: one has just ended.
    OlderFrame,
    /// Anything, and perhaps a session PDU of IEC 61850-90-5: one has gone by.
    Session,
}

impl Expected {
    /// Whether what is no frame is told.
    const fn is_due(self) -> bool {
        !matches!(self, Self::Anything | Self::Session)
    }
}

/// What bytes begin with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// This, and more may stand behind it.
    Found(Found<'a>),
    /// That cannot be said yet.
    Wait(Wait),
}

/// For how many bytes to wait, counted from the current one; more than there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wait {
    /// With these, the claim at the current byte is whole.
    pub(super) needed: usize,
    /// With these, it is worth another look.
    pub(super) look: usize,
}

/// Takes the frames out of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framer {
    pub(super) expected: Expected,
    search: Search,
}

impl Framer {
    pub(super) const fn new(expected: Expected) -> Self {
        Self { expected, search: Search::new() }
    }

    /// What looking for frames has cost so far.
    pub(super) const fn work(&self) -> ResyncCounts {
        self.search.work()
    }

    /// What `bytes`, at least one, begin with. With `ended`, no more will come.
    #[inline]
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8], ended: bool) -> Step<'a> {
        match FrameView::split(bytes) {
            Ok((frame, _)) => {
                self.expected = Expected::Frame;
                Step::Found(Found::Frame(frame))
            }
            Err(error) => self.without_frame(bytes, error, ended),
        }
    }

    #[cold]
    fn without_frame<'a>(&mut self, bytes: &'a [u8], error: FrameError, ended: bool) -> Step<'a> {
        let older = ieee1344::frame(bytes);
        if let Some(step) = self.older(bytes, older, error, ended).or_else(|| self.session(bytes, ended)) {
            return step;
        }
        let claimed = FrameHeader::peek(bytes).map_or(1, |header| header.size());
        let checked = if matches!(error, FrameError::Crc { .. }) { claimed } else { 0 };
        if !self.search.pay_for_telling() || !self.search.pay_for_claim(checked + older.err().unwrap_or(0)) {
            self.expected = Expected::Anything;
            return Step::Found(Found::Skipped(bytes));
        }
        match error {
            FrameError::Truncated { needed, .. } => self.truncated(bytes, needed, ended),
            FrameError::Crc { .. } if self.expected.is_due() => {
                let Ahead { sound, open, .. } = self.search.ahead(bytes, claimed);
                let open = open.filter(|_| !ended && sound.is_none());
                if open.is_some() {
                    self.expected = Expected::Anything;
                }
                let length = sound.or(open).unwrap_or(claimed);
                Step::Found(invalid(InvalidReason::Crc, true, &bytes[..length]))
            }
            _ => self.pass_over(bytes, error, ended),
        }
    }

    /// A claim whose bytes are not all there.
    fn truncated<'a>(&mut self, bytes: &'a [u8], needed: usize, ended: bool) -> Step<'a> {
        let Ahead { sound, ready, .. } = self.search.ahead(bytes, bytes.len());
        if sound.is_none() && !ended {
            let grown = bytes.len() + (bytes.len() / 8).max(1);
            let always = if bytes.len() < LOOKED_AT_ALWAYS { bytes.len() + 1 } else { grown };
            let look = ready.map_or(needed, |ready| ready.min(needed)).min(always);
            return Step::Wait(Wait { needed, look });
        }
        let taken = &bytes[..sound.unwrap_or(bytes.len())];
        if !self.expected.is_due() {
            return Step::Found(Found::Skipped(taken));
        }
        let reason = if sound.is_some() { InvalidReason::Crc } else { InvalidReason::Truncated };
        Step::Found(invalid(reason, true, taken))
    }

    /// Bytes that are no frame, up to the next one, or to what may be one.
    fn pass_over<'a>(&mut self, bytes: &'a [u8], error: FrameError, ended: bool) -> Step<'a> {
        let Ahead { sound, open, .. } = self.search.ahead(bytes, bytes.len());
        let length = sound.or(open.filter(|_| !ended)).unwrap_or(bytes.len());
        let taken = &bytes[..length];
        let reason = match (std::mem::take(&mut self.expected), error) {
            (Expected::Anything | Expected::Session, _)
            | (Expected::Frame | Expected::OlderFrame, FrameError::Sync { .. }) => None,
            (_, FrameError::Size { .. }) => Some(InvalidReason::Size),
            _ => Some(InvalidReason::Type),
        };
        Step::Found(reason.map_or(Found::Skipped(taken), |reason| invalid(reason, false, taken)))
    }

    /// IEEE 1344, where it is at hand or can be expected.
    fn older<'a>(
        &mut self,
        bytes: &'a [u8],
        found: Result<&'a [u8], usize>,
        error: FrameError,
        ended: bool,
    ) -> Option<Step<'a>> {
        if let Ok(frame) = found {
            self.expected = Expected::OlderFrame;
            return Some(Step::Found(invalid(InvalidReason::Ieee1344, true, frame)));
        }
        let expected = matches!(self.expected, Expected::FirstFrame | Expected::OlderFrame);
        if ended || !expected || !matches!(error, FrameError::Sync { .. }) {
            return None;
        }
        let needed = ieee1344::needed(bytes)?;
        let Ahead { sound: None, .. } = self.search.ahead(bytes, bytes.len()) else { return None };
        Some(Step::Wait(Wait { needed, look: needed }))
    }

    /// IEC 61850-90-5, at the beginning of what is there: a PDU's end is not proved by anything, so that it takes all up to
    /// the next sound frame, or what may be one. What follows in later segments is told where a PDU begins with one.
    fn session<'a>(&mut self, bytes: &'a [u8], ended: bool) -> Option<Step<'a>> {
        if iec61850_90_5::is_session(bytes) {
            self.expected = Expected::Session;
            let Ahead { sound, open, .. } = self.search.ahead(bytes, bytes.len());
            let length = sound.or(open.filter(|_| !ended)).unwrap_or(bytes.len());
            return Some(Step::Found(invalid(InvalidReason::Iec61850_90_5, true, &bytes[..length])));
        }
        let expected = matches!(self.expected, Expected::FirstFrame | Expected::Session);
        let waits = expected && !ended && iec61850_90_5::may_become_session(bytes);
        waits.then_some(Step::Wait(Wait { needed: bytes.len() + 1, look: bytes.len() + 1 }))
    }
}

fn invalid(reason: InvalidReason, in_frames: bool, bytes: &[u8]) -> Found<'_> {
    let (frame_type, idcode) = match reason {
        InvalidReason::Ieee1344 | InvalidReason::Iec61850_90_5 => (None, None),
        _ => (frame_type(bytes), idcode(bytes)),
    };
    Found::Invalid(Invalid { reason, frame_type, idcode, in_frames, bytes })
}

/// What stands where the IDCODE does, behind a SYNC.
fn idcode(bytes: &[u8]) -> Option<u16> {
    frame_type(bytes)?;
    bytes.get(4..6).and_then(|word| word.first_chunk()).map(|word| u16::from_be_bytes(*word))
}
