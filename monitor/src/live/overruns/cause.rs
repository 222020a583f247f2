//! What the evidence says of an overrun. It claims no more than the evidence bears.

use monitor_core::event::OverrunCause;

use crate::sys::usage::ThreadUsage;

/// What is known after an overrun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// Whether the thread left its CPU during the turn; none where that cannot be told.
    pub(super) left_cpu: Option<bool>,
    /// Whether what has grown has grown in this very turn.
    pub(super) alone: bool,
    /// What has grown since the thread's totals were last read; none where they cannot be.
    pub(super) grown: Option<Grown>,
}

/// Which of a thread's totals have grown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grown {
    /// Switches to another thread that it did not ask for.
    pub(super) involuntary: bool,
    /// Page faults that waited for storage.
    pub(super) major: bool,
    /// Other page faults.
    pub(super) minor: bool,
}

impl Grown {
    pub(super) const fn between(before: &ThreadUsage, now: &ThreadUsage) -> Self {
        Self {
            involuntary: now.involuntary_switches > before.involuntary_switches,
            major: now.major_faults > before.major_faults,
            minor: now.minor_faults > before.minor_faults,
        }
    }
}

/// A thread that left its CPU in the turn was preempted or waited for storage; which it was is known where only one of the
/// two has happened since its totals were last read. One that did not leave it was not preempted, and what has grown says
/// something of this turn only where it has grown in it.
pub(super) fn judge(evidence: Evidence) -> OverrunCause {
    let Evidence { left_cpu, alone, grown: Some(grown) } = evidence else { return OverrunCause::Unknown };
    let Grown { involuntary, major, minor } = grown;
    let faulted = major || minor;
    match (left_cpu, alone) {
        (Some(true), _) if involuntary && !major => OverrunCause::Preempted,
        (Some(true), _) if major && !involuntary => OverrunCause::PageFault,
        (Some(false), true) if faulted => OverrunCause::PageFault,
        (None, true) if involuntary && !faulted => OverrunCause::Preempted,
        (None, true) if faulted && !involuntary => OverrunCause::PageFault,
        _ => OverrunCause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OverrunCause::{PageFault, Preempted, Unknown};

    const NOTHING: Grown = Grown { involuntary: false, major: false, minor: false };
    const SWITCHED: Grown = Grown { involuntary: true, ..NOTHING };
    const MAJOR: Grown = Grown { major: true, ..NOTHING };
    const MINOR: Grown = Grown { minor: true, ..NOTHING };
    const SWITCHED_AND_MAJOR: Grown = Grown { involuntary: true, ..MAJOR };
    const SWITCHED_AND_MINOR: Grown = Grown { involuntary: true, ..MINOR };

    fn judged(left_cpu: Option<bool>, alone: bool, grown: Grown) -> OverrunCause {
        judge(Evidence { left_cpu, alone, grown: Some(grown) })
    }

    #[test]
    fn a_thread_that_left_its_cpu_was_preempted_or_waited_for_storage() {
        for alone in [false, true] {
            let of = |grown| judged(Some(true), alone, grown);
            assert_eq!(of(SWITCHED), Preempted);
            assert_eq!(of(SWITCHED_AND_MINOR), Preempted, "a minor fault need not leave the CPU");
            assert_eq!(of(MAJOR), PageFault);
            assert_eq!(of(SWITCHED_AND_MAJOR), Unknown, "it may have been either");
            assert_eq!(of(NOTHING), Unknown, "a signal, or a wait in the kernel");
            assert_eq!(of(MINOR), Unknown);
        }
    }

    #[test]
    fn a_thread_that_stayed_was_not_preempted() {
        for (alone, grown, cause) in [
            (true, SWITCHED, Unknown),
            (true, NOTHING, Unknown),
            (true, MINOR, PageFault),
            (true, MAJOR, PageFault),
            (true, SWITCHED_AND_MINOR, PageFault),
            (false, MINOR, Unknown),
            (false, MAJOR, Unknown),
            (false, SWITCHED, Unknown),
        ] {
            assert_eq!(judged(Some(false), alone, grown), cause, "{alone} {grown:?}");
        }
    }

    #[test]
    fn without_the_mark_only_what_grew_in_the_turn_counts() {
        for (grown, cause) in [
            (SWITCHED, Preempted),
            (MINOR, PageFault),
            (MAJOR, PageFault),
            (SWITCHED_AND_MINOR, Unknown),
            (SWITCHED_AND_MAJOR, Unknown),
            (NOTHING, Unknown),
        ] {
            assert_eq!(judged(None, true, grown), cause, "{grown:?}");
            assert_eq!(judged(None, false, grown), Unknown, "{grown:?}");
        }
    }

    #[test]
    fn nothing_is_claimed_without_totals() {
        assert_eq!(judge(Evidence { left_cpu: Some(true), alone: true, grown: None }), Unknown);
    }

    #[test]
    fn only_what_has_grown_is_said_to_have() {
        let before = ThreadUsage { involuntary_switches: 3, minor_faults: 7, ..ThreadUsage::default() };
        assert_eq!(Grown::between(&before, &before), NOTHING);
        let now = ThreadUsage { involuntary_switches: 4, ..before };
        assert_eq!(Grown::between(&before, &now), SWITCHED);
        let now = ThreadUsage { major_faults: 1, minor_faults: 8, voluntary_switches: 9, ..before };
        assert_eq!(Grown::between(&before, &now), Grown { minor: true, ..MAJOR });
    }
}
