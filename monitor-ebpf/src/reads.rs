//! Watched packets on their way to whoever else on this host reads them, and the ring in which they and those reads
//! (`sockets`) are told. Only where that was asked for: the verifier else leaves all of it out.

use core::{mem::MaybeUninit, ptr};

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use monitor_common::{READ_PACKET, READS_OFF, ReadCounters, ReadRecord, RecordHeader};

use crate::{
    addresses::Addresses,
    bytes::{Bytes, Copied, Direct, Window as _},
    counting::add_shared,
    judged::Judged,
    maps::{READ_COUNTERS, READ_PORTS, READS, READS_LOST},
    matching::{self, ETHERTYPE_IPV6, IPV6_HEADER, UDP_HEADER},
    packet::Packet,
    streams,
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

/// This CPU's counters.
#[inline(always)]
pub fn counters() -> Option<*mut ReadCounters> {
    READ_COUNTERS.get_ptr_mut(0)
}

/// By what a port is looked up, in the host's byte order.
#[inline(always)]
pub const fn port_key(transport: u8, port: u16) -> u32 {
    (transport as u32) << 16 | port as u32
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

/// The hook has a packet that matched in its hands, and lets it go on.
#[inline(always)]
pub fn note(packet: impl Packet, judged: Judged, header: &mut RecordHeader) {
    // The ports of a fragment may stand in another.
    if asked() && !judged.is_fragment() {
        let where_and_length = u64::from(header.netns) << 32 | u64::from(header.packet_length);
        remember(packet, judged, streams::arrival(header), where_and_length);
    }
}

#[inline(never)]
fn remember<P: Packet>(packet: P, judged: Judged, time_ns: u64, where_and_length: u64) {
    let judged = judged.as_if_any();
    if judged.is_copied() {
        tell(Copied(packet), judged, time_ns, where_and_length);
    } else {
        tell(Direct::of(packet), judged, time_ns, where_and_length);
    }
}

#[inline(always)]
fn tell(bytes: impl Bytes, judged: Judged, time_ns: u64, where_and_length: u64) {
    let mut addresses = Addresses::NONE;
    if !addresses.read(bytes, judged) {
        return;
    }
    let Some(transport) = bytes.window::<8>(judged.transport_header()) else { return };
    let (length, mark) = if judged.is_tcp() {
        let length = segment(bytes, judged, where_and_length as u32);
        let sequence = u32::from_be(transport.word::<4>());
        (length, u64::from(sequence.wrapping_add(length)))
    } else {
        let length = u32::from(transport.number::<4>());
        (length.saturating_sub(UDP_HEADER as u32), transport.double::<0>())
    };
    let Some(counters) = counters() else { return };
    if length == 0 {
        return;
    }
    let Addresses([s0, s1, d0, d1]) = addresses;
    let (remote_port, local_port) = (transport.number::<0>(), transport.number::<2>());
    let key = port_key(judged.protocol(), local_port);
    // SAFETY: only asks whether the entry is there.
    if unsafe { READ_PORTS.get(key) }.is_none() {
        // Where that fails, reads of that port are not told, and its packets count as read by nobody.
        let _ = READ_PORTS.insert(key, 1, 0);
    }
    let submitted = submit(Record {
        time_ns,
        mark,
        remote: [s0, s1],
        local: [d0, d1],
        name: [0; 2],
        socket: 0,
        process: 0,
        netns: (where_and_length >> 32) as u32,
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

/// Bytes of payload of a TCP segment: what the IP header says; where that says nothing (BIG TCP), all there is behind
/// the headers.
#[inline(always)]
fn segment(bytes: impl Bytes, judged: Judged, packet_length: u32) -> u32 {
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
