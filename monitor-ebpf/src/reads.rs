//! Watched packets on their way to whoever else on this host reads them, and the ring in which they and those reads
//! (`sockets`) are told. Only where that was asked for: the programs are then loaded.

use core::{
    mem::{MaybeUninit, offset_of},
    ptr,
};

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP, helpers::bpf_ktime_get_ns, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use monitor_common::{InterfaceKey, Matching, READ_PACKET, READS_OFF, ReadCounters, ReadRecord};

use crate::{
    addresses::Addresses,
    bytes::{Bytes as _, Elsewhere, Window as _},
    connections,
    counting::add_shared,
    judged::Judged,
    maps::{INTERFACES, MATCHING, READ_COUNTERS, READ_PORTS, READS, READS_LOST},
    matching::{self, ETHERTYPE_IPV6, IPV6_HEADER, NO_FRAME, UDP_HEADER, Way},
    offsets,
};

/// [`READS_OFF`] or `READS_ON`: user space writes it before the programs are loaded.
#[unsafe(no_mangle)]
static READS_ASKED: u32 = READS_OFF;

/// Whether reads are told.
#[inline(always)]
pub fn asked() -> bool {
    // SAFETY: a static of this object. Volatile, or the compiler would take the value above for its own.
    unsafe { ptr::read_volatile(&raw const READS_ASKED) != READS_OFF }
}

/// Adds one to fields of this CPU's counters: of a CPU that is reading packets come in too.
macro_rules! count {
    ($counters:expr, $($field:ident),+) => {
        // SAFETY: a field of a map value that the verifier has seen to be there.
        $(add_shared(unsafe { &raw mut (*$counters).$field }, 1));+
    };
}
pub(crate) use count;

/// What is told, as [`ReadRecord`] is filled: in the widest numbers.
#[repr(C)]
pub struct Record {
    pub time_ns: u64,
    pub mark: u64,
    pub remote: [u64; 2],
    pub local: [u64; 2],
    pub name: [u64; 2],
    pub socket: u64,
    pub process: u32,
    pub netns: u32,
    pub length: u32,
    pub lost: u32,
    pub remote_port: u16,
    pub local_port: u16,
    pub transport: u8,
    pub what: u8,
    pub reserved: u16,
}

const _: () = assert!(size_of::<Record>() == size_of::<ReadRecord>());

/// Every field is where the reader looks for it.
macro_rules! same_place {
    ($($field:ident),+) => {
        $(const _: () = assert!(offset_of!(Record, $field) == offset_of!(ReadRecord, $field));)+
    };
}
same_place!(
    time_ns,
    mark,
    remote,
    local,
    name,
    socket,
    process,
    netns,
    length,
    lost,
    remote_port,
    local_port,
    transport,
    what,
    reserved
);

/// This CPU's counters.
#[inline(always)]
pub fn counters() -> Option<*mut ReadCounters> {
    READ_COUNTERS.get_ptr_mut(0)
}

/// By what a port, in the host's byte order, is looked up; in any namespace by 0.
#[inline(always)]
pub const fn port_key(netns: u32, transport: u8, port: u16) -> u64 {
    (netns as u64) << 32 | (transport as u64) << 16 | port as u64
}

/// Puts it into the ring; whether there was room. Nobody is woken: who reads looks by itself from time to time.
#[inline(always)]
pub fn submit(record: Record) -> bool {
    let Some(lost) = READS_LOST.get_ptr_mut(0) else { return false };
    let Some(mut entry) = READS.reserve_untyped::<Record>(0) else {
        add_shared(lost, 1);
        return false;
    };
    let place: *mut Record = MaybeUninit::as_mut_ptr(&mut entry);
    // SAFETY: the record is this program's until it is submitted. Volatile: other CPUs add to the number.
    unsafe { ptr::write(place, Record { lost: ptr::read_volatile(lost) as u32, ..record }) };
    entry.submit(BPF_RB_NO_WAKEUP.into());
    true
}

