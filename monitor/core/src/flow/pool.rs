//! Where bytes wait that cannot be looked at yet: one pool of pages for all flows and all fragmented datagrams.
//!
//! A [`Held`] is what one of them holds: bytes at positions of a stream (or of a datagram), in pages, and a list of the
//! parts that are there, each with when and where it was seen. Bytes that came first stay; what comes again is counted
//! and not looked at.
//!
//! # Who gets how much
//! A holder may have as many pages as its cap, and never more than are free: so the pool never runs dry, however many
//! take as much as they are given, and who asks for little gets it. Parts likewise. What finds no place is dropped, and
//! the caller counts it.

use std::ops::Range;

use super::Seen;

/// Bytes of a page.
pub(super) const PAGE: usize = 2_048;
/// Parts that one holder may have: so long is the walk that a packet out of order costs at most.
const PARTS: u32 = 256;
/// No part.
const NONE: u32 = u32::MAX;
/// No page.
const NO_PAGE: u16 = u16::MAX;

/// Bytes that came together, or behind one another.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u64,
    end: u64,
    seen: Seen,
    /// The next by position; for a part that is free, the next free one.
    next: u32,
}

/// What one holder holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    holder: usize,
    first: u32,
    last: u32,
    parts: u32,
    pages: u32,
    bytes: u64,
    /// The first page that may be in use: pages are counted from position 0.
    page: u64,
}

/// What became of bytes that were to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) stored: usize,
    /// Bytes at positions that were held already.
    pub(super) duplicate: usize,
    /// Bytes for which there was no place.
    pub(super) dropped: usize,
}

/// The pool.
#[derive(Debug)]
pub(super) struct Pool {
    bytes: Vec<u8>,
    free_pages: Vec<u16>,
    /// For each holder the page at each position, modulo their number.
    tables: Vec<u16>,
    pages_per_holder: usize,
    parts: Vec<Part>,
    free_part: u32,
    free_parts: u32,
}

impl Pool {
    /// Of `bytes`, for `holders` of which each may hold at most `cap` bytes (both in whole pages).
    pub(super) fn new(bytes: usize, holders: usize, cap: usize) -> Self {
        let pages = u16::try_from(bytes.div_ceil(PAGE)).unwrap_or(NO_PAGE).min(NO_PAGE - 1);
        // One more than the cap holds: bytes seldom begin where a page does.
        let pages_per_holder = cap.div_ceil(PAGE) + 1;
        let free_parts = u32::from(pages) * 2;
        let part = |number| Part {
            start: 0,
            end: 0,
            seen: Seen::default(),
            next: if number + 1 == free_parts { NONE } else { number + 1 },
        };
        Self {
            bytes: touched(usize::from(pages) * PAGE),
            free_pages: (0..pages).rev().collect(),
            tables: vec![NO_PAGE; holders * pages_per_holder],
            pages_per_holder,
            parts: (0..free_parts).map(part).collect(),
            free_part: if free_parts == 0 { NONE } else { 0 },
            free_parts,
        }
    }

    /// Most bytes between the first position that a holder may use and the end of the last.
    pub(super) const fn cap(&self) -> u64 {
        (self.pages_per_holder as u64 - 1) * PAGE as u64
    }

    /// Keeps `bytes` from position `start` on. Those beyond the holder's cap, counted from its first position that is
    /// not released, are dropped.
    pub(super) fn keep(&mut self, held: &mut Held, start: u64, bytes: &[u8], seen: &Seen) -> Kept {
        let (mut at, end) = (start, start + bytes.len() as u64);
        let mut kept = Kept::default();
        let (mut before, mut next) = match self.parts.get(held.last as usize) {
            Some(last) if last.end <= start => (held.last, NONE),
            _ => (NONE, held.first),
        };
        while at < end {
            while let Some(part) = self.parts.get(next as usize).filter(|part| part.end <= at) {
                (before, next) = (next, part.next);
            }
            let (until, covered) = match self.parts.get(next as usize) {
                Some(part) => (part.start.clamp(at, end), part.end.min(end)),
                None => (end, end),
            };
            if until > at {
                let new = &bytes[to_length(at - start)..to_length(until - start)];
                let stored = self.store(held, before, at, new, seen);
                kept.stored += stored;
                kept.dropped += new.len() - stored;
            }
            kept.duplicate += to_length(covered - until);
            at = covered;
        }
        kept
    }

