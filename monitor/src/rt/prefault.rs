//! Touching memory before the first frame, so that no page fault falls into the handling of one.
//!
//! With `MCL_ONFAULT` a page is locked when it is first touched: what the real-time thread will use is touched here,
//! once, before its loop begins.

use std::hint::black_box;
use std::ptr;

use crate::sys::memory::stack_room;

/// The smallest page of the supported machines, bytes; where pages are larger some are touched more than once.
const PAGE: usize = 4096;
/// Kept free at the far end of the stack for the touching itself and for signal handlers, bytes.
const STACK_RESERVE: usize = 64 * 1024;

/// Writes to every page of `slice`, leaving its contents as they are. A buffer that was allocated zeroed has no
/// pages of its own until this.
pub fn prefault<T: Copy>(slice: &mut [T]) {
    let step = PAGE.checked_div(size_of::<T>()).unwrap_or(0).max(1);
    for element in slice.iter_mut().step_by(step) {
        // The compiler cannot see through black_box, so the store stays: reading alone would map the zero page.
        *element = black_box(*element);
    }
    if let Some(last) = slice.last_mut() {
        *last = black_box(*last);
    }
}

/// Touches `bytes` of the calling thread's stack below the caller, but never further than it reaches. Returns how many
/// bytes that were.
#[must_use = "fewer bytes than asked for mean that the thread's stack is too small"]
pub fn prefault_stack(bytes: usize) -> usize {
    let bytes = bytes.min(stack_room().unwrap_or(0).saturating_sub(STACK_RESERVE));
    let here = ptr::from_ref(&bytes).addr();
    descend(here.saturating_sub(bytes));
    bytes
}

/// Goes down the stack a page a call until one lies at or below the address `lowest`: by address, since how large a
/// frame is depends on the optimisation. Overshoots by less than two frames.
#[inline(never)]
fn descend(lowest: usize) {
    let mut page = [0_u8; PAGE];
    if black_box(&mut page).as_ptr().addr() > lowest {
        descend(lowest);
    }
    // Used after the call, so that the page stays on the stack and the call is no jump.
    black_box(&mut page);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::usage::ThreadUsage;

    /// The first run of code faults in the page it lies on; far fewer than the pages of memory looked at here.
    const FAULTS_OF_CODE: u64 = 8;

    fn faults(work: impl FnOnce()) -> u64 {
        let before = ThreadUsage::read().unwrap().minor_faults;
        work();
        ThreadUsage::read().unwrap().minor_faults - before
    }

    #[test]
    fn a_prefaulted_buffer_keeps_its_contents_and_faults_no_more() {
        const LENGTH: usize = 64 * PAGE;
        let mut buffer = vec![0_u8; LENGTH];
        buffer[PAGE] = 42;
        prefault(&mut buffer);
        assert_eq!(buffer.iter().map(|&byte| usize::from(byte)).sum::<usize>(), 42);
        assert!(faults(|| buffer.fill(1)) < FAULTS_OF_CODE);
        prefault::<u64>(&mut []);
        prefault(&mut [[0_u8; PAGE + 1]; 2]);
        prefault(&mut [(); 3]);
    }

    #[test]
    fn a_prefaulted_stack_faults_no_more_and_is_not_overrun() {
        const STACK: usize = 2 << 20;
        const DEPTH: usize = 512 * 1024;
        // A third of the pages: a frame of the unoptimised test is somewhat more than twice its array.
        const LEVELS: usize = DEPTH / PAGE / 3;
        #[inline(never)]
        fn deep(levels: usize) -> usize {
            let page = black_box([1_u8; PAGE]);
            if levels == 0 { 0 } else { deep(levels - 1) + usize::from(page[levels % PAGE]) }
        }
        let worker = std::thread::Builder::new().stack_size(STACK).spawn(|| {
            let touched = prefault_stack(DEPTH);
            assert_eq!(touched, DEPTH);
            assert!(faults(|| assert_eq!(deep(LEVELS), LEVELS)) < FAULTS_OF_CODE);
            assert!(prefault_stack(usize::MAX) < STACK);
        });
        worker.unwrap().join().unwrap();
    }
}
