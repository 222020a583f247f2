//! Bytes in order: frames are taken out of them, from the packet's own bytes where nothing waits, and handed over.

use super::{Desk, Flow};
use crate::flow::framer::{Expected, Framer, Step, Wait};
use crate::flow::tcp::TcpCounts;
use crate::flow::{Continuity, Found, Invalid, InvalidReason, Seen};

/// Bytes that are put into the pool at once; with a frame's 65 535 they are less than any cap.
const CHUNK: usize = 32 << 10;
/// Bytes without a sound frame after which a flow is named: one more than the largest frame has.
const UNFRAMED: u64 = 65_536;

impl<F: FnMut(&Seen, Found<'_>, Continuity)> Desk<'_, F> {
    /// Takes the bytes that come next.
    pub(super) fn feed(&mut self, flow: &mut Flow, framer: &mut Framer, data: &[u8], seen: &Seen) {
        if flow.has_gap() {
            self.fill(flow, framer, data, seen);
        } else if flow.held.bytes() > 0 {
            self.complete(flow, framer, data, seen);
        } else {
            self.direct(flow, framer, data, seen);
        }
    }

    /// Bytes before which nothing waits, and behind which nothing does: frames are taken from the packet's own bytes.
    fn direct(&mut self, flow: &mut Flow, framer: &mut Framer, data: &[u8], seen: &Seen) {
        let mut rest = data;
        framer.expected = flow.expected;
        let mut wait = Wait::default();
        while !rest.is_empty() {
            match framer.next(rest, false) {
                Step::Found(found) => {
                    rest = &rest[found.bytes().len()..];
                    note(flow, self.counts, self.sink, seen, found);
                }
                Step::Wait(until) => {
                    wait = until;
                    break;
                }
            }
        }
        flow.expected = framer.expected;
        flow.move_end(flow.end + data.len() as u64);
        flow.base = flow.end - rest.len() as u64;
        (flow.needed, flow.look) = (flow.base + wait.needed as u64, flow.base + wait.look as u64);
        if !rest.is_empty() {
            flow.held.begin_at(flow.base);
            self.hold(flow, framer, flow.base, rest, seen);
        }
    }

    /// Bytes before which the beginning of a frame waits: only as many as that lacks join it there.
    fn complete(&mut self, flow: &mut Flow, framer: &mut Framer, data: &[u8], seen: &Seen) {
        let mut rest = data;
        // First what its header lacks, then what its claim does; where that was no frame, as much as comes.
        let mut tries = 0;
        while !rest.is_empty() {
            if flow.held.bytes() == 0 {
                return self.direct(flow, framer, rest, seen);
            }
            let lacking = usize::try_from(flow.needed.saturating_sub(flow.end)).unwrap_or(CHUNK).max(1);
            let most = if tries < 2 { lacking } else { CHUNK };
            tries += 1;
            let (joining, behind) = rest.split_at(most.min(rest.len()));
            rest = behind;
            let at = flow.end;
            flow.move_end(at + joining.len() as u64);
            self.hold(flow, framer, at, joining, seen);
            self.settle(flow, framer, false);
        }
    }

    /// Bytes behind which others wait already.
    fn fill(&mut self, flow: &mut Flow, framer: &mut Framer, data: &[u8], seen: &Seen) {
        let mut rest = data;
        while !rest.is_empty() {
            let (joining, behind) = rest.split_at(CHUNK.min(rest.len()));
            let at = flow.end;
            let kept = self.pool.keep(&mut flow.held, at, joining, seen);
            self.count(flow, kept.duplicate, kept.dropped);
            flow.move_end(self.pool.end_from(&flow.held, flow.base));
            self.settle(flow, framer, false);
            let end = at + joining.len() as u64;
            while flow.end < end {
                // What found no place is a gap of this program's own making, and is not waited for.
                let next = self.pool.next_part(&flow.held, flow.end);
                self.skip_to(flow, framer, next.map_or(end, |(next, _)| next.min(end)));
            }
            // What waited may reach beyond what has just come.
            let known = usize::try_from(flow.end - end).unwrap_or(usize::MAX).min(behind.len());
            self.taken.duplicate += known as u64;
            rest = &behind[known..];
            if !flow.has_gap() {
                return self.feed(flow, framer, rest, seen);
            }
        }
    }

    /// Keeps bytes that end where the flow now does. Where there is no place for them, what was begun is given up.
    fn hold(&mut self, flow: &mut Flow, framer: &mut Framer, at: u64, bytes: &[u8], seen: &Seen) {
        let kept = self.pool.keep(&mut flow.held, at, bytes, seen);
        self.count(flow, kept.duplicate, kept.dropped);
        if kept.dropped > 0 {
            let end = flow.end;
            flow.end = at + kept.stored as u64;
            self.end_head(flow, framer);
            (flow.base, flow.end, flow.expected) = (end, end, Expected::Anything);
            (flow.needed, flow.look) = (end, end);
        }
    }

    /// Takes out what can be taken out of what waits without a gap; all of it where no more comes.
    pub(super) fn settle(&mut self, flow: &mut Flow, framer: &mut Framer, ended: bool) {
        framer.expected = flow.expected;
        while flow.base < flow.end && (ended || flow.end >= flow.look) {
            let until = flow.end.min(flow.base + self.scratch.len() as u64);
            let window = self.pool.copy(&flow.held, flow.base..until, self.scratch);
            let (all, mut at) = (until == flow.end, 0);
            while at < window.len() {
                match framer.next(&window[at..], ended && all) {
                    Step::Found(found) => {
                        let begin = flow.base;
                        let end = begin + found.bytes().len() as u64;
                        let seen = self.pool.seen(&flow.held, begin..end);
                        at += found.bytes().len();
                        (flow.base, flow.look, flow.needed) = (end, end, end);
                        self.pool.release(&mut flow.held, end);
                        note(flow, self.counts, self.sink, &seen, found);
                    }
                    Step::Wait(Wait { needed, look }) => {
                        (flow.needed, flow.look) = (flow.base + needed as u64, flow.base + look as u64);
                        break;
                    }
                }
            }
            if at == 0 {
                break;
            }
        }
        flow.expected = framer.expected;
    }

    /// What waits without a gap is all that there will be.
    pub(super) fn end_head(&mut self, flow: &mut Flow, framer: &mut Framer) {
        self.settle(flow, framer, true);
    }
}

/// Hands something over, and names a flow that does not hold what it should.
fn note<F: FnMut(&Seen, Found<'_>, Continuity)>(
    flow: &mut Flow,
    counts: &mut TcpCounts,
    sink: &mut F,
    seen: &Seen,
    found: Found<'_>,
) {
    if let Found::Frame(_) = found {
        (flow.proven, flow.unframed, flow.named) = (true, 0, false);
    } else {
        flow.unframed += found.bytes().len() as u64;
    }
    sink(seen, found, flow.continuity);
    if flow.unframed >= UNFRAMED && !flow.named {
        flow.named = true;
        counts.unframed += 1;
        let reason = InvalidReason::NoFrame;
        let none = Invalid { reason, frame_type: None, idcode: None, in_frames: false, bytes: &[] };
        sink(seen, Found::Invalid(none), flow.continuity);
    }
}
