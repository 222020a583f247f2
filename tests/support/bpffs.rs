//! A bpffs for a test program alone, so that nothing is pinned among the host's, and none needs to be mounted there.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{env, io};

use crate::support::{Need, needs};

/// Set in the process that is there already.
const INSIDE: &str = "PMU_TEST_OWN_BPFFS";
/// Where no bpffs can be mounted the tests that need one are left out, and say so.
const SCRIPT: &str = "mount -t bpf bpf /sys/fs/bpf; exec \"$0\" \"$@\"";
const PRIVATE: [&str; 3] = ["--mount", "--propagation", "private"];

/// Begins this program anew in a mount namespace with a bpffs of its own, where that is granted. Does nothing in there.
pub(crate) fn enter_own() {
    if env::var_os(INSIDE).is_some() || needs(&[Need::Root, Need::Unshare]).is_err() || !may_unshare() {
        return;
    }
    let mut unshare = Command::new("unshare");
    unshare
        .args(PRIVATE)
        .args(["sh", "-c", SCRIPT])
        .arg(env::current_exe().unwrap())
        .args(env::args_os().skip(1));
    let error: io::Error = unshare.env(INSIDE, "1").exec();
    panic!("unshare: {error}");
}

/// A container may have the capability and refuse all the same.
fn may_unshare() -> bool {
    Command::new("unshare").args(PRIVATE).arg("true").output().is_ok_and(|output| output.status.success())
}
