//! What can go wrong between this program and the kernel: what, where, and the remedy.

use std::io;

/// Why the kernel side could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A capability is missing.
    #[error(
        "{missing} missing: loading and attaching eBPF programs needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; \
         run as root (sudo), or grant them: setcap cap_bpf,cap_perfmon,cap_net_admin,cap_sys_nice,cap_ipc_lock+ep \
         on the program's file"
    )]
    Capabilities {
        /// Names of those that are missing.
        missing: String,
    },
    /// No BTF, or one that cannot be read.
    #[error(
        "{path}: {reason}; the programs need the kernel's type information: a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y (every current distribution's is)"
    )]
    Btf {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A member that the programs read is not where any kernel known has it.
    #[error(
        "the kernel's BTF has no member {member}: this kernel is newer or older than those this version knows; \
         please report it with the output of `uname -r`"
    )]
    Member {
        /// Structure and member.
        member: String,
    },
    /// The object does not load.
    #[error("the eBPF object {object} does not load: {reason}")]
    Load {
        /// Where it came from.
        object: String,
        /// What the kernel or aya said.
        reason: String,
    },
    /// The object file that was asked for cannot be read.
    #[error("the eBPF object {path} (named by PMU_MONITOR_OBJECT) cannot be read: {source}")]
    Object {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The verifier or the kernel refused a program.
    #[error("the kernel refused the program {program}: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// The end of what the verifier said.
        reason: String,
    },
    /// An attachment failed.
    #[error("cannot attach {program} to {target}: {reason}")]
    Attach {
        /// Its name.
        program: String,
        /// Tracepoint or interface.
        target: String,
        /// What the kernel said.
        reason: String,
    },
    /// The interface is not there.
    #[error("no interface {name} in this network namespace; there are: {present}")]
    NoInterface {
        /// What was asked for.
        name: String,
        /// What there is.
        present: String,
    },
    /// A map operation failed.
    #[error("map {map}: {reason}")]
    Map {
        /// Its name.
        map: String,
        /// What the kernel said.
        reason: String,
    },
    /// What the programs read through BTF offsets is not what is there.
    #[error(
        "self-test: reading a known frame through this kernel's BTF gave {found}, expected {expected}; the BTF in \
         /sys/kernel/btf/vmlinux does not describe the running kernel"
    )]
    SelfTest {
        /// What was read.
        found: String,
        /// What was sent.
        expected: String,
    },
    /// The kernel does not say why it drops packets.
    #[error(
        "this kernel gives no reason with a packet that it drops (kfree_skb has one from Linux 5.17 on): run without --drops"
    )]
    NoDropReasons,
    /// A namespace operation failed.
    #[error("network namespace of {name}: {source}")]
    Namespace {
        /// The interface it is about.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ProbeError {
    /// Of a map operation.
    pub(super) fn from_map(name: &str, error: &aya::maps::MapError) -> Self {
        Self::Map { map: name.to_owned(), reason: chain(error) }
    }
}

/// An error with all its causes in one line: aya keeps what the kernel said in the chain.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
