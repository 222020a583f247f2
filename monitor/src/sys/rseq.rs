//! Whether the calling thread has left its CPU since it last said so, without a system call.
//!
//! glibc (2.35 and later) registers an area for each thread in which a thread may name a restartable sequence, rseq(2). The
//! kernel takes the name out when it switches to another thread, moves the thread to another CPU or delivers a signal while
//! the thread is outside the sequence. The sequence named here is empty, so the thread is always outside: nothing is ever
//! restarted, and all that is left is that the name is gone. glibc itself names no sequence.
#![expect(unsafe_code, reason = "the thread's registered area is shared with the kernel")]

use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};
use std::thread;
use std::time::Duration;

/// What glibc registers areas with on x86-64 (`RSEQ_SIG`). The kernel looks for it before the address to abort to, and
/// ends a process where it is not.
const SIGNATURE: u32 = 0x5305_3053;
/// Where the area has the address of the sequence that was named (`rseq_cs`).
const NAMED_AT: usize = 8;
/// Bytes of the area that every kernel knows.
const LEAST_SIZE: u32 = 20;

/// The kernel's `struct rseq_cs`.
#[repr(C, align(32))]
struct Sequence {
    version: u32,
    flags: u32,
    start: *const u8,
    length: usize,
    abort_to: *const u8,
}

// SAFETY: it is never written, and its addresses are those of statics.
unsafe impl Sync for Sequence {}

/// The signature, and the place behind it, which is never run: nothing is aborted.
static ABORT: [u32; 2] = [SIGNATURE, 0];
/// It begins and ends where aborting would lead.
static EMPTY: Sequence = Sequence {
    version: 0,
    flags: 0,
    start: (&raw const ABORT).cast::<u8>().wrapping_add(4),
    length: 0,
    abort_to: (&raw const ABORT).cast::<u8>().wrapping_add(4),
};

/// Tells whether the calling thread has left its CPU. Each thread sets and reads its own mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftCpu {
    /// From the thread pointer to the area, for every thread the same.
    offset: isize,
}

impl LeftCpu {
    /// None where threads have no such area (another C library, an older one, or `glibc.pthread.rseq=0`), where the
    /// processor is not an x86-64, or where the kernel does not keep to what is told above: the calling thread sleeps once
    /// to find out.
    #[must_use]
    pub fn find() -> Option<Self> {
        let found = Self { offset: area_offset()? };
        found.stay();
        thread::sleep(Duration::from_nanos(1));
        let told = found.has_left();
        found.forget();
        told.then_some(found)
    }

    /// From here on.
    pub fn stay(self) {
        self.named().store((&raw const EMPTY).addr() as u64, Ordering::Relaxed);
        // What is done from here on is done after the store, as far as this thread, and the kernel on its CPU, can see.
        compiler_fence(Ordering::SeqCst);
    }

    /// Whether the thread has left its CPU, or was sent a signal, since the last [`stay`](Self::stay).
    #[must_use]
    pub fn has_left(self) -> bool {
        // Pairs with the fence in `stay`: the load is not moved before what was done in between.
        compiler_fence(Ordering::SeqCst);
        self.named().load(Ordering::Relaxed) == 0
    }

    /// Names nothing any more.
    pub fn forget(self) {
        self.named().store(0, Ordering::Relaxed);
    }

    /// The word of the calling thread's area. The kernel writes it only while the thread itself does not run.
    fn named(self) -> &'static AtomicU64 {
        let area = thread_pointer().wrapping_offset(self.offset);
        // SAFETY: glibc keeps the area, which is aligned to 32 bytes, for as long as the thread lives; the reference is
        // not kept beyond a method, and so never reaches another thread.
        unsafe { AtomicU64::from_ptr(area.add(NAMED_AT).cast()) }
    }
}

/// Where glibc says that the areas are.
#[cfg(target_arch = "x86_64")]
fn area_offset() -> Option<isize> {
    // SAFETY: the names end in NUL; nothing is called.
    let symbol = |name: &std::ffi::CStr| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let (size, offset) = (symbol(c"__rseq_size"), symbol(c"__rseq_offset"));
    if size.is_null() || offset.is_null() {
        return None;
    }
    // SAFETY: glibc exports them as `const unsigned int` and `const ptrdiff_t`.
    let (size, offset) = unsafe { (size.cast::<u32>().read(), offset.cast::<isize>().read()) };
    // 0 where nothing is registered.
    (size >= LEAST_SIZE).then_some(offset)
}

#[cfg(not(target_arch = "x86_64"))]
fn area_offset() -> Option<isize> {
    None
}

/// The thread control block, whose first word is its own address.
#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> *mut u8 {
    let pointer: *mut u8;
    // SAFETY: reads the first word of the thread control block, as the psABI for thread-local storage has it.
    unsafe {
        std::arch::asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly));
    }
    pointer
}

#[cfg(not(target_arch = "x86_64"))]
fn thread_pointer() -> *mut u8 {
    std::ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// There is one wherever the C library has areas.
    fn found() -> Option<LeftCpu> {
        let found = LeftCpu::find();
        assert_eq!(found.is_some(), area_offset().is_some());
        found
    }

    #[test]
    fn a_thread_that_sleeps_has_left_and_its_mark_is_its_own() {
        let Some(left) = found() else { return };
        let (marked, read) = (&Barrier::new(2), &Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(move || {
                left.stay();
                marked.wait();
                read.wait();
                left.forget();
            });
            marked.wait();
            assert!(left.has_left(), "this thread has set no mark");
            read.wait();
        });
        for _ in 0..100 {
            left.stay();
            thread::sleep(Duration::from_micros(1));
            assert!(left.has_left());
        }
    }

    #[test]
    fn a_thread_that_computes_stays_at_least_once() {
        let Some(left) = found() else { return };
        // It may be taken off its CPU at any time, but not every time.
        let stayed = (0..1_000_000).any(|_| {
            left.stay();
            let stayed = !left.has_left();
            left.forget();
            stayed
        });
        assert!(stayed);
    }
}
