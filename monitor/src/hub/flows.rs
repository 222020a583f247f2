//! What the summary says of TCP flows, IP fragments and the search for frames.

use monitor_core::event::FlowCounts;

use super::summary::Named;

/// Every count with its name.
pub(super) fn named(counts: &FlowCounts) -> Named<Named<u64>> {
    let FlowCounts { mut tcp, mut fragments, mut resync } = *counts;
    Named(vec![
        ("tcp", read(tcp.named())),
        ("fragments", read(fragments.named())),
        ("resync", read(resync.named())),
    ])
}

fn read<const N: usize>(counts: [(&'static str, &mut u64); N]) -> Named<u64> {
    Named(counts.map(|(name, number)| (name, *number)).to_vec())
}
