//! From a packet that matched to records in the ring, and the wake-up of a reader that sleeps. Where the perf buffer was
//! asked for in the ring's place, `perf` does both.

use core::{mem::MaybeUninit, ptr};

use aya_ebpf::{
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::bpf_ktime_get_ns,
};
use monitor_common::{PacketCounters, RecordHeader, SIZE_CLASSES};

use crate::{
    bytes::opaque,
    copying,
    counting::{add, count, next},
    maps::{READER, RING},
    packet::Packet,
    perf,
};

/// Bytes that one record holds at most.
const PART_MAX: u32 = SIZE_CLASSES[SIZE_CLASSES.len() - 1] as u32;
/// Parts that one packet may be cut into: 512 KiB is the most that the kernel merges.
const PARTS_MAX: u32 = 8;
/// A reservation that only wakes: the ring rounds it up to its own header and 8 bytes.
const WAKE_MARK: usize = 8;

/// A record of one size class.
#[repr(C)]
struct Class<const N: usize> {
    header: RecordHeader,
    bytes: [u8; N],
}

/// Why a packet is not with the reader whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    NoRoom,
    NotRead,
}

/// Puts a packet into the ring, in parts where it is longer than a record can be, and counts what became of it.
#[inline(always)]
pub fn emit(packet: impl Packet, counters: *mut PacketCounters, header: &mut RecordHeader) {
    count!(counters, seen);
    // SAFETY: a field of a map value.
    header.packet = next(unsafe { &raw mut (*counters).matched });
    let length = header.packet_length as usize;
    header.part_length = header.packet_length;
    let emitted = if perf::is_asked() {
        perf::emit(packet, counters, &mut { *header })
    } else if length <= SIZE_CLASSES[0] {
        submit::<{ SIZE_CLASSES[0] }, true>(packet, counters, header)
    } else if length <= SIZE_CLASSES[1] {
        submit::<{ SIZE_CLASSES[1] }, true>(packet, counters, header)
    } else {
        // A copy, so that the header of a short packet never needs to be in memory before it is in its record.
        parts(packet, counters, &mut { *header })
    };
    match emitted {
        Ok(()) => {
            let bytes = header.packet_length.into();
            // SAFETY: fields of a map value.
            add(unsafe { [(&raw mut (*counters).submitted, 1), (&raw mut (*counters).bytes, bytes)] });
        }
        Err(Lost::NoRoom) => {
            count!(counters, ring_full);
        }
        Err(Lost::NotRead) => {
            count!(counters, read_failed);
        }
    }
    if perf::is_asked() {
        perf::wake(packet, counters);
    } else {
        wake(counters);
    }
}

/// Longer packets, whose copying costs more than a call.
#[inline(never)]
fn parts<P: Packet>(packet: P, counters: *mut PacketCounters, header: &mut RecordHeader) -> Result<(), Lost> {
    for part in 0..PARTS_MAX {
        let offset = part * PART_MAX;
        if offset >= header.packet_length {
            return Ok(());
        }
        header.part_offset = offset;
        let left = header.packet_length - offset;
        header.part_length = if left > PART_MAX { PART_MAX } else { left };
        record(packet, counters, header)?;
    }
    // Longer than the kernel ever merges: what was emitted is not the whole packet.
    if header.packet_length > PARTS_MAX * PART_MAX { Err(Lost::NotRead) } else { Ok(()) }
}

#[inline(always)]
fn record(packet: impl Packet, counters: *mut PacketCounters, header: &mut RecordHeader) -> Result<(), Lost> {
    let length = header.part_length as usize;
    if length <= SIZE_CLASSES[0] {
        submit::<{ SIZE_CLASSES[0] }, false>(packet, counters, header)
    } else if length <= SIZE_CLASSES[1] {
        submit::<{ SIZE_CLASSES[1] }, false>(packet, counters, header)
    } else if length <= SIZE_CLASSES[2] {
        submit::<{ SIZE_CLASSES[2] }, false>(packet, counters, header)
    } else if length <= SIZE_CLASSES[3] {
        submit::<{ SIZE_CLASSES[3] }, false>(packet, counters, header)
    } else if length <= SIZE_CLASSES[4] {
        submit::<{ SIZE_CLASSES[4] }, false>(packet, counters, header)
    } else if length <= SIZE_CLASSES[5] {
        submit::<{ SIZE_CLASSES[5] }, false>(packet, counters, header)
    } else {
        submit::<{ SIZE_CLASSES[6] }, false>(packet, counters, header)
    }
}

/// Reserves, copies, reads the clock, submits without waking. A whole packet that is short may be copied in place.
#[inline(always)]
fn submit<const N: usize, const WHOLE: bool>(
    packet: impl Packet,
    counters: *mut PacketCounters,
    header: &mut RecordHeader,
) -> Result<(), Lost> {
    let Some(mut entry) = RING.reserve_untyped::<Class<N>>(0) else { return Err(Lost::NoRoom) };
    // SAFETY: a field of a map value.
    header.sequence = next(unsafe { &raw mut (*counters).records });
    let record: *mut Class<N> = MaybeUninit::as_mut_ptr(&mut entry);
    // The compiler would drop the check below, which only the verifier needs; and it compares 64 bits, since of a number
    // of 32 a widened copy would be compared, from which the verifier learns nothing for the number itself. What is
    // compared is one less: that a number is not 0 tells the verifier of kernels before 6.8 nothing about its least.
    let before = opaque((header.part_length as usize).wrapping_sub(1));
    if before >= N {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return Err(Lost::NotRead);
    }
    let length = before + 1;
    // SAFETY: `bytes` has room for `N`, and `length` is no more, as just checked.
    let copied = unsafe {
        let bytes: *mut u8 = (&raw mut (*record).bytes).cast();
        WHOLE && copying::short::<N>(packet, bytes, length as u32)
            || packet.load(header.part_offset, bytes.cast(), length as u32) == 0
    };
    if !copied {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return Err(Lost::NotRead);
    }
    // SAFETY: the helper has no precondition; the record is this program's until it is submitted.
    unsafe {
        if !WHOLE || header.record_ns == 0 {
            header.record_ns = bpf_ktime_get_ns();
        }
        ptr::write(&raw mut (*record).header, *header);
    }
    entry.submit(BPF_RB_NO_WAKEUP.into());
    Ok(())
}

/// Wakes the reader if it sleeps, once for each of its sleeps.
///
/// The order is what keeps a wake-up from being lost: the submit above ends in an atomic exchange, a full barrier, so
/// the record is visible before the flag is read; the reader publishes its flag, fences, and looks for records once
/// more. One of the two sees the other. Only after the wake is it marked as done, so that a probe which is held up in
/// between costs a second wake-up, never none.
#[inline(always)]
fn wake(counters: *mut PacketCounters) {
    let Some(page) = READER.get_ptr_mut(0) else { return };
    // SAFETY: fields of a map value, written by the reader in its own mapping: hence volatile.
    let (sleep, woken) = unsafe {
        (ptr::read_volatile(&raw const (*page).sleeping), ptr::read_volatile(&raw const (*page).woken))
    };
    if sleep == 0 || sleep == woken {
        return;
    }
    if let Some(mark) = RING.reserve_untyped::<[u8; WAKE_MARK]>(0) {
        mark.discard(BPF_RB_FORCE_WAKEUP.into());
        // SAFETY: as above.
        unsafe { ptr::write_volatile(&raw mut (*page).woken, sleep) };
        count!(counters, wakeups);
    }
}
