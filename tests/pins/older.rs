//! As on an older kernel: a system call that it does not have is answered as it would answer.
#![expect(unsafe_code, reason = "seccomp(2) has no safe wrapper, and is for the child alone")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// `BPF_LINK_CREATE` of include/uapi/linux/bpf.h: from Linux 5.7, for XDP from 5.9, for tc from 6.6.
const LINK_CREATE: u32 = 28;
/// Offsets in `struct seccomp_data` (include/uapi/linux/seccomp.h): the call's number; the lower half of its first
/// argument, on a machine that stores it first.
const NUMBER: u32 = 0;
const FIRST_ARGUMENT: u32 = 16;

/// Answers `EINVAL` to a program that wants to make a link: what a kernel answers to a command, or a kind of link, that
/// it does not know. Links on tracepoints are made by another call.
pub(crate) fn without_links(command: &mut Command) {
    // SAFETY: between fork and exec the child makes two system calls, which allocate nothing and take no lock.
    unsafe { command.pre_exec(refuse_links) };
}

fn refuse_links() -> io::Result<()> {
    // `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_RET | BPF_K` of include/uapi/linux/bpf_common.h.
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let bpf = u32::try_from(libc::SYS_bpf).unwrap_or(u32::MAX);
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EINVAL.cast_unsigned();
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD, NUMBER, 0, 0),
        step(JUMP_IF_EQUAL, bpf, 0, 3),
        step(LOAD, FIRST_ARGUMENT, 0, 0),
        step(JUMP_IF_EQUAL, LINK_CREATE, 0, 1),
        step(RETURN, refuse, 0, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program =
        libc::sock_fprog { len: u16::try_from(steps.len()).unwrap_or(0), filter: steps.as_mut_ptr() };
    // SAFETY: no pointer but to the filter, which lives through the call and is copied by it.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) < 0
    };
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}