    /// The end of the bytes that are there without a gap from `from` on.
    pub(super) fn end_from(&self, held: &Held, from: u64) -> u64 {
        let mut end = from;
        for part in self.parts_of(held) {
            if part.start > end {
                break;
            }
            end = end.max(part.end);
        }
        end
    }

    /// Where the first part that begins at or behind `from` begins, and when it was seen.
    pub(super) fn next_part(&self, held: &Held, from: u64) -> Option<(u64, Seen)> {
        self.parts_of(held).find(|part| part.start >= from).map(|part| (part.start, part.seen))
    }

    /// The end of the last part.
    pub(super) fn reach(&self, held: &Held) -> u64 {
        self.parts.get(held.last as usize).map_or(0, |part| part.end)
    }

    /// Whether exactly these bytes came together.
    pub(super) fn has_part(&self, held: &Held, start: u64, end: u64) -> bool {
        self.parts_of(held).any(|part| (part.start, part.end) == (start, end))
    }

    /// Whether any byte of a range is there.
    pub(super) fn holds_any(&self, held: &Held, range: Range<u64>) -> bool {
        self.parts_of(held).any(|part| part.start < range.end && range.start < part.end)
    }

    /// When and where the bytes of a range, all of them there, were seen.
    pub(super) fn seen(&self, held: &Held, range: Range<u64>) -> Seen {
        let mut parts = self
            .parts_of(held)
            .skip_while(|part| part.end <= range.start)
            .take_while(|part| part.start < range.end);
        let first = parts.next().map(|part| part.seen).unwrap_or_default();
        parts.fold(first, |seen, part| seen.with(&part.seen))
    }

