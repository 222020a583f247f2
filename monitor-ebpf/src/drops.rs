//! Watched packets that the kernel throws away (`kfree_skb`), with the kernel's reason, and whether the hook had them in
//! its hands. Only where that was asked for: the program is then loaded, and the hook remembers what it hands on.
//!
//! Where a packet was dropped is told by evidence alone. Before the hook: this CPU has received it last, and the hook has
//! not taken it. After the hook: it is remembered as handed on, by its address and by what is in its headers, since
//! the kernel uses an address again; or the hook is at XDP, where what comes in is not yet such a packet. Of any other
//! nothing is known: it was queued before it was received, is a copy, leaves this host, or was forgotten.

use core::ptr;

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use monitor_common::{
    DROPS_OFF, DROPS_TC, DROPS_XDP, DropCounters, DropRecord, Handed, InterfaceKey, Matching,
    PLACE_AFTER_HOOK, PLACE_BEFORE_HOOK, PLACE_UNKNOWN, RecordHeader,
};

use crate::{
    addresses::Addresses,
    bytes::{Bytes, Direct, Elsewhere, Window as _, opaque},
    counting::add_shared,
    judged::Judged,
    maps::{DROP_COUNTERS, DROPS, HANDED, INTERFACES, MATCHING},
    matching::{self, ETHERTYPE_IPV6, IPV6_HEADER, NO_FRAME, Way},
    offsets, others,
    packet::Skb,
    stages,
};

/// [`DROPS_OFF`], [`DROPS_TC`] or [`DROPS_XDP`]: user space writes it before the programs are loaded, and the verifier
/// leaves out what is not asked for.
#[unsafe(no_mangle)]
static DROPS_ASKED: u32 = DROPS_OFF;

#[inline(always)]
fn asked() -> u32 {
    // SAFETY: a static of this object. Volatile, or the compiler would take the 0 above for its value.
    unsafe { ptr::read_volatile(&raw const DROPS_ASKED) }
}

/// Adds one to a field of this CPU's counters: packets are dropped in interrupts too.
macro_rules! count {
    ($counters:expr, $field:ident) => {
        // SAFETY: a field of a map value that the verifier has seen to be there.
        add_shared(unsafe { &raw mut (*$counters).$field }, 1)
    };
}

/// A packet as [`DropRecord`] is filled: in the widest numbers.
#[repr(C)]
struct Record {
    time_ns: u64,
    addresses: [u64; 4],
    reason: u32,
    netns: u32,
    ifindex: u32,
    length: u32,
    ports: [u16; 2],
    protocol: u8,
    place: u8,
    reserved: u16,
}

const _: () = assert!(size_of::<Record>() == size_of::<DropRecord>());

/// The hook has a packet that matched in its hands, and lets it go on.
#[inline(always)]
pub fn handed_on(packet: Skb, judged: Judged, header: &RecordHeader) {
    // Headers that are not in the linear part would not be found there when it is dropped.
    if asked() == DROPS_TC && !judged.is_copied() {
        remember(packet, judged, header.netns, header.ifindex);
    }
}

#[inline(never)]
fn remember(packet: Skb, judged: Judged, netns: u32, ifindex: u32) {
    if let Some(handed) = fingerprint(Direct::of(packet), judged.as_if_any(), InterfaceKey { netns, ifindex })
    {
        let key = packet.0 as u64;
        // Where there is no room even after the oldest were forgotten, this one is not known again.
        let _ = HANDED.insert(key, handed, 0);
    }
}

#[inline(always)]
fn fingerprint(bytes: impl Bytes, judged: Judged, on: InterfaceKey) -> Option<Handed> {
    let network = bytes.window::<8>(judged.network())?.double::<0>();
    let transport = bytes.window::<8>(judged.transport_header())?.double::<0>();
    Some(Handed { network, transport, netns: on.netns, ifindex: on.ifindex })
}

