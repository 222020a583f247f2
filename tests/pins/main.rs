//! Instances that stay attached, against the running kernel: pins, readers that come and go, upgrades, what crashes and
//! hands leave behind. Every test has a bpffs and network namespaces of its own.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod clsact;
mod configured;
mod eyes;
mod following;
mod hardware;
mod interfaces;
mod killed;
mod life;
mod object;
mod older;
mod readers;
mod room;
mod running;
mod status;
mod upgrade;
mod wire;
mod xdp;

use std::process::ExitCode;

use libtest_mimic::{Arguments, run};

use support::Need;

/// What every test here needs.
pub(crate) const NEEDS: &[Need] =
    &[Need::Root, Need::Bpf, Need::Veth, Need::Unshare, Need::Nsenter, Need::Bpftool];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [
        life::trials(),
        eyes::trials(),
        readers::trials(),
        upgrade::trials(),
        broken::trials(),
        interfaces::trials(),
        status::trials(),
        following::trials(),
        configured::trials(),
        clsact::trials(),
        xdp::trials(),
        hardware::trials(),
        killed::trials(),
    ];
    run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
