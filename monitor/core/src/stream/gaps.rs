//! What the frames themselves tell about those that are missing between them.
//!
//! Beside the sequence, which finds what is missing. Whoever has the counters of kernel, card and reader decides, with
//! this, on what each missing frame is blamed; here nothing but what passes by is counted.

use super::sequence::{Absence, Place, Placed};
use crate::flow::Continuity;

/// How the bytes came in which the frames before and behind the missing ones lay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Carriage {
    /// In datagrams, which do not follow from each other; or by two TCP connections.
    #[default]
    Apart,
    /// By one TCP connection, without a loss between them: the missing frames were not sent by it.
    Whole,
    /// By one TCP connection, of which bytes between them never came to the hook.
    Torn,
    /// By one TCP connection, of which bytes between them were given up here (a bound) or cut off by the capture.
    GivenUp,
}

/// Frames of a stream that are missing, next to each other, and what is known of how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Index of the first of them, as the stream's sequence counts.
    pub first: u64,
    /// How many there are.
    pub frames: u32,
    /// When the frame before them came: nanoseconds on a clock that is not set ([`Seen::steady`](crate::flow::Seen::steady)).
    /// None where they are before the first one seen.
    pub since: Option<i64>,
    /// When the frame behind them came, or the one that showed that they are missing.
    pub until: i64,
    /// Frames of the stream between the two that came damaged: with a wrong check, or, in a datagram, of a wrong length.
    pub damaged: u32,
    /// Frames of the stream between the two that came and whose index is not known: no configuration laid them out.
    pub unplaced: u32,
    /// How the bytes came.
    pub carriage: Carriage,
}

/// What is missing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Frames are found to be missing.
    Opened(Gap),
    /// One that was missing has come late.
    Filled {
        /// Its index.
        index: u64,
    },
}

/// Watches one stream between two frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GapWatch {
    damaged: u32,
    unplaced: u32,
    /// Where the TCP flow stood with the last frame.
    last: Option<Continuity>,
    /// Missing frames that nobody was told of, less those that came late and nobody was told of.
    untold: i32,
}

impl GapWatch {
    /// A frame that came damaged.
    pub(super) const fn damage(&mut self) {
        self.damaged = self.damaged.saturating_add(1);
    }

    /// Takes a DATA frame that came at `until`. `placed` is none where its index is not known.
    #[inline]
    pub(super) fn take(
        &mut self,
        placed: Option<&Placed>,
        until: i64,
        continuity: Option<Continuity>,
    ) -> Option<Missing> {
        let last = std::mem::replace(&mut self.last, continuity);
        let Some(placed) = placed else {
            self.unplaced = self.unplaced.saturating_add(1);
            return None;
        };
        let missing = match placed.absence {
            Absence::Same => None,
            Absence::Filled(index) => Some(Missing::Filled { index }),
            Absence::Opened { first, frames, since } => Some(Missing::Opened(Gap {
                first,
                frames,
                since,
                until,
                damaged: self.damaged,
                unplaced: self.unplaced,
                carriage: carriage(last, continuity),
            })),
        };
        if placed.place == Place::Newest {
            (self.damaged, self.unplaced) = (0, 0);
        }
        missing
    }

    /// Nobody was told of it.
    pub(super) fn leave_untold(&mut self, missing: &Missing) {
        let more = match missing {
            Missing::Opened(gap) => i32::try_from(gap.frames).unwrap_or(i32::MAX),
            Missing::Filled { .. } => -1,
        };
        self.untold = self.untold.saturating_add(more);
    }

    pub(super) const fn untold(&self) -> i32 {
        self.untold
    }
}

fn carriage(last: Option<Continuity>, now: Option<Continuity>) -> Carriage {
    match (last, now) {
        (Some(last), Some(now)) if last.connection == now.connection => {
            if last.given_up != now.given_up {
                Carriage::GivenUp
            } else if last.lost != now.lost {
                Carriage::Torn
            } else {
                Carriage::Whole
            }
        }
        _ => Carriage::Apart,
    }
}
