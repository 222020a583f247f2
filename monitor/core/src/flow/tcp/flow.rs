//! One direction of a connection, and the desk at which it is worked on: its segments are put in [`order`], a [`gap`]
//! is waited for or given up, and what is whole is handed over as [`frames`].

mod frames;
mod gap;
mod order;

use super::recent::Recent;
use super::{Taken, TcpCounts};
use crate::flow::Continuity;
use crate::flow::framer::Expected;
use crate::flow::pool::{Held, Pool};
use crate::packet::InterfaceId;
use crate::time::Nanos;
use gap::Gap;
use order::Stray;

/// How far from where a flow is a segment may be that belongs to it: more than windows hold in which frames are sent
/// (a megabyte is minutes of them), and little of the 4 GiB of sequence numbers.
const NEAR: u32 = 1 << 20;
/// Where a flow's positions begin: nothing that is near its first byte is before 0.
const ORIGIN: u64 = NEAR as u64;

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
            gap.acknowledge(now);
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

impl<F> Desk<'_, F> {
    fn count(&mut self, flow: &mut Flow, duplicate: usize, dropped: usize) {
        flow.continuity.given_up = flow.continuity.given_up.wrapping_add(u32::from(dropped > 0));
        self.taken.duplicate += duplicate as u64;
        self.taken.dropped += dropped as u64;
        self.counts.no_place += dropped as u64;
    }
}
