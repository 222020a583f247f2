//! Where, when and how often something goes wrong.

use std::ops::RangeInclusive;

use monitor_core::protocol::c37118::IdCode;

use crate::simulate::random::Random;

/// Which streams, when, how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// IDCODEs; none: all.
    pub idcodes: Vec<RangeInclusive<u16>>,
    /// From when on; from the start where there is none.
    pub from: Option<When>,
    /// Up to when; to the end where there is none.
    pub until: Option<When>,
    /// Which frames of that time.
    pub often: Often,
}

/// A time, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So many nanoseconds after the first instant.
    Since(u64),
    /// A time of UTC, simulated, in nanoseconds since the Unix epoch.
    Utc(i64),
}

/// Which frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Often {
    /// Each.
    #[default]
    Always,
    /// This share of them, drawn for each by itself.
    Share(f64),
    /// The last of each so many.
    Every(u64),
}

/// From when to when, in nanoseconds since the Unix epoch, simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first nanosecond.
    pub from_ns: i64,
    /// The first one behind it.
    pub until_ns: i64,
}

impl Scope {
    /// Whether the stream or the PMU is meant.
    #[must_use]
    pub fn covers(&self, idcode: IdCode) -> bool {
        self.idcodes.is_empty() || self.idcodes.iter().any(|range| range.contains(&idcode.0))
    }

    /// Its time, where the first instant is at `origin_ns`.
    #[must_use]
    pub fn window(&self, origin_ns: i64) -> Window {
        Window {
            from_ns: self.from.map_or(i64::MIN, |when| when.ns(origin_ns)),
            until_ns: self.until.map_or(i64::MAX, |when| when.ns(origin_ns)),
        }
    }
}

impl When {
    fn ns(self, origin_ns: i64) -> i64 {
        match self {
            Self::Since(ns) => origin_ns.saturating_add_unsigned(ns),
            Self::Utc(ns) => ns,
        }
    }
}

impl Window {
    /// Whether the time lies in it.
    #[must_use]
    pub const fn contains(&self, ns: i64) -> bool {
        ns >= self.from_ns && ns < self.until_ns
    }
}

impl Often {
    /// Whether it is this frame's turn, which is the `nth` one, from 0.
    pub(in crate::simulate) fn falls_on(self, nth: u64, random: &mut Random) -> bool {
        match self {
            Self::Always => true,
            Self::Share(share) => random.between(0.0, 1.0) < share,
            Self::Every(count) => nth % count.max(1) == count.max(1) - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nth_is_the_last_of_each_n() {
        let hit = |often: Often| (0..10).filter(move |&nth| often.falls_on(nth, &mut Random::of(&[nth])));
        assert_eq!(hit(Often::Every(3)).collect::<Vec<_>>(), [2, 5, 8]);
        assert_eq!(hit(Often::Always).count(), 10);
        assert_eq!(hit(Often::Share(1.0)).count(), 10);
    }

    #[test]
    fn windows_are_half_open() {
        let scope = Scope { from: Some(When::Since(5)), until: Some(When::Utc(110)), ..Scope::default() };
        let window = scope.window(100);
        assert_eq!([104, 105, 109, 110].map(|ns| window.contains(ns)), [false, true, true, false]);
        assert!(Scope::default().window(100).contains(i64::MIN));
    }
}
