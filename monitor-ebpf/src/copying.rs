//! Copies a short packet into its record without asking the kernel: the helpers that copy are made for packets in
//! pieces, and cost more than the bytes of one that lies in one piece.

use core::arch::asm;

use crate::{
    bytes::{Bytes as _, Direct, Place, Window as _, opaque},
    packet::Packet,
};

/// Bytes copied at a time.
const BLOCK: usize = 32;

/// Copies a packet of `length` bytes, at most `N`, where all of it lies in the linear part; whether it did. In whole
/// blocks from its beginning, then the block at its end, which may overlap the one before: so every copy is of a size
/// that the compiler knows, and there is no loop over single bytes.
///
/// # Safety
/// `to` must have room for `N` bytes.
#[inline(always)]
pub unsafe fn short<const N: usize>(packet: impl Packet, to: *mut u8, length: u32) -> bool {
    let bytes = Direct::of(packet);
    let length = length as usize;
    if length < BLOCK || length > N || bytes.data + length > bytes.end {
        return false;
    }
    let mut at = 0;
    // What is left is counted by itself and compared with a constant: of a constant compared with a number the verifier
    // of kernels before 6.8 does not see which way is taken, and goes on where the length contradicts itself.
    let mut left = length;
    while at + BLOCK <= N && left >= BLOCK {
        let Some(from) = bytes.window::<BLOCK>(at) else { return false };
        // SAFETY: both places hold a block: the packet's as just checked, the record's since `at + BLOCK` is at most `N`.
        unsafe { copy_block(from, to.add(at)) };
        at += BLOCK;
        left = opaque(left - BLOCK);
    }
    let last = opaque(length - BLOCK);
    if last > N - BLOCK {
        return false;
    }
    let Some(from) = bytes.window::<BLOCK>(last) else { return false };
    // SAFETY: as above; `last + BLOCK` is at most `N`.
    unsafe { copy_block(from, to.add(last)) };
    true
}

/// # Safety
/// `to` must have room for [`BLOCK`] bytes.
#[inline(always)]
unsafe fn copy_block(from: Place, to: *mut u8) {
    let words = [from.double::<0>(), from.double::<8>(), from.double::<16>(), from.double::<24>()];
    // Written out as the reads are: the last block's place may lie at any address.
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "*(u64 *)({0} + 0) = {1}", "*(u64 *)({0} + 8) = {2}", "*(u64 *)({0} + 16) = {3}",
            "*(u64 *)({0} + 24) = {4}",
            in(reg) to, in(reg) words[0], in(reg) words[1], in(reg) words[2], in(reg) words[3],
            options(nostack, preserves_flags)
        );
    }
}
