//! The kernel side of `pmu-monitor`: one file for each attach point.
#![no_std]
#![no_main]

use aya_ebpf::{macros::classifier, programs::TcContext};

/// Lets every packet pass to whatever else runs on the interface.
#[classifier]
pub fn ingress(_ctx: TcContext) -> i32 {
    -1
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The compiler asks for it; no program here can reach it (the verifier would refuse the loop).
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