#[btf_tracepoint(function = "kfree_skb")]
pub fn dropped(ctx: BtfTracePointContext) -> i32 {
    let hook = asked();
    let (Some(counters), Some(matching)) = (DROP_COUNTERS.get_ptr_mut(0), MATCHING.get_ptr(0)) else {
        return 0;
    };
    if hook == DROPS_OFF || !offsets::known() {
        return 0;
    }
    count!(counters, seen);
    let (skb, reason): (*const u8, u32) = (ctx.arg(0), ctx.arg(2));
    let packet = skb as u64;
    // SAFETY: read at once. Another CPU may take its place for another packet: then it is not known again.
    let (handed, is_handed) = match unsafe { HANDED.get(packet) } {
        Some(one) => (*one, true),
        None => (Handed::default(), false),
    };
    // The compiler would combine the pointers that were found rather than the answers; the verifier takes none of it.
    let is_handed = settled(is_handed);
    if is_handed {
        let _ = HANDED.remove(packet);
    }
    // SAFETY: argument 0 of this tracepoint is the packet's `struct sk_buff *`.
    let facts = unsafe { offsets::typed_facts(skb) };
    let on = InterfaceKey { netns: facts.netns, ifindex: facts.ifindex };
    // SAFETY: only asks whether the entry is there.
    let watched = settled(unsafe { INTERFACES.get(on) }.is_some());
    if !is_handed && !watched {
        count!(counters, ignored);
        return 0;
    }
    // SAFETY: as above.
    let Some(linear) = (unsafe { offsets::typed_linear(skb) }) else {
        count!(counters, ignored);
        return 0;
    };
    let bytes = Elsewhere { start: linear.start, end: linear.end };
    let judged = matching::by_headers(bytes, matching, Way::In);
    let was_on = InterfaceKey { netns: handed.netns, ifindex: handed.ifindex };
    let known = settled(
        is_handed && fingerprint(bytes, judged, was_on).is_some_and(|found| is_same(&found, &handed)),
    );
    if !(known || watched && was_asked_for(bytes, judged, matching)) {
        count!(counters, ignored);
        return 0;
    }
    count!(counters, matched);
    // What was received last on this CPU comes first: it may be a copy of what stood at that address before.
    let place = if hook == DROPS_TC && stages::is_received(packet) {
        PLACE_BEFORE_HOOK
    } else if known || hook == DROPS_XDP && linear.came_in_on != 0 {
        PLACE_AFTER_HOOK
    } else {
        PLACE_UNKNOWN
    };
    let on = if known { was_on } else { on };
    tell(bytes, judged, on, (reason, place), counters);
    0
}

/// An answer that the compiler takes as it is.
#[inline(always)]
fn settled(answer: bool) -> bool {
    opaque(answer.into()) != 0
}

#[inline(always)]
const fn is_same(one: &Handed, other: &Handed) -> bool {
    one.network == other.network && one.transport == other.transport
}

/// By the rule of the hook; where any port is asked for, of TCP only what the hook has handed on.
#[inline(always)]
fn was_asked_for(bytes: Elsewhere, judged: Judged, matching: *const Matching) -> bool {
    if judged.is_matched() {
        return true;
    }
    let any_port = matching::settings(matching).any_port != 0;
    any_port
        && judged.is_candidate()
        && !judged.is_tcp()
        && (matching::frame_type(bytes, judged) != NO_FRAME || others::begins(bytes, judged))
}

#[inline(always)]
fn tell(
    bytes: Elsewhere,
    judged: Judged,
    on: InterfaceKey,
    (reason, place): (u32, u8),
    counters: *mut DropCounters,
) {
    let mut addresses = Addresses::NONE;
    addresses.read(bytes, judged);
    let ports = match bytes.window::<4>(judged.transport_header()) {
        Some(ports) if !judged.is_fragment() => [ports.number::<0>(), ports.number::<2>()],
        _ => [0; 2],
    };
    let Some(mut entry) = DROPS.reserve_untyped::<Record>(0) else {
        count!(counters, ring_full);
        return;
    };
    entry.write(Record {
        // SAFETY: the helper has no precondition.
        time_ns: unsafe { bpf_ktime_get_ns() },
        addresses: addresses.0,
        reason,
        netns: on.netns,
        ifindex: on.ifindex,
        length: length(bytes, judged),
        ports,
        protocol: judged.protocol(),
        place,
        reserved: 0,
    });
    entry.submit(0);
    count!(counters, submitted);
}

/// Bytes of the IP packet, as its header says.
#[inline(always)]
fn length(bytes: Elsewhere, judged: Judged) -> u32 {
    let Some(header) = bytes.window::<8>(judged.network()) else { return 0 };
    if judged.ethertype() == ETHERTYPE_IPV6 {
        IPV6_HEADER as u32 + u32::from(header.number::<4>())
    } else {
        header.number::<2>().into()
    }
}
