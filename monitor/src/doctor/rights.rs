//! What this process may do, and what the kernel offers.

use super::Subject;
use super::finding::{Finding, Looked};
use crate::sys::caps::{Capabilities, Capability};

const SETCAP: &str = "run as root, or setcap cap_bpf,cap_perfmon,cap_net_admin,cap_sys_nice,cap_ipc_lock+ep $(command -v pmu-monitor)";

impl Subject<'_> {
    fn effective(&self) -> Result<Capabilities, Finding> {
        let status = self.host.read("/proc/self/status")?;
        Capabilities::of_status(&status).ok_or_else(|| {
            Finding::unknown("/proc/self/status has no readable line CapEff", "run it where /proc is mounted")
        })
    }
}

pub(super) fn memory_lock(subject: &Subject<'_>) -> Looked {
    if subject.effective()?.has(Capability::IpcLock) {
        return Ok(Finding::pass("CAP_IPC_LOCK locks any memory"));
    }
    let limits = subject.host.read("/proc/self/limits")?;
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    match soft.and_then(|rest| rest.split_whitespace().next()) {
        Some("unlimited") => Ok(Finding::pass("the limit on locked memory is unlimited")),
        Some(bytes) => Ok(Finding::warn(
            format!("{bytes} bytes may be locked, and a run locks none of its memory"),
            "grant CAP_IPC_LOCK, or ulimit -l unlimited (a service: LimitMEMLOCK=infinity)",
        )),
        None => Err(Finding::unknown(
            "/proc/self/limits has no line Max locked memory",
            "run it where /proc is mounted",
        )),
    }
}

/// Under "confidentiality" BPF programs may not read the kernel's memory (`kernel_lockdown(7)`).
pub(super) fn lockdown(subject: &Subject<'_>) -> Looked {
    const PLACE: &str = "/sys/kernel/security";
    if !subject.host.has(PLACE) {
        return Ok(Finding::pass("this kernel has no lockdown"));
    }
    if subject.host.names(PLACE).is_empty() {
        return Err(Finding::unknown(
            format!("{PLACE}: securityfs is not mounted, or not to be read"),
            format!("mount -t securityfs securityfs {PLACE}, and run it as root"),
        ));
    }
    if !subject.host.has(&format!("{PLACE}/lockdown")) {
        return Ok(Finding::pass("this kernel has no lockdown"));
    }
    let text = subject.host.word(&format!("{PLACE}/lockdown"))?;
    let mode = text.split(['[', ']']).nth(1).unwrap_or(&text);
    Ok(if mode == "confidentiality" {
        Finding::fail(
            "lockdown is at confidentiality: programs may not read what they need",
            "kernel parameter lockdown=integrity (with secure boot off, or a kernel that goes no further); reboot",
        )
    } else {
        Finding::pass(format!("lockdown is at {mode}"))
    })
}

pub(super) fn btf(subject: &Subject<'_>) -> Looked {
    const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
    /// Documentation/bpf/btf.rst.
    const MAGIC: u16 = 0xEB9F;
    const REMEDY: &str = "boot a kernel with CONFIG_DEBUG_INFO_BTF (Debian's have it)";
    if !subject.host.has(VMLINUX) {
        return Ok(Finding::fail(format!("the kernel publishes no types ({VMLINUX})"), REMEDY));
    }
    let head = subject.host.head(VMLINUX)?;
    Ok(if u16::from_ne_bytes(head) == MAGIC {
        Finding::pass("the kernel publishes its types")
    } else {
        Finding::fail(format!("{VMLINUX} does not begin as BTF does"), REMEDY)
    })
}

pub(super) fn capabilities(subject: &Subject<'_>) -> Looked {
    /// Without these nothing is attached; without those the reader is not real-time.
    const NEEDED: [Capability; 3] = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];
    const WANTED: [Capability; 2] = [Capability::SysNice, Capability::IpcLock];
    let effective = subject.effective()?;
    let missing = |wanted: &[Capability]| {
        let names: Vec<_> = effective.missing(wanted).into_iter().map(Capability::name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    Ok(match (missing(&NEEDED), missing(&WANTED)) {
        (Some(names), _) => Finding::fail(format!("{names} missing: nothing can be attached"), SETCAP),
        (None, Some(names)) => {
            Finding::warn(format!("{names} missing: a run is not wholly real-time"), SETCAP)
        }
        (None, None) => Finding::pass("all that a run takes are there"),
    })
}

/// The ring needs bpf(2) alone.
pub(super) fn perf_event_paranoid(subject: &Subject<'_>) -> Looked {
    /// Above it, Debian's kernels refuse `perf_event_open` even with `CAP_PERFMON`.
    const UPSTREAM_MAX: i64 = 2;
    let level = subject.host.number("/proc/sys/kernel/perf_event_paranoid")?;
    Ok(if level <= UPSTREAM_MAX {
        Finding::pass(format!("{level}"))
    } else {
        Finding::warn(
            format!(
                "{level}: perf_event_open is refused, which perf, bpftrace and `run --transport perf` use, and the ring does not"
            ),
            format!("sysctl -w kernel.perf_event_paranoid={UPSTREAM_MAX}"),
        )
    })
}

pub(super) fn bpffs(subject: &Subject<'_>) -> Looked {
    const PLACE: &str = "/sys/fs/bpf";
    let mounts = subject.host.read("/proc/self/mounts")?;
    let mut fields = mounts.lines().map(|line| line.split(' ').skip(1));
    let mounted = fields.any(|mut line| line.next() == Some(PLACE) && line.next() == Some("bpf"));
    Ok(if mounted {
        Finding::pass(format!("mounted on {PLACE}"))
    } else {
        Finding::warn(
            format!("no bpffs on {PLACE}: attach has no place for its pins"),
            format!("mount -t bpf bpf {PLACE}"),
        )
    })
}
