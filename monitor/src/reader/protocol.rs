//! The order in which the reader looks at the ring, gives its room back and sleeps: each access to a word that the kernel
//! or a probe has too, with its memory ordering, over whatever memory it is given.
//!
//! [`super::Ring`] gives it its mappings; the tests give it a memory whose every interleaving is walked, and one that is
//! touched in a random order a million times. What is changed here is changed there.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(test)]
mod chance;
#[cfg(test)]
mod model;

/// A word that others read or write at the same time.
pub(super) trait Word<T> {
    fn load(&self, order: Ordering) -> T;
    fn store(&self, value: T, order: Ordering);
}

/// What the reader of a ring shares with the kernel and the probes.
pub(super) trait Shared {
    /// The producer's position.
    fn produced(&self) -> impl Word<u64>;
    /// The consumer's.
    fn consumed(&self) -> impl Word<u64>;
    /// The word before a record that says how long it is, and whether it is finished.
    fn length(&self, position: u64) -> impl Word<u32>;
    /// Which sleep the reader is in; 0 while it is awake.
    fn sleeping(&self) -> impl Word<u64>;
    fn fence(&self, order: Ordering);
}

impl Word<u64> for &AtomicU64 {
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }
}

impl Word<u32> for &AtomicU32 {
    fn load(&self, order: Ordering) -> u32 {
        AtomicU32::load(self, order)
    }

    fn store(&self, value: u32, order: Ordering) {
        AtomicU32::store(self, value, order);
    }
}

/// How far records have been begun.
pub(super) fn produced(shared: &impl Shared) -> u64 {
    // Pairs with the kernel's smp_store_release of the producer's position in __bpf_ringbuf_reserve, so that the headers
    // up to it are there.
    shared.produced().load(Ordering::Acquire)
}

/// The length word of a record that was begun.
pub(super) fn length(shared: &impl Shared, position: u64) -> u32 {
    // Pairs with the xchg in the kernel's bpf_ringbuf_commit, so that the record's bytes are there once its busy bit is
    // gone.
    shared.length(position).load(Ordering::Acquire)
}

/// Gives the room before a position back.
pub(super) fn give_back(shared: &impl Shared, position: u64) {
    // Pairs with the kernel's smp_load_acquire of the consumer's position: it may write over what was read only after the
    // reads are done.
    shared.consumed().store(position, Ordering::Release);
}

/// Sleeps by `poll`, unless there is a record behind `position` after all; then gives none. `number` is that of no sleep
/// before.
pub(super) fn sleep<T>(
    shared: &impl Shared,
    position: u64,
    number: u64,
    poll: impl FnOnce() -> T,
) -> Option<T> {
    let fence = |order| shared.fence(order);
    sleep_unless(&shared.sleeping(), fence, number, || produced(shared) > position, poll)
}

/// The same where it is another's business how records are looked for.
///
/// The flag goes up first, then a full fence, then one more look. The probe does the mirror image: submits, a full barrier
/// (the ring's atomic exchange; for a perf buffer an atomic addition), then looks at the flag. Whatever the interleaving,
/// one of the two sees what the other wrote: either the look finds the record, or the probe finds the flag and wakes. The
/// flag comes down after the sleep.
pub(super) fn sleep_unless<T>(
    flag: &impl Word<u64>,
    fence: impl FnOnce(Ordering),
    number: u64,
    has_records: impl FnOnce() -> bool,
    poll: impl FnOnce() -> T,
) -> Option<T> {
    // Relaxed, both: the fence orders the first against the look, and the flag carries nothing but itself.
    flag.store(number, Ordering::Relaxed);
    // Pairs with the xchg in bpf_ringbuf_commit, and with the barrier of monitor-ebpf's perf::wake.
    fence(Ordering::SeqCst);
    let slept = (!has_records()).then(poll);
    flag.store(0, Ordering::Relaxed);
    slept
}
