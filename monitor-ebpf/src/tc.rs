//! tc ingress, where packets are matched and copied, and tc egress, where commands leave this host.
//!
//! Every packet goes on to whatever else runs on the interface (`TC_ACT_UNSPEC`): this is a listener.

use core::ptr;

use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_UNSPEC},
    helpers::bpf_get_smp_processor_id,
    macros::classifier,
    programs::TcContext,
};
use monitor_common::{
    FLAG_VLAN, HOOK_TC_EGRESS, HOOK_TC_INGRESS, KIND_CANDIDATE, KIND_PACKET, Matching, PacketCounters,
    RecordHeader,
};

use crate::{
    counting::{add_shared, count, counters},
    drops, emitting,
    judged::Judged,
    maps::{ETHERTYPES, MATCHING},
    matching::{self, Way},
    offsets,
    packet::{Packet, Skb},
    stages, streams,
};

/// Whether the card was asked to stamp packets. User space writes 1 before the programs are loaded; else the verifier
/// leaves the reading out, which is of memory behind the packet that nothing else here looks at.
#[unsafe(no_mangle)]
static HARDWARE_STAMPS: u32 = 0;

#[inline(always)]
fn reads_hardware_stamps() -> bool {
    // SAFETY: a static of this object. Volatile, or the compiler would take the 0 above for its value.
    unsafe { ptr::read_volatile(&raw const HARDWARE_STAMPS) != 0 }
}

#[classifier]
pub fn ingress(ctx: TcContext) -> i32 {
    watch(Skb(ctx.skb.skb), Way::In);
    TC_ACT_UNSPEC
}

#[classifier]
pub fn egress(ctx: TcContext) -> i32 {
    watch(Skb(ctx.skb.skb), Way::Out);
    TC_ACT_UNSPEC
}

#[inline(always)]
fn watch(packet: Skb, way: Way) {
    let (Some(counters), Some(matching)) = (counters(), MATCHING.get_ptr(0)) else { return };
    let judged = matching::judge(packet, matching, counters, way);
    let Some(kind) = kind_of(counters, judged, matching, way) else { return };
    let mut header = RecordHeader { kind, ..RecordHeader::default() };
    describe(packet, &mut header);
    match way {
        Way::In => stamp_incoming(packet, matching, counters, &mut header),
        Way::Out => stamp_outgoing(packet, matching, &mut header),
    }
    // Counted before it is emitted: what the headers say is then forgotten, or the verifier would follow every way
    // through them into every size class.
    if way == Way::In && kind == KIND_PACKET {
        drops::handed_on(packet, judged, &header);
        streams::count_frame(packet, judged, &mut header, matching, counters);
    }
    emitting::emit(packet, counters, &mut header);
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(
        &TcContext::new(packet.0),
        "interface {} of namespace {}: {} bytes, kind {}, stamp {}",
        header.ifindex,
        header.netns,
        header.packet_length,
        header.kind,
        header.receive_ns
    );
}

/// The kind of record to emit, if any; what is not emitted is counted.
#[inline(always)]
pub fn kind_of(
    counters: *mut PacketCounters,
    judged: Judged,
    matching: *const Matching,
    way: Way,
) -> Option<u8> {
    if judged.is_matched() {
        return Some(KIND_PACKET);
    }
    if way == Way::In && matching::payload_decides(matching) {
        discover(judged.ethertype(), matching);
        if judged.is_candidate() {
            return Some(KIND_CANDIDATE);
        }
    }
    count!(counters, seen, ignored);
    None
}

/// What the packet's metadata says.
#[inline(always)]
fn describe(Skb(skb): Skb, header: &mut RecordHeader) {
    let skb: *const __sk_buff = skb;
    // SAFETY: fields of the context, which the verifier turns into reads of the packet's metadata.
    unsafe {
        header.packet_length = (*skb).len;
        header.ifindex = (*skb).ifindex;
        header.segments = (*skb).gso_segs as u16;
        header.segment_size = (*skb).gso_size as u16;
        if (*skb).vlan_present != 0 {
            header.flags |= FLAG_VLAN;
            header.vlan_tci = (*skb).vlan_tci as u16;
            header.vlan_protocol = u16::from_be((*skb).vlan_proto as u16);
        }
        header.cpu = bpf_get_smp_processor_id();
    }
}

#[inline(always)]
fn stamp_incoming(
    packet: Skb,
    matching: *const Matching,
    counters: *mut PacketCounters,
    header: &mut RecordHeader,
) {
    header.hook = HOOK_TC_INGRESS;
    if reads_hardware_stamps() {
        // SAFETY: a field of the context.
        header.hardware_ns = unsafe { (*packet.0).hwtstamp };
    }
    let Some(stamps) = stages::take(packet.address() as u64) else {
        count!(counters, unattributed);
        header.netns = offsets::netns_of(packet.address(), matching).unwrap_or(0);
        return;
    };
    header.netns = stamps.netns;
    if stamps.ifindex != header.ifindex {
        // The offsets read something that is not this packet's interface: none of it is to be believed.
        count!(counters, offset_mismatch);
        return;
    }
    header.receive_ns = stamps.receive_ns;
    header.softirq_ns = stamps.softirq_ns;
    header.irq_ns = stamps.irq_ns;
}

#[inline(always)]
fn stamp_outgoing(packet: Skb, matching: *const Matching, header: &mut RecordHeader) {
    header.hook = HOOK_TC_EGRESS;
    header.netns = offsets::netns_of(packet.address(), matching).unwrap_or(0);
}

/// Counts a packet that did not match, while user space asks what else is on the wire.
#[inline(always)]
fn discover(ethertype: u16, matching: *const Matching) {
    // SAFETY: a field of a map value.
    if unsafe { (*matching).settings.discover } == 0 {
        return;
    }
    let key = u32::from(ethertype);
    if let Some(packets) = ETHERTYPES.get_ptr_mut(key) {
        add_shared(packets, 1);
    } else {
        // A full table loses the count of one more ethertype, nothing else.
        let _ = ETHERTYPES.insert(key, 1, 0);
    }
}
