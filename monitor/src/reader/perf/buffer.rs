//! One CPU's perf buffer: a page with both positions, then the data (`struct perf_event_mmap_page`,
//! `kernel/events/ring_buffer.c`). Mapped for writing, so that the kernel heeds what has not been read and overwrites none.
//!
//! The data is mapped once (the kernel takes no other offset than that of the page), so that a record may go round its end:
//! it is then put together elsewhere.
#![expect(unsafe_code, reason = "reads what the kernel writes, through raw pointers into a shared mapping")]

use std::{
    hint,
    mem::offset_of,
    os::fd::{BorrowedFd, OwnedFd},
    ptr, slice,
    sync::atomic::{AtomicU64, Ordering},
};

use monitor_common::RecordHeader;

use super::super::{ReaderError, sightings::Sightings};
use crate::sys::{
    mapping::{Mapping, Protection},
    memory::page_size,
};

/// Where the page has the kernel's position, and the reader's.
const HEAD: usize = 1024;
const TAIL: usize = 1032;
/// `struct perf_event_header`: type and size among others.
const HEADER: u64 = 8;
/// The length of a sample's bytes stands before them.
const RAW: u64 = HEADER + 4;
/// `PERF_RECORD_LOST`: behind the header the event's number, then how many were lost.
const LOST: u32 = 2;
const LOST_COUNT: u64 = HEADER + 8;
/// `PERF_RECORD_SAMPLE`.
const SAMPLE: u32 = 9;
/// A record says its length in 16 bits.
pub(super) const RECORD_MAX: usize = 1 << 16;
/// Where a record's stamp is. Not at a multiple of 8, so that its halves may be on both sides of the end.
const STAMP: u64 = RAW + offset_of!(RecordHeader, record_ns) as u64;
/// The shortest record; what is shorter only wakes.
const RECORD_MIN: u64 = RAW + size_of::<RecordHeader>() as u64;

/// What stands at a position.
#[derive(Clone, Copy)]
struct Entry {
    kind: u32,
    size: u64,
}

impl Entry {
    const fn is_record(self) -> bool {
        self.kind == SAMPLE && self.size >= RECORD_MIN
    }
}

/// A record whose turn it may be.
#[derive(Clone, Copy)]
pub(super) struct Due {
    /// Its own stamp, by the probe.
    pub(super) stamp: u64,
    /// When it was first seen.
    pub(super) seen: u64,
}

pub(super) struct Buffer {
    mapping: Mapping,
    /// Where the data begins in it: a page, whose size the C library is slow to tell.
    data: usize,
    /// Kept open: closed, the buffer is gone from the CPU.
    events: Option<[OwnedFd; 2]>,
    mask: u64,
    position: u64,
    sightings: Sightings,
    /// The record at the position, where one was found there.
    due: Option<Due>,
    /// The position that the kernel knows.
    given_back: u64,
    marked: u64,
    lost: u64,
}

impl Buffer {
    /// Maps an event's buffer and touches every page of it.
    pub(super) fn map(cpu: usize, event: BorrowedFd<'_>, bytes: usize) -> Result<Self, ReaderError> {
        let length = page_size() + bytes;
        let mapping = Mapping::new(event, 0, length, Protection::ReadWrite)
            .map_err(|source| ReaderError::MapPerf { cpu, source })?;
        for at in (0..length).step_by(page_size()) {
            // SAFETY: within the mapping; the value is not used, so that a race with the kernel does not matter.
            hint::black_box(unsafe { mapping.as_ptr().add(at).read_volatile() });
        }
        let mask = bytes as u64 - 1;
        let buffer = Self {
            mapping,
            data: page_size(),
            events: None,
            mask,
            position: 0,
            sightings: Sightings::from(0),
            due: None,
            given_back: 0,
            marked: 0,
            lost: 0,
        };
        // The page's first write is a page fault too.
        buffer.word(TAIL).store(0, Ordering::Relaxed);
        Ok(buffer)
    }

    /// With the events that write into it.
    pub(super) fn keeping(mut self, event: OwnedFd, waker: OwnedFd) -> Self {
        self.events = Some([event, waker]);
        self
    }

    /// Looks how far the kernel has written, and notes the time where that is further than before. Says whether it has
    /// written more than was drained.
    pub(super) fn sight(&mut self, now: impl FnOnce() -> u64) -> bool {
        let head = self.head();
        if head > self.sightings.end() && self.sightings.has_room() {
            self.sightings.note(head, now());
        }
        head > self.position
    }

    /// Whether the kernel has written more than was drained.
    pub(super) fn has_more(&self) -> bool {
        self.head() > self.position
    }

    fn head(&self) -> u64 {
        // Acquire: pairs with the smp_wmb before the kernel's write of data_head in perf_output_put_handle: whoever sees
        // the position sees the records before it.
        self.word(HEAD).load(Ordering::Acquire)
    }

