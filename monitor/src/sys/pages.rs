//! Anonymous pages straight from the kernel, past the C library's allocator, which hands out again what it has: none of
//! them is there until it is touched.
#![expect(unsafe_code, reason = "mmap and munmap")]

use std::io;
use std::ptr::{self, NonNull};
use std::slice;

/// Zeroed memory of this process alone, given back when dropped.
#[derive(Debug)]
pub struct Pages {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to the process, not to the thread that asked for it, and this value alone owns it.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps `length` bytes, rounded up to whole pages by the kernel.
    ///
    /// # Errors
    /// `EINVAL` for a length of 0; `ENOMEM` or `EAGAIN` where there is no room, or none to lock.
    pub fn new(length: usize) -> io::Result<Self> {
        const NO_FILE: libc::c_int = -1;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: no address is asked for, so no existing mapping is replaced.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, NO_FILE, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("the kernel placed a mapping at address zero"))?;
        Ok(Self { start, length })
    }

    /// The bytes.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the range is mapped for reading and writing while this value lives; anonymous memory begins as
        // zeros, which are bytes; nobody else knows it, and it is borrowed as long as the slice.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is the one that mmap returned, and this value alone owns it.
        let returned = unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert_eq!(returned, 0, "munmap refused a range that mmap gave");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::page_size;
    use crate::sys::usage::ThreadUsage;

    #[test]
    fn each_page_faults_when_it_is_first_touched() {
        const COUNT: usize = 64;
        let mut pages = Pages::new(COUNT * page_size()).unwrap();
        let before = ThreadUsage::read().unwrap().minor_faults;
        for byte in pages.as_mut_slice().iter_mut().step_by(page_size()) {
            assert_eq!(*byte, 0);
            *byte = 1;
        }
        // A kernel may map several pages at one fault.
        assert!(ThreadUsage::read().unwrap().minor_faults > before);
        assert_eq!(pages.as_mut_slice().iter().map(|&byte| usize::from(byte)).sum::<usize>(), COUNT);
    }

    #[test]
    fn no_bytes_are_refused() {
        assert_eq!(Pages::new(0).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
