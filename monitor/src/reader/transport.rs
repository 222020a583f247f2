//! What carries records from the probe, as the live loop takes them: the BPF ring, or perf buffers.

use std::os::fd::BorrowedFd;

use monitor_common::Taken;

use super::{Drained, Perf, ReaderError, Ring, Sleep};

/// Where records come from. One reader at a time; no operation but [`Transport::sleep`] makes a system call, and none
/// allocates.
pub trait Transport {
    /// Hands out at most `most` records, each stream's in order and those that come meanwhile included, until `look` says
    /// false. With each record's bytes comes when it was first seen, finished, in nanoseconds of the monotonic clock. The
    /// bytes are valid during the call; their room is given back by [`Transport::commit`].
    fn drain_while(&mut self, most: usize, look: impl FnMut(&[u8], u64) -> bool) -> Drained;

    /// Looks how far records are finished, and notes the time where there are more than before. Says whether any waits.
    fn sight(&mut self) -> bool;

    /// Whether something waits to be drained.
    fn has_records(&self) -> bool;

    /// Sleeps until there is a record, one of `others` is readable, or `timeout_ns` nanoseconds are over.
    ///
    /// # Errors
    /// What ppoll says.
    fn sleep(&mut self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError>;

    /// Gives back the room of what was drained. `taken` is what readers took in all.
    fn commit(&mut self, taken: &Taken);

    /// Records that wait.
    fn pending(&self) -> u64;

    /// Marks the end of what there is now.
    fn mark_end(&mut self);

    /// Whether all up to that mark has been drained.
    fn is_past_end(&self) -> bool;

    /// What readers before this one took.
    fn taken_before(&self) -> Taken;

    /// Sleeps begun so far.
    fn sleeps(&self) -> u64;

    /// Times the next record was found unfinished.
    fn busy_heads(&self) -> u64;
}

impl Transport for Ring {
    fn drain_while(&mut self, most: usize, look: impl FnMut(&[u8], u64) -> bool) -> Drained {
        Self::drain_while(self, most, look)
    }

    fn sight(&mut self) -> bool {
        Self::sight(self)
    }

    fn has_records(&self) -> bool {
        Self::has_records(self)
    }

    fn sleep(&mut self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError> {
        Self::sleep(self, others, timeout_ns)
    }

    fn commit(&mut self, taken: &Taken) {
        Self::commit(self, taken);
    }

    fn pending(&self) -> u64 {
        Self::pending(self)
    }

    fn mark_end(&mut self) {
        Self::mark_end(self);
    }

    fn is_past_end(&self) -> bool {
        Self::is_past_end(self)
    }

    fn taken_before(&self) -> Taken {
        Self::taken_before(self)
    }

    fn sleeps(&self) -> u64 {
        Self::sleeps(self)
    }

    fn busy_heads(&self) -> u64 {
        Self::busy_heads(self)
    }
}

/// Either, for who does not read from it: before the real-time thread begins, and after it has ended.
#[expect(clippy::large_enum_variant, reason = "there is one, which is moved twice")]
pub enum Source {
    /// The BPF ring.
    Ring(Ring),
    /// Perf buffers.
    Perf(Perf),
}

impl Source {
    /// Records that wait.
    #[must_use]
    pub fn pending(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.pending(),
            Self::Perf(perf) => perf.pending(),
        }
    }

    /// What readers before this one took.
    #[must_use]
    pub fn taken_before(&self) -> Taken {
        match self {
            Self::Ring(ring) => ring.taken_before(),
            Self::Perf(perf) => perf.taken_before(),
        }
    }
}

impl From<Ring> for Source {
    fn from(ring: Ring) -> Self {
        Self::Ring(ring)
    }
}

impl From<Perf> for Source {
    fn from(perf: Perf) -> Self {
        Self::Perf(perf)
    }
}
