//! Counters of this CPU.

use core::{
    arch::asm,
    intrinsics::{AtomicOrdering, atomic_xadd},
    ptr,
};

use monitor_common::PacketCounters;

use crate::maps::COUNTERS;

/// Whether a program on an interface is always done before another begins on its CPU: with softirqs off, as packets
/// are handled, it is, but under PREEMPT_RT, where softirqs of one CPU may interleave. User space finds out and writes 1
/// before the programs are loaded; the verifier then leaves out what is for the other case.
#[unsafe(no_mangle)]
static PROGRAMS_TAKE_TURNS: u32 = 0;

#[inline(always)]
fn programs_take_turns() -> bool {
    // SAFETY: a static of this object. Volatile, or the compiler would take the 0 above for its value.
    unsafe { ptr::read_volatile(&raw const PROGRAMS_TAKE_TURNS) != 0 }
}

/// This CPU's counters.
#[inline(always)]
pub fn counters() -> Option<*mut PacketCounters> {
    COUNTERS.get_ptr_mut(0)
}

/// Adds to counters of this CPU.
#[inline(always)]
pub fn add<const N: usize>(counters: [(*mut u64, u64); N]) {
    if programs_take_turns() {
        for (counter, value) in counters {
            // SAFETY: `counter` points into a map value, which lives as long as the program runs and is 8-byte aligned;
            // no other program writes it meanwhile.
            unsafe { *counter = (*counter).wrapping_add(value) };
        }
    } else {
        for (counter, value) in counters {
            add_shared(counter, value);
        }
    }
}

/// Adds to a counter that other CPUs add to.
#[inline(always)]
pub fn add_shared(counter: *mut u64, value: u64) {
    // SAFETY: `counter` points into a map value, which lives as long as the program runs and is 8-byte aligned.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, value) };
}

/// Adds one to a counter of this CPU and gives its new value.
#[inline(always)]
pub fn next(counter: *mut u64) -> u64 {
    if programs_take_turns() {
        // SAFETY: as in `add`.
        unsafe {
            *counter += 1;
            return *counter;
        }
    }
    // Not relaxed: for the BPF target LLVM makes a relaxed addition one that fetches nothing, and then takes the value
    // that was added for the value fetched.
    // SAFETY: as in `add_shared`.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::AcqRel }>(counter, 1) + 1 }
}

/// Takes back what [`next`] has added.
#[inline(always)]
pub fn take_back(counter: *mut u64) {
    add([(counter, u64::MAX)]);
}

/// A full memory barrier, by an atomic addition of nothing to a counter of this CPU: one that fetches is fully ordered
/// (the kernel's Documentation/bpf/standardization/instruction-set.rst), and a fence the target has not. Written out, or
/// the compiler would make of it an addition that fetches nothing.
#[inline(always)]
pub fn barrier(counter: *mut u64) {
    // SAFETY: `counter` points into a map value and is 8-byte aligned; its value does not change.
    unsafe { asm!("{0} = atomic_fetch_add((u64 *)({1} + 0), {0})", inout(reg) 0_u64 => _, in(reg) counter) };
}

/// Adds one to fields of this CPU's counters.
macro_rules! count {
    ($counters:expr, $($field:ident),+) => {
        // SAFETY: fields of a map value that the verifier has seen to be there.
        $crate::counting::add(unsafe { [$((&raw mut (*$counters).$field, 1)),+] })
    };
}
pub(crate) use count;
