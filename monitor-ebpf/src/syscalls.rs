//! Which system calls one thread makes: for the test that the real-time thread makes none but its wait. Loaded by it alone.

use core::ptr;

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{counting::add_shared, maps::SYSTEM_CALLS};

/// The thread, as the kernel's own PID namespace numbers it: user space writes it before the program is loaded.
#[unsafe(no_mangle)]
static SYSTEM_CALLS_OF: u32 = 0;

#[btf_tracepoint(function = "sys_enter")]
pub fn system_call(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: a static of this object. Volatile, or the compiler would take the 0 above for its value.
    let asked = unsafe { ptr::read_volatile(&raw const SYSTEM_CALLS_OF) };
    if bpf_get_current_pid_tgid() as u32 != asked {
        return 0;
    }
    let number: u64 = ctx.arg(1);
    if let Some(count) = SYSTEM_CALLS.get_ptr_mut(number as u32) {
        add_shared(count, 1);
    }
    0
}
