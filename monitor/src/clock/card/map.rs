//! The line in the real-time thread's reach: neither side ever waits for the other.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

/// Parts in a whole of a rate.
const WHOLE: i128 = 1_000_000_000_000;

/// Where the card's clock stands against the monotonic one, and how fast it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// A reading of the card's clock, nanoseconds.
    pub card_ns: i64,
    /// The monotonic clock at that moment, nanoseconds.
    pub monotonic_ns: i64,
    /// How much faster the monotonic clock goes than the card's, parts in 10^12.
    pub faster: i64,
}

impl Line {
    /// The monotonic clock when the card's showed this. None where that is beyond what clocks can show.
    #[must_use]
    pub fn monotonic(&self, card_ns: i64) -> Option<i64> {
        let since = i128::from(card_ns) - i128::from(self.card_ns);
        let longer = since * i128::from(self.faster) / WHOLE;
        i64::try_from(i128::from(self.monotonic_ns) + since + longer).ok()
    }
}

/// What stands where there is no line: no clock goes like that.
const NONE: Line = Line { card_ns: i64::MIN, monotonic_ns: i64::MIN, faster: i64::MIN };

/// The words of a line.
#[derive(Debug, Default)]
struct Slot([AtomicI64; 3]);

/// A line that is replaced while it is read. There are two places: what is being read is overwritten only by the second
/// replacement after it, which the reader notices, and then has no line rather than half of one.
#[derive(Debug, Default)]
pub struct CardMap {
    /// Lines written so far: the last one is in the place that is this number's remainder. 0: there is none.
    written: AtomicU64,
    places: [Slot; 2],
}

impl CardMap {
    /// Replaces the line. One thread at a time.
    pub fn set(&self, line: Line) {
        let next = self.written.load(Ordering::Relaxed) + 1;
        // Release fence: pairs with the Acquire fence in `line`. Whoever sees a word of this line sees that the one before
        // it was already written, and so that the place he reads is no longer the last one's.
        fence(Ordering::Release);
        let Line { card_ns, monotonic_ns, faster } = line;
        for (word, number) in self.place(next).0.iter().zip([card_ns, monotonic_ns, faster]) {
            word.store(number, Ordering::Relaxed);
        }
        // Release: pairs with the Acquire load in `line`: whoever sees this number sees the line's words.
        self.written.store(next, Ordering::Release);
    }

    /// There is none any more: the card's clock cannot be read.
    pub fn clear(&self) {
        self.set(NONE);
    }

    /// The line; none where there is none yet, or it was replaced twice meanwhile.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        let written = self.written.load(Ordering::Acquire);
        let [card_ns, monotonic_ns, faster] =
            self.place(written).0.each_ref().map(|word| word.load(Ordering::Relaxed));
        // Acquire fence: pairs with the Release fence in `set`.
        fence(Ordering::Acquire);
        let whole = written != 0 && self.written.load(Ordering::Relaxed) == written;
        Some(Line { card_ns, monotonic_ns, faster }).filter(|line| whole && *line != NONE)
    }

    fn place(&self, number: u64) -> &Slot {
        &self.places[usize::from(!number.is_multiple_of(2))]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_line_goes_both_ways_from_its_reading() {
        let line = Line { card_ns: 1_000_000_000_000, monotonic_ns: 5_000, faster: 50_000_000 };
        assert_eq!(line.monotonic(1_000_000_000_000), Some(5_000));
        assert_eq!(line.monotonic(1_001_000_000_000), Some(5_000 + 1_000_050_000), "50 ppm");
        assert_eq!(line.monotonic(999_000_000_000), Some(5_000 - 1_000_050_000));
        let ends = [i64::MIN, i64::MAX].map(|card_ns| line.monotonic(card_ns));
        assert_eq!(ends[0], None, "before any clock began");
    }

    #[test]
    fn there_is_no_line_before_the_first() {
        let map = CardMap::default();
        assert_eq!(map.line(), None);
        let line = Line { card_ns: -7, monotonic_ns: 9, faster: -1 };
        map.set(line);
        assert_eq!(map.line(), Some(line));
        map.clear();
        assert_eq!(map.line(), None);
        map.set(line);
        assert_eq!(map.line(), Some(line));
    }

    #[test]
    fn a_reader_never_sees_half_a_line() {
        let (map, stop) = (CardMap::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    map.set(Line { card_ns: number, monotonic_ns: number, faster: number });
                }
            });
            let (mut last, mut seen) = (0, 0);
            while seen < 20_000 {
                let Some(Line { card_ns, monotonic_ns, faster }) = map.line() else { continue };
                assert_eq!((card_ns, card_ns), (monotonic_ns, faster));
                assert!(card_ns >= last, "time runs forwards");
                last = card_ns;
                seen += 1;
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
