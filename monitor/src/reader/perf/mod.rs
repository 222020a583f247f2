//! Perf buffers in the ring's place, one for each CPU: for a comparison with the ring, and for kernels or hosts where
//! that misbehaves. The live loop takes records from it as from the ring.
//!
//! Each CPU fills its own buffer in the order of its records' stamps; a batch is merged by them. A stream whose packets
//! one CPU handles, as a card's queue has it, keeps its order; of packets that two CPUs handle at the same moment, the
//! stamps decide, as far as both are there when the batch begins.
#![expect(unsafe_code, reason = "the page shared with the probe is touched through a raw pointer")]

mod buffer;

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, fence},
};

use monitor_common::Taken;

use super::{Drained, ReaderError, Sleep, protocol, transport::Transport};
use crate::sys::{
    bpf,
    clock::monotonic_ns,
    epoll::Epoll,
    mapping::{Mapping, Protection},
    memory::page_size,
    perf::{self, Wakes},
    poll::{self, Wake},
    sched::CpuList,
};
use buffer::{Buffer, RECORD_MAX};

/// The programs' maps of perf events, one place for each CPU.
#[derive(Debug)]
pub struct PerfEvents {
    /// Where records are written.
    pub records: OwnedFd,
    /// Where marks are written that wake.
    pub wakes: OwnedFd,
}

/// The only reader of the perf buffers of all CPUs.
pub struct Perf {
    /// The events leave the maps when these are closed.
    _events: PerfEvents,
    /// Readable where a buffer's event was woken.
    epoll: Epoll,
    page: Mapping,
    buffers: Box<[Buffer]>,
    offline: Vec<usize>,
    /// Where a record that goes round the end of its buffer is put together.
    scratch: Box<[u8]>,
    sleeps: u64,
}

impl Perf {
    /// Makes the events of every CPU, maps a buffer of `bytes` (a power of two) for each, and puts them into the
    /// programs' maps; `page` is the one shared with the probe.
    ///
    /// # Errors
    /// Where the kernel refuses an event or a mapping.
    pub fn open(events: PerfEvents, bytes: usize, page: BorrowedFd<'_>) -> Result<Self, ReaderError> {
        let page = Mapping::new(page, 0, page_size(), Protection::ReadWrite)
            .map_err(|source| ReaderError::Map { what: "reader's page", source })?;
        let epoll = Epoll::new()?;
        let (mut buffers, mut offline) = (Vec::new(), Vec::new());
        for cpu in CpuList::possible().map_err(ReaderError::Cpus)?.iter() {
            match perf::output_event(cpu, Wakes::None) {
                Ok(event) => buffers.push(attach(&events, cpu, event, bytes, &epoll)?),
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => offline.push(cpu),
                Err(source) => {
                    return Err(ReaderError::PerfEvent { what: "open a perf event", cpu, source });
                }
            }
        }
        let (buffers, scratch) = (buffers.into_boxed_slice(), vec![0; RECORD_MAX].into_boxed_slice());
        let mut perf = Self { _events: events, epoll, page, buffers, offline, scratch, sleeps: 0 };
        // A vector of zeros is not in memory before it is written.
        perf.scratch.fill(1);
        Ok(perf)
    }

    /// CPUs that had no buffer made for them: what they handle, once they are online, is not read.
    #[must_use]
    pub fn offline(&self) -> &[usize] {
        &self.offline
    }

    /// Records that the kernel has said were lost for want of room. It says so before the next record that finds room:
    /// the probe's own `ring_full` counts each of them, and those not said yet.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.buffers.iter().map(Buffer::lost).sum()
    }

    /// `ReaderPage::sleeping`.
    fn flag(&self) -> &AtomicU64 {
        // SAFETY: the first word of a page that stays mapped as long as `self`; the probe only reads it.
        unsafe { AtomicU64::from_ptr(self.page.as_ptr().cast_mut().cast()) }
    }

    fn poll(&self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError> {
        let mut fds = [self.epoll.as_fd(); poll::MAX_FDS];
        let count = others.len().min(poll::MAX_FDS - 1) + 1;
        fds[1..count].copy_from_slice(&others[..count - 1]);
        Ok(match poll::poll(&fds[..count], Some(timeout_ns))? {
            // Polling takes a wake-up away, and one that came when the reader had woken by itself is there until the next
            // sleep: only who finds a record was woken by it.
            Wake::Ready(ready) if ready.readable(0) && self.has_records() => Sleep::Ring,
            Wake::Ready(_) => Sleep::Other,
            Wake::TimedOut | Wake::Interrupted => Sleep::TimedOut,
        })
    }
}

