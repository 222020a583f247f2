//! The perf buffer in the ring's place, where it was asked for: one buffer for each CPU.
//!
//! A CPU has two perf events that share its buffer. To the first go the records, and it wakes nobody; to the second goes
//! a mark of four bytes, and it wakes the reader with each. So a reader is woken as the ring's is: once for each of its
//! sleeps, by the same page.

use core::{ffi::c_void, ptr};

use aya_ebpf::{bindings::BPF_F_CURRENT_CPU, btf_maps::PerfEventByteArray, helpers::bpf_ktime_get_ns};
use monitor_common::{
    PERF_FIRST_MAX, PERF_PART_BYTES, PacketCounters, RecordHeader, TRANSPORT_PERF, TRANSPORT_RING,
};

use crate::{
    bytes::opaque,
    counting::{barrier, count, next, take_back},
    emitting::Lost,
    maps::{PERF, PERF_PART, PERF_WAKE, READER},
    packet::Packet,
};

/// What carries records. User space says so before the programs are loaded; the verifier then leaves out the other.
#[unsafe(no_mangle)]
static TRANSPORT: u32 = TRANSPORT_RING;

/// Parts behind the first that one packet may be cut into: 512 KiB is the most that the kernel merges.
const FURTHER_MAX: u32 = ((512 << 10) - PERF_FIRST_MAX).div_ceil(PERF_PART_BYTES as u32);
/// Where the helper's flags have the number of bytes of the packet (`BPF_F_CTXLEN_MASK`).
const LENGTH_SHIFT: u32 = 32;
/// `-ENOSPC`: the buffer has no room.
const NO_SPACE: i64 = -28;

/// A record of a part of a packet that does not begin where the packet does: the helper only takes a packet from its
/// beginning.
#[repr(C)]
pub struct Part {
    /// Programs of this CPU that are using it: where they do not take turns, one may find it taken.
    users: u64,
    header: RecordHeader,
    bytes: [u8; PERF_PART_BYTES],
}

/// Whether the perf buffer carries the records.
#[inline(always)]
pub fn is_asked() -> bool {
    // SAFETY: a static of this object. Volatile, or the compiler would take the value above for its own.
    unsafe { ptr::read_volatile(&raw const TRANSPORT) == TRANSPORT_PERF }
}

/// Puts a packet into this CPU's buffer: its first bytes from where they lie, without a copy in between, and what is more
/// than one record holds in further ones.
#[inline(never)]
pub fn emit<P: Packet>(
    packet: P,
    counters: *mut PacketCounters,
    header: &mut RecordHeader,
) -> Result<(), Lost> {
    let length = header.packet_length;
    header.part_length = if length > PERF_FIRST_MAX { PERF_FIRST_MAX } else { length };
    output(packet, counters, header, header.part_length, size_of::<RecordHeader>() as u64)?;
    if length > PERF_FIRST_MAX { further(packet, counters, header) } else { Ok(()) }
}

/// Writes one record: the header and what stands behind it in memory, `size` bytes, and `length` bytes of the packet.
#[inline(always)]
fn output(
    packet: impl Packet,
    counters: *mut PacketCounters,
    header: &mut RecordHeader,
    length: u32,
    size: u64,
) -> Result<(), Lost> {
    // SAFETY: a field of a map value.
    let records = unsafe { &raw mut (*counters).records };
    header.sequence = next(records);
    // SAFETY: the helper has no precondition.
    header.record_ns = unsafe { bpf_ktime_get_ns() };
    let flags = u64::from(BPF_F_CURRENT_CPU as u32) | u64::from(length) << LENGTH_SHIFT;
    // SAFETY: the map is one of perf events; the caller's `size` bytes begin with the header.
    let failed = unsafe { packet.output(events(&raw const PERF), flags, ptr::from_ref(header).cast(), size) };
    if failed == 0 {
        return Ok(());
    }
    // Nobody will get it: as where the ring has no room, it is no record.
    take_back(records);
    // Anything else is of the kernel or of the packet: a CPU without events, since it was offline when they were made.
    Err(if failed == NO_SPACE { Lost::NoRoom } else { Lost::NotRead })
}

