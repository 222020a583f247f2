//! When a frame is late: by a performance class, or by a span that is set.

use super::report::LimitBasis;
use crate::protocol::c37118::DataRate;

/// Performance class of a PMU (IEEE C37.118.1-2011, clause 5.5.9): how late it may report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PerformanceClass {
    /// Measurement: 7 reporting periods.
    #[default]
    M,
    /// Protection: 2 reporting periods.
    P,
}

/// What a stream's lateness is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LateLimit {
    /// By a class.
    Class(PerformanceClass),
    /// By this many nanoseconds.
    Set(u64),
}

impl Default for LateLimit {
    /// Class M: what is late by it is late by class P as well.
    fn default() -> Self {
        Self::Class(PerformanceClass::M)
    }
}

impl LateLimit {
    /// In nanoseconds, at a rate.
    #[must_use]
    pub const fn at(self, rate: DataRate) -> u64 {
        match self {
            Self::Class(PerformanceClass::M) => rate.period_ns().saturating_mul(7),
            Self::Class(PerformanceClass::P) => rate.period_ns().saturating_mul(2),
            Self::Set(ns) => ns,
        }
    }

    /// Where it comes from; `declared` where a configuration says the class.
    pub(super) const fn basis(self, declared: bool) -> LimitBasis {
        match (self, declared) {
            (Self::Class(PerformanceClass::M), false) => LimitBasis::ClassM,
            (Self::Class(PerformanceClass::P), false) => LimitBasis::ClassP,
            (Self::Class(PerformanceClass::M), true) => LimitBasis::DeclaredM,
            (Self::Class(PerformanceClass::P), true) => LimitBasis::DeclaredP,
            (Self::Set(_), _) => LimitBasis::Set,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_classes() {
        let rate = DataRate::from_word(50).unwrap();
        assert_eq!(LateLimit::default().at(rate), 140_000_000);
        assert_eq!(LateLimit::Class(PerformanceClass::P).at(rate), 40_000_000);
        assert_eq!(LateLimit::Set(5).at(rate), 5);
    }
}
