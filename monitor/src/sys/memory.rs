//! Locking the process's memory, the limit on it, and the room left on a thread's stack.
#![expect(unsafe_code, reason = "mlockall, getrlimit and pthread_getattr_np")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use super::checked;

/// Locks every present and future page of the process, each from the moment it is first touched (`MCL_ONFAULT`):
/// nothing is read in ahead, so a locked process is no larger than an unlocked one. Process-wide.
///
/// # Errors
/// mlock(2): `EPERM` or `ENOMEM` where neither `CAP_IPC_LOCK` nor `RLIMIT_MEMLOCK` allows it.
pub fn lock_all() -> io::Result<()> {
    // SAFETY: no pointers; locking changes no content.
    checked(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) }).map(drop)
}

/// Takes the lock back for the whole process.
///
/// # Errors
/// None that mlock(2) knows for a live process.
pub fn unlock_all() -> io::Result<()> {
    // SAFETY: no pointers; unlocking changes no content.
    checked(unsafe { libc::munlockall() }).map(drop)
}

/// The soft limit on locked memory in bytes (`RLIMIT_MEMLOCK`); `None` where it is unlimited.
///
/// # Errors
/// None in practice.
pub fn lock_limit() -> io::Result<Option<u64>> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: the pointer is valid for one rlimit, which the call fills.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, limit.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure is filled.
    let limit = unsafe { limit.assume_init() }.rlim_cur;
    Ok((limit != libc::RLIM_INFINITY).then_some(limit))
}

/// Bytes of a page, which every offset and length of a mapping is a multiple of.
#[must_use]
pub fn page_size() -> usize {
    /// What every architecture that this program is built for can be asked for in its stead.
    const USUAL: usize = 4096;
    // SAFETY: no pointers.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(USUAL)
}

/// Bytes of this thread's stack that lie unused below the caller, a guard page at the far end
/// may be among them.
///
/// # Errors
/// Where the thread's attributes cannot be read (the main thread's need `/proc`).
pub fn stack_room() -> io::Result<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the pointer is valid for one pthread_attr_t, which the call initialises.
    posix(unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) })?;
    // SAFETY: the call above succeeded.
    let mut attributes = unsafe { attributes.assume_init() };
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the attributes are initialised, both targets are live.
    let asked =
        posix(unsafe { libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size) });
    // SAFETY: the attributes are initialised and not used after this.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    asked?;
    let here = ptr::from_ref(&lowest).addr();
    Ok(here.saturating_sub(lowest.addr()))
}

/// The pthread convention: the error is the return value.
fn posix(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(returned)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_within_the_stack_the_thread_was_given() {
        // Larger than any other test's: the C library hands the stacks of ended threads on.
        const STACK: usize = 16 << 20;
        let room = std::thread::Builder::new().stack_size(STACK).spawn(|| stack_room().unwrap()).unwrap();
        let room = room.join().unwrap();
        assert!(room > STACK / 2 && room <= STACK + (1 << 16), "{room}");
    }
}
