//! The two kinds of time, kept apart by type: instants of the outside world and readings of this host's clock.

use std::num::NonZeroU64;

/// An instant: nanoseconds since the Unix epoch, UTC, without leap seconds (as SOC counts them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Where it is not known when something was: a capture may give a packet no time.
    pub const UNKNOWN: Self = Self(i64::MIN);

    /// From `earlier` to `self`; saturates where the distance does not fit (292 years).
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant `ns` later.
    #[must_use]
    pub const fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// A reading of `CLOCK_MONOTONIC` in nanoseconds; never zero, so that an absent one costs no space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(NonZeroU64);

impl Mono {
    /// A reading, or none for 0: the kernel side writes 0 where a stage did not happen.
    #[must_use]
    pub const fn new(ns: u64) -> Option<Self> {
        match NonZeroU64::new(ns) {
            Some(ns) => Some(Self(ns)),
            None => None,
        }
    }

    /// Nanoseconds since boot.
    #[must_use]
    pub const fn ns(self) -> u64 {
        self.0.get()
    }
}

/// Where decoding takes the time from: the host's clock when live, nowhere for a capture, a script in tests.
pub trait Clock {
    /// `CLOCK_MONOTONIC` now, or none where nothing happens live.
    fn monotonic(&mut self) -> Option<Mono>;
}

/// The clock of a capture: there is no "now" to compare with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn monotonic(&mut self) -> Option<Mono> {
        None
    }
}
