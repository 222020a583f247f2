//! Memory: how long it takes until a block can be written to, fresh from the kernel and out of a pool that was locked
//! and touched before.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;

use super::grid::Grid;
use super::spread::Spread;
use super::thread::{self, Granted};
use super::{Error, Settings, signed};
use crate::rt;
use crate::sys::clock::monotonic_ns;
use crate::sys::pages::Pages;
use crate::sys::{memory, sleep};

/// A block: 16 pages of 4 KiB, more than a UDP datagram can hold.
const BLOCK_BYTES: usize = 64 << 10;
/// Blocks of the pool, handed out in turn.
const POOL_BLOCKS: usize = 16;
/// One allocation each: most of the time the thread sleeps, and others take the caches.
pub(super) const PERIOD_NS: u64 = 200_000;
/// The most allocations of either kind.
pub(super) const MOST: u32 = 10_000;

/// What both kinds took, from asking for a block until each of its pages has been written to.
#[derive(Debug, Serialize)]
pub struct Allocation {
    /// The size of a block.
    pub block_bytes: usize,
    /// Mapped anew each time, in memory that is not locked: each page faults.
    pub fresh: Spread,
    /// Out of a pool, every page of which was touched before.
    pub prefaulted: Spread,
    /// Whether the pool was locked.
    pub prefaulted_locked: bool,
    /// What the host gave both threads.
    #[serde(skip)]
    pub granted: Granted,
}

/// Measures on the first CPU of `settings`. Takes the lock off the process's memory and puts it back.
pub(super) fn measure(settings: &Settings, stop: &Arc<AtomicBool>) -> Result<Allocation, Error> {
    const WHAT: &str = "allocation";
    let times = settings.loops.min(MOST);
    memory::unlock_all().map_err(|source| Error::System { what: WHAT, source })?;
    let request = settings.request(settings.first_cpu());
    let unlocked = rt::Request { lock_memory: false, ..request };
    let until = Arc::clone(stop);
    let fresh = thread::start(WHAT, unlocked, move || fresh(times, &until))?.join()?;
    let until = Arc::clone(stop);
    let pooled = thread::start(WHAT, request, move || pooled(times, &until))?.join()?;
    let prefaulted_locked = pooled.granted.memory_locked;
    // The first was not to be locked.
    let first = Granted { memory_locked: prefaulted_locked, ..fresh.granted };
    Ok(Allocation {
        block_bytes: BLOCK_BYTES,
        fresh: fresh.value,
        prefaulted: pooled.value,
        prefaulted_locked,
        granted: first.and(pooled.granted),
    })
}

fn fresh(times: u32, stop: &AtomicBool) -> io::Result<Spread> {
    repeat(times, stop, || {
        let begun = monotonic_ns();
        let mut block = Pages::new(BLOCK_BYTES)?;
        rt::prefault(block.as_mut_slice());
        // The block is given back after the time has been taken.
        Ok(monotonic_ns() - begun)
    })
}

fn pooled(times: u32, stop: &AtomicBool) -> io::Result<Spread> {
    let mut pool = (0..POOL_BLOCKS).map(|_| Pages::new(BLOCK_BYTES)).collect::<io::Result<VecDeque<_>>>()?;
    for block in &mut pool {
        rt::prefault(block.as_mut_slice());
    }
    repeat(times, stop, || {
        let begun = monotonic_ns();
        let mut block = pool.pop_front().ok_or(io::ErrorKind::OutOfMemory)?;
        rt::prefault(block.as_mut_slice());
        let took = monotonic_ns() - begun;
        pool.push_back(block);
        Ok(took)
    })
}

fn repeat(times: u32, stop: &AtomicBool, mut once: impl FnMut() -> io::Result<u64>) -> io::Result<Spread> {
    let mut spread = Spread::new();
    let mut grid = Grid::after(monotonic_ns(), PERIOD_NS);
    for _ in 0..times {
        if stop.load(Relaxed) {
            break;
        }
        sleep::until(grid.due_ns())?;
        spread.record(signed(once()?));
        grid.advance(monotonic_ns());
    }
    Ok(spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::usage::ThreadUsage;

    fn faults(work: impl FnOnce()) -> u64 {
        let before = ThreadUsage::read().unwrap().minor_faults;
        work();
        ThreadUsage::read().unwrap().minor_faults - before
    }

    #[test]
    fn fresh_blocks_fault_and_those_of_the_pool_do_not() {
        const TIMES: u32 = 100;
        let go = AtomicBool::new(false);
        let of_fresh = faults(|| assert_eq!(fresh(TIMES, &go).unwrap().count(), TIMES));
        let of_pool = faults(|| assert_eq!(pooled(TIMES, &go).unwrap().count(), TIMES));
        // At least one each, where the kernel maps a whole block at a fault; of the pool, its own making.
        assert!(of_fresh >= u64::from(TIMES) && of_pool < of_fresh, "{of_fresh} against {of_pool}");
    }
}
