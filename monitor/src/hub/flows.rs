//! What the summary says of TCP flows, IP fragments, and the search for frames in both and in datagrams.

use monitor_core::event::{FlowCounts, FragmentCounts, ResyncCounts, TcpCounts};

use super::summary::Named;

/// Every count with its name.
pub(super) fn named(counts: &FlowCounts) -> Named<Named<u64>> {
    let FlowCounts { tcp: segments, fragments: parts, resync: search } = counts;
    Named(vec![("tcp", tcp(segments)), ("fragments", fragments(parts)), ("resync", resync(search))])
}

fn tcp(counts: &TcpCounts) -> Named<u64> {
    let TcpCounts {
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
    } = *counts;
    Named(vec![
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
    ])
}

fn fragments(counts: &FragmentCounts) -> Named<u64> {
    let FragmentCounts {
        fragments,
        whole,
        timed_out,
        evicted,
        contradicting,
        overlaps,
        duplicates,
        no_place,
    } = *counts;
    Named(vec![
        ("fragments", fragments),
        ("whole", whole),
        ("timed_out", timed_out),
        ("evicted", evicted),
        ("contradicting", contradicting),
        ("overlaps", overlaps),
        ("duplicates", duplicates),
        ("no_place", no_place),
    ])
}

fn resync(counts: &ResyncCounts) -> Named<u64> {
    let ResyncCounts { looks, checked_bytes, exhausted } = *counts;
    Named(vec![("looks", looks), ("checked_bytes", checked_bytes), ("exhausted", exhausted)])
}
