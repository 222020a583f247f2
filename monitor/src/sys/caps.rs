//! Which capabilities this thread has in effect, so that a refusal can be explained before or after it happens.
//!
//! Read from `/proc/thread-self/status` (`CapEff`, a 64-bit mask in hexadecimal; proc(5), capabilities(7)).

use std::{fmt, fs, io};

/// A capability that some part of the monitor needs; the value is its bit in the kernel's mask
/// (include/uapi/linux/capability.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Capability {
    /// Veth pairs, addresses, attaching to tc and XDP.
    NetAdmin = 12,
    /// Packet sockets: the promiscuous membership.
    NetRaw = 13,
    /// Locking memory beyond `RLIMIT_MEMLOCK`.
    IpcLock = 14,
    /// Making and entering network namespaces, bpffs mounts, and everything older kernels have no finer name for.
    SysAdmin = 21,
    /// Real-time scheduling beyond `RLIMIT_RTPRIO`.
    SysNice = 23,
    /// Raising resource limits.
    SysResource = 24,
    /// Tracing programs.
    Perfmon = 38,
    /// Loading programs, making maps.
    Bpf = 39,
}

impl Capability {
    /// The name in capabilities(7).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysNice => "CAP_SYS_NICE",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A set of capabilities as the kernel's mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// The effective set of the calling thread.
    ///
    /// # Errors
    /// `/proc` is not mounted, or has no `CapEff` line.
    pub fn effective() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/thread-self/status")?;
        Self::of_status(&status).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "/proc/thread-self/status has no readable CapEff line")
        })
    }

    /// The effective set in the text of a `/proc/.../status`; `None` where it has no `CapEff` line.
    #[must_use]
    pub fn of_status(status: &str) -> Option<Self> {
        let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(mask.trim(), 16).ok().map(Self)
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// Those of `wanted` that are not in the set, in the order given.
    #[must_use]
    pub fn missing(self, wanted: &[Capability]) -> Vec<Capability> {
        wanted.iter().copied().filter(|&one| !self.has(one)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_mask_of_a_confined_service() {
        let status = "Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t000000c000801000\nCapBnd:\t0\n";
        let set = Capabilities::of_status(status).unwrap();
        assert!(set.has(Capability::NetAdmin));
        assert!(set.has(Capability::SysNice));
        assert!(set.has(Capability::Perfmon));
        assert!(set.has(Capability::Bpf));
        let wanted = [Capability::Bpf, Capability::SysAdmin, Capability::IpcLock];
        assert_eq!(set.missing(&wanted), [Capability::SysAdmin, Capability::IpcLock]);
    }

    #[test]
    fn a_status_without_the_line_is_refused() {
        assert_eq!(Capabilities::of_status("CapPrm:\tff\n"), None);
        assert_eq!(Capabilities::of_status("CapEff:\tnot hexadecimal\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        Capabilities::effective().unwrap();
    }
}
