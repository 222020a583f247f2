//! The integration tests on Debian's PREEMPT_RT kernels, in the virtual machines that `cargo xtask test` has made ready. What
//! runs in there, and how it is judged, is `xtask/src/vm`'s.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::env;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, run};
use support::{Need, trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("on_6_1_rt", &[Need::Rt61], || passes_on("6.1-rt")),
        trial("on_6_12_rt", &[Need::Rt612], || passes_on("6.12-rt")),
    ];
    run(&arguments, trials).exit_code()
}

fn passes_on(kernel: &str) {
    let mut xtask = Command::new(env::var_os("PMU_XTASK").unwrap());
    xtask.args(["vm", kernel, "--prepared"]);
    if env::var_os("PMU_TEST_FULL").is_some() {
        xtask.arg("--full");
    }
    let output = xtask.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
