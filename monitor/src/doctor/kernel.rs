//! Which kernel it is, and whether it has what the ring needs.

use super::Subject;
use super::finding::{Finding, Looked};

const DEBIAN_RT: &str = "boot a PREEMPT_RT kernel (Debian: apt install linux-image-rt-amd64; reboot)";

/// A kernel's number: major, minor and, where it is told, that of the stable update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    series: (u32, u32),
    stable: Option<u32>,
}

impl Subject<'_> {
    fn release(&self) -> Result<String, Finding> {
        Ok(self.host.word("/proc/sys/kernel/osrelease")?)
    }

    /// What `uname -v` prints.
    pub(super) fn kernel_version(&self) -> Result<String, Finding> {
        Ok(self.host.word("/proc/sys/kernel/version")?)
    }

    /// Whether the kernel is a `PREEMPT_RT` one: by `/sys/kernel/realtime`, which not every such kernel has, or by its
    /// version.
    pub(super) fn is_preempt_rt(&self) -> Result<bool, Finding> {
        let told = self.host.word("/sys/kernel/realtime").is_ok_and(|text| text == "1");
        Ok(told || self.kernel_version()?.contains("PREEMPT_RT"))
    }

    /// Major and minor number.
    pub(super) fn series(&self) -> Result<(u32, u32), Finding> {
        Ok(self.kernel_number()?.series)
    }

    fn kernel_number(&self) -> Result<Number, Finding> {
        let release = self.release()?;
        number(&release, &self.kernel_version()?)
            .ok_or_else(|| Finding::unknown(format!("release {release} is no kernel's number"), DEBIAN_RT))
    }
}

/// Debian's release says "6.1.0-37" whatever the stable update is; its version has the number.
fn number(release: &str, version: &str) -> Option<Number> {
    let debian = version.split_once("Debian ").map(|(_, told)| told);
    let text = debian.unwrap_or(release);
    let mut parts = text.split(|not: char| !not.is_ascii_digit());
    let mut part = || parts.next()?.parse::<u32>().ok();
    let (series, stable) = ((part()?, part()?), part());
    // "6.8.0-45-generic", "5.14.0-503.el9": the distribution counts by itself.
    let hidden = debian.is_none() && stable == Some(0) && release.contains(".0-");
    Some(Number { series, stable: stable.filter(|_| !hidden) })
}

pub(super) fn preempt_rt(subject: &Subject<'_>) -> Looked {
    let version = subject.kernel_version()?;
    if subject.is_preempt_rt()? {
        return Ok(Finding::pass(format!("PREEMPT_RT kernel ({version})")));
    }
    Ok(Finding::fail(format!("no PREEMPT_RT kernel ({version})"), DEBIAN_RT))
}

pub(super) fn version(subject: &Subject<'_>) -> Looked {
    /// `BPF_MAP_TYPE_RINGBUF`.
    const WITH_RING: (u32, u32) = (5, 8);
    const TESTED: (u32, u32) = (6, 1);
    let release = subject.release()?;
    let series = subject.series()?;
    Ok(if series < WITH_RING {
        Finding::fail(format!("Linux {release} has no BPF ring buffer"), "boot Linux 6.1 or later")
    } else if series < TESTED {
        Finding::warn(format!("Linux {release}: nothing before 6.1 is tested"), "boot Linux 6.1 or later")
    } else {
        Finding::pass(format!("Linux {release}"))
    })
}

/// "bpf: Use `raw_spinlock_t` in ringbuf", upstream 8b62645b09f8 (CVE-2024-50138): before it the ring's lock sleeps on
/// `PREEMPT_RT`, where a tracepoint may not.
pub(super) fn ring_fixes(subject: &Subject<'_>) -> Looked {
    const FIXED_IN: (u32, u32) = (6, 12);
    /// The first stable update of a series that has it.
    const BACKPORTS: [((u32, u32), u32); 3] = [((6, 1), 115), ((6, 6), 84), ((6, 11), 6)];
    const REMEDY: &str = "boot Linux 6.1.115, 6.6.84, 6.11.6, 6.12 or later of these series";
    if !subject.is_preempt_rt()? {
        return Ok(Finding::pass("the ring's lock never sleeps without PREEMPT_RT"));
    }
    let release = subject.release()?;
    let Number { series, stable } = subject.kernel_number()?;
    if series >= FIXED_IN {
        return Ok(Finding::pass(format!("Linux {release} has the ring's raw lock (8b62645b09f8)")));
    }
    let backport = BACKPORTS.iter().find(|(of, _)| *of == series).map(|&(_, first)| first);
    match (backport, stable) {
        (Some(first), Some(stable)) if stable >= first => Ok(Finding::pass(format!(
            "{}.{}.{stable} has the ring's raw lock (8b62645b09f8)",
            series.0, series.1
        ))),
        (_, None) => Err(Finding::unknown(
            format!(
                "release {release} does not say which stable update it is, so whether it has 8b62645b09f8"
            ),
            REMEDY,
        )),
        _ => Ok(Finding::fail(
            format!(
                "Linux {release}: the ring's lock sleeps in atomic context (CVE-2024-50138, before 8b62645b09f8)"
            ),
            REMEDY,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_forms_seen_in_the_field() {
        for (release, version, wanted) in [
            ("6.1.0-56-rt-amd64", "#1 SMP PREEMPT_RT Debian 6.1.192-2 (2026-11-16)", Some((6, 1, Some(192)))),
            ("6.12.117+deb12-rt-amd64", "#1 SMP PREEMPT_RT Debian 6.12.117-1", Some((6, 12, Some(117)))),
            ("6.6.83-rt54", "#1 SMP PREEMPT_RT", Some((6, 6, Some(83)))),
            ("6.8.0-45-generic", "#45-Ubuntu SMP", Some((6, 8, None))),
            ("5.14.0-503.el9.x86_64+rt", "#1 SMP PREEMPT_RT", Some((5, 14, None))),
            ("6.6.0", "#1 SMP", Some((6, 6, Some(0)))),
            ("strange", "", None),
        ] {
            let found = number(release, version).map(|it| (it.series.0, it.series.1, it.stable));
            assert_eq!(found, wanted, "{release}");
        }
    }
}
