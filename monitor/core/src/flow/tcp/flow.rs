//! One direction of a connection, and the desk at which its segments are put in order.

use super::recent::Recent;
use super::{FIN, RST, SYN, Taken, TcpCounts};
use crate::flow::framer::{Expected, Framer, Step, Wait};
use crate::flow::pool::{Held, Pool};
use crate::flow::{Continuity, Found, Invalid, InvalidReason, ResyncCounts, Seen};
use crate::packet::{InterfaceId, Segment};
use crate::time::Nanos;

/// How far from where a flow is a segment may be that belongs to it: more than windows hold in which frames are sent
/// (a megabyte is minutes of them), and little of the 4 GiB of sequence numbers.
const NEAR: u32 = 1 << 20;
/// Where a flow's positions begin: nothing that is near its first byte is before 0.
const ORIGIN: u64 = NEAR as u64;
/// Bytes that are put into the pool at once; with a frame's 65 535 they are less than any cap.
const CHUNK: usize = 32 << 10;
/// Bytes without a sound frame after which a flow is named: one more than the largest frame has.
const UNFRAMED: u64 = 65_536;

/// A gap: bytes are there behind bytes that are not.
#[derive(Clone, Copy, Debug)]
struct Gap {
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

    /// Whether nothing will fill it any more. Its bound in bytes is the flow's cap.
    fn is_lost(&self, now: Nanos) -> bool {
        now.since(self.since) >= Self::TIME_NS
            || self.segments >= Self::SEGMENTS
            || self.acknowledged.is_some_and(|then| now.since(then) >= Self::ACKNOWLEDGED_NS)
    }
}

/// A segment that was far away.
#[derive(Clone, Copy, Debug)]
struct Stray {
    start: u32,
    end: u32,
}

/// One direction of a connection. Positions count bytes from its first one on, and never wrap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) held: Held,
    /// The first byte that has not been taken out.
    base: u64,
    /// The end of what is there without a gap.
    end: u64,
    /// The sequence number at `end`.
    next: u32,
    /// The sequence number of the first byte, where the SYN was seen.
    first: Option<u32>,
    /// Whether any segment was seen.
    begun: bool,
    expected: Expected,
    /// The claim at `base` is whole at this position, and worth another look at that one.
    needed: u64,
    look: u64,
    /// Where the sender has said that it ends.
    fin: Option<u64>,
    gap: Option<Gap>,
    stray: Option<Stray>,
    recent: Recent,
    continuity: Continuity,
    /// One bit for each interface it was seen on, modulo 64.
    interfaces: u64,
    proven: bool,
    /// Bytes since the last sound frame, and whether that was told.
    unframed: u64,
    named: bool,
}

impl Flow {
    pub(super) const fn new(held: Held) -> Self {
        Self {
            held,
            base: ORIGIN,
            end: ORIGIN,
            next: 0,
            first: None,
            begun: false,
            expected: Expected::Anything,
            needed: ORIGIN,
            look: ORIGIN,
            fin: None,
            gap: None,
            stray: None,
            recent: Recent::new(),
            continuity: Continuity { connection: 0, lost: 0, given_up: 0 },
            interfaces: 0,
            proven: false,
            unframed: 0,
            named: false,
        }
    }

    /// Whether a sound frame was found in it.
    pub(super) const fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether bytes wait behind others that are missing.
    pub(super) const fn has_gap(&self) -> bool {
        self.held.bytes() > self.end - self.base
    }

    pub(super) const fn was_on(&self, interface: InterfaceId) -> bool {
        self.interfaces >> (interface.0 % 64) & 1 == 1
    }

    pub(super) const fn is_near(&self, sequence: u32) -> bool {
        let ahead = sequence.wrapping_sub(self.next);
        ahead <= NEAR || ahead.wrapping_neg() <= NEAR
    }

    /// The other side has got everything before `sequence`.
    pub(super) fn acknowledge(&mut self, sequence: u32, now: Nanos) {
        let ahead = sequence.wrapping_sub(self.next);
        if let Some(gap) = self.gap.as_mut().filter(|_| ahead > 0 && ahead <= NEAR) {
            gap.acknowledged.get_or_insert(now);
        }
    }

