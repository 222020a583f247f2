//! How much a set of counters has grown, whoever sets them back meanwhile.

/// Counters of one thing, read again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth<const N: usize> {
    last: [u64; N],
    grown: [u64; N],
    resets: u64,
}

impl<const N: usize> Growth<N> {
    /// From what they read at the start: nothing has grown.
    pub(super) const fn new(first: [u64; N]) -> Self {
        Self { last: first, grown: [0; N], resets: 0 }
    }

    /// Takes in what they read now. One that reads less than before was set back, or belongs to an interface that was
    /// made anew: it began at 0 then, and what it reads now is what it has counted since. What it had counted between
    /// the last reading and that moment nobody knows: `resets` says that the growth may be short of it.
    pub(super) fn take(&mut self, now: [u64; N]) {
        let set_back = self.last.iter().zip(&now).any(|(last, now)| now < last);
        self.resets += u64::from(set_back);
        for ((last, grown), now) in self.last.iter_mut().zip(&mut self.grown).zip(now) {
            *grown += if now < *last { now } else { now - *last };
            *last = now;
        }
    }

    /// They begin again at 0, as those of an interface that was made anew: whatever they read next has grown.
    pub(super) fn restart(&mut self) {
        self.resets += 1;
        self.last = [0; N];
    }

    /// As [`Growth::take`] where nobody sets them back, and they begin again at 0 after `round`.
    pub(super) fn take_round(&mut self, now: [u64; N], round: u64) {
        for ((last, grown), now) in self.last.iter_mut().zip(&mut self.grown).zip(now) {
            *grown += if now < *last { now + round - *last } else { now - *last };
            *last = now;
        }
    }

    pub(super) const fn grown(&self) -> [u64; N] {
        self.grown
    }

    pub(super) const fn resets(&self) -> u64 {
        self.resets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_at_the_start_is_not_counted() {
        let mut growth = Growth::new([1_000, 7]);
        growth.take([1_000, 7]);
        assert_eq!((growth.grown(), growth.resets()), ([0, 0], 0));
        growth.take([1_003, 7]);
        growth.take([1_004, 9]);
        assert_eq!((growth.grown(), growth.resets()), ([4, 2], 0));
    }

    #[test]
    fn what_was_made_anew_counts_from_0_however_far_it_has_come() {
        let mut growth = Growth::new([10]);
        growth.take([12]);
        growth.restart();
        growth.take([500]);
        assert_eq!((growth.grown(), growth.resets()), ([502], 1));
    }

    #[test]
    fn counters_that_go_back_began_at_0_again_and_it_is_said() {
        let mut growth = Growth::new([1_000, 0]);
        growth.take([1_010, 5]);
        growth.take([3, 6]);
        assert_eq!((growth.grown(), growth.resets()), ([13, 6], 1));
        growth.take([0, 0]);
        assert_eq!((growth.grown(), growth.resets()), ([13, 6], 2), "both at once are one reset");
    }
}
