//! Counters of this CPU.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use monitor_common::PacketCounters;

use crate::maps::COUNTERS;

/// This CPU's counters.
#[inline(always)]
pub fn counters() -> Option<*mut PacketCounters> {
    COUNTERS.get_ptr_mut(0)
}

/// Adds to a counter and gives its former value.
///
/// Atomic although the counter is this CPU's: under PREEMPT_RT two softirqs of one CPU may interleave.
#[inline(always)]
pub fn add(counter: *mut u64, value: u64) -> u64 {
    // SAFETY: `counter` points into a map value, which lives as long as the program runs and is 8-byte aligned.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, value) }
}

/// Adds one to a field of this CPU's counters.
macro_rules! count {
    ($counters:expr, $field:ident) => {
        // SAFETY: a field of a map value that the verifier has seen to be there.
        $crate::counting::add(unsafe { &raw mut (*$counters).$field }, 1)
    };
}
pub(crate) use count;
