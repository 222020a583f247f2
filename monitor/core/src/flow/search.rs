//! Looks for the next sound frame, with bounded work.
//!
//! 0xAA occurs inside values: nothing is believed but type, size and check together.

use crate::protocol::c37118::{FrameError, FrameHeader, FrameView};

/// What the search for sound frames may cost for one packet, in bytes that are run through the check. Real data need a
/// few hundred; bytes made to look like headers everywhere would otherwise cost the square of their number. Where it is
/// used up, what is left is searched no further.
pub const RESYNC_BUDGET: usize = 32_768;

/// What may be run through the check for one packet that then does not fit, beside the search: as many bytes as the largest
/// packet has, so that each is looked at once in vain where frames follow one another, as they should. Claims that overlap
/// use it up; where it is, what is left of the packet is passed over.
pub const CLAIM_BUDGET: usize = 65_536;

/// What the search for frames has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResyncCounts {
    /// Bytes 0xAA at which a frame might have begun.
    pub looks: u64,
    /// Bytes run through a check in vain, or to find where a frame begins.
    pub checked_bytes: u64,
    /// Packets for which [`RESYNC_BUDGET`] or [`CLAIM_BUDGET`] was used up.
    pub exhausted: u64,
}

impl ResyncCounts {
    /// Adds what another packet cost.
    pub(crate) const fn add(&mut self, other: Self) {
        let Self { looks, checked_bytes, exhausted } = other;
        self.looks += looks;
        self.checked_bytes += checked_bytes;
        self.exhausted += exhausted;
    }
}

/// What a look at a byte that may be SYNC costs of the budget.
const LOOK_COST: usize = 16;
/// What it costs of the budget to tell of something that is no frame.
const TELLING_COST: usize = 256;

/// First byte of SYNC.
pub(super) const SYNC: u8 = 0xAA;

/// The budget of one packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    budget: usize,
    claims: usize,
    work: ResyncCounts,
}

/// What was found ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Where the first sound frame begins.
    pub(super) sound: Option<usize>,
    /// Where the first thing before it begins that may be a frame once more bytes are there.
    pub(super) open: Option<usize>,
    /// With how many bytes one of these can be judged, the nearest.
    pub(super) ready: Option<usize>,
}

impl Search {
    pub(super) const fn new() -> Self {
        let work = ResyncCounts { looks: 0, checked_bytes: 0, exhausted: 0 };
        Self { budget: RESYNC_BUDGET, claims: CLAIM_BUDGET, work }
    }

    /// What it has cost so far.
    pub(super) const fn work(&self) -> ResyncCounts {
        self.work
    }

    /// Pays for a check of so many bytes that did not fit. False where more than all has been paid.
    pub(super) const fn pay_for_claim(&mut self, bytes: usize) -> bool {
        let enough = self.claims >= bytes;
        self.claims = self.claims.saturating_sub(bytes);
        self.work.checked_bytes += bytes as u64;
        if !enough {
            self.work.exhausted = 1;
        }
        enough
    }

    /// Pays for telling. False where nothing is left to pay with.
    pub(super) const fn pay_for_telling(&mut self) -> bool {
        self.pay(TELLING_COST)
    }

    /// Looks for a sound frame that begins behind the first of `bytes` and before `limit`.
    pub(super) fn ahead(&mut self, bytes: &[u8], limit: usize) -> Ahead {
        let mut ahead = Ahead::default();
        let mut at = 1;
        while let Some(step) =
            bytes.get(at..limit).and_then(|rest| rest.iter().position(|byte| *byte == SYNC))
        {
            at += step;
            if !self.pay(LOOK_COST) {
                break;
            }
            self.work.looks += 1;
            match self.look(&bytes[at..]) {
                Look::Sound => {
                    ahead.sound = Some(at);
                    break;
                }
                Look::Open(size) => {
                    ahead.open.get_or_insert(at);
                    ahead.ready = Some(ahead.ready.map_or(at + size, |ready| ready.min(at + size)));
                }
                Look::None => {}
            }
            at += 1;
        }
        ahead
    }

    fn look(&mut self, bytes: &[u8]) -> Look {
        match FrameHeader::peek(bytes) {
            Ok(header) if header.size() > bytes.len() => Look::Open(header.size()),
            Ok(header) if self.pay(header.size()) => {
                self.work.checked_bytes += header.size() as u64;
                if FrameView::split(bytes).is_ok() { Look::Sound } else { Look::None }
            }
            Err(FrameError::Truncated { needed, .. }) => Look::Open(needed),
            _ => Look::None,
        }
    }

    const fn pay(&mut self, cost: usize) -> bool {
        let enough = self.budget >= cost;
        self.budget = self.budget.saturating_sub(cost);
        if !enough {
            self.work.exhausted = 1;
        }
        enough
    }
}

/// What stands at a place.
enum Look {
    Sound,
    /// A frame may, of this size or more.
    Open(usize),
    None,
}
