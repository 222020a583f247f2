//! Missing frames by what they are blamed on.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use serde::Serialize;

use crate::hub::summary::Named;

/// Who, or what, lost a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// It was not sent; or a network before this host lost it without telling.
    Pmu,
    /// It was damaged, or lost on the way to this host.
    Wire,
    /// The network card.
    Nic,
    /// The kernel, before the hook.
    Kernel,
    /// The ring had no room, or the kernel did not give the packet's bytes.
    Ring,
    /// This program.
    Reader,
    /// Nobody knows: what would tell was not read, or says two things.
    Unknown,
}

impl Blame {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 7] =
        [Self::Pmu, Self::Wire, Self::Nic, Self::Kernel, Self::Ring, Self::Reader, Self::Unknown];

    /// As in the JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pmu => "pmu",
            Self::Wire => "wire",
            Self::Nic => "nic",
            Self::Kernel => "kernel",
            Self::Ring => "ring",
            Self::Reader => "reader",
            Self::Unknown => "unknown",
        }
    }
}

/// How sure a blame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// What lost the frame was itself seen: between the two frames on either side, of this very stream or flow.
    Exact,
    /// By counters that are read from time to time: something was lost, or nothing was, in that time.
    Window,
    /// By the gap in the time tags alone.
    None,
}

impl Certainty {
    /// As in the JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Window => "window",
            Self::None => "none",
        }
    }
}

/// Why a frame is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Who.
    pub blame: Blame,
    /// What was seen, by a fixed name, or the kernel's own.
    pub reason: Arc<str>,
    /// How sure that is.
    pub evidence: Certainty,
}

impl Cause {
    pub(super) fn new(blame: Blame, reason: &str, evidence: Certainty) -> Self {
        Self { blame, reason: reason.into(), evidence }
    }

    /// The least sure come first.
    fn doubt(&self) -> (bool, std::cmp::Reverse<Certainty>) {
        (self.blame != Blame::Unknown, std::cmp::Reverse(self.evidence))
    }
}

/// Missing frames of one cause: an entry of the summary's `blame`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlameRow {
    /// Who.
    pub blame: Blame,
    /// What was seen.
    pub reason: Arc<str>,
    /// How sure that is.
    pub evidence: Certainty,
    /// How many.
    pub frames: u64,
}

/// Frames by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<Cause, u64>);

impl Tally {
    pub(super) fn add(&mut self, cause: Cause, frames: u64) {
        if frames > 0 {
            *self.0.entry(cause).or_default() += frames;
        }
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(cause, frames)| self.add(cause.clone(), *frames));
    }

    /// Takes one frame back, of the cause that is the least sure. None where there is none.
    pub(super) fn take_back(&mut self) -> Option<Cause> {
        let cause = self.0.keys().min_by_key(|cause| cause.doubt())?.clone();
        self.remove(&cause);
        Some(cause)
    }

    /// Takes one frame of a cause back. False where there is none.
    pub(super) fn remove(&mut self, cause: &Cause) -> bool {
        let Entry::Occupied(mut entry) = self.0.entry(cause.clone()) else { return false };
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
        true
    }

    pub(super) fn by_blame(&self) -> [u64; Blame::ALL.len()] {
        let mut sums = [0; Blame::ALL.len()];
        self.0.iter().for_each(|(cause, frames)| sums[cause.blame as usize] += frames);
        sums
    }

    /// The most first.
    pub(super) fn rows(&self) -> Vec<BlameRow> {
        let row = |(cause, frames): (&Cause, &u64)| {
            let Cause { blame, reason, evidence } = cause.clone();
            BlameRow { blame, reason, evidence, frames: *frames }
        };
        let mut rows: Vec<_> = self.0.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.frames));
        rows
    }
}

/// Missing frames of all streams: `missing` is the sum of all blames and of `pending`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MissingCounters {
    /// Reporting instants for which no frame came.
    pub missing: u64,
    /// Those that are blamed, by whom; all names, 0 included.
    pub blamed: Named<u64>,
    /// Those that will be once the counters have been read.
    pub pending: u64,
    /// The sum's remainder.
    pub unaccounted: u64,
}

impl MissingCounters {
    pub(super) fn new(missing: u64, blamed: [u64; Blame::ALL.len()], pending: u64) -> Self {
        let unaccounted = missing.abs_diff(blamed.iter().sum::<u64>() + pending);
        let blamed = Named(Blame::ALL.into_iter().map(Blame::name).zip(blamed).collect());
        Self { missing, blamed, pending, unaccounted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_takes_back_the_least_sure() {
        let mut tally = Tally::default();
        let causes = [
            Cause::new(Blame::Kernel, "TC_INGRESS", Certainty::Exact),
            Cause::new(Blame::Pmu, "no_loss_seen", Certainty::None),
            Cause::new(Blame::Unknown, "rx_dropped", Certainty::Window),
            Cause::new(Blame::Ring, "ring_full", Certainty::Window),
        ];
        for cause in causes {
            tally.add(cause, 1);
        }
        let taken: Vec<_> = std::iter::from_fn(|| tally.take_back()).map(|cause| cause.blame).collect();
        assert_eq!(taken, [Blame::Unknown, Blame::Pmu, Blame::Ring, Blame::Kernel]);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn a_remainder_shows_whichever_side_is_larger() {
        assert_eq!(MissingCounters::new(7, [1, 0, 2, 0, 0, 0, 1], 3).unaccounted, 0);
        assert_eq!(MissingCounters::new(7, [1, 0, 2, 0, 0, 0, 1], 1).unaccounted, 2);
        assert_eq!(MissingCounters::new(1, [1, 0, 2, 0, 0, 0, 0], 0).unaccounted, 2);
    }
}
