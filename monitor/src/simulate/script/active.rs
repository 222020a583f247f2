//! A fault as one stream has it.

use monitor_core::protocol::c37118::IdCode;

use crate::simulate::fault::{Fault, FaultKind, Often, Scope, Window};
use crate::simulate::instant::ReportingInstant;
use crate::simulate::random::{Random, purpose};

/// A fault that concerns the stream.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) kind: FaultKind,
    pub(super) window: Window,
    often: Often,
    scope: Scope,
    /// Its place in the list of all faults: what is drawn for it is drawn for no other.
    place: u64,
    stream: IdCode,
    /// From where frames are counted: the window's beginning, or the first instant.
    begin_ns: i64,
}

impl Active {
    /// The fault, if it concerns the stream or one of its PMUs.
    pub(super) fn of(
        fault: &Fault,
        place: u64,
        stream: IdCode,
        pmus: &[IdCode],
        origin_ns: i64,
    ) -> Option<Self> {
        let Fault { kind, scope } = fault;
        let concerned =
            scope.covers(stream) || kind.is_measured() && pmus.iter().any(|&pmu| scope.covers(pmu));
        let window = scope.window(origin_ns);
        let begin_ns = window.from_ns.max(origin_ns);
        let (kind, often, scope) = (*kind, scope.often, scope.clone());
        concerned.then_some(Self { kind, window, often, scope, place, stream, begin_ns })
    }

    /// Whether it concerns what this PMU measures.
    pub(super) fn measures(&self, pmu: IdCode) -> bool {
        self.kind.is_measured() && (self.scope.covers(self.stream) || self.scope.covers(pmu))
    }

    /// Whether it is of frames one by one.
    pub(super) const fn is_of_frames(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::Loss
                | FaultKind::Duplicate { .. }
                | FaultKind::Reorder { .. }
                | FaultKind::Delay { .. }
                | FaultKind::Crc
                | FaultKind::Truncate { .. }
                | FaultKind::Fragment { .. }
        )
    }

    /// Whether something of it stays when its time is over.
    pub(super) const fn leaves_behind(&self) -> bool {
        matches!(self.kind, FaultKind::FrequencyStep { .. } | FaultKind::FrequencyRamp { .. })
    }

    /// Whether it announces a change of the configuration.
    pub(super) fn warns(&self, at_ns: i64) -> bool {
        let FaultKind::ConfigChange { warning_ns, .. } = self.kind else { return false };
        [self.window.from_ns, self.window.until_ns]
            .into_iter()
            .any(|change| at_ns < change && at_ns >= change.saturating_sub_unsigned(warning_ns))
    }

    /// Whether it falls on the frame of an instant.
    pub(super) fn falls_on(&self, seed: u64, instant: ReportingInstant, at_ns: i64) -> bool {
        if !self.window.contains(at_ns) {
            return false;
        }
        if self.often == Often::Always {
            return true;
        }
        let begin = ReportingInstant::at_or_about(self.begin_ns, instant.rate());
        let nth = instant.index().saturating_sub(begin.index());
        let mut random =
            Random::of(&[seed, purpose::WHETHER, self.place, self.stream.0.into(), instant.index()]);
        self.often.falls_on(nth, &mut random)
    }

    /// What is drawn for the frame of an instant.
    pub(super) fn random(&self, seed: u64, instant: ReportingInstant) -> Random {
        Random::of(&[seed, purpose::FAULT, self.place, self.stream.0.into(), instant.index()])
    }
}
