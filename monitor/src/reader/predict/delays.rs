//! What a wake-up takes on this host, and how early the reader therefore asks for it.

/// Wake-ups whose delay is kept.
const KEPT: usize = 128;
/// After so many more it is chosen anew how early.
const RENEW: usize = 16;
/// Of those kept, the longest that are left out whatever the share of a CPU: one wake-up in thirty.
const LEFT_OUT_AT_MOST: usize = KEPT / 32;
/// How late a wake-up is, before one was measured.
const FIRST_NS: u64 = 60_000;
/// The longest delay that a window is opened early for.
const MOST_NS: u64 = 300_000;

/// The last delays of wake-ups: from when the reader asked to be awake until it was.
#[derive(Debug)]
pub(super) struct Delays {
    kept: [u64; KEPT],
    noted: usize,
    /// Noted when it was last asked what can be afforded.
    asked: usize,
    /// The longest that can be afforded.
    afforded: u64,
    ahead: u64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { kept: [FIRST_NS; KEPT], noted: 0, asked: 0, afforded: FIRST_NS, ahead: FIRST_NS }
    }
}

impl Delays {
    /// How early a window is opened, in nanoseconds.
    pub(super) const fn ahead(&self) -> u64 {
        self.ahead
    }

    /// A wake-up took so long, in nanoseconds.
    pub(super) fn note(&mut self, delay: u64) {
        if let Some(place) = self.kept.get_mut(self.noted % KEPT) {
            *place = delay;
        }
        self.noted += 1;
        if self.noted.is_multiple_of(RENEW) {
            self.renew();
        }
    }

    /// Within the last `passed` nanoseconds the reader could have been awake `spare` nanoseconds longer: what that is for
    /// each wake-up may be asked for earlier, or must be later where it is less than nothing.
    pub(super) fn afford(&mut self, spare: i64) {
        let wake_ups = i64::try_from(self.noted - self.asked).unwrap_or(i64::MAX);
        self.asked = self.noted;
        if wake_ups > 0 {
            self.afforded = self.ahead.saturating_add_signed(spare / wake_ups);
        }
    }

    /// The longest delay that can be afforded; and at least what nearly all wake-ups take, since to be
    /// awake too late is to have been awake for nothing.
    fn renew(&mut self) {
        let mut sorted = self.kept;
        sorted.sort_unstable();
        let but = |left_out: usize| sorted.get(KEPT - 1 - left_out).copied().unwrap_or(FIRST_NS);
        self.ahead = but(0).min(self.afforded).max(but(LEFT_OUT_AT_MOST)).min(MOST_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 128 wake-ups three take 200 us, the others 40.
    fn delays() -> Delays {
        let mut delays = Delays::default();
        for number in 0..KEPT {
            delays.note(if number % 40 == 5 { 200_000 } else { 40_000 });
        }
        delays
    }

    #[test]
    fn without_means_it_is_as_early_as_nearly_all_wake_ups_take() {
        let mut delays = delays();
        delays.afford(-1_000_000_000);
        (0..RENEW).for_each(|_| delays.note(40_000));
        assert_eq!(delays.ahead(), 40_000);
    }

    #[test]
    fn it_is_earlier_by_what_is_spare() {
        let mut delays = delays();
        delays.afford(-1_000_000_000);
        (0..RENEW).for_each(|_| delays.note(40_000));
        // Sixteen wake-ups since then.
        delays.afford(16 * 70_000);
        (0..RENEW).for_each(|_| delays.note(40_000));
        assert_eq!(delays.ahead(), 110_000);
        delays.afford(16 * 200_000);
        (0..RENEW).for_each(|_| delays.note(40_000));
        assert_eq!(delays.ahead(), 200_000, "no earlier than a wake-up was late");
    }

    #[test]
    fn no_wake_up_is_so_late_that_the_window_opens_earlier_than_the_bound() {
        let mut delays = Delays::default();
        delays.afford(i64::MAX);
        (0..KEPT).for_each(|_| delays.note(9_000_000));
        assert_eq!(delays.ahead(), MOST_NS);
    }
}
