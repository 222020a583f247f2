//! What a receiver must find of a stream, if it gets every byte that was sent: the other half of the books.
//!
//! Counted from the instants that frames were made for, not from what is in them.

use super::instant::ReportingRate;

/// Instants behind the newest one for which it is known whether their frame went.
const WINDOW: u64 = 1 << 14;
const WORDS: usize = (WINDOW / 64) as usize;

/// A time tag this far from the newest one, and not by the time that has passed, has jumped: what lies between is
/// not missing.
const JUMP_NS: u64 = 10_000_000_000;

/// Whether a frame is as it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    #[default]
    None,
    /// Its CHK does not fit.
    Crc,
    /// It ends early.
    Cut,
}

/// What a receiver must find, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// DATA that are whole.
    pub data: u64,
    /// Instants between the first and the last of them for which there was none.
    pub missing: u64,
    /// DATA for an instant that had one.
    pub duplicate: u64,
    /// DATA behind one of a later instant.
    pub out_of_order: u64,
    /// Times that the time tags jumped by more than ten seconds.
    pub jumps: u64,
    /// DATA with a wrong CHK.
    pub crc_errors: u64,
    /// DATA that end early.
    pub truncated: u64,
    /// DATA in datagrams of which a fragment was left out: nothing of them arrives.
    pub unfinished: u64,
    /// CFG-1, CFG-2, CFG-3 frames and HDR.
    pub others: u64,
}

impl Expected {
    /// Each with its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 9] {
        let Self { data, missing, duplicate, out_of_order, jumps, crc_errors, truncated, unfinished, others } =
            *self;
        [
            ("data", data),
            ("missing", missing),
            ("duplicate", duplicate),
            ("out_of_order", out_of_order),
            ("jumps", jumps),
            ("crc_errors", crc_errors),
            ("truncated", truncated),
            ("unfinished", unfinished),
            ("others", others),
        ]
    }
}

/// The books of one receiver.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    expected: Expected,
    rate: ReportingRate,
    stretch: Option<Stretch>,
    went: Box<[u64; WORDS]>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    oldest: u64,
    newest: u64,
    newest_at_ns: i64,
    /// A frame that jumped away.
    aside: Option<(u64, i64)>,
}

impl Ledger {
    pub(super) fn new(rate: ReportingRate) -> Self {
        Self { expected: Expected::default(), rate, stretch: None, went: Box::new([0; WORDS]) }
    }

    pub(super) const fn expected(&self) -> Expected {
        self.expected
    }

    pub(super) const fn other(&mut self) {
        self.expected.others += 1;
    }

    pub(super) const fn unfinished(&mut self) {
        self.expected.unfinished += 1;
    }

    /// A DATA frame of the instant `index` has gone at `at_ns`.
    pub(super) fn data(&mut self, index: u64, at_ns: i64, damage: Damage) {
        match damage {
            Damage::None => {}
            Damage::Crc => return self.expected.crc_errors += 1,
            Damage::Cut => return self.expected.truncated += 1,
        }
        self.expected.data += 1;
        let Some(mut stretch) = self.stretch else { return self.begin(index, at_ns) };
        if !self.jumped(stretch.newest, stretch.newest_at_ns, index, at_ns) {
            stretch.aside = None;
            return self.near(stretch, index, at_ns);
        }
        match stretch.aside {
            Some((aside, _)) if aside == index => self.expected.duplicate += 1,
            Some((aside, aside_at)) if !self.jumped(aside, aside_at, index, at_ns) => {
                self.begin(aside, aside_at);
                if let Some(stretch) = self.stretch {
                    self.near(stretch, index, at_ns);
                }
            }
            _ => {
                self.expected.jumps += 1;
                self.stretch = Some(Stretch { aside: Some((index, at_ns)), ..stretch });
            }
        }
    }

    fn begin(&mut self, index: u64, at_ns: i64) {
        self.went.fill(0);
        self.mark(index);
        self.stretch = Some(Stretch { oldest: index, newest: index, newest_at_ns: at_ns, aside: None });
    }

    fn near(&mut self, mut stretch: Stretch, index: u64, at_ns: i64) {
        if index > stretch.newest {
            for between in stretch.newest + 1..=index.min(stretch.newest + WINDOW) {
                self.clear(between);
            }
            self.expected.missing += index - stretch.newest - 1;
            (stretch.newest, stretch.newest_at_ns) = (index, at_ns);
        } else if index < stretch.oldest {
            self.expected.missing += stretch.oldest - index - 1;
            self.expected.out_of_order += 1;
            stretch.oldest = index;
        } else if self.has_gone(index) {
            self.expected.duplicate += 1;
        } else {
            self.expected.missing -= 1;
            self.expected.out_of_order += 1;
        }
        self.mark(index);
        self.stretch = Some(stretch);
    }

    fn jumped(&self, from: u64, from_at: i64, to: u64, to_at: i64) -> bool {
        let frames = to.abs_diff(from);
        let tags = frames.saturating_mul(1_000_000_000) / u64::from(self.rate.get());
        if tags <= JUMP_NS {
            return false;
        }
        let passed = u64::try_from(to_at.saturating_sub(from_at)).unwrap_or(0);
        to < from || tags.abs_diff(passed) > JUMP_NS
    }

    fn mark(&mut self, index: u64) {
        let (word, bit) = place(index);
        self.went[word] |= bit;
    }

    fn clear(&mut self, index: u64) {
        let (word, bit) = place(index);
        self.went[word] &= !bit;
    }

    fn has_gone(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.went[word] & bit != 0
    }
}

fn place(index: u64) -> (usize, u64) {
    // What is left of the division fits.
    (usize::try_from(index / 64 % WORDS as u64).unwrap_or(0), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: i64 = 20_000_000;

    fn after(indices: &[u64]) -> Expected {
        let mut ledger = Ledger::new(ReportingRate::FIFTY);
        for (at, &index) in (0..).zip(indices) {
            ledger.data(index, at * PERIOD, Damage::None);
        }
        ledger.expected()
    }

    #[test]
    fn sums_are_those_of_the_definitions() {
        let expected = Expected { data: 4, missing: 2, ..Expected::default() };
        assert_eq!(after(&[100, 101, 103, 105]), expected);
        let expected = Expected { data: 5, duplicate: 1, out_of_order: 1, ..Expected::default() };
        assert_eq!(after(&[100, 102, 102, 101, 103]), expected);
        let expected = Expected { data: 3, missing: 1, out_of_order: 1, ..Expected::default() };
        assert_eq!(after(&[100, 101, 98]), expected);
    }

    #[test]
    fn a_jump_is_no_gap() {
        let expected = Expected { data: 5, jumps: 1, ..Expected::default() };
        assert_eq!(after(&[100, 101, 100_000, 102, 103]), expected, "one stale frame");
        let expected = Expected { data: 5, missing: 1, jumps: 1, ..Expected::default() };
        assert_eq!(after(&[100, 101, 100_000, 100_001, 100_003]), expected, "a clock that was set");
    }

    #[test]
    fn damaged_frames_are_none() {
        let mut ledger = Ledger::new(ReportingRate::FIFTY);
        ledger.data(1, 0, Damage::None);
        ledger.data(2, 0, Damage::Crc);
        ledger.data(3, 0, Damage::Cut);
        ledger.data(4, 0, Damage::None);
        let expected = Expected { data: 2, missing: 2, crc_errors: 1, truncated: 1, ..Expected::default() };
        assert_eq!(ledger.expected(), expected);
    }
}
