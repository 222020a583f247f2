//! The CPU time that waiting awake may take: it comes in at a steady rate and is spent.

/// A share of time, saved up for one second at most.
#[derive(Debug)]
pub(super) struct Purse {
    permille: u64,
    /// What is in it, in thousandths of nanoseconds; below zero what was overspent.
    content: i64,
    passed: u64,
}

impl Purse {
    /// One that is half full.
    pub(super) fn new(now: u64, permille: u16) -> Self {
        let permille = u64::from(permille.min(1_000));
        let mut purse = Self { permille, content: 0, passed: now };
        purse.content = purse.most() / 2;
        purse
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, now: u64) {
        let since = now.saturating_sub(self.passed);
        self.passed = self.passed.max(now);
        let gained = i64::try_from(since.saturating_mul(self.permille)).unwrap_or(i64::MAX);
        self.content = self.content.saturating_add(gained).min(self.most());
    }

    /// Takes nanoseconds out.
    pub(super) fn spend(&mut self, ns: u64) {
        let spent = i64::try_from(ns.saturating_mul(1_000)).unwrap_or(i64::MAX);
        self.content = self.content.saturating_sub(spent);
    }

    /// Whether there is anything in it.
    pub(super) const fn has_any(&self) -> bool {
        self.content > 0
    }

    /// When a fiftieth of a second's share will be in it.
    pub(super) fn filled_at(&self, now: u64) -> u64 {
        let lacks = u64::try_from(self.most() / 50 - self.content).unwrap_or(0);
        now + lacks / self.permille.max(1)
    }

    /// Nanoseconds that come in each second.
    pub(super) const fn a_second(&self) -> u64 {
        self.permille * 1_000_000
    }

    fn most(&self) -> i64 {
        i64::try_from(self.permille * 1_000_000_000).unwrap_or(i64::MAX)
    }
}