    /// Copies a range, all of whose bytes are there, to the beginning of `to`; at most as much as that holds.
    pub(super) fn copy<'t>(&self, held: &Held, range: Range<u64>, to: &'t mut [u8]) -> &'t [u8] {
        let (mut at, mut length) = (range.start, 0);
        while at < range.end && length < to.len() {
            let inside = to_length(at % PAGE as u64);
            let piece = (PAGE - inside).min(to_length(range.end - at)).min(to.len() - length);
            let page = self.tables[self.place(held, at)];
            let from = usize::from(page) * PAGE + inside;
            let Some(bytes) = self.bytes.get(from..from + piece) else { break };
            to[length..length + piece].copy_from_slice(bytes);
            (at, length) = (at + piece as u64, length + piece);
        }
        &to[..length]
    }

    /// Gives back what lies before a position. Gives how many bytes that were.
    pub(super) fn release(&mut self, held: &mut Held, before: u64) -> u64 {
        let bytes = held.bytes;
        while let Some(part) = self.parts.get_mut(held.first as usize).filter(|part| part.start < before) {
            if part.end > before {
                held.bytes -= before - part.start;
                part.start = before;
                break;
            }
            held.bytes -= part.end - part.start;
            let next = std::mem::replace(&mut part.next, self.free_part);
            self.free_part = std::mem::replace(&mut held.first, next);
            self.free_parts += 1;
            held.parts -= 1;
        }
        if held.first == NONE {
            held.last = NONE;
        }
        // Where nothing is left, neither is a page that begins before the position and ends behind it.
        let first = if held.bytes == 0 { u64::MAX } else { before / PAGE as u64 };
        self.release_pages(held, first);
        held.page = held.page.max(before / PAGE as u64);
        bytes - held.bytes
    }

    /// Gives back all. Gives how many bytes that were.
    pub(super) fn clear(&mut self, held: &mut Held) -> u64 {
        let page = held.page;
        let bytes = self.release(held, u64::MAX);
        held.page = page;
        bytes
    }

    fn release_pages(&mut self, held: &mut Held, first: u64) {
        let end = first.min(held.page.saturating_add(self.pages_per_holder as u64));
        let mut page = held.page;
        while page < end && held.pages > 0 {
            let place = self.place(held, page.saturating_mul(PAGE as u64));
            let freed = std::mem::replace(&mut self.tables[place], NO_PAGE);
            if freed != NO_PAGE {
                self.free_pages.push(freed);
                held.pages -= 1;
            }
            page += 1;
        }
    }

    fn parts_of<'s>(&'s self, held: &Held) -> impl Iterator<Item = &'s Part> {
        let part = |at: u32| self.parts.get(at as usize);
        std::iter::successors(part(held.first), move |before| part(before.next))
    }

    /// Stores bytes at positions that hold none, behind the part `before`. Gives how many found a place.
    fn store(&mut self, held: &mut Held, before: u32, at: u64, bytes: &[u8], seen: &Seen) -> usize {
        let joins = self.parts.get(before as usize).is_some_and(|part| part.end == at);
        let full = held.parts >= PARTS || held.parts >= self.free_parts;
        if full && !joins {
            return 0;
        }
        let stored = self.write(held, at, bytes);
        let end = at + stored as u64;
        held.bytes += stored as u64;
        if stored == 0 {
            return 0;
        }
        if full {
            let part = &mut self.parts[before as usize];
            (part.end, part.seen) = (end, part.seen.with(seen));
            return stored;
        }
        let new = self.free_part;
        let part = &mut self.parts[new as usize];
        self.free_part = part.next;
        self.free_parts -= 1;
        held.parts += 1;
        (part.start, part.end, part.seen) = (at, end, *seen);
        let next = match before {
            NONE => std::mem::replace(&mut held.first, new),
            before => std::mem::replace(&mut self.parts[before as usize].next, new),
        };
        self.parts[new as usize].next = next;
        if next == NONE {
            held.last = new;
        }
        stored
    }

    /// Writes bytes into pages, taking new ones where it must. Gives how many found a place.
    fn write(&mut self, held: &mut Held, start: u64, bytes: &[u8]) -> usize {
        let end = held.page + self.pages_per_holder as u64;
        let mut stored = 0;
        while stored < bytes.len() {
            let at = start + stored as u64;
            if at / PAGE as u64 >= end || at / (PAGE as u64) < held.page {
                break;
            }
            let place = self.place(held, at);
            if self.tables[place] == NO_PAGE {
                if held.pages as usize >= self.free_pages.len() {
                    break;
                }
                let Some(page) = self.free_pages.pop() else { break };
                self.tables[place] = page;
                held.pages += 1;
            }
            let inside = to_length(at % PAGE as u64);
            let piece = (PAGE - inside).min(bytes.len() - stored);
            let to = usize::from(self.tables[place]) * PAGE + inside;
            self.bytes[to..to + piece].copy_from_slice(&bytes[stored..stored + piece]);
            stored += piece;
        }
        stored
    }

    /// Where in the tables a position's page stands.
    const fn place(&self, held: &Held, position: u64) -> usize {
        let pages = self.pages_per_holder;
        held.holder * pages + to_length(position / PAGE as u64 % pages as u64)
    }
}

impl Held {
    /// Nothing, by the holder with this number.
    pub(super) const fn nothing(holder: usize) -> Self {
        Self { holder, first: NONE, last: NONE, parts: 0, pages: 0, bytes: 0, page: 0 }
    }

    /// How many bytes are held.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where nothing is held: says from which position on bytes may be.
    pub(super) const fn begin_at(&mut self, position: u64) {
        self.page = position / PAGE as u64;
    }
}

/// So many bytes, all of them written to: the real-time thread meets no page that was never touched.
pub(super) fn touched(bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; bytes];
    std::hint::black_box(&mut bytes).fill(0);
    bytes
}

/// Lengths and positions within a packet or a cap fit into memory.
const fn to_length(bytes: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "callers pass what is bounded by a slice or the cap")]
    let length = bytes as usize;
    length
}
