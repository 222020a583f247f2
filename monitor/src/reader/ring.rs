//! The BPF ring through its own mapping: no copy, one system call for each sleep and none otherwise.
//!
//! The layout is that of the kernel's kernel/bpf/ringbuf.c: a page with the consumer's position, a page with the
//! producer's, then the data area, mapped twice in a row so that no record is ever split. In what order it is touched is
//! the module `protocol`.
#![expect(unsafe_code, reason = "reads what the kernel writes, through raw pointers into shared mappings")]

use std::{
    hint,
    os::fd::{BorrowedFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, fence},
};

use monitor_common::{ReaderPage, Taken};

use super::{
    ReaderError,
    protocol::{self, Shared, Word},
    sightings::Sightings,
};
use crate::sys::{
    clock::monotonic_ns,
    mapping::{Mapping, Protection},
    poll::{self, Wake},
};

/// A record that is still being written (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// A record that was thrown away (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARD: u32 = 1 << 30;
/// Length and page offset that the ring keeps before each record (`BPF_RINGBUF_HDR_SZ`).
const HEADER: usize = 8;
/// Length of a discarded record that only wakes: not one that a packet was lost with.
const WAKE_MARK: u32 = 8;
/// How long a record that is being written is spun on. Its writer may have been preempted by this very thread.
const BUSY_SPIN_NS: u64 = 20_000;
/// How long to sleep after that, so that the writer gets to run.
const BUSY_SLEEP_NS: u64 = 50_000;

/// Which of the two slots of the page a commit is in.
const fn slot_of(commits: u64) -> usize {
    if commits.is_multiple_of(2) { 0 } else { 1 }
}

/// Where the record behind one of `size` bytes begins.
const fn after(position: u64, size: u32) -> u64 {
    position + (size as u64 + HEADER as u64).next_multiple_of(8)
}

/// What one look at the ring gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Records handed out.
    pub delivered: u64,
    /// Records thrown away by the probe.
    pub discarded: u64,
    /// Marks that only woke the reader: no records, but room that a commit gives back.
    pub marks: u64,
}

/// How a sleep went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// There were records after all; the thread did not sleep.
    NotNeeded,
    /// The ring has records.
    Ring,
    /// Somebody else wants attention.
    Other,
    /// The time ran out, or a signal came.
    TimedOut,
}

/// The only reader of a ring.
pub struct Ring {
    /// Kept open for poll.
    fd: OwnedFd,
    consumer: Mapping,
    producer: Mapping,
    page: Mapping,
    mask: u64,
    position: u64,
    sightings: Sightings,
    sleeps: u64,
    busy_heads: u64,
    /// This process: asking for it is a system call, which a batch is not to make.
    process: u64,
}

impl Ring {
    /// Maps a ring of `bytes` (a power of two) and the page shared with the probe.
    ///
    /// # Errors
    /// Where the kernel refuses a mapping.
    pub fn map(ring: BorrowedFd<'_>, bytes: usize, page: BorrowedFd<'_>) -> Result<Self, ReaderError> {
        let page_size = crate::sys::memory::page_size();
        let map = |what, fd, offset: usize, length, protection| {
            Mapping::new(fd, offset as u64, length, protection)
                .map_err(|source| ReaderError::Map { what, source })
        };
        let fd = ring.try_clone_to_owned()?;
        let consumer = map("ring's position", ring, 0, page_size, Protection::ReadWrite)?;
        let producer = map("ring", ring, page_size, page_size + 2 * bytes, Protection::Read)?;
        let page = map("reader's page", page, 0, page_size, Protection::ReadWrite)?;
        let mut ring = Self {
            fd,
            consumer,
            producer,
            page,
            mask: bytes as u64 - 1,
            position: 0,
            sightings: Sightings::from(0),
            sleeps: 0,
            busy_heads: 0,
            process: std::process::id().into(),
        };
        // A reader killed between its commit and its position has taken what it committed.
        let published = ring.consumer_position().load(Ordering::Relaxed);
        ring.position = published.max(ring.current().position);
        ring.sightings = Sightings::from(ring.position);
        protocol::give_back(&ring, ring.position);
        ring.sleeps = ring.last_sleep();
        ring.prefault(page_size, bytes);
        Ok(ring)
    }

    /// Touches every page of the ring once, so that the first records meet no page fault.
    fn prefault(&self, page_size: usize, bytes: usize) {
        for at in (0..page_size + 2 * bytes).step_by(page_size) {
            // SAFETY: within the mapping; the value is not used, so that a race with the kernel does not matter.
            hint::black_box(unsafe { self.producer.as_ptr().add(at).read_volatile() });
        }
    }

    /// Hands out at most `most` records, in order, those that come meanwhile included. `look` takes each record's bytes,
    /// which are valid only during the call. They stay in the ring until [`Ring::commit`].
    pub fn drain(&mut self, most: usize, mut look: impl FnMut(&[u8])) -> Drained {
        self.drain_while(most, |bytes, _| {
            look(bytes);
            true
        })
    }

