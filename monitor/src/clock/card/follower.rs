//! Readings of both clocks become a line, whoever steps or steers either of them.

use super::Line;

/// Readings that the line is drawn through: those of as many seconds, once the first second is over.
const KEPT: usize = 8;
/// How far the clocks' rates may change from one reading to the next before it counts as a step, parts in 10^9: a servo
/// that is locked steers by less.
const STEERED_PPB: u64 = 20_000;
/// As long as the rate is not known: what oscillators are off by, and a servo that is not locked steers by.
const UNKNOWN_PPB: u64 = 500_000;
/// Readings over at least so long say what the rate is, nanoseconds.
const RATE_AFTER_NS: i64 = 500_000_000;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The card's, nanoseconds.
    pub card_ns: i64,
    /// The monotonic one, nanoseconds.
    pub monotonic_ns: i64,
    /// How far the two may lie apart, nanoseconds.
    pub uncertainty_ns: u64,
}

/// What goes from one reading to the next.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    /// Rising.
    readings: Vec<Reading>,
    line: Option<Line>,
    /// Whether the line's rate was measured.
    rate_known: bool,
    steps: u64,
    worst_ns: u64,
}

impl Follower {
    /// Takes a reading. Gives the line from now on.
    pub fn take(&mut self, reading: Reading) -> Line {
        if let Some(line) = self.line {
            self.compare(&line, reading);
        }
        if self.readings.len() == KEPT {
            self.readings.remove(0);
        }
        self.readings.push(reading);
        let before = self.line.map_or(0, |line| line.faster);
        let rate = self.rate();
        self.rate_known |= rate.is_some();
        let Reading { card_ns, monotonic_ns, .. } = reading;
        let line = Line { card_ns, monotonic_ns, faster: rate.unwrap_or(before) };
        self.line = Some(line);
        line
    }

    /// Times that one of the clocks was stepped.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The farthest that a reading was from where the line before it had it, steps left out, nanoseconds: how far a stamp may
    /// have been off just before the next reading. None before there was a line with a rate.
    #[must_use]
    pub fn worst_ns(&self) -> Option<u64> {
        self.rate_known.then_some(self.worst_ns)
    }

