//! Segments as they come: which of them move the flow, and where in it their bytes belong.

use super::{Desk, Flow, NEAR};
use crate::flow::framer::{Expected, Framer};
use crate::flow::tcp::{FIN, RST, SYN};
use crate::flow::{Continuity, Found, ResyncCounts, Seen};
use crate::packet::Segment;

/// A segment that was far away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    start: u32,
    end: u32,
}

impl<F: FnMut(&Seen, Found<'_>, Continuity)> Desk<'_, F> {
    /// Takes a segment. Gives what looking for frames has cost.
    pub(in crate::flow::tcp) fn take(
        &mut self,
        flow: &mut Flow,
        segment: &Segment<'_>,
        seen: &Seen,
    ) -> ResyncCounts {
        let mut framer = Framer::new(Expected::Anything);
        self.take_with(flow, &mut framer, segment, seen);
        framer.work()
    }

    fn take_with(&mut self, flow: &mut Flow, framer: &mut Framer, segment: &Segment<'_>, seen: &Seen) {
        let sequence = segment.sequence.wrapping_add(u32::from(segment.flags & SYN != 0));
        flow.interfaces |= 1 << (seen.interface.0 % 64);
        if segment.flags & SYN != 0 && flow.first != Some(sequence) {
            self.finish(flow, framer);
            flow.begin(sequence, self.connection());
            (flow.first, flow.expected) = (Some(sequence), Expected::FirstFrame);
        } else if !flow.begun {
            flow.begin(sequence, self.connection());
        } else if !flow.is_near(sequence) {
            if !self.settles(flow, sequence, segment) {
                return;
            }
            self.finish(flow, framer);
            flow.begin(sequence, self.connection());
        }
        if segment.flags & RST != 0 {
            // Nothing more comes; what an RST carries is no part of the stream.
            self.taken.dropped += segment.payload.len() as u64;
            self.finish(flow, framer);
            return;
        }
        let duplicate = self.taken.duplicate;
        let start = self.put(flow, framer, sequence, segment, seen);
        self.remember(flow, segment, seen, self.taken.duplicate - duplicate);
        if segment.flags & FIN != 0 {
            flow.fin = Some(start + (segment.payload.len() + segment.cut) as u64);
        }
        self.mind_gap(flow, framer, seen.arrival);
        if flow.fin.is_some_and(|fin| flow.end >= fin) {
            self.end_head(flow, framer);
            flow.fin = None;
        }
    }

    const fn connection(&mut self) -> u32 {
        *self.connections = self.connections.wrapping_add(1);
        *self.connections
    }

    /// Whether a segment that is far away goes on from another one.
    fn settles(&mut self, flow: &mut Flow, sequence: u32, segment: &Segment<'_>) -> bool {
        if segment.payload.is_empty() {
            return false;
        }
        if flow.stray.is_some_and(|stray| sequence == stray.end || sequence == stray.start) {
            return true;
        }
        self.counts.stray += 1;
        self.taken.dropped += segment.payload.len() as u64;
        let length = u32::try_from(segment.payload.len() + segment.cut).unwrap_or(u32::MAX);
        flow.stray = Some(Stray { start: sequence, end: sequence.wrapping_add(length) });
        false
    }

    /// Says of a segment without anything new what it is, and remembers another.
    fn remember(&mut self, flow: &mut Flow, segment: &Segment<'_>, seen: &Seen, duplicate: u64) {
        if segment.payload.is_empty() {
            return;
        }
        if duplicate < segment.payload.len() as u64 {
            flow.recent.remember(segment, seen);
            return;
        }
        self.taken.copy = flow.recent.original(segment, seen);
        let counter =
            if self.taken.copy.is_some() { &mut self.counts.copies } else { &mut self.counts.retransmitted };
        *counter += 1;
    }

    /// Puts a segment's bytes where they belong. Gives the position of the first.
    fn put(
        &mut self,
        flow: &mut Flow,
        framer: &mut Framer,
        sequence: u32,
        segment: &Segment<'_>,
        seen: &Seen,
    ) -> u64 {
        let Segment { payload, cut, .. } = *segment;
        let ahead = u64::from(sequence.wrapping_sub(flow.next));
        let behind = u64::from(flow.next.wrapping_sub(sequence));
        if behind <= NEAR.into() {
            // Due, or seen before; an old byte alone is how a connection is kept alive (RFC 9293, 3.8.4).
            let old = usize::try_from(behind).unwrap_or(usize::MAX).min(payload.len());
            self.taken.duplicate += old as u64;
            let start = flow.end - behind;
            self.feed(flow, framer, &payload[old..], seen);
            if cut > 0 && start + payload.len() as u64 == flow.end {
                // What the capture cut off will not come.
                let end = flow.end + cut as u64;
                let next = self.pool.next_part(&flow.held, flow.end);
                flow.continuity.given_up = flow.continuity.given_up.wrapping_add(1);
                self.jump(flow, framer, next.map_or(end, |(next, _)| next.min(end)));
            }
            return start;
        }
        let start = flow.end + ahead;
        if payload.is_empty() {
            return start;
        }
        self.counts.out_of_order += 1;
        let end = start + payload.len() as u64;
        while start > flow.end {
            if end - flow.base <= self.pool.cap() {
                if flow.held.bytes() == 0 {
                    flow.held.begin_at(flow.base);
                }
                let kept = self.pool.keep(&mut flow.held, start, payload, seen);
                self.count(flow, kept.duplicate, kept.dropped);
                return start;
            }
            // Too far behind what is missing for that to be waited for any longer.
            let next = self.pool.next_part(&flow.held, flow.end).map_or(start, |(next, _)| next.min(start));
            self.jump(flow, framer, next);
        }
        let old = usize::try_from(flow.end - start).unwrap_or(usize::MAX).min(payload.len());
        self.taken.duplicate += old as u64;
        self.feed(flow, framer, &payload[old..], seen);
        start
    }
}