    /// As [`Ring::drain`], but hands out no more once `look` says false. With each record comes when it was first seen,
    /// finished, in nanoseconds of the monotonic clock.
    pub fn drain_while(&mut self, most: usize, mut look: impl FnMut(&[u8], u64) -> bool) -> Drained {
        let mut drained = Drained::default();
        for _ in 0..most {
            self.sight();
            let Some((length, seen)) = self.head() else { break };
            let size = length & !DISCARD;
            let mut more = true;
            if length & DISCARD == 0 {
                drained.delivered += 1;
                more = look(self.bytes(size as usize), seen);
            } else if size == WAKE_MARK {
                drained.marks += 1;
            } else {
                drained.discarded += 1;
            }
            self.position = after(self.position, size);
            if !more {
                break;
            }
        }
        drained
    }

    /// Looks how far records are finished and notes the time where there are more than before. Says whether any record
    /// waits, finished or not.
    pub fn sight(&mut self) -> bool {
        let produced = self.produced();
        let mut end = self.sightings.end();
        if end < produced && self.sightings.has_room() {
            let before = end;
            while end < produced {
                let length = protocol::length(self, end);
                if length & BUSY != 0 {
                    break;
                }
                end = after(end, length & !DISCARD);
            }
            if end > before {
                // After the looks above: a record is seen once it is finished, so never before its own stamp.
                self.sightings.note(end, monotonic_ns());
            }
        }
        produced > self.position
    }

    /// Length word of the record at the reader's position and when it was first seen finished; none while it is being
    /// written, or where there is none.
    fn head(&mut self) -> Option<(u32, u64)> {
        if let Some(seen) = self.sightings.of(self.position) {
            return Some((protocol::length(self, self.position), seen));
        }
        if !self.has_records() {
            return None;
        }
        self.busy_heads += 1;
        let start = monotonic_ns();
        while monotonic_ns() - start < BUSY_SPIN_NS {
            self.sight();
            if let Some(seen) = self.sightings.of(self.position) {
                return Some((protocol::length(self, self.position), seen));
            }
            hint::spin_loop();
        }
        None
    }

