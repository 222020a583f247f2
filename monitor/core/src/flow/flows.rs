//! All flows, and the pool that they share.

use super::fragments::{Fragments, Whole};
use super::pool::Pool;
use super::tcp::Tcp;
use super::{
    Assembled, Continuity, FlowBounds, FlowKey, Found, FragmentCounts, FragmentTaken, ResyncCounts, Seen,
    Taken, TcpCounts,
};
use crate::packet::{Fragment, Lan, Segment, VlanTag};

/// What flows did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// TCP.
    pub tcp: TcpCounts,
    /// IP fragments.
    pub fragments: FragmentCounts,
    /// What the search for frames has cost, in datagrams as well.
    pub resync: ResyncCounts,
}

/// Puts TCP's segments in order, and IP's fragments together. Allocates nothing after it was made.
#[derive(Debug)]
pub struct Flows {
    pool: Pool,
    tcp: Tcp,
    fragments: Fragments,
}

impl Flows {
    /// Takes all memory that it will need.
    #[must_use]
    pub fn new(bounds: &FlowBounds) -> Self {
        let FlowBounds { flows, fragmented, pool_bytes, flow_bytes } = *bounds;
        let (flows, fragmented) = (flows.max(1), fragmented.max(1));
        let pool = Pool::new(pool_bytes, flows + fragmented, flow_bytes.max(FlowBounds::LEAST_CAP));
        Self { tcp: Tcp::new(flows, &pool), fragments: Fragments::new(fragmented, flows), pool }
    }

    /// Bytes of payload that wait.
    #[must_use]
    pub const fn buffered(&self) -> u64 {
        self.tcp.buffered() + self.fragments.buffered()
    }

    /// What was counted; of the search for frames, what it cost in TCP.
    #[must_use]
    pub const fn counts(&self) -> FlowCounts {
        FlowCounts { tcp: self.tcp.counts(), fragments: self.fragments.counts(), resync: self.tcp.resync() }
    }

    /// Whether a segment's connection is known, in either direction.
    #[must_use]
    pub fn is_known(&self, key: &FlowKey) -> bool {
        self.tcp.is_known(key)
    }

    /// Takes a TCP segment. What it completes goes to `sink`, in the order of the stream, with where its flow stands
    /// then: each byte that was received is, at any time, in what was handed over, in what [`Taken`] counts, or waits
    /// ([`Flows::buffered`]).
    pub fn push_segment(
        &mut self,
        key: &FlowKey,
        segment: &Segment<'_>,
        seen: &Seen,
        sink: &mut impl FnMut(&Seen, Found<'_>, Continuity),
    ) -> Taken {
        self.tcp.push(&mut self.pool, key, segment, seen, sink)
    }

    /// Takes an IP fragment. `lan` is the network of PRP that it came by; `ours` says whether its packet is asked for; none where the fragment does not tell.
    pub fn push_fragment(
        &mut self,
        tags: [Option<VlanTag>; 2],
        fragment: &Fragment<'_>,
        seen: &Seen,
        lan: Option<Lan>,
        ours: Option<bool>,
    ) -> FragmentTaken {
        self.fragments.push(&mut self.pool, tags, fragment, seen, lan, ours)
    }

    /// The packet that is whole with the fragment just taken; to be put back before the next one is taken.
    pub fn assemble(&mut self, whole: &Whole) -> Assembled {
        self.fragments.assemble(&self.pool, whole)
    }

    /// When and where a range of its bytes was seen.
    #[must_use]
    pub fn seen(&self, assembled: &Assembled, range: std::ops::Range<usize>) -> Seen {
        self.fragments.seen(&self.pool, assembled, range)
    }

    /// Takes an assembled packet back.
    pub fn put_back(&mut self, assembled: Assembled) {
        self.fragments.put_back(&mut self.pool, assembled);
    }
}