    /// Begins, or begins anew, at a sequence number; all that was held has been taken out.
    const fn begin(&mut self, sequence: u32, connection: u32) {
        self.continuity.connection = connection;
        let position = self.end;
        (self.base, self.next, self.begun) = (position, sequence, true);
        (self.expected, self.first, self.fin, self.gap, self.stray) =
            (Expected::Anything, None, None, None, None);
        (self.needed, self.look) = (position, position);
    }

    /// Goes on at a position further on.
    fn move_end(&mut self, end: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers are positions modulo 2^32")]
        let further = end.wrapping_sub(self.end) as u32;
        self.next = self.next.wrapping_add(further);
        self.end = end;
    }
}

/// Where segments are put in order: the pool, and what becomes of what is taken out.
pub(super) struct Desk<'d, F> {
    pub(super) pool: &'d mut Pool,
    /// As long as the cap.
    pub(super) scratch: &'d mut [u8],
    pub(super) counts: &'d mut TcpCounts,
    /// The number of the connection that began last.
    pub(super) connections: &'d mut u32,
    pub(super) taken: Taken,
    pub(super) sink: &'d mut F,
}

impl<F: FnMut(&Seen, Found<'_>, Continuity)> Desk<'_, F> {
    /// Takes a segment. Gives what looking for frames has cost.
    pub(super) fn take(&mut self, flow: &mut Flow, segment: &Segment<'_>, seen: &Seen) -> ResyncCounts {
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

    /// Takes the bytes that come next.
    fn feed(&mut self, flow: &mut Flow, framer: &mut Framer, data: &[u8], seen: &Seen) {
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
                    self.hand_over(flow, seen, found);
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
    fn settle(&mut self, flow: &mut Flow, framer: &mut Framer, ended: bool) {
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
    fn end_head(&mut self, flow: &mut Flow, framer: &mut Framer) {
        self.settle(flow, framer, true);
    }

    /// Gives up what is missing before a position.
    fn jump(&mut self, flow: &mut Flow, framer: &mut Framer, to: u64) {
        self.counts.gaps += 1;
        self.counts.lost_bytes += to - flow.end;
        flow.continuity.lost = flow.continuity.lost.wrapping_add(1);
        self.skip_to(flow, framer, to);
    }

    fn skip_to(&mut self, flow: &mut Flow, framer: &mut Framer, to: u64) {
        self.end_head(flow, framer);
        flow.move_end(to);
        (flow.base, flow.look, flow.needed, flow.expected) = (to, to, to, Expected::Anything);
        self.pool.release(&mut flow.held, to);
        flow.move_end(self.pool.end_from(&flow.held, to));
        flow.gap = None;
        self.settle(flow, framer, false);
    }

    /// Gives up every gap, and what is left.
    fn finish(&mut self, flow: &mut Flow, framer: &mut Framer) {
        while let Some((next, _)) = self.pool.next_part(&flow.held, flow.end).filter(|_| flow.has_gap()) {
            self.jump(flow, framer, next);
        }
        self.end_head(flow, framer);
        flow.gap = None;
    }

    /// Gives up gaps that nothing will fill.
    fn mind_gap(&mut self, flow: &mut Flow, framer: &mut Framer, now: Nanos) {
        if !flow.has_gap() {
            flow.gap = None;
            return;
        }
        let gap = flow.gap.get_or_insert(Gap { since: now, segments: 0, acknowledged: None });
        gap.segments += 1;
        while let Some((next, seen)) = self.pool.next_part(&flow.held, flow.end).filter(|_| flow.has_gap()) {
            let since = Gap { since: seen.first_arrival, segments: 0, acknowledged: None };
            if !flow.gap.get_or_insert(since).is_lost(now) {
                break;
            }
            self.jump(flow, framer, next);
        }
    }

    fn count(&mut self, flow: &mut Flow, duplicate: usize, dropped: usize) {
        flow.continuity.given_up = flow.continuity.given_up.wrapping_add(u32::from(dropped > 0));
        self.taken.duplicate += duplicate as u64;
        self.taken.dropped += dropped as u64;
        self.counts.no_place += dropped as u64;
    }

    fn hand_over(&mut self, flow: &mut Flow, seen: &Seen, found: Found<'_>) {
        note(flow, self.counts, self.sink, seen, found);
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
