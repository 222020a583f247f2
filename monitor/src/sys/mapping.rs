//! A shared memory mapping of a descriptor: the BPF ring's pages, the sleep flag, the reader's counters, a device's
//! registers.
//!
//! A mapping hands out its address and length and nothing else: what lies there is written by the kernel at the
//! same time, so only the owner of the protocol (`reader`, `probe`) can say how it may be read.
#![expect(unsafe_code, reason = "mmap and munmap")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// What may be done with the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// `PROT_READ`: a store through the mapping faults.
    Read,
    /// `PROT_READ | PROT_WRITE`.
    ReadWrite,
}

/// Pages of a descriptor, shared with the kernel or with a device, unmapped when dropped. The descriptor itself need
/// not stay open.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
    protection: Protection,
}

// SAFETY: a mapping belongs to the process, not to the thread that made it; the value owns its range alone and
// munmap may be called from any thread. Access is through raw pointers, whose users answer for their own races.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `fd` from `offset` (a multiple of the page size) as `MAP_SHARED`.
    ///
    /// # Errors
    /// What mmap(2) says: `EINVAL` for a length of 0 or an offset inside a page, `EPERM` or `EACCES` where the
    /// descriptor does not allow this protection, `EAGAIN` where locked memory has run out.
    pub fn new(fd: BorrowedFd<'_>, offset: u64, length: usize, protection: Protection) -> io::Result<Self> {
        let flags = match protection {
            Protection::Read => libc::PROT_READ,
            Protection::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        };
        let offset = libc::off_t::try_from(offset).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "the offset of a mapping exceeds off_t")
        })?;
        // SAFETY: no address is asked for, so no existing mapping is replaced; the descriptor is open while borrowed.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, flags, libc::MAP_SHARED, fd.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("the kernel placed a mapping at address zero"))?;
        Ok(Self { start, length, protection })
    }

    /// The first byte. Valid for reads of [`Mapping::len`] bytes while the mapping lives.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// The first byte for writing, or `None` where the mapping is read-only.
    #[must_use]
    pub fn as_mut_ptr(&self) -> Option<NonNull<u8>> {
        (self.protection == Protection::ReadWrite).then_some(self.start)
    }

    /// The length in bytes as it was asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Never true: the kernel refuses an empty mapping.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is the one that mmap returned, and this value alone owns it.
        let returned = unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert_eq!(returned, 0, "munmap refused a range that mmap gave");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;

    use super::*;

    const PAGE: usize = 4096;

    #[test]
    fn what_is_in_the_file_is_in_the_mapping_and_back() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 2 * PAGE]).unwrap();
        let mapping = Mapping::new(file.as_fd(), PAGE as u64, PAGE, Protection::ReadWrite).unwrap();
        assert_eq!(mapping.len(), PAGE);
        // SAFETY: inside the mapping, which lives, and nobody else uses the file.
        assert_eq!(unsafe { mapping.as_ptr().add(PAGE - 1).read_volatile() }, 7);
        // SAFETY: as above, and the mapping is writable.
        unsafe { mapping.as_mut_ptr().unwrap().write_volatile(9) };
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes[PAGE - 1], bytes[PAGE], bytes[PAGE + 1]), (7, 9, 7));
    }

    #[test]
    fn refusals_come_back_as_errors() {
        let file = tempfile::tempfile().unwrap();
        let refused = |offset, length| {
            Mapping::new(file.as_fd(), offset, length, Protection::Read).unwrap_err().raw_os_error()
        };
        assert_eq!(refused(0, 0), Some(libc::EINVAL));
        assert_eq!(refused(1, PAGE), Some(libc::EINVAL));
    }

    #[test]
    fn a_read_only_mapping_gives_no_pointer_for_writing() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(PAGE as u64).unwrap();
        let mapping = Mapping::new(file.as_fd(), 0, PAGE, Protection::Read).unwrap();
        assert_eq!(mapping.as_mut_ptr(), None);
    }
}
