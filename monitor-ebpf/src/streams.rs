//! What was seen of each stream, kept here so that it goes on with no reader.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use monitor_common::{Matching, PacketCounters, RecordHeader, StreamCounts};

use crate::{
    addresses::Addresses,
    bytes::{Bytes, Copied, Direct, Window as _, opaque},
    counting::{add_shared, count},
    judged::Judged,
    matching::{SYNC, UDP_HEADER, payload},
    packet::Packet,
    slots::{self, Key},
};

/// SYNC, FRAMESIZE, IDCODE: what is read of a frame.
const FRAME_BEGIN: usize = 6;
/// No payload begins so far into a packet that it would matter; the verifier wants to see that an offset is none before
/// the packet.
const OFFSET_MASK: usize = 0x7FFF;
/// The shortest frame: SYNC to FRACSEC and CHK (IEEE C37.118.2-2011, table 2).
const FRAME_MIN: u16 = 16;
/// Types of the frames that make a stream: DATA, CFG-1, CFG-2 and CFG-3, one bit each.
const STREAM_TYPES: u32 = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5;
/// A frame in a packet.
struct Frame {
    size: u16,
    idcode: u16,
}

/// Counts the frame that a packet begins with, if it makes a stream.
#[inline(always)]
pub fn count_frame(
    packet: impl Packet,
    judged: Judged,
    header: &mut RecordHeader,
    matching: *const Matching,
    counters: *mut PacketCounters,
) {
    if judged.is_fragment() {
        return;
    }
    if judged.is_copied() {
        look(Copied(packet), judged, header, matching, counters);
    } else {
        look(Direct::of(packet), judged, header, matching, counters);
    }
}

#[inline(always)]
fn look(
    bytes: impl Bytes,
    judged: Judged,
    header: &mut RecordHeader,
    matching: *const Matching,
    counters: *mut PacketCounters,
) {
    let Some(frame) = frame(bytes, judged, header.packet_length) else { return };
    let mut addresses = Addresses::NONE;
    if !addresses.read(bytes, judged) {
        return;
    }
    let key = Key::new(addresses, (header.netns, header.ifindex), frame.idcode, judged.protocol());
    match slots::find(&key, matching) {
        Some(counts) => more(counts, u64::from(frame.size), arrival(header)),
        None => count!(counters, streams_full),
    }
}

/// The frame at the beginning of the payload, where it is all there.
#[inline(always)]
fn frame(bytes: impl Bytes, judged: Judged, length: u32) -> Option<Frame> {
    let at = payload(bytes, judged)?;
    // The transport header's last 8 bytes, all of it for UDP, and the frame's first 6 by one check.
    let begin = bytes.window::<{ UDP_HEADER + FRAME_BEGIN }>(opaque(at - UDP_HEADER) & OFFSET_MASK)?;
    let (sync, second) = (begin.byte::<8>(), begin.byte::<9>());
    let (kind, version) = (second >> 4, second & 0x0F);
    let makes_stream = STREAM_TYPES >> (kind & 31) & 1 == 1 && (version == 1 || version == 2);
    if sync != SYNC || !makes_stream {
        return None;
    }
    let size = begin.number::<10>();
    let mut payload = (length as usize).wrapping_sub(at);
    if !judged.is_tcp() {
        // Behind a short datagram Ethernet puts bytes that are not its own.
        payload = payload.min(usize::from(begin.number::<4>()).wrapping_sub(UDP_HEADER));
    }
    (size >= FRAME_MIN && usize::from(size) <= payload)
        .then_some(Frame { size, idcode: begin.number::<12>() })
}

/// The receive stamp; without one the time of the record, which is later by what the packet spent in the kernel.
#[inline(always)]
fn arrival(header: &mut RecordHeader) -> u64 {
    if header.receive_ns != 0 {
        return header.receive_ns;
    }
    // SAFETY: the helper has no precondition.
    header.record_ns = unsafe { bpf_ktime_get_ns() };
    header.record_ns
}

/// Sums are exact whichever CPUs a stream is seen on. The gaps are those that each CPU sees between the last stamp
/// written and its own: exact where one CPU at a time sees the stream, which is what a card does with one flow.
#[inline(always)]
fn more(stream: *mut StreamCounts, size: u64, at: u64) {
    // SAFETY: fields of a map value, each aligned; entries are never removed.
    unsafe {
        add_shared(&raw mut (*stream).frames, 1);
        add_shared(&raw mut (*stream).bytes, size);
        let last = (*stream).last_ns;
        if at < last {
            return;
        }
        (*stream).last_ns = at;
        if last == 0 {
            return;
        }
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
