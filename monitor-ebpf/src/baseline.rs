//! Programs that do nothing, or nothing but read the clock: what running any program at a hook costs by itself, and
//! what is a fast host and what a slow one. Never attached; `cargo xtask bench probe` runs them beside the real ones, so
//! that its figures are differences and ratios within one run.

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action::XDP_PASS},
    helpers::bpf_ktime_get_ns,
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};

#[classifier]
pub fn empty_ingress(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

#[xdp(frags)]
pub fn empty_early(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

#[classifier]
pub fn clock_ingress(_ctx: TcContext) -> i32 {
    // SAFETY: the helper has no precondition.
    unsafe { bpf_ktime_get_ns() };
    TC_ACT_UNSPEC
}