    /// Whether the line has a rate: until then a reading should follow soon.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.rate_known
    }

    /// What a reading says of the line before it: where it is too far off, the readings before it hold no more.
    fn compare(&mut self, line: &Line, reading: Reading) {
        let Some(expected) = line.monotonic(reading.card_ns) else { return self.begin_anew() };
        let off = reading.monotonic_ns.abs_diff(expected);
        let since = reading.monotonic_ns.abs_diff(line.monotonic_ns);
        let ppb = if self.rate_known { STEERED_PPB } else { UNKNOWN_PPB };
        let steered = u64::try_from(u128::from(since) * u128::from(ppb) / 1_000_000_000).unwrap_or(u64::MAX);
        let unsure = self.readings.last().map_or(0, |last| last.uncertainty_ns);
        let allowed = steered.saturating_add(unsure).saturating_add(reading.uncertainty_ns);
        if off > allowed || reading.card_ns <= line.card_ns {
            self.begin_anew();
        } else if self.rate_known {
            self.worst_ns = self.worst_ns.max(off);
        }
    }

    /// The rate that was measured is the best guess of what it is now.
    fn begin_anew(&mut self) {
        self.steps += 1;
        self.readings.clear();
    }

    /// From the first reading to the last. None where there is too little between them.
    fn rate(&self) -> Option<i64> {
        let (first, last) = (self.readings.first()?, self.readings.last()?);
        let card = last.card_ns.checked_sub(first.card_ns).filter(|&card| card >= RATE_AFTER_NS)?;
        let monotonic = last.monotonic_ns.checked_sub(first.monotonic_ns)?;
        let longer = i128::from(monotonic) - i128::from(card);
        i64::try_from(longer * 1_000_000_000_000 / i128::from(card)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    /// How sure a simulated reading is, nanoseconds.
    const UNSURE: i64 = 400;

    /// A card whose clock goes at a rate of its own, is stepped, and is read unsurely.
    struct Card {
        shown_ns: i64,
        monotonic_ns: i64,
        /// How much faster the card's clock goes than the monotonic one, parts in 10^9.
        ppb: i64,
        seed: u64,
    }

    impl Card {
        fn new(ppb: i64) -> Self {
            Self { shown_ns: 1_700_000_037 * SECOND, monotonic_ns: 5 * SECOND, ppb, seed: 7 }
        }

        fn pass(&mut self, ns: i64) {
            self.monotonic_ns += ns;
            self.shown_ns += ns + ns / 1_000_000 * self.ppb / 1_000;
        }

        /// Anything from `-most` to `most`.
        fn noise(&mut self, most: i64) -> i64 {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i64::try_from(self.seed >> 33).unwrap() % (2 * most + 1) - most
        }

        fn read(&mut self) -> Reading {
            let off = self.noise(UNSURE);
            Reading {
                card_ns: self.shown_ns,
                monotonic_ns: self.monotonic_ns + off,
                uncertainty_ns: UNSURE.unsigned_abs(),
            }
        }

        /// How far a line has the present moment from where it is.
        fn off(&self, line: Line) -> u64 {
            line.monotonic(self.shown_ns).unwrap().abs_diff(self.monotonic_ns)
        }
    }

    /// Follows for so many seconds. Gives the farthest that the line was off just before the next reading.
    fn follow(follower: &mut Follower, card: &mut Card, seconds: u32) -> u64 {
        let mut worst = 0;
        for _ in 0..seconds {
            let line = follower.take(card.read());
            card.pass(SECOND);
            worst = worst.max(card.off(line));
        }
        worst
    }

    #[test]
    fn a_clock_that_drifts_is_followed_to_what_its_readings_are_unsure_of() {
        for ppb in [0, 100_000, -100_000, 12_345] {
            let (mut follower, mut card) = (Follower::default(), Card::new(ppb));
            // The first second, in tenths: without a rate yet.
            for _ in 0..11 {
                follower.take(card.read());
                card.pass(SECOND / 10);
            }
            assert!(follower.is_settled());
            follow(&mut follower, &mut card, 8);
            let worst = follow(&mut follower, &mut card, 100);
            // The last reading, and the rate of two over seven seconds, for a second and more.
            assert!(worst <= UNSURE.unsigned_abs() * 3 / 2, "{worst} at {ppb} ppb");
            assert_eq!(follower.steps(), 0);
            assert!(follower.worst_ns().unwrap() > 0);
        }
    }

    #[test]
    fn steps_of_either_clock_are_counted_and_followed_at_once() {
        let (mut follower, mut card) = (Follower::default(), Card::new(30_000));
        follow(&mut follower, &mut card, 20);
        for (steps, (card_by, monotonic_by)) in
            [(37 * SECOND, 0), (-37 * SECOND, 0), (500_000, 0), (0, SECOND)].into_iter().enumerate()
        {
            card.shown_ns += card_by;
            card.monotonic_ns += monotonic_by;
            let worst = follow(&mut follower, &mut card, 20);
            assert_eq!(follower.steps(), steps as u64 + 1);
            assert!(worst <= UNSURE.unsigned_abs() * 4, "{worst}");
        }
        assert!(follower.worst_ns().unwrap() < 30_000, "steps are left out");
    }

    #[test]
    fn a_servo_that_steers_is_no_step() {
        let (mut follower, mut card) = (Follower::default(), Card::new(0));
        follow(&mut follower, &mut card, 10);
        for ppb in (0..15_000).step_by(500) {
            card.ppb = ppb;
            follow(&mut follower, &mut card, 2);
        }
        assert_eq!(follower.steps(), 0);
    }

    #[test]
    fn a_reading_that_is_unsure_is_no_step() {
        let (mut follower, mut card) = (Follower::default(), Card::new(0));
        follow(&mut follower, &mut card, 10);
        let reading = card.read();
        let late =
            Reading { monotonic_ns: reading.monotonic_ns + 300_000, uncertainty_ns: 300_000, ..reading };
        follower.take(late);
        assert_eq!(follower.steps(), 0);
        assert!(follower.worst_ns().unwrap() >= 299_000, "and is told");
    }
}
