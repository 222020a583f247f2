//! What was seen of each stream, kept here so that it goes on with no reader: counted after the record is in the ring,
//! where it costs no frame its time.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use monitor_common::{PacketCounters, RecordHeader, StreamCounts, StreamKey};

use crate::{
    bytes::{Bytes, Copied, Direct, opaque},
    counting::{add, count},
    maps::STREAMS,
    matching::{ETHERTYPE_IPV6, Judged, PROTOCOL_UDP, SYNC, UDP_HEADER},
    packet::Packet,
};

/// SYNC, FRAMESIZE, IDCODE: what is read of a frame.
const FRAME_BEGIN: usize = 6;
/// The shortest frame: SYNC to FRACSEC and CHK (IEEE C37.118.2-2011, table 2).
const FRAME_MIN: u16 = 16;
/// Types of the frames that make a stream: DATA, CFG-1, CFG-2 and CFG-3, one bit each.
const STREAM_TYPES: u32 = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5;
/// Where the addresses stand in an IP header.
const IPV4_ADDRESSES: usize = 12;
const IPV6_ADDRESSES: usize = 8;
/// What stands before an IPv4 address in an IPv4-mapped one, as its last word lies in memory.
const MAPPED: u32 = 0x0000_FFFF_u32.to_be();

/// A frame in a packet.
struct Frame {
    size: u16,
    idcode: u16,
}

/// Counts the frame that a packet begins with, if it makes a stream.
#[inline(always)]
pub fn count_frame(
    packet: &impl Packet,
    judged: &Judged,
    header: &RecordHeader,
    counters: *mut PacketCounters,
) {
    if judged.headers.fragment {
        return;
    }
    if judged.linear {
        look(&Direct::of(packet), judged, header, counters);
    } else {
        look(&Copied(packet), judged, header, counters);
    }
}

#[inline(always)]
fn look(bytes: &impl Bytes, judged: &Judged, header: &RecordHeader, counters: *mut PacketCounters) {
    let Some(frame) = frame(bytes, judged, header.packet_length) else { return };
    // Source and destination, 4 words each.
    let mut addresses = [0_u32; 8];
    if !read_addresses(bytes, judged, &mut addresses) {
        return;
    }
    // SAFETY: plain old data of the same size.
    let [source, destination] = unsafe { core::mem::transmute::<[u32; 8], [[u8; 16]; 2]>(addresses) };
    let key = StreamKey {
        source,
        destination,
        netns: header.netns,
        ifindex: header.ifindex,
        idcode: frame.idcode,
        transport: judged.headers.protocol,
        reserved: 0,
    };
    note(&key, u64::from(frame.size), arrival(header), counters);
}

#[inline(always)]
fn read_addresses(bytes: &impl Bytes, judged: &Judged, to: &mut [u32; 8]) -> bool {
    let network = judged.headers.network;
    if judged.headers.ethertype == ETHERTYPE_IPV6 {
        return bytes.words(network + IPV6_ADDRESSES, to);
    }
    let mut both = [0_u32; 2];
    let read = bytes.words(network + IPV4_ADDRESSES, &mut both);
    [to[2], to[3], to[6], to[7]] = [MAPPED, both[0], MAPPED, both[1]];
    read
}

/// The frame at the beginning of the payload, where it is all there.
#[inline(always)]
fn frame(bytes: &impl Bytes, judged: &Judged, length: u32) -> Option<Frame> {
    let at = judged.headers.payload;
    // The transport header's last 8 bytes, all of it for UDP, and the frame's first 6 by one check.
    let begin: [u8; UDP_HEADER + FRAME_BEGIN] = bytes.header(opaque(at - UDP_HEADER))?;
    let [_, _, _, _, u0, u1, _, _, sync, second, s0, s1, i0, i1] = begin;
    let (kind, version) = (second >> 4, second & 0x0F);
    let makes_stream = STREAM_TYPES >> (kind & 31) & 1 == 1 && (version == 1 || version == 2);
    if sync != SYNC || !makes_stream {
        return None;
    }
    let size = u16::from_be_bytes([s0, s1]);
    let mut payload = (length as usize).wrapping_sub(at);
    if judged.headers.protocol == PROTOCOL_UDP {
        // Behind a short datagram Ethernet puts bytes that are not its own.
        payload = payload.min(usize::from(u16::from_be_bytes([u0, u1])).wrapping_sub(UDP_HEADER));
    }
    (size >= FRAME_MIN && usize::from(size) <= payload)
        .then_some(Frame { size, idcode: u16::from_be_bytes([i0, i1]) })
}

/// The receive stamp; without one the time of the record, which is later by what the packet spent in the kernel.
#[inline(always)]
fn arrival(header: &RecordHeader) -> u64 {
    if header.receive_ns != 0 {
        header.receive_ns
    } else if header.record_ns != 0 {
        header.record_ns
    } else {
        // SAFETY: the helper has no precondition.
        unsafe { bpf_ktime_get_ns() }
    }
}

#[inline(always)]
fn note(key: &StreamKey, size: u64, at: u64, counters: *mut PacketCounters) {
    if let Some(stream) = STREAMS.get_ptr_mut(key) {
        more(stream, size, at);
        return;
    }
    let first = StreamCounts { frames: 1, bytes: size, last_ns: at, ..StreamCounts::default() };
    // No flag: where another CPU was first with this very stream, one of its first two frames is not counted.
    if STREAMS.insert(key, first, 0).is_err() {
        count!(counters, streams_full);
    }
}

/// Sums are exact whichever CPUs a stream is seen on. The gaps are those that each CPU sees between the last stamp
/// written and its own: exact where one CPU at a time sees the stream, which is what a card does with one flow.
#[inline(always)]
fn more(stream: *mut StreamCounts, size: u64, at: u64) {
    // SAFETY: fields of a map value, each aligned; entries are never removed by the programs.
    unsafe {
        add(&raw mut (*stream).frames, 1);
        add(&raw mut (*stream).bytes, size);
        let last = (*stream).last_ns;
        if at < last {
            return;
        }
        (*stream).last_ns = at;
        let gap = if at == last { 1 } else { at - last };
        let shortest = (*stream).gap_min_ns;
        if shortest == 0 || gap < shortest {
            (*stream).gap_min_ns = gap;
        }
        if gap > (*stream).gap_max_ns {
            (*stream).gap_max_ns = gap;
        }
    }
}
