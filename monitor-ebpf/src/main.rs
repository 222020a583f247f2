//! The kernel side of `pmu-monitor`: one file for each attach point, and what they share.
//!
//! Tracepoints leave their clock in a slot of their CPU (`stages`); the program on the interface (`tc`) looks at each
//! packet (`matching`), puts those that match into the ring, whole and with their stamps (`emitting`), and counts the
//! frames of each stream (`streams`). Where the perf buffer was asked for, `perf` has the ring's part. Where XDP was asked
//! for, `xdp` does so in its place. Where it was asked for, `drops` tells of watched packets that the kernel threw away, and
//! `reads` with `sockets` of who else reads them.
#![no_std]
#![no_main]
#![expect(internal_features, reason = "core::intrinsics has the only atomic add that this target links")]
#![feature(asm_experimental_arch, core_intrinsics)]

mod addresses;
mod baseline;
mod bytes;
mod connections;
mod copying;
mod counting;
mod drops;
mod emitting;
mod judged;
mod maps;
mod matching;
mod offsets;
mod others;
mod packet;
mod perf;
mod reads;
mod slots;
mod sockets;
mod stages;
mod streams;
mod syscalls;
mod tc;
mod xdp;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The compiler asks for it; no program here can reach it (the verifier would refuse the loop).
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
