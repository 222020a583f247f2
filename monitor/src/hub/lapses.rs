//! What did not hold for some of a run: how often, for how long, and whether it does again.

use serde::Serialize;

/// Times that something lapsed: `times = over + now`, the latter counted as 1 where it is so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lapses {
    /// Times that it began.
    pub times: u64,
    /// Times that it was over.
    pub over: u64,
    /// Whether it is so at the end.
    pub now: bool,
    /// How long it was so in all, nanoseconds, as far as it was noticed: it is looked for once a second.
    pub ns: u64,
    /// Up to when that is counted.
    #[serde(skip)]
    counted: u64,
}

impl Lapses {
    /// Says whether it is so at `now`, nanoseconds of the monotonic clock. True where it was otherwise before.
    pub fn note(&mut self, is_so: bool, now: u64) -> bool {
        if self.now {
            self.ns += now.saturating_sub(self.counted);
        }
        self.counted = now;
        let changed = is_so != self.now;
        self.now = is_so;
        self.times += u64::from(changed && is_so);
        self.over += u64::from(changed && !is_so);
        changed
    }

    /// Says that it has been so and is over already, in the time since it was looked at last.
    pub fn note_passed(&mut self, now: u64) {
        self.note(true, now);
        self.note(false, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_their_length_add_up() {
        let mut lapses = Lapses::default();
        let looks = [(10, false), (20, true), (30, true), (45, false), (50, false), (60, true), (61, true)];
        let changes = looks.map(|(now, is_so)| lapses.note(is_so, now));
        assert_eq!(changes, [false, true, false, true, false, true, false]);
        assert_eq!((lapses.times, lapses.over, lapses.now, lapses.ns), (2, 1, true, 25 + 1));
        lapses.note(false, 70);
        lapses.note_passed(80);
        assert_eq!((lapses.times, lapses.over, lapses.now, lapses.ns), (3, 3, false, 35));
    }
}