/// Maps the buffer of a CPU's event, gives it the event that wakes, and lets the probe find both.
fn attach(
    events: &PerfEvents,
    cpu: usize,
    event: OwnedFd,
    bytes: usize,
    epoll: &Epoll,
) -> Result<Buffer, ReaderError> {
    let failed = |what| move |source| ReaderError::PerfEvent { what, cpu, source };
    let buffer = Buffer::map(cpu, event.as_fd(), bytes)?;
    let waker = perf::output_event(cpu, Wakes::Each).map_err(failed("open a perf event"))?;
    perf::redirect(waker.as_fd(), event.as_fd()).map_err(failed("share a perf buffer"))?;
    epoll.add(event.as_fd())?;
    let place = u32::try_from(cpu).unwrap_or(u32::MAX);
    for (map, fd) in [(&events.records, &event), (&events.wakes, &waker)] {
        bpf::put_descriptor(map.as_fd(), place, fd.as_fd()).map_err(failed("hand the probe a perf event"))?;
    }
    Ok(buffer.keeping(event, waker))
}

impl Transport for Perf {
    fn drain_while(&mut self, most: usize, mut look: impl FnMut(&[u8], u64) -> bool) -> Drained {
        let mut drained = Drained::default();
        for _ in 0..most {
            self.sight();
            let Self { buffers, scratch, .. } = self;
            drained.marks += buffers.iter_mut().map(Buffer::seek).sum::<u64>();
            let waiting = buffers.iter_mut().filter_map(|buffer| Some((buffer.due()?, buffer)));
            let Some((due, earliest)) = waiting.min_by_key(|(due, _)| due.stamp) else { break };
            let more = look(earliest.record(scratch), due.seen);
            earliest.pass();
            drained.delivered += 1;
            if !more {
                break;
            }
        }
        drained
    }

    fn sight(&mut self) -> bool {
        let mut now = None;
        let mut any = false;
        for buffer in &mut self.buffers {
            // After the look at the kernel's position: a record is seen once it is finished, never before its own stamp.
            any |= buffer.sight(|| *now.get_or_insert_with(monotonic_ns));
        }
        any
    }

    fn has_records(&self) -> bool {
        self.buffers.iter().any(Buffer::has_more)
    }

    fn sleep(&mut self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError> {
        if self.has_records() {
            return Ok(Sleep::NotNeeded);
        }
        self.sleeps += 1;
        let slept = protocol::sleep_unless(
            &self.flag(),
            fence,
            self.sleeps,
            || self.has_records(),
            || self.poll(others, timeout_ns),
        );
        slept.unwrap_or(Ok(Sleep::NotNeeded))
    }

    /// Nobody reads after this reader: what was taken is told nowhere.
    fn commit(&mut self, _taken: &Taken) {
        self.buffers.iter_mut().for_each(Buffer::give_back);
    }

    fn pending(&self) -> u64 {
        self.buffers.iter().map(Buffer::pending).sum()
    }

    fn mark_end(&mut self) {
        self.buffers.iter_mut().for_each(Buffer::mark_end);
    }

    fn is_past_end(&self) -> bool {
        self.buffers.iter().all(Buffer::is_past_end)
    }

    fn taken_before(&self) -> Taken {
        Taken::default()
    }

    fn sleeps(&self) -> u64 {
        self.sleeps
    }

    /// A record is published when it is finished.
    fn busy_heads(&self) -> u64 {
        0
    }
}
