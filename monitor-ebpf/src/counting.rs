//! Counters of this CPU.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use monitor_common::PacketCounters;

use crate::maps::COUNTERS;

/// This CPU's counters.
#[inline(always)]
pub fn counters() -> Option<*mut PacketCounters> {
    COUNTERS.get_ptr_mut(0)
}

/// Adds to a counter.
///
/// Atomic although the counter is this CPU's: under PREEMPT_RT two softirqs of one CPU may interleave.
#[inline(always)]
pub fn add(counter: *mut u64, value: u64) {
    // SAFETY: `counter` points into a map value, which lives as long as the program runs and is 8-byte aligned.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, value) };
}

/// Adds one to a counter and gives its new value.
///
/// Not relaxed: for the BPF target LLVM makes a relaxed addition one that fetches nothing, and then takes the value that
/// was added for the value fetched.
#[inline(always)]
pub fn next(counter: *mut u64) -> u64 {
    // SAFETY: as in `add`.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::AcqRel }>(counter, 1) + 1 }
}

/// Adds one to a field of this CPU's counters.
macro_rules! count {
    ($counters:expr, $field:ident) => {
        // SAFETY: a field of a map value that the verifier has seen to be there.
        $crate::counting::add(unsafe { &raw mut (*$counters).$field }, 1)
    };
}
pub(crate) use count;