    /// Whether a record waits, finished or not.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.produced() > self.position
    }

    /// Where the producer is: bytes since the ring was made.
    #[must_use]
    pub fn produced(&self) -> u64 {
        protocol::produced(self)
    }

    /// Whether everything before a position of the producer's has been taken.
    #[must_use]
    pub const fn is_past(&self, position: u64) -> bool {
        self.position >= position
    }

    /// Records between the reader and the producer: those that are not thrown away.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let end = self.produced();
        let (mut at, mut records) = (self.position, 0);
        while at < end {
            let length = protocol::length(self, at);
            records += u64::from(length & DISCARD == 0);
            at = after(at, length & !(BUSY | DISCARD));
        }
        records
    }

    /// Sleeps until the ring has a record, one of `others` is readable, or the time is over.
    ///
    /// # Errors
    /// What ppoll says.
    pub fn sleep(&mut self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError> {
        if self.has_records() {
            return self.rest_on_busy_head();
        }
        self.sleeps += 1;
        let slept = protocol::sleep(self, self.position, self.sleeps, || self.poll(others, timeout_ns));
        slept.unwrap_or(Ok(Sleep::NotNeeded))
    }

    fn poll(&self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError> {
        use std::os::fd::AsFd;
        let mut fds = [self.fd.as_fd(); poll::MAX_FDS];
        let count = others.len().min(poll::MAX_FDS - 1) + 1;
        fds[1..count].copy_from_slice(&others[..count - 1]);
        Ok(match poll::poll(&fds[..count], Some(timeout_ns))? {
            Wake::Ready(ready) if ready.readable(0) => Sleep::Ring,
            Wake::Ready(_) => Sleep::Other,
            Wake::TimedOut | Wake::Interrupted => Sleep::TimedOut,
        })
    }

    /// There are records, but perhaps the first is still being written by a thread that this one keeps from running:
    /// poll would return at once, so the sleep is one that only time ends.
    fn rest_on_busy_head(&mut self) -> Result<Sleep, ReaderError> {
        if protocol::length(self, self.position) & BUSY != 0 {
            poll::poll(&[], Some(BUSY_SLEEP_NS))?;
        }
        Ok(Sleep::NotNeeded)
    }

    /// Sleeps begun so far.
    #[must_use]
    pub const fn sleeps(&self) -> u64 {
        self.sleeps
    }

    /// Times the next record was found unfinished.
    #[must_use]
    pub const fn busy_heads(&self) -> u64 {
        self.busy_heads
    }

    /// What readers before this one took, as far as it is known to belong to the position that reading goes on from.
    #[must_use]
    pub fn taken_before(&self) -> Taken {
        self.current()
    }

    /// Makes what was drained count: the records up to here are taken, and their room is free again. `taken` is what
    /// readers took in all; its position is filled in here.
    ///
    /// Counts first, then which slot they are in, then the position: see [`ReaderPage`].
    pub fn commit(&mut self, taken: &Taken) {
        let commits = self.commits().load(Ordering::Relaxed);
        self.write_slot(commits + 1, Taken { position: self.position, ..*taken });
        // Release: pairs with the Acquire load in `current`, by the reader that comes after a kill: whoever sees the
        // number sees the slot that it names.
        self.commits().store(commits + 1, Ordering::Release);
        // After the commit above: a position without its counts would lose them.
        protocol::give_back(self, self.position);
    }

    fn write_slot(&self, commits: u64, taken: Taken) {
        let Some(page) = self.page.as_mut_ptr() else { return };
        let page = page.cast::<ReaderPage>().as_ptr();
        // SAFETY: the page holds a ReaderPage. The slot that is not current has no other writer and no reader: the
        // sleep protocol is in other words, and a reader that follows looks at the current one.
        unsafe {
            (&raw mut (*page).taken[slot_of(commits)]).write_volatile(taken);
            (&raw mut (*page).reader_pid).write_volatile(self.process);
        }
    }

    fn current(&self) -> Taken {
        let commits = self.commits().load(Ordering::Acquire);
        let page = self.reader_page();
        // SAFETY: the page holds a ReaderPage, and this is the only reader of the ring, so nobody writes the slot.
        unsafe { (&raw const (*page).taken[slot_of(commits)]).read_volatile() }
    }

    /// Process that read before this one, or 0.
    #[must_use]
    pub fn reader_before(&self) -> u64 {
        let page = self.reader_page();
        // SAFETY: as in `current`.
        unsafe { (&raw const (*page).reader_pid).read_volatile() }
    }

    /// Number of the last sleep that any reader began: a new one must not take the number of a sleep that a probe has
    /// ended already, or it would not be woken.
    fn last_sleep(&self) -> u64 {
        let page = self.reader_page();
        // SAFETY: the page holds a ReaderPage; probes write `woken` at any time, hence volatile.
        unsafe {
            (&raw const (*page).sleeping).read_volatile().max((&raw const (*page).woken).read_volatile())
        }
    }

    fn reader_page(&self) -> *const ReaderPage {
        self.page.as_ptr().cast()
    }

    /// `ReaderPage::commits`.
    fn commits(&self) -> &AtomicU64 {
        let page = self.reader_page();
        // SAFETY: the address of a field of the mapped page; nothing is read.
        Self::word(unsafe { &raw const (*page).commits }.cast())
    }

    fn bytes(&self, length: usize) -> &[u8] {
        // SAFETY: the record at the reader's position is finished and belongs to the reader until it publishes a
        // position behind it; the second mapping of the data area continues the first.
        unsafe { slice::from_raw_parts(self.at(self.position & self.mask).add(HEADER), length) }
    }

    /// The word that says how long the record at a position is, and whether it is finished.
    fn length_word(&self, position: u64) -> &AtomicU32 {
        // SAFETY: records begin at multiples of 8, and the kernel accesses this word atomically as well. The mapping
        // is read-only, and the word is only loaded.
        unsafe { AtomicU32::from_ptr(self.at(position & self.mask).cast_mut().cast()) }
    }

    fn at(&self, offset: u64) -> *const u8 {
        let data = crate::sys::memory::page_size();
        // SAFETY: `offset` is within the data area, which begins one page into this mapping.
        unsafe { self.producer.as_ptr().add(data + usize::try_from(offset).unwrap_or(0)) }
    }

    fn consumer_position(&self) -> &AtomicU64 {
        Self::word(self.consumer.as_ptr())
    }

    fn producer_position(&self) -> &AtomicU64 {
        Self::word(self.producer.as_ptr())
    }

    /// `ReaderPage::sleeping`.
    fn flag(&self) -> &AtomicU64 {
        Self::word(self.page.as_ptr())
    }

    fn word<'a>(start: *const u8) -> &'a AtomicU64 {
        debug_assert!(NonNull::new(start.cast_mut()).is_some());
        // SAFETY: the first word of a page that stays mapped as long as `self`, which callers' lifetimes are tied to;
        // the kernel reads and writes it atomically. Pages mapped read-only are only loaded from.
        unsafe { AtomicU64::from_ptr(start.cast_mut().cast()) }
    }
}

impl Shared for Ring {
    fn produced(&self) -> impl Word<u64> {
        self.producer_position()
    }

    fn consumed(&self) -> impl Word<u64> {
        self.consumer_position()
    }

    fn length(&self, position: u64) -> impl Word<u32> {
        self.length_word(position)
    }

    fn sleeping(&self) -> impl Word<u64> {
        self.flag()
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}
