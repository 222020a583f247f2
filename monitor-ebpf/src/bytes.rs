//! A packet's bytes as the matching reads them: in place, or copied where they are not in the linear part.

use core::arch::asm;

use crate::packet::Packet;

/// A packet's bytes, wherever they are.
pub trait Bytes {
    /// `N` bytes (at least 2) from `at`; none where the packet is shorter.
    fn header<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    /// Copies `N` words of 4 bytes, in the packet's byte order, from `at`; whether the packet has them.
    fn words<const N: usize>(&self, at: usize, to: &mut [u32; N]) -> bool;
}

/// The same number, of which the compiler does not know where it comes from: an offset that was made by subtracting is
/// else added to the packet's pointer in two steps, and the verifier takes no pointer before the packet, even if what
/// is read through it lies within.
#[inline(always)]
pub fn opaque(mut offset: usize) -> usize {
    // SAFETY: a move to itself; not an empty statement, for the reason below.
    unsafe { asm!("{0} = {0}", inout(reg) offset, options(pure, nomem, nostack, preserves_flags)) };
    offset
}

/// The linear part, read in place.
pub struct Direct {
    pub data: usize,
    pub end: usize,
}

impl Direct {
    #[inline(always)]
    pub fn of(packet: &impl Packet) -> Self {
        Self { data: packet.start(), end: packet.end() }
    }

    /// Where `length` bytes from `at` lie.
    #[inline(always)]
    fn place(&self, at: usize, length: usize) -> Option<usize> {
        let mut from = self.data + at;
        // The verifier knows how far a pointer may go by the pointer that was compared with the end. So the compiler
        // must not compute it anew for the reads, which it does unless it cannot see where it comes from.
        // SAFETY: a move to itself; an empty statement would give two line records to one instruction, which the kernel
        // refuses.
        unsafe { asm!("{0} = {0}", inout(reg) from, options(pure, nomem, nostack, preserves_flags)) };
        if from + length > self.end { None } else { Some(from) }
    }
}

impl Bytes for Direct {
    #[inline(always)]
    fn header<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let from = self.place(at, N)?;
        // SAFETY: between the packet's start and its end, as just checked; the verifier checks it again.
        Some(unsafe { *(from as *const [u8; N]) })
    }

    #[inline(always)]
    fn words<const N: usize>(&self, at: usize, to: &mut [u32; N]) -> bool {
        let Some(from) = self.place(at, 4 * N) else { return false };
        for (place, word) in to.iter_mut().enumerate() {
            let from = from + 4 * place;
            // An IP header begins at a multiple of 4 bytes, or the processor reads it anyway: so the kernel lays packets
            // out (NET_IP_ALIGN). The compiler knows neither and would read byte by byte.
            // SAFETY: within the bytes that were just checked; the verifier checks it again.
            unsafe {
                asm!("{0} = *(u32 *)({1} + 0)", out(reg) *word, in(reg) from, options(pure, readonly, nostack, preserves_flags));
            }
        }
        true
    }
}

/// A packet whose headers are in its fragments: every read is a copy.
pub struct Copied<'a, P>(pub &'a P);

impl<P: Packet> Bytes for Copied<'_, P> {
    #[inline(always)]
    fn header<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        // SAFETY: `bytes` has room for `N`.
        let read = unsafe { self.0.load(at as u32, bytes.as_mut_ptr().cast(), N as u32) };
        (read == 0).then_some(bytes)
    }

    #[inline(always)]
    fn words<const N: usize>(&self, at: usize, to: &mut [u32; N]) -> bool {
        // SAFETY: `to` has room for `N` words.
        unsafe { self.0.load(at as u32, to.as_mut_ptr().cast(), 4 * N as u32) == 0 }
    }
}
