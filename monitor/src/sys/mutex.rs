//! A mutex of the C library whose holder can inherit the priority of whoever waits for it (`PTHREAD_PRIO_INHERIT`),
//! which the standard library's cannot.
#![expect(unsafe_code, reason = "the pthread_mutex_* calls")]

use std::cell::UnsafeCell;
use std::io;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};

/// What becomes of the holder's priority while one of a higher priority waits
/// (`pthread_mutexattr_setprotocol(3p)`). The numbers are those of glibc and of musl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Protocol {
    /// Nothing (`PTHREAD_PRIO_NONE`).
    Plain = 0,
    /// It is raised to the waiter's (`PTHREAD_PRIO_INHERIT`).
    Inherit = 1,
}

/// A mutex that guards no data of its own.
#[derive(Debug)]
pub struct PosixMutex {
    /// Behind a pointer, since a mutex must not move.
    inner: ManuallyDrop<Box<UnsafeCell<libc::pthread_mutex_t>>>,
}

// SAFETY: a POSIX mutex is made to be used from any thread; it is destroyed only when nobody borrows it.
unsafe impl Send for PosixMutex {}
// SAFETY: as above.
unsafe impl Sync for PosixMutex {}

impl PosixMutex {
    /// A new one that nobody holds.
    ///
    /// # Errors
    /// `ENOTSUP` where the C library or the kernel cannot inherit priorities.
    pub fn new(protocol: Protocol) -> io::Result<Self> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: the pointer is valid for the attributes, which the call initialises.
        posix(unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) })?;
        let inner = Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
        // SAFETY: the call above has initialised the attributes.
        let set =
            posix(unsafe { libc::pthread_mutexattr_setprotocol(attributes.as_mut_ptr(), protocol as i32) });
        // SAFETY: the attributes are initialised; nobody else knows the mutex, which is in the box for good.
        let made =
            set.and_then(|()| posix(unsafe { libc::pthread_mutex_init(inner.get(), attributes.as_ptr()) }));
        // SAFETY: the attributes are initialised and not used after this.
        unsafe { libc::pthread_mutexattr_destroy(attributes.as_mut_ptr()) };
        made.map(|()| Self { inner: ManuallyDrop::new(inner) })
    }

    fn pointer(&self) -> *mut libc::pthread_mutex_t {
        self.inner.get()
    }

    /// Waits until nobody holds it, and holds it until the guard is dropped. A thread that holds it already waits for
    /// ever.
    ///
    /// # Errors
    /// `EDEADLK` where the kernel notices that the thread would wait for itself.
    pub fn lock(&self) -> io::Result<Guard<'_>> {
        // SAFETY: the mutex is initialised and stays where it is while it is borrowed.
        posix(unsafe { libc::pthread_mutex_lock(self.pointer()) })?;
        Ok(Guard { mutex: self, _of_this_thread: PhantomData })
    }
}

impl Drop for PosixMutex {
    fn drop(&mut self) {
        // SAFETY: the mutex is initialised, and nobody borrows it any more.
        let free = unsafe { libc::pthread_mutex_trylock(self.pointer()) } == 0;
        // One that is not free is one whose guard was forgotten: to destroy it is not defined, so it stays.
        if free {
            // SAFETY: this thread has just locked it.
            unsafe { libc::pthread_mutex_unlock(self.pointer()) };
            // SAFETY: initialised, not locked, and not used after this.
            unsafe { libc::pthread_mutex_destroy(self.pointer()) };
            // SAFETY: dropped here, once, and not used after this.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}

/// Holds a [`PosixMutex`]. Stays with the thread that locked it, which alone may unlock it.
#[derive(Debug)]
#[must_use = "the mutex is free again once this is dropped"]
pub struct Guard<'mutex> {
    mutex: &'mutex PosixMutex,
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard exists, so this thread holds the mutex.
        let error = unsafe { libc::pthread_mutex_unlock(self.mutex.pointer()) };
        debug_assert_eq!(error, 0, "a mutex that is held was not unlocked");
    }
}

/// The pthread convention: the error is the return value.
fn posix(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(returned)) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::thread;

    use super::*;

    #[test]
    fn one_thread_at_a_time_holds_it() {
        const TURNS: u64 = 20_000;
        for protocol in [Protocol::Plain, Protocol::Inherit] {
            let (mutex, count) = (PosixMutex::new(protocol).unwrap(), AtomicU64::new(0));
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..TURNS {
                            let _held = mutex.lock().unwrap();
                            // Read and written apart: turns are lost where two threads are in here.
                            count.store(count.load(Relaxed) + 1, Relaxed);
                        }
                    });
                }
            });
            assert_eq!(count.into_inner(), 2 * TURNS, "{protocol:?}");
        }
    }

    #[test]
    fn one_whose_guard_was_forgotten_is_left_alone() {
        let mutex = PosixMutex::new(Protocol::Inherit).unwrap();
        std::mem::forget(mutex.lock().unwrap());
        drop(mutex);
    }
}
