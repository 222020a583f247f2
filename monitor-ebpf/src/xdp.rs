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
use monitor_common::{HOOK_XDP, KIND_PACKET, RecordHeader};

use crate::{
    bytes::{Bytes as _, Direct, Window as _, opaque},
    counting::counters,
    emitting,
    judged::Judged,
    maps::MATCHING,
    matching::{self, ETHERTYPE_IPV6, IPV6_HEADER, Way},
    offsets,
    packet::{Buffer, Packet},
    stages, streams, tc,
};

#[xdp(frags)]
pub fn early(ctx: XdpContext) -> u32 {
    watch(Buffer(ctx.ctx));
    XDP_PASS
}

#[inline(always)]
fn watch(packet: Buffer) {
    let (Some(counters), Some(matching)) = (counters(), MATCHING.get_ptr(0)) else { return };
    let judged = matching::judge(packet, matching, counters, Way::In);
    let Some(kind) = tc::kind_of(counters, judged, matching, Way::In) else { return };
    // Read only now: what does not match need not pay for it, and looking at the headers took some 10 ns.
    // SAFETY: the helper has no precondition.
    let entered = unsafe { bpf_ktime_get_ns() };
    // SAFETY: a field of the context, which the verifier turns into a read of the buffer's own structure.
    let ifindex = unsafe { (*packet.0).ingress_ifindex };
    let netns = offsets::netns_of_buffer(packet.address(), matching).unwrap_or(0);
    let waited = stages::take_early(ifindex, netns);
    let mut header = RecordHeader {
        kind,
        hook: HOOK_XDP,
        receive_ns: entered,
        // Of a packet of up to 512 bytes one reading of the clock is both its receive stamp and its record's: it is in
        // the ring a tenth of a microsecond later, of which a second reading would take a good part. A longer one's
        // copying takes its time, and is measured.
        record_ns: entered,
        softirq_ns: waited.softirq_ns,
        irq_ns: waited.irq_ns,
        packet_length: length(packet, judged),
        ifindex,
        netns,
        // SAFETY: the helper has no precondition.
        cpu: unsafe { bpf_get_smp_processor_id() },
        ..RecordHeader::default()
    };
    // Before it is emitted, as at tc.
    if kind == KIND_PACKET {
        streams::count_frame(packet, judged, &mut header, matching, counters);
    }
    emitting::emit(packet, counters, &mut header);
}

/// Bytes of the packet. Of one whose IP packet ends within the linear part it is known without asking the kernel, which
/// costs as much as all the reading of its headers.
#[inline(always)]
fn length(packet: Buffer, judged: Judged) -> u32 {
    let bytes = Direct::of(packet);
    let linear = opaque(bytes.end - bytes.data);
    let Some(declared) = declared(bytes, judged) else { return packet.length() };
    // None is declared of one above 64 KiB that the kernel has merged (BIG TCP).
    if declared != 0 && judged.network() + declared <= linear { linear as u32 } else { packet.length() }
}

/// Bytes of the IP packet, as its header says.
#[inline(always)]
fn declared(bytes: Direct, judged: Judged) -> Option<usize> {
    let header = bytes.window::<6>(judged.network())?;
    if judged.ethertype() != ETHERTYPE_IPV6 {
        return Some(usize::from(header.number::<2>()));
    }
    let payload = usize::from(header.number::<4>());
    Some(if payload == 0 { 0 } else { IPV6_HEADER + payload })
}
