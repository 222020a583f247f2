//! Puts TCP's segments together again (RFC 9293), each direction by itself, and takes the frames out.
//!
//! Frames that lie whole in a segment that is due are taken from the packet's own bytes. Only what cannot be judged yet
//! waits in the [`Pool`]: the beginning of a frame, and segments that came too early.
//!
//! # Loss
//! A gap is waited for: until something fills it, or one of the bounds of a gap says that nothing will. Then it is
//! given up and counted; the frame that it tore is told as truncated, and frames are looked for behind it.
//!
//! # Which flow a segment belongs to
//! The one with its addresses, ports and VLANs, on whichever interfaces its segments come. Where that is elsewhere in
//! its sequence numbers and was never seen on the segment's interface, it is another connection by chance (two networks
//! with the same addresses), and kept apart in another of [`LANES`].
//!
//! A segment far from where its flow is does not move it: it may be anybody's. Its bytes are dropped and counted; if
//! the next one goes on from it, that is where the flow is now (ports used again, or much lost).

mod flow;
mod recent;

use super::lru::{LruTable, Rank};
use super::pool::{Held, Pool, touched};
use super::{Continuity, FlowKey, Found, ResyncCounts, Seen};
use crate::packet::Segment;
use flow::{Desk, Flow};
pub use recent::Copied;

/// Connections with the same addresses, ports and VLANs that are told apart.
const LANES: u8 = 4;

/// Flags of a segment (RFC 9293, 3.1).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What became of the payload of a segment, and of bytes that had waited. Bytes that were taken out as frames, or passed
/// over, are not in it: those are handed over one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes seen before.
    pub duplicate: u64,
    /// Bytes given up.
    pub dropped: u64,
    /// Whether the segment is a copy of one that was seen before, on its way a second time through a mirror, another
    /// interface or the other network of PRP; a retransmission is none.
    pub copy: Option<Copied>,
}

/// What TCP flows did. Bytes are in [`ByteCounts`](crate::event::ByteCounts) too; these say why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpCounts {
    /// Flows, one for each direction of a connection.
    pub flows: u64,
    /// Flows that were forgotten because there was no place for another: the one used longest ago each time, and one in
    /// which a frame was found only where there was no other.
    pub evicted: u64,
    /// Segments that came before others that belong in front of them.
    pub out_of_order: u64,
    /// Segments all of whose payload was seen before, and which are no copies.
    pub retransmitted: u64,
    /// Segments that are copies.
    pub copies: u64,
    /// Gaps that were given up.
    pub gaps: u64,
    /// Bytes that these were long. They were never seen, so no other counter has them.
    pub lost_bytes: u64,
    /// Bytes dropped because the flow's share of the pool was used up.
    pub no_place: u64,
    /// Segments far from where their flow was.
    pub stray: u64,
    /// Long stretches without a frame.
    pub unframed: u64,
}

impl TcpCounts {
    /// Each with its name in JSON. Destructured, so that a new one cannot be forgotten.
    pub const fn named(&mut self) -> [(&'static str, &mut u64); 10] {
        let Self {
            flows,
            evicted,
            out_of_order,
            retransmitted,
            copies,
            gaps,
            lost_bytes,
            no_place,
            stray,
            unframed,
        } = self;
        [
            ("flows", flows),
            ("evicted", evicted),
            ("out_of_order", out_of_order),
            ("retransmitted", retransmitted),
            ("copies", copies),
            ("gaps", gaps),
            ("lost_bytes", lost_bytes),
            ("no_place_bytes", no_place),
            ("stray", stray),
            ("unframed", unframed),
        ]
    }
}

/// A flow in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Place {
    key: FlowKey,
    lane: u8,
}

/// All TCP flows.
#[derive(Debug)]
pub(super) struct Tcp {
    table: LruTable<Place>,
    flows: Vec<Flow>,
    /// Bytes that wait, over all flows.
    buffered: u64,
    /// Flows that have a gap.
    gaps: u64,
    counts: TcpCounts,
    /// The number of the connection that began last.
    connections: u32,
    resync: ResyncCounts,
    scratch: Vec<u8>,
}

