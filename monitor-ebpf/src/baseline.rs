//! Programs that do nothing: what running any program at a hook costs by itself. Never attached; `cargo xtask bench
//! probe` runs them beside the real ones, so that its figures are differences within one run.

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action::XDP_PASS},
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
