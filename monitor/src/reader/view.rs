//! A ring looked at without taking anything from it: how full it is, who reads it.
#![expect(unsafe_code, reason = "reads what the kernel and a reader write, through shared mappings")]

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use monitor_common::{ReaderPage, Taken};

use super::ReaderError;
use crate::sys::{
    mapping::{Mapping, Protection},
    memory::page_size,
};

/// Mappings that cannot write.
pub struct RingView {
    consumer: Mapping,
    producer: Mapping,
    page: Mapping,
}

/// A ring and its reader at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingState {
    /// Bytes that the reader has not taken yet.
    pub used_bytes: u64,
    /// What readers have taken in all.
    pub taken: Taken,
    /// Process that reads, or read last; 0 where none has.
    pub reader_pid: u64,
    /// Whether the reader sleeps.
    pub sleeping: bool,
}

impl RingView {
    /// Maps a ring and the page shared with its reader.
    ///
    /// # Errors
    /// Where the kernel refuses a mapping.
    pub fn map(ring: BorrowedFd<'_>, page: BorrowedFd<'_>) -> Result<Self, ReaderError> {
        let map = |what, fd, offset: usize| {
            Mapping::new(fd, offset as u64, page_size(), Protection::Read)
                .map_err(|source| ReaderError::Map { what, source })
        };
        Ok(Self {
            consumer: map("ring's position", ring, 0)?,
            producer: map("ring", ring, page_size())?,
            page: map("reader's page", page, 0)?,
        })
    }

    /// How it is now.
    #[must_use]
    pub fn state(&self) -> RingState {
        // The consumer's first: it only grows, so that the difference is never negative.
        let consumed = position(&self.consumer);
        let produced = position(&self.producer);
        let page = self.page();
        RingState {
            used_bytes: produced.saturating_sub(consumed),
            taken: page.taken[usize::from(!page.commits.is_multiple_of(2))],
            reader_pid: page.reader_pid,
            sleeping: page.sleeping != 0,
        }
    }

    /// The page, as the reader left it between two commits.
    fn page(&self) -> ReaderPage {
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
        let at = self.page.as_ptr().cast::<ReaderPage>();
        loop {
            // SAFETY: the page holds a ReaderPage and stays mapped. It is written meanwhile, hence volatile, and hence
            // the second look: a slot is written only while it is not current, so that two commits must have come
            // between for a torn one.
            let (page, after) = unsafe { (at.read_volatile(), (&raw const (*at).commits).read_volatile()) };
            if page.commits == after {
                return page;
            }
        }
    }
}

fn position(mapping: &Mapping) -> u64 {
    // SAFETY: the first word of a mapped page; the kernel writes it atomically, and it is only loaded.
    let word = unsafe { AtomicU64::from_ptr(mapping.as_ptr().cast_mut().cast()) };
    // Acquire: pairs with the releases of kernel and reader, so that the order of the two loads holds.
    word.load(Ordering::Acquire)
}