impl Tcp {
    /// Of `capacity` flows, which are the first holders in the pool.
    pub(super) fn new(capacity: usize, pool: &Pool) -> Self {
        let scratch = usize::try_from(pool.cap()).unwrap_or(usize::MAX);
        Self {
            table: LruTable::new(capacity),
            flows: (0..capacity.max(1)).map(|holder| Flow::new(Held::nothing(holder))).collect(),
            buffered: 0,
            gaps: 0,
            counts: TcpCounts::default(),
            connections: 0,
            resync: ResyncCounts::default(),
            scratch: touched(scratch),
        }
    }

    pub(super) const fn buffered(&self) -> u64 {
        self.buffered
    }

    pub(super) const fn counts(&self) -> TcpCounts {
        self.counts
    }

    pub(super) const fn resync(&self) -> ResyncCounts {
        self.resync
    }

    /// Whether the connection is known, in either direction.
    pub(super) fn is_known(&self, key: &FlowKey) -> bool {
        let first = |key| self.table.find(&Place { key, lane: 0 }).is_some();
        first(*key) || first(key.reversed())
    }

    /// Takes a segment. What it completes goes to `sink`.
    pub(super) fn push(
        &mut self,
        pool: &mut Pool,
        key: &FlowKey,
        segment: &Segment<'_>,
        seen: &Seen,
        sink: &mut impl FnMut(&Seen, Found<'_>, Continuity),
    ) -> Taken {
        if self.gaps > 0 && segment.flags & ACK != 0 {
            self.acknowledge(key, segment, seen);
        }
        let mut taken = Taken::default();
        let Some(place) = self.place(pool, key, segment, seen, &mut taken) else { return taken };
        let flow = &mut self.flows[place];
        let (bytes, gap) = (flow.held.bytes(), flow.has_gap());
        let mut desk = Desk {
            pool,
            scratch: &mut self.scratch,
            counts: &mut self.counts,
            connections: &mut self.connections,
            taken,
            sink: &mut *sink,
        };
        let work = desk.take(flow, segment, seen);
        self.resync.add(work);
        taken = desk.taken;
        self.buffered = self.buffered + flow.held.bytes() - bytes;
        self.gaps = self.gaps + u64::from(flow.has_gap()) - u64::from(gap);
        if flow.is_proven() {
            self.table.set_rank(place, Rank::Proven);
        }
        taken
    }

    /// The place of the segment's flow, which is now the one used last. None for a segment that begins nothing.
    fn place(
        &mut self,
        pool: &mut Pool,
        key: &FlowKey,
        segment: &Segment<'_>,
        seen: &Seen,
        taken: &mut Taken,
    ) -> Option<usize> {
        for lane in 0..LANES {
            match self.table.find(&Place { key: *key, lane }) {
                Some(place) => {
                    let flow = &self.flows[place];
                    if lane + 1 == LANES || flow.was_on(seen.interface) || flow.is_near(segment.sequence) {
                        self.table.touch(place);
                        return Some(place);
                    }
                }
                None if segment.flags & SYN == 0 && segment.payload.is_empty() => return None,
                None => return Some(self.open(pool, Place { key: *key, lane }, taken)),
            }
        }
        None
    }

    /// A place for a flow that is new.
    fn open(&mut self, pool: &mut Pool, key: Place, taken: &mut Taken) -> usize {
        if self.table.is_full()
            && let Some(oldest) = self.table.oldest()
        {
            let flow = &mut self.flows[oldest];
            self.gaps -= u64::from(flow.has_gap());
            let bytes = pool.clear(&mut flow.held);
            self.buffered -= bytes;
            taken.dropped += bytes;
            self.counts.evicted += 1;
            self.table.remove(oldest);
        }
        self.counts.flows += 1;
        // There is a place: one was made.
        let place = self.table.insert(key).unwrap_or_default();
        let flow = &mut self.flows[place];
        *flow = Flow::new(flow.held);
        place
    }

    /// What the other side says that it has got will not be sent again, and where it is missing here it was lost here.
    fn acknowledge(&mut self, key: &FlowKey, segment: &Segment<'_>, seen: &Seen) {
        let key = key.reversed();
        for lane in 0..LANES {
            let Some(place) = self.table.find(&Place { key, lane }) else { return };
            self.flows[place].acknowledge(segment.acknowledgement, seen.arrival);
        }
    }
}
