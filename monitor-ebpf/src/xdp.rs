//! XDP, the earlier hook: before the kernel makes a packet of it, and before `netif_receive_skb`. Its receive stamp is
//! the program's own entry.
//!
//! Every packet goes on (`XDP_PASS`). A VLAN tag that the card has stripped is not to be seen here.

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns},
    macros::xdp,
    programs::XdpContext,
};
use monitor_common::{HOOK_XDP, KIND_PACKET, PacketCounters, RecordHeader};

use crate::{
    counting::{count, counters},
    emitting,
    matching::{self, Way},
    offsets,
    packet::Packet,
    stages, streams, tc,
};

#[xdp(frags)]
pub fn early(ctx: XdpContext) -> u32 {
    if let Some(counters) = counters() {
        watch(&ctx, counters);
    }
    XDP_PASS
}

#[inline(always)]
fn watch(ctx: &XdpContext, counters: *mut PacketCounters) {
    count!(counters, seen);
    let judged = matching::judge(ctx, Way::In);
    let Some(kind) = tc::kind_of(counters, &judged, Way::In) else { return };
    // Read only now: what does not match need not pay for it, and looking at the headers took some 10 ns.
    // SAFETY: the helper has no precondition.
    let entered = unsafe { bpf_ktime_get_ns() };
    let ifindex = ctx.ingress_ifindex() as u32;
    let netns = offsets::netns_of_buffer(ctx.address()).unwrap_or(0);
    let waited = stages::take_early(ifindex, netns);
    let mut header = RecordHeader {
        kind,
        hook: HOOK_XDP,
        receive_ns: entered,
        softirq_ns: waited.softirq_ns,
        irq_ns: waited.irq_ns,
        packet_length: ctx.length(),
        ifindex,
        netns,
        // SAFETY: the helper has no precondition.
        cpu: unsafe { bpf_get_smp_processor_id() },
        ..RecordHeader::default()
    };
    // Before it is emitted, as at tc.
    if kind == KIND_PACKET {
        streams::count_frame(ctx, &judged, &header, counters);
    }
    emitting::emit(ctx, counters, &mut header);
}
