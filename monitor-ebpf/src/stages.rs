//! Stamps along the way of a packet before the hook: interrupt, softirq, `netif_receive_skb`.
//!
//! A stamp belongs to one owner and is consumed once. An interrupt's belongs to the softirq that its handler raised,
//! a softirq's to the first packet it receives, a packet's to the program that finds the same packet in its hands.
//! What is left over at the end of a softirq is cleared. So threaded NAPI (no softirq entry), RPS (no interrupt of
//! this interface on this CPU) and the second packet of a poll get none, rather than another's.

use core::ptr;

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use monitor_common::{InterfaceKey, Stages};

use crate::{
    maps::{INTERFACES, IRQS, STAGES},
    offsets,
};

/// `NET_RX_SOFTIRQ` of the kernel's `include/linux/interrupt.h`.
const NET_RX_SOFTIRQ: u32 = 3;

/// Interrupt and softirq of a packet, taken with its receive stamp.
#[derive(Clone, Copy, Default)]
pub struct ReceiveStamps {
    pub receive_ns: u64,
    pub softirq_ns: u64,
    pub irq_ns: u64,
    pub ifindex: u32,
    pub netns: u32,
}

#[btf_tracepoint(function = "irq_handler_entry")]
pub fn irq_entry(ctx: BtfTracePointContext) -> i32 {
    let irq: u32 = ctx.arg(0);
    // SAFETY: entries are written before the programs are attached and never replaced while they run.
    let Some(owner) = (unsafe { IRQS.get(irq) }) else { return 0 };
    if let Some(stages) = slot() {
        stages.handler_ns = now();
        stages.handler_ifindex = owner.ifindex;
        stages.handler_netns = owner.netns;
    }
    0
}

#[btf_tracepoint(function = "irq_handler_exit")]
pub fn irq_exit(_ctx: BtfTracePointContext) -> i32 {
    if let Some(stages) = slot() {
        stages.handler_ns = 0;
    }
    0
}

#[btf_tracepoint(function = "softirq_raise")]
pub fn softirq_raise(ctx: BtfTracePointContext) -> i32 {
    if ctx.arg::<u32>(0) != NET_RX_SOFTIRQ {
        return 0;
    }
    let Some(stages) = slot() else { return 0 };
    // The first to raise it set the time from which packets wait; later ones add nothing.
    if stages.handler_ns != 0 && stages.raised_ns == 0 {
        stages.raised_ns = stages.handler_ns;
        stages.raised_ifindex = stages.handler_ifindex;
        stages.raised_netns = stages.handler_netns;
    }
    0
}

#[btf_tracepoint(function = "softirq_entry")]
pub fn softirq_entry(ctx: BtfTracePointContext) -> i32 {
    if ctx.arg::<u32>(0) != NET_RX_SOFTIRQ {
        return 0;
    }
    let Some(stages) = slot() else { return 0 };
    stages.softirq_ns = now();
    stages.irq_ns = stages.raised_ns;
    stages.irq_ifindex = stages.raised_ifindex;
    stages.irq_netns = stages.raised_netns;
    stages.raised_ns = 0;
    0
}

#[btf_tracepoint(function = "softirq_exit")]
pub fn softirq_exit(ctx: BtfTracePointContext) -> i32 {
    if ctx.arg::<u32>(0) != NET_RX_SOFTIRQ {
        return 0;
    }
    if let Some(stages) = slot() {
        use_up_poll(stages);
        stages.packet = 0;
    }
    0
}

#[btf_tracepoint(function = "netif_receive_skb")]
pub fn receive(ctx: BtfTracePointContext) -> i32 {
    if !offsets::known() {
        return 0;
    }
    let skb: *const u8 = ctx.arg(0);
    // SAFETY: argument 0 of this tracepoint is the packet's `struct sk_buff *`.
    let facts = unsafe { offsets::typed_facts(skb) };
    let key = InterfaceKey { netns: facts.netns, ifindex: facts.ifindex };
    // SAFETY: only asks whether the entry is there.
    if unsafe { INTERFACES.get(key) }.is_none() {
        return 0;
    }
    let Some(stages) = slot() else { return 0 };
    stages.packet = skb as u64;
    stages.receive_ns = now();
    stages.receive_softirq_ns = stages.softirq_ns;
    let own_irq = stages.irq_ifindex == facts.ifindex && stages.irq_netns == facts.netns;
    stages.receive_irq_ns = if own_irq { stages.irq_ns } else { 0 };
    stages.receive_ifindex = facts.ifindex;
    stages.receive_netns = facts.netns;
    stages.receive_length = facts.length;
    use_up_poll(stages);
    0
}

/// Takes the stamps that `netif_receive_skb` left for this very packet, if it is the one that CPU received last.
#[inline(always)]
pub fn take(packet: u64) -> Option<ReceiveStamps> {
    let stages = slot()?;
    if stages.packet != packet {
        return None;
    }
    stages.packet = 0;
    Some(ReceiveStamps {
        receive_ns: stages.receive_ns,
        softirq_ns: stages.receive_softirq_ns,
        irq_ns: stages.receive_irq_ns,
        ifindex: stages.receive_ifindex,
        netns: stages.receive_netns,
    })
}

/// Whether this CPU has received this very packet last, and no program has found it in its hands yet.
#[inline(always)]
pub fn is_received(packet: u64) -> bool {
    slot().is_some_and(|stages| stages.packet == packet)
}

/// Takes the stamps of the softirq that polls this packet, before the kernel has given it a stamp of its own.
#[inline(always)]
pub fn take_early(ifindex: u32, netns: u32) -> ReceiveStamps {
    let Some(stages) = slot() else { return ReceiveStamps::default() };
    let own_irq = stages.irq_ifindex == ifindex && stages.irq_netns == netns;
    let irq_ns = if own_irq { stages.irq_ns } else { 0 };
    let softirq_ns = stages.softirq_ns;
    use_up_poll(stages);
    ReceiveStamps { receive_ns: 0, softirq_ns, irq_ns, ifindex, netns }
}

/// Clears the stamps of the softirq running now: its first packet has taken them.
#[inline(always)]
fn use_up_poll(stages: &mut Stages) {
    // Volatile: of two neighbours that are cleared the compiler makes a loop over bytes.
    // SAFETY: fields of this CPU's own slot.
    unsafe {
        ptr::write_volatile(&raw mut stages.softirq_ns, 0);
        ptr::write_volatile(&raw mut stages.irq_ns, 0);
    }
}

#[inline(always)]
fn slot() -> Option<&'static mut Stages> {
    // SAFETY: this CPU's own slot; an interrupt between two of its fields is what the ownership rules above allow for.
    STAGES.get_ptr_mut(0).map(|stages| unsafe { &mut *stages })
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper has no precondition.
    unsafe { bpf_ktime_get_ns() }
}
