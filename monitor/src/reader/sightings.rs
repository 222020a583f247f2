//! When the reader first saw each record: finished ones are seen long before their turn comes when many arrive at once,
//! and what a record waits behind others is the reader's time, not the ring's.

/// Sightings that are kept. With all of them in use nothing more is noted until records were taken: what was seen
/// meanwhile counts as seen then, later than it was.
const KEPT: usize = 64;

/// Up to where records were finished, and the clock when that was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Sighting {
    end: u64,
    at: u64,
}

/// Sightings of records that have not been taken yet, in the ring's order. Of a fixed size.
#[derive(Debug)]
pub(super) struct Sightings {
    kept: [Sighting; KEPT],
    first: usize,
    count: usize,
    /// Everything before this position was finished and has been seen.
    end: u64,
}

impl Sightings {
    /// From a position on.
    pub(super) const fn from(position: u64) -> Self {
        Self { kept: [Sighting { end: 0, at: 0 }; KEPT], first: 0, count: 0, end: position }
    }

    /// Everything before this position was finished and has been seen.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Whether one more can be noted.
    pub(super) const fn has_room(&self) -> bool {
        self.count < KEPT
    }

    /// Records up to `end` are finished, by the clock at `at`.
    pub(super) fn note(&mut self, end: u64, at: u64) {
        if let Some(free) = self.kept.get_mut((self.first + self.count) % KEPT) {
            *free = Sighting { end, at };
            self.count = (self.count + 1).min(KEPT);
            self.end = end;
        }
    }

    /// When the record at a position was first seen, in nanoseconds of the monotonic clock; none where it was not. Asked
    /// for in the order of positions.
    pub(super) fn of(&mut self, position: u64) -> Option<u64> {
        while self.count > 0 {
            let sighting = self.kept.get(self.first)?;
            if position < sighting.end {
                return Some(sighting.at);
            }
            self.first = (self.first + 1) % KEPT;
            self.count -= 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_has_the_time_of_its_first_sighting() {
        let mut seen = Sightings::from(8);
        seen.note(24, 100);
        seen.note(32, 200);
        assert_eq!([8, 16, 24].map(|position| seen.of(position)), [Some(100), Some(100), Some(200)]);
        assert_eq!((seen.of(32), seen.end()), (None, 32));
        seen.note(40, 300);
        assert_eq!((seen.of(32), seen.of(40)), (Some(300), None));
    }

    #[test]
    fn with_all_places_in_use_there_is_no_room_until_a_record_is_taken() {
        let mut seen = Sightings::from(0);
        for step in 1..=KEPT as u64 {
            assert!(seen.has_room());
            seen.note(8 * step, step);
        }
        assert!(!seen.has_room());
        assert_eq!((seen.of(0), seen.has_room()), (Some(1), false));
        assert_eq!((seen.of(8), seen.has_room()), (Some(2), true));
        seen.note(8 * (KEPT as u64 + 1), 99);
        for position in (8..=8 * KEPT as u64).step_by(8) {
            let due = if position == 8 * KEPT as u64 { 99 } else { position / 8 + 1 };
            assert_eq!(seen.of(position), Some(due), "{position}");
        }
    }
}
