//! Once a second, each stream tells how it runs.

use super::{Judge, Pipeline};
use crate::event::{BytesAt, Class, Event, EventKind, Outlet, Stages, StreamId};
use crate::packet::InterfaceId;
use crate::time::Nanos;

/// Streams that are looked at in one call, so that a call is short however many streams there are: as many calls a
/// second as there are streams divided by this number let each tell every second.
pub const STREAMS_PER_TICK: usize = 32;

impl Pipeline {
    /// Tells how streams run ([`EventKind::StreamCounts`], [`EventKind::StreamTiming`], [`EventKind::StreamReport`]): each
    /// stream once a second, a bounded number of them ([`STREAMS_PER_TICK`]) in one call. To be called at least ten times a second.
    pub fn tick<O: Outlet>(&mut self, now: Nanos, out: &mut O) {
        self.judge.latest = self.judge.latest.max(now);
        self.judge.tick(now, out);
    }
}

impl Judge {
    fn tick<O: Outlet>(&mut self, now: Nanos, out: &mut O) {
        for _ in 0..STREAMS_PER_TICK.min(self.streams.len()) {
            self.teller = (self.teller + 1) % self.streams.len();
            if let Some(id) = self.streams.id_at(self.teller) {
                self.tell(id, now, out);
            }
        }
    }

    fn tell<O: Outlet>(&mut self, id: StreamId, now: Nanos, out: &mut O) {
        let Some((_, stream)) = self.streams.get_mut(id) else { return };
        let Some(timing) = stream.tell(now) else { return };
        if !out.wants(Class::StreamState) {
            return;
        }
        let config = self.configs.current_id(stream.source());
        let event = |kind| Event {
            arrival: now,
            first_arrival: now,
            bytes: BytesAt::default(),
            stages: Stages::NONE,
            stream: Some(id),
            config,
            interface: InterfaceId::default(),
            kind,
        };
        out.offer(&event(EventKind::StreamCounts(stream.counts, stream.untold())), &[]);
        out.offer(&event(EventKind::StreamTiming(timing)), &[]);
        out.offer(&event(EventKind::StreamReport), &stream.report(now).to_bytes());
    }
}