/// A map of events, as the helper takes it: aya's own calls do not tell whether a record was written.
#[inline(always)]
const fn events(map: *const PerfEventByteArray) -> *mut c_void {
    map.cast_mut().cast()
}

/// What is behind the first record's bytes.
#[inline(never)]
fn further<P: Packet>(
    packet: P,
    counters: *mut PacketCounters,
    header: &mut RecordHeader,
) -> Result<(), Lost> {
    let Some(part) = PERF_PART.get_ptr_mut(0) else { return Err(Lost::NotRead) };
    // SAFETY: a field of a map value.
    let users = unsafe { &raw mut (*part).users };
    let written = if next(users) == 1 { cut(packet, counters, header, part) } else { Err(Lost::NotRead) };
    take_back(users);
    written
}

#[inline(always)]
fn cut<P: Packet>(
    packet: P,
    counters: *mut PacketCounters,
    header: &mut RecordHeader,
    part: *mut Part,
) -> Result<(), Lost> {
    for number in 0..FURTHER_MAX {
        let offset = PERF_FIRST_MAX + number * PERF_PART_BYTES as u32;
        if offset >= header.packet_length {
            return Ok(());
        }
        let left = header.packet_length - offset;
        header.part_offset = offset;
        header.part_length = if left > PERF_PART_BYTES as u32 { PERF_PART_BYTES as u32 } else { left };
        // As where a ring's record is filled: the verifier needs both bounds of a number that it sees compared.
        let before = opaque((header.part_length as usize).wrapping_sub(1));
        if before >= PERF_PART_BYTES {
            return Err(Lost::NotRead);
        }
        let length = before + 1;
        // SAFETY: `bytes` has room for `length`, as just checked; the part is this program's alone.
        let record = unsafe {
            if packet.load(offset, (&raw mut (*part).bytes).cast(), length as u32) != 0 {
                return Err(Lost::NotRead);
            }
            ptr::write(&raw mut (*part).header, *header);
            &mut (*part).header
        };
        output(packet, counters, record, 0, (size_of::<RecordHeader>() + length) as u64)?;
    }
    if header.packet_length > PERF_FIRST_MAX + FURTHER_MAX * PERF_PART_BYTES as u32 {
        return Err(Lost::NotRead);
    }
    Ok(())
}

/// Wakes the reader if it sleeps, once for each of its sleeps: as the ring's `wake`, but that publishing a perf record is
/// no full barrier (`perf_output_put_handle` writes the head behind an `smp_wmb`), so that one stands here. The reader
/// publishes its flag, fences, and looks at every head once more: one of the two sees the other.
#[inline(never)]
pub fn wake<P: Packet>(packet: P, counters: *mut PacketCounters) {
    let Some(page) = READER.get_ptr_mut(0) else { return };
    // SAFETY: fields of map values; those of the page are written by the reader in its own mapping: hence volatile.
    let (sleep, woken) = unsafe {
        barrier(&raw mut (*counters).wakeups);
        (ptr::read_volatile(&raw const (*page).sleeping), ptr::read_volatile(&raw const (*page).woken))
    };
    if sleep == 0 || sleep == woken {
        return;
    }
    let mark = 0_u32;
    let (events, size) = (events(&raw const PERF_WAKE), size_of_val(&mark) as u64);
    // SAFETY: the map is one of perf events, the mark is of this size.
    if unsafe {
        packet.output(events, u64::from(BPF_F_CURRENT_CPU as u32), ptr::from_ref(&mark).cast(), size)
    } == 0
    {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(&raw mut (*page).woken, sleep) };
        count!(counters, wakeups);
    }
}
