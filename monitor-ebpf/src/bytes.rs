//! A packet's bytes as the matching reads them: in place, or copied where they are not in the linear part.
//!
//! In place they lie at any address, and x86-64 and aarch64 read numbers there as anywhere else. The compiler, told of
//! no processor but BPF's, would put each together from single bytes: so those reads are written out.

use core::{arch::asm, hint::assert_unchecked, ptr};

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

use crate::packet::Packet;

/// A packet's bytes, wherever they are.
pub trait Bytes: Copy {
    /// `N` bytes of them.
    type Window<const N: usize>: Window;

    /// The `N` bytes (at least 2) from `at`; none where the packet is shorter.
    fn window<const N: usize>(self, at: usize) -> Option<Self::Window<N>>;
}

/// Bytes that are there. Numbers are given as they lie in memory, in the packet's byte order.
pub trait Window {
    fn byte<const AT: usize>(&self) -> u8;

    fn half<const AT: usize>(&self) -> u16;

    fn word<const AT: usize>(&self) -> u32;

    fn double<const AT: usize>(&self) -> u64;

    /// The 16-bit number at `AT`.
    #[inline(always)]
    fn number<const AT: usize>(&self) -> u16 {
        u16::from_be(self.half::<AT>())
    }
}

/// The same number, of which the compiler does not know where it comes from: an offset that was made by subtracting is
/// else added to the packet's pointer in two steps, and the verifier takes no pointer before the packet, even if what
/// is read through it lies within.
#[inline(always)]
pub fn opaque(mut offset: usize) -> usize {
    // SAFETY: a move to itself; not an empty statement, which would give two line records to one instruction: the
    // kernel refuses that.
    unsafe { asm!("{0} = {0}", inout(reg) offset, options(pure, nomem, nostack, preserves_flags)) };
    offset
}

/// The linear part, read in place.
#[derive(Clone, Copy)]
pub struct Direct {
    pub data: usize,
    pub end: usize,
}

impl Direct {
    #[inline(always)]
    pub fn of(packet: impl Packet) -> Self {
        Self { data: packet.start(), end: packet.end() }
    }
}

/// Where bytes of the linear part lie.
#[derive(Clone, Copy)]
pub struct Place(usize);

impl Place {
    /// What stands `AT` bytes behind it, of the bytes that are there.
    #[inline(always)]
    pub fn behind<const AT: usize>(self) -> Self {
        Self(self.0 + AT)
    }
}

impl Bytes for Direct {
    type Window<const N: usize> = Place;

    #[inline(always)]
    fn window<const N: usize>(self, at: usize) -> Option<Place> {
        // The verifier knows how far a pointer may go by the pointer that was compared with the end. So the compiler
        // must not compute it anew for the reads, which it does unless it cannot see where it comes from.
        let from = opaque(self.data + at);
        if from + N > self.end { None } else { Some(Place(from)) }
    }
}

/// Reads a number in place.
macro_rules! read {
    ($width:literal, $from:expr, $at:expr) => {{
        let number: u64;
        // SAFETY: within the bytes that were compared with the packet's end; the verifier checks it again.
        unsafe {
            asm!(
                concat!("{0} = *(", $width, " *)({1} + {2})"), out(reg) number, in(reg) $from, const $at,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        number
    }};
}

impl Window for Place {
    #[inline(always)]
    fn byte<const AT: usize>(&self) -> u8 {
        let number = read!("u8", self.0, AT);
        // SAFETY: a read of 8 bits leaves the others 0. Said, so that the compiler does not clear them once more.
        unsafe { assert_unchecked(u8::try_from(number).is_ok()) };
        number as u8
    }

    #[inline(always)]
    fn half<const AT: usize>(&self) -> u16 {
        let number = read!("u16", self.0, AT);
        // SAFETY: as above.
        unsafe { assert_unchecked(u16::try_from(number).is_ok()) };
        number as u16
    }

    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        let number = read!("u32", self.0, AT);
        // SAFETY: as above.
        unsafe { assert_unchecked(u32::try_from(number).is_ok()) };
        number as u32
    }

    #[inline(always)]
    fn double<const AT: usize>(&self) -> u64 {
        read!("u64", self.0, AT)
    }
}

/// A packet whose headers are in its fragments: every window is a copy.
#[derive(Clone, Copy)]
pub struct Copied<P>(pub P);

/// A copy on the stack, where the verifier takes numbers at their own alignment only: windows begin where their numbers
/// lie right.
#[repr(C, align(8))]
pub struct Copy8<const N: usize>([u8; N]);

impl<P: Packet> Bytes for Copied<P> {
    type Window<const N: usize> = Copy8<N>;

    #[inline(always)]
    fn window<const N: usize>(self, at: usize) -> Option<Copy8<N>> {
        let mut copy = Copy8([0; N]);
        // SAFETY: `copy` has room for `N`.
        let read = unsafe { self.0.load(at as u32, ptr::from_mut(&mut copy).cast(), N as u32) };
        (read == 0).then_some(copy)
    }
}

/// Bytes somewhere in the kernel's memory: every window is a copy.
#[derive(Clone, Copy)]
pub struct Elsewhere {
    pub start: usize,
    pub end: usize,
}

impl Bytes for Elsewhere {
    type Window<const N: usize> = Copy8<N>;

    #[inline(always)]
    fn window<const N: usize>(self, at: usize) -> Option<Copy8<N>> {
        let from = self.start + at;
        if from + N > self.end {
            return None;
        }
        let mut copy = Copy8([0; N]);
        // SAFETY: `copy` has room for `N`; the helper checks the address itself and fails where it cannot be read.
        let read = unsafe {
            bpf_probe_read_kernel(ptr::from_mut(&mut copy).cast(), N as u32, ptr::without_provenance(from))
        };
        (read == 0).then_some(copy)
    }
}

impl<const N: usize> Copy8<N> {
    #[inline(always)]
    fn read<T: Copy, const AT: usize>(&self) -> T {
        const { assert!(AT + size_of::<T>() <= N && AT.is_multiple_of(align_of::<T>())) };
        // SAFETY: within the copy and aligned, as just asserted.
        unsafe { ptr::read(self.0.as_ptr().add(AT).cast()) }
    }
}

impl<const N: usize> Window for Copy8<N> {
    #[inline(always)]
    fn byte<const AT: usize>(&self) -> u8 {
        self.read::<u8, AT>()
    }

    #[inline(always)]
    fn half<const AT: usize>(&self) -> u16 {
        self.read::<u16, AT>()
    }

    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        self.read::<u32, AT>()
    }

    #[inline(always)]
    fn double<const AT: usize>(&self) -> u64 {
        self.read::<u64, AT>()
    }
}