/// A packet is received: before the hook at tc has it. A program of its own: the hooks' own look at a packet is not to
/// grow by it, and what comes in without being asked for costs nothing more there.
#[btf_tracepoint(function = "netif_receive_skb")]
pub fn to_be_read(ctx: BtfTracePointContext) -> i32 {
    if !asked() || !offsets::known() {
        return 0;
    }
    let skb: *const u8 = ctx.arg(0);
    // SAFETY: argument 0 of this tracepoint is the packet's `struct sk_buff *`.
    let facts = unsafe { offsets::typed_facts(skb) };
    let on = InterfaceKey { netns: facts.netns, ifindex: facts.ifindex };
    // SAFETY: only asks whether the entry is there.
    if unsafe { INTERFACES.get(on) }.is_none() {
        return 0;
    }
    let Some(matching) = MATCHING.get_ptr(0) else { return 0 };
    // SAFETY: as above.
    let Some(linear) = (unsafe { offsets::typed_linear(skb) }) else { return 0 };
    let bytes = Elsewhere { start: linear.start, end: linear.end };
    let judged = matching::by_headers(bytes, matching, Way::In);
    // The ports of a fragment may stand in another.
    if !judged.is_fragment() && was_asked_for(bytes, judged, matching) {
        tell(bytes, judged, facts.netns, facts.length);
    }
    0
}

/// By the rule of the hook; where any port is asked for, of TCP the connections that the hook has found frames in.
#[inline(always)]
fn was_asked_for(bytes: Elsewhere, judged: Judged, matching: *const Matching) -> bool {
    if judged.is_matched() {
        return true;
    }
    if matching::settings(matching).any_port == 0 || !judged.is_candidate() {
        return false;
    }
    if judged.is_tcp() {
        connections::is_known(bytes, judged)
    } else {
        matching::frame_type(bytes, judged) != NO_FRAME
    }
}

#[inline(always)]
fn tell(bytes: Elsewhere, judged: Judged, netns: u32, packet_length: u32) {
    let mut addresses = Addresses::NONE;
    if !addresses.read(bytes, judged) {
        return;
    }
    let Some(transport) = bytes.window::<8>(judged.transport_header()) else { return };
    let (length, mark) = if judged.is_tcp() {
        let length = segment(bytes, judged, packet_length);
        let sequence = u32::from_be(transport.word::<4>());
        (length, u64::from(sequence.wrapping_add(length)))
    } else {
        let length = u32::from(transport.number::<4>());
        let Some(network) = bytes.window::<8>(judged.network()) else { return };
        let mark = datagram_mark(network.double::<0>(), transport.double::<0>());
        (length.saturating_sub(UDP_HEADER as u32), mark)
    };
    let Some(counters) = counters() else { return };
    if length == 0 {
        return;
    }
    let Addresses([s0, s1, d0, d1]) = addresses;
    let (remote_port, local_port) = (transport.number::<0>(), transport.number::<2>());
    let key = port_key(netns, judged.protocol(), local_port);
    // SAFETY: only asks whether the entry is there.
    if unsafe { READ_PORTS.get(key) }.is_none() {
        // Where that fails, reads of that port are not told, and its packets count as read by nobody.
        let _ = READ_PORTS.insert(key, 1, 0);
        if !judged.is_tcp() {
            let _ = READ_PORTS.insert(port_key(0, judged.protocol(), local_port), 1, 0);
        }
    }
    let submitted = submit(Record {
        // SAFETY: the helper has no precondition.
        time_ns: unsafe { bpf_ktime_get_ns() },
        mark,
        remote: [s0, s1],
        local: [d0, d1],
        name: [0; 2],
        socket: 0,
        process: 0,
        netns,
        length,
        lost: 0,
        remote_port,
        local_port,
        transport: judged.protocol(),
        what: READ_PACKET,
        reserved: 0,
    });
    count!(counters, packets);
    if submitted {
        count!(counters, packets_submitted);
    } else {
        count!(counters, packets_full);
    }
}

/// By what a datagram is known again: by the first 8 bytes of its IP header and its UDP header, as they lie in memory. Its
/// checksum alone may be left out by who sends it.
#[inline(always)]
pub const fn datagram_mark(network: u64, udp: u64) -> u64 {
    const PORTS: u64 = 0xFFFF_FFFF;
    let is_ipv4 = network & 0xF0 == 0x40;
    let identification = if is_ipv4 { network >> 32 & 0xFFFF } else { 0 };
    udp & !PORTS | identification
}

/// Bytes of payload of a TCP segment: what the IP header says; where that says nothing (BIG TCP), all there is behind
/// the headers.
#[inline(always)]
fn segment(bytes: Elsewhere, judged: Judged, packet_length: u32) -> u32 {
    let Some(payload) = matching::payload(bytes, judged) else { return 0 };
    let Some(header) = bytes.window::<8>(judged.network()) else { return 0 };
    let declared = if judged.ethertype() == ETHERTYPE_IPV6 {
        match u32::from(header.number::<4>()) {
            0 => 0,
            length => IPV6_HEADER as u32 + length,
        }
    } else {
        u32::from(header.number::<2>())
    };
    let end = if declared == 0 { packet_length } else { judged.network() as u32 + declared };
    end.saturating_sub(payload as u32)
}
