//! Instants that lie a period apart, which a periodic thread wakes at.

/// A grid of instants of `CLOCK_MONOTONIC`, of which one is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    due_ns: u64,
    period_ns: u64,
}

impl Grid {
    /// The first instant is a period after `now_ns`.
    pub(super) fn after(now_ns: u64, period_ns: u64) -> Self {
        Self { due_ns: now_ns + period_ns, period_ns }
    }

    /// When to wake.
    pub(super) fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Goes on to the next instant that has not passed at `now_ns`; returns how many were passed over. As cyclictest does,
    /// so that a late wake-up does not make the next ones late too.
    pub(super) fn advance(&mut self, now_ns: u64) -> u64 {
        let next = self.due_ns + self.period_ns;
        let missed = now_ns.saturating_sub(next).div_ceil(self.period_ns);
        self.due_ns = next + missed * self.period_ns;
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_is_passed_over_and_counted() {
        for (now, missed, due) in
            [(100, 0, 200), (199, 0, 200), (200, 0, 200), (201, 1, 300), (300, 1, 300), (1001, 9, 1100)]
        {
            let mut grid = Grid::after(0, 100);
            assert_eq!(grid.due_ns(), 100);
            assert_eq!((grid.advance(now), grid.due_ns()), (missed, due), "now {now}");
        }
    }
}
