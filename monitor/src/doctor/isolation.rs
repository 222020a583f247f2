//! Whether the reader has its CPU to itself: what the kernel was told at boot.

use super::finding::{Finding, Looked, Remedy};
use super::subject::cpu_list;
use super::{Change, Subject};
use crate::sys::sched::CpuList;

const ALONE: &str = "none: this host has one CPU, which the reader shares with everything; a second CPU";

/// A parameter to add to the kernel's command line.
fn parameter(text: &str) -> String {
    format!("kernel parameter {text} (GRUB_CMDLINE_LINUX in /etc/default/grub; update-grub; reboot)")
}

impl Subject<'_> {
    /// The value of a parameter of the kernel's command line; empty where it has none. The last one counts.
    fn boot_parameter(&self, name: &str) -> Result<Option<String>, Finding> {
        let line = self.host.read("/proc/cmdline")?;
        let value = |word: &str| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key == name).then(|| value.trim_matches('"').to_owned())
        };
        Ok(line.split_whitespace().filter_map(value).next_back())
    }

    fn boot_remedy(&self, text: impl FnOnce(usize) -> String) -> String {
        if self.others().is_none() { ALONE.to_owned() } else { parameter(&text(self.cpu)) }
    }

    /// CPUs whose tick stops; none where the kernel cannot.
    fn tickless(&self) -> Result<Option<CpuList>, Finding> {
        const PATH: &str = "/sys/devices/system/cpu/nohz_full";
        Ok(if self.host.has(PATH) { Some(cpu_list(&self.host.read(PATH)?)) } else { None })
    }
}

pub(super) fn isolcpus(subject: &Subject<'_>) -> Looked {
    let text = subject.host.word("/sys/devices/system/cpu/isolated")?;
    if cpu_list(&text).contains(subject.cpu) {
        return Ok(Finding::pass(format!("CPUs {text} are isolated")));
    }
    let found = if text.is_empty() {
        "no CPU is isolated: ordinary threads run on the reader's".to_owned()
    } else {
        format!("CPUs {text} are isolated, CPU {} is not", subject.cpu)
    };
    Ok(Finding::warn(found, subject.boot_remedy(|cpu| format!("isolcpus=managed_irq,domain,{cpu}"))))
}

pub(super) fn nohz_full(subject: &Subject<'_>) -> Looked {
    let remedy = || subject.boot_remedy(|cpu| format!("nohz_full={cpu}"));
    Ok(match subject.tickless()? {
        Some(list) if list.contains(subject.cpu) => Finding::pass(format!("the tick of CPUs {list} stops")),
        Some(_) => Finding::warn(format!("CPU {} is interrupted by the tick", subject.cpu), remedy()),
        None => Finding::warn(
            "this kernel cannot stop the tick (CONFIG_NO_HZ_FULL)",
            "boot a kernel that can (Debian: apt install linux-image-rt-amd64; reboot)",
        ),
    })
}

/// CPUs of `nohz_full` are relieved of RCU's callbacks too.
pub(super) fn rcu_nocbs(subject: &Subject<'_>) -> Looked {
    let cpu = subject.cpu;
    if subject.tickless()?.is_some_and(|list| list.contains(cpu)) {
        return Ok(Finding::pass(format!("nohz_full relieves CPU {cpu} of RCU's callbacks")));
    }
    let relieved = |value: &str| format!("rcu_nocbs={value} relieves CPU {cpu} of RCU's callbacks");
    let remedy = || subject.boot_remedy(|cpu| format!("rcu_nocbs={cpu}"));
    let burdened = format!("RCU's callbacks run on CPU {cpu}");
    Ok(match subject.boot_parameter("rcu_nocbs")?.filter(|value| !value.is_empty()) {
        None => Finding::warn(burdened, remedy()),
        Some(value) if value == "all" => Finding::pass(relieved(&value)),
        Some(value) => match CpuList::parse(&value) {
            Some(list) if list.contains(cpu) => Finding::pass(relieved(&value)),
            Some(_) => Finding::warn(burdened, remedy()),
            None => Finding::unknown(format!("rcu_nocbs={value} is no plain list of CPUs"), remedy()),
        },
    })
}

/// Where interrupts go that nobody has directed yet.
pub(super) fn irqaffinity(subject: &Subject<'_>) -> Looked {
    const DEFAULT: &str = "/proc/irq/default_smp_affinity";
    let text = subject.host.word(DEFAULT)?;
    let Some(mask) = cpus_of_mask(&text) else {
        return Err(Finding::unknown(format!("{DEFAULT} holds {text}, no mask of CPUs"), "read it by hand"));
    };
    if !mask.contains(subject.cpu) {
        return Ok(Finding::pass(format!("new interrupts go to CPUs {mask}")));
    }
    let found = format!("new interrupts may go to CPU {} (CPUs {mask})", subject.cpu);
    Ok(Finding::warn(
        found,
        match subject.others() {
            Some(others) => Remedy::from(vec![Change::file(DEFAULT, mask_of_cpus(&others))])
                .and(&parameter(&format!("irqaffinity={others}"))),
            None => ALONE.into(),
        },
    ))
}

/// The kernel's masks are hexadecimal, in groups of 32 bits with commas between, the highest first.
fn cpus_of_mask(text: &str) -> Option<CpuList> {
    let groups: Option<Vec<u32>> =
        text.rsplit(',').map(|group| u32::from_str_radix(group, 16).ok()).collect();
    let bits = groups?.into_iter().enumerate().flat_map(|(place, group)| {
        (0..32).filter(move |bit| group & (1 << bit) != 0).map(move |bit| place * 32 + bit)
    });
    Some(bits.collect())
}

fn mask_of_cpus(cpus: &CpuList) -> String {
    let groups = cpus.iter().last().map_or(1, |last| last / 32 + 1);
    let group = |place: usize| {
        cpus.iter().filter(|cpu| cpu / 32 == place).fold(0_u32, |group, cpu| group | (1 << (cpu % 32)))
    };
    let first = format!("{:x}", group(groups - 1));
    (0..groups - 1).rev().fold(first, |text, place| format!("{text},{:08x}", group(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_and_written_in_the_kernels_format() {
        for (mask, list) in
            [("f", "0-3"), ("1,00000000", "32"), ("80000001,0000000f", "0-3,32,63"), ("0", "")]
        {
            assert_eq!(cpus_of_mask(mask).unwrap().to_string(), list);
            assert_eq!(mask_of_cpus(&CpuList::parse(list).unwrap()), mask);
        }
        assert_eq!(cpus_of_mask("x"), None);
        assert_eq!(cpus_of_mask(""), None);
    }
}
