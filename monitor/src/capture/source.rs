//! The buffer between a file and its packets: grows to the largest block, moves only what a block straddles.

use std::io::{self, ErrorKind, Read};

/// One read's worth. Large enough that what must be moved to the front before the next read is small beside it.
const CHUNK: usize = 1 << 17;

/// Bytes of a file: some taken, some buffered, some still unread.
pub(super) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the bytes last taken begin.
    taken: usize,
    /// Where the bytes not yet taken begin.
    start: usize,
    /// Where they end.
    end: usize,
    /// Place in the file of `start`.
    offset: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; CHUNK], taken: 0, start: 0, end: 0, offset: 0 }
    }

    /// Reads until at least `bytes` are there. False where the file ends before.
    #[inline]
    pub(super) fn want(&mut self, bytes: usize) -> io::Result<bool> {
        if self.end - self.start >= bytes { Ok(true) } else { self.read(bytes) }
    }

    #[cold]
    fn read(&mut self, bytes: usize) -> io::Result<bool> {
        self.move_to_front();
        while self.end - self.start < bytes {
            // Doubled only once it is full: a length that is damage does not cost memory that the file cannot fill.
            if self.end == self.buffer.len() {
                self.buffer.resize(2 * self.buffer.len(), 0);
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.taken = 0;
    }

    /// What is buffered and not taken.
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes that many of the bytes that [`Source::want`] found.
    pub(super) fn take(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.taken = self.start;
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// What was taken last.
    pub(super) fn taken(&self) -> &[u8] {
        &self.buffer[self.taken..self.start]
    }

    /// Place in the file of the next byte not taken.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }
}
