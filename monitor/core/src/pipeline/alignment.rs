//! Alignment in the pipeline: which frames it is offered, and what is told of the instants that are over.

use hdrhistogram::Histogram;

use super::histograms::{self, Percentiles};
use super::{Bounds, Judge, Pipeline};
use crate::event::{
    Absent, AbsentRoom, AlignCounts, BytesAt, Class, Event, EventKind, InstantEvent, NO_ABSENT, Outlet,
    Stages, StreamId, Wait,
};
use crate::packet::InterfaceId;
use crate::protocol::c37118::DataView;
use crate::stream::align::{AlignBounds, AlignedInstant, Aligner, InstantKey, Offered};
use crate::stream::{Cadence, Placed};
use crate::time::Nanos;

/// The aligner and what is kept of its instants.
#[derive(Debug)]
pub(super) struct Alignment {
    aligner: Aligner,
    /// From the first arrival to the last, of instants to which more than one stream came.
    skew: Histogram<u32>,
    room: AbsentRoom,
}

/// What alignment amounts to.
#[derive(Clone, Copy, Debug)]
pub struct AlignmentSummary {
    /// Its wait window.
    pub wait: Wait,
    /// What it counted.
    pub counts: AlignCounts,
    /// From the first arrival to the last, in nanoseconds, of the instants to which more than one stream came.
    pub skew: Option<Percentiles>,
}

impl Alignment {
    fn new(wait: Wait, bounds: &Bounds) -> Self {
        let bounds =
            AlignBounds { streams: bounds.streams, instants: bounds.instants, pmus: bounds.pmus_per_instant };
        Self { aligner: Aligner::new(wait, &bounds), skew: histograms::exact(), room: NO_ABSENT }
    }

    /// Takes a decoded DATA frame that is no copy.
    pub(super) fn take(
        &mut self,
        stream: StreamId,
        arrival: Nanos,
        placed: Option<(Placed, Cadence)>,
        view: &DataView<'_>,
    ) {
        let instant = placed.map(|(placed, Cadence { rate, .. })| {
            (InstantKey::new(placed.instant, rate, placed.leap_second), rate)
        });
        let leapt = placed.and_then(|(placed, _)| placed.leapt);
        self.aligner.take(&Offered { stream, instant, leapt, arrival }, view);
    }

    pub(super) const fn aligner(&self) -> &Aligner {
        &self.aligner
    }

    fn tell<O: Outlet>(&mut self, out: &mut O) {
        let Self { aligner, skew, room } = self;
        aligner.tell(|instant| {
            if instant.present > 1 {
                skew.saturating_record(instant.skew_ns().unsigned_abs());
            }
            if out.wants(Class::Instant) {
                out.offer(&event(instant), Absent::write(instant.absent(), room));
            }
        });
    }
}

impl Pipeline {
    /// Aligns streams as well, with this window: memory as the table of bounds says.
    #[must_use]
    pub fn with_alignment(mut self, wait: Wait, bounds: &Bounds) -> Self {
        self.judge.alignment = Some(Box::new(Alignment::new(wait, bounds)));
        self
    }

    /// It is `now`, and every packet that arrived before was pushed: instants whose window has ended are over. Where
    /// packets may be waiting it is not to be called, or their frames would come too late.
    pub fn caught_up<O: Outlet>(&mut self, now: Nanos, out: &mut O) {
        if let Some(alignment) = &mut self.judge.alignment {
            alignment.aligner.advance(now);
            alignment.tell(out);
        }
    }

    /// Nothing more will come: tells of the instants that are open, as they are.
    pub fn finish<O: Outlet>(&mut self, out: &mut O) {
        if let Some(alignment) = &mut self.judge.alignment {
            alignment.aligner.finish();
            alignment.tell(out);
        }
    }

    /// What alignment amounts to; none where it was not asked for.
    #[must_use]
    pub fn alignment(&self) -> Option<AlignmentSummary> {
        let Alignment { aligner, skew, .. } = &**self.judge.alignment.as_ref()?;
        Some(AlignmentSummary {
            wait: aligner.wait(),
            counts: aligner.counts(),
            skew: histograms::percentiles(skew),
        })
    }
}

impl Judge {
    /// Tells of the instants that are over.
    pub(super) fn tell_instants<O: Outlet>(&mut self, out: &mut O) {
        if let Some(alignment) = &mut self.alignment {
            alignment.tell(out);
        }
    }
}

fn event(instant: &AlignedInstant<'_>) -> Event {
    Event {
        arrival: instant.last.1,
        first_arrival: instant.first.1,
        bytes: BytesAt::default(),
        stages: Stages::NONE,
        stream: None,
        config: None,
        interface: InterfaceId::default(),
        kind: EventKind::Instant(InstantEvent::new(instant)),
    }
}
