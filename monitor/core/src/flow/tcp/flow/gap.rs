//! What is missing: waited for, and given up when nothing will bring it any more.

use super::{Desk, Flow};
use crate::flow::framer::{Expected, Framer};
use crate::flow::{Continuity, Found, Seen};
use crate::time::Nanos;

/// A gap: bytes are there behind bytes that are not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// Since when, by the packets' arrival.
    since: Nanos,
    /// Segments that came since.
    segments: u32,
    /// When the receiver first said that it has what is missing here.
    acknowledged: Option<Nanos>,
}

impl Gap {
    /// A gap is given up after this time: two retransmissions of Linux (after 200 ms and 400 ms more) and some of others
    /// are waited for.
    const TIME_NS: i64 = 2_000_000_000;
    /// And after this time where the receiver has got the bytes: they were lost on the way to the monitor. It is the time
    /// for which the two directions may be out of step that come by two interfaces.
    const ACKNOWLEDGED_NS: i64 = 50_000_000;
    /// And after so many segments.
    const SEGMENTS: u32 = 1_024;

    const fn new(since: Nanos) -> Self {
        Self { since, segments: 0, acknowledged: None }
    }

    /// The receiver has said that it has what is missing here.
    pub(super) fn acknowledge(&mut self, now: Nanos) {
        self.acknowledged.get_or_insert(now);
    }

    /// Whether nothing will fill it any more. Its bound in bytes is the flow's cap.
    fn is_lost(&self, now: Nanos) -> bool {
        now.since(self.since) >= Self::TIME_NS
            || self.segments >= Self::SEGMENTS
            || self.acknowledged.is_some_and(|then| now.since(then) >= Self::ACKNOWLEDGED_NS)
    }
}

impl<F: FnMut(&Seen, Found<'_>, Continuity)> Desk<'_, F> {
    /// Gives up gaps that nothing will fill.
    pub(super) fn mind_gap(&mut self, flow: &mut Flow, framer: &mut Framer, now: Nanos) {
        if !flow.has_gap() {
            flow.gap = None;
            return;
        }
        let gap = flow.gap.get_or_insert(Gap::new(now));
        gap.segments += 1;
        while let Some((next, seen)) = self.pool.next_part(&flow.held, flow.end).filter(|_| flow.has_gap()) {
            if !flow.gap.get_or_insert(Gap::new(seen.first_arrival)).is_lost(now) {
                break;
            }
            self.jump(flow, framer, next);
        }
    }

    /// Gives up what is missing before a position.
    pub(super) fn jump(&mut self, flow: &mut Flow, framer: &mut Framer, to: u64) {
        self.counts.gaps += 1;
        self.counts.lost_bytes += to - flow.end;
        flow.continuity.lost = flow.continuity.lost.wrapping_add(1);
        self.skip_to(flow, framer, to);
    }

    /// Goes on at a position, whatever is there of what is before it.
    pub(super) fn skip_to(&mut self, flow: &mut Flow, framer: &mut Framer, to: u64) {
        self.end_head(flow, framer);
        flow.move_end(to);
        (flow.base, flow.look, flow.needed, flow.expected) = (to, to, to, Expected::Anything);
        self.pool.release(&mut flow.held, to);
        flow.move_end(self.pool.end_from(&flow.held, to));
        flow.gap = None;
        self.settle(flow, framer, false);
    }

    /// Gives up every gap, and what is left.
    pub(super) fn finish(&mut self, flow: &mut Flow, framer: &mut Framer) {
        while let Some((next, _)) = self.pool.next_part(&flow.held, flow.end).filter(|_| flow.has_gap()) {
            self.jump(flow, framer, next);
        }
        self.end_head(flow, framer);
        flow.gap = None;
    }
}