    /// Steps over what is no record, up to one or the end. Gives how much that was.
    pub(super) fn seek(&mut self) -> u64 {
        let mut passed = 0;
        while self.due.is_none() {
            // What has not been seen waits until it is.
            let Some(seen) = self.sightings.of(self.position) else { break };
            let entry = self.entry(self.position, self.sightings.end());
            if entry.is_record() {
                self.due = Some(Due { stamp: self.double_at(self.position + STAMP), seen });
                break;
            }
            if entry.kind == LOST && entry.size >= LOST_COUNT + 8 {
                self.lost += self.double_at(self.position + LOST_COUNT);
            }
            self.position += entry.size;
            passed += 1;
        }
        passed
    }

    /// The record that is next.
    pub(super) const fn due(&self) -> Option<Due> {
        self.due
    }

    /// The bytes of that record. `scratch` has room for any.
    pub(super) fn record<'a>(&'a self, scratch: &'a mut [u8]) -> &'a [u8] {
        let size = self.entry(self.position, self.sightings.end()).size;
        let from = usize::try_from((self.position + RAW) & self.mask).unwrap_or(0);
        let length = usize::try_from(size - RAW).unwrap_or(0).min(scratch.len());
        let before_end = usize::try_from(self.mask + 1).unwrap_or(usize::MAX) - from;
        let data = self.data();
        if length <= before_end {
            // SAFETY: within the data area; the record is finished, and the reader's until it gives its room back.
            return unsafe { slice::from_raw_parts(data.add(from), length) };
        }
        // SAFETY: both pieces are within the data area, as above; `scratch` has `length` bytes and is no part of it.
        unsafe {
            ptr::copy_nonoverlapping(data.add(from), scratch.as_mut_ptr(), before_end);
            ptr::copy_nonoverlapping(data, scratch.as_mut_ptr().add(before_end), length - before_end);
        }
        &scratch[..length]
    }

    /// Steps over that record.
    pub(super) fn pass(&mut self) {
        if self.due.take().is_some() {
            self.position += self.entry(self.position, self.sightings.end()).size;
        }
    }

    /// Gives the room of what was drained back to the kernel.
    pub(super) fn give_back(&mut self) {
        if self.given_back == self.position {
            return;
        }
        self.given_back = self.position;
        // Release: pairs with the kernel's read of data_tail in __perf_output_begin, on which its writes depend: it may
        // write over what was read only after the reads are done.
        self.word(TAIL).store(self.position, Ordering::Release);
    }

    /// Records that have not been drained.
    pub(super) fn pending(&self) -> u64 {
        let (mut at, mut records, end) = (self.position, 0, self.head());
        while at < end {
            let entry = self.entry(at, end);
            records += u64::from(entry.is_record());
            at += entry.size;
        }
        records
    }

    pub(super) fn mark_end(&mut self) {
        self.marked = self.head();
    }

    pub(super) const fn is_past_end(&self) -> bool {
        self.position >= self.marked
    }

    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// What stands at a position before `end`. Anything else than the kernel writes is passed over to the end: the
    /// records that were in it are then missing in the sums, which say so.
    fn entry(&self, at: u64, end: u64) -> Entry {
        let (kind, word) = (self.word_at(at), self.word_at(at + 4));
        // Behind the type, 16 bits of flags and 16 of length.
        let size = u64::from(if cfg!(target_endian = "little") { word >> 16 } else { word & 0xFFFF });
        if size < HEADER || !size.is_multiple_of(8) || size > end - at {
            return Entry { kind: 0, size: end - at };
        }
        Entry { kind, size }
    }

    /// Two words that may be on both sides of the end, as one number of this machine's order.
    fn double_at(&self, at: u64) -> u64 {
        let [a, b] = [self.word_at(at), self.word_at(at + 4)].map(u32::to_ne_bytes);
        u64::from_ne_bytes([a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]])
    }

    /// The word at a multiple of 4.
    fn word_at(&self, at: u64) -> u32 {
        let offset = usize::try_from(at & self.mask & !3).unwrap_or(0);
        #[expect(
            clippy::cast_ptr_alignment,
            reason = "the data begins at a page, and the offset is a multiple of 4"
        )]
        let word = self.data().wrapping_add(offset).cast::<u32>();
        // SAFETY: within the data area and aligned. Behind the kernel's position nobody writes before the room is given
        // back; volatile, since the compiler does not know that.
        unsafe { word.read_volatile() }
    }

    fn data(&self) -> *const u8 {
        // SAFETY: the data area begins one page into the mapping.
        unsafe { self.mapping.as_ptr().add(self.data) }
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: a field of the first page, at a multiple of 8, that stays mapped as long as `self`; the kernel reads or
        // writes it at once.
        unsafe { AtomicU64::from_ptr(self.mapping.as_ptr().add(offset).cast_mut().cast()) }
    }
}
