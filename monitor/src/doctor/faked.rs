//! A host in a temporary directory, for tests: fit in everything, until a test takes something away.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Asked, Host};
use crate::clock::{Keeper, Source};

/// What is asked of it: the reader on CPU 3 at priority 50, looking at eth1.
pub(crate) fn asked() -> Asked {
    Asked { interfaces: vec!["eth1".to_owned()], cpu: Some(3), priority: 50 }
}

/// The host. CPUs 0 to 2 do everything; eth1 is a virtio card with the lines 41 and 42.
pub(crate) struct Faked {
    place: TempDir,
    pub(crate) keeper: Keeper,
}

/// In memory where there is such a place: a disk that discards what is removed takes half a minute for all these files.
fn tempdir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Everything but threads and idle states, which are made by functions of their own.
const FILES: &[(&str, &str)] = &[
    ("/proc/sys/kernel/hostname", "substation\n"),
    ("/proc/sys/kernel/osrelease", "6.12.117-rt-amd64\n"),
    ("/proc/sys/kernel/version", "#1 SMP PREEMPT_RT Debian 6.12.117-1 (2026-11-14)\n"),
    ("/proc/sys/kernel/random/boot_id", "0b7d1c9e-2f3a-4e55-9a61-7c1d6f1f3f10\n"),
    ("/sys/kernel/realtime", "1\n"),
    ("/proc/cmdline", "quiet isolcpus=managed_irq,domain,3 nohz_full=3 rcu_nocbs=3 irqaffinity=0-2\n"),
    ("/sys/devices/system/cpu/online", "0-3\n"),
    ("/sys/devices/system/cpu/possible", "0-7\n"),
    ("/sys/devices/system/cpu/isolated", "3\n"),
    ("/sys/devices/system/cpu/nohz_full", "3\n"),
    ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
    ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm \n"),
    ("/proc/irq/default_smp_affinity", "7\n"),
    ("/proc/irq/41/smp_affinity_list", "0-2\n"),
    ("/proc/irq/41/effective_affinity_list", "1\n"),
    ("/proc/irq/42/smp_affinity_list", "2\n"),
    ("/proc/irq/42/effective_affinity_list", "\n"),
    (
        "/proc/interrupts",
        "     CPU0 CPU1\n 42:  0  1 PCI-MSIX-0000:00:03.0 1-edge virtio2-input.0\nNMI: 0 0\n",
    ),
    ("/proc/sys/kernel/sched_rt_runtime_us", "9500\n"),
    ("/proc/sys/kernel/sched_rt_period_us", "10000\n"),
    ("/sys/kernel/debug/sched/fair_server/cpu3/runtime", "500000\n"),
    ("/sys/kernel/debug/sched/fair_server/cpu3/period", "10000000\n"),
    ("/proc/self/status", "Name:\tpmu-monitor\nCapEff:\t000001ffffffffff\n"),
    (
        "/proc/self/limits",
        "Limit  Soft Limit  Hard Limit  Units\nMax locked memory  8388608  8388608  bytes\n",
    ),
    ("/proc/self/mounts", "sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n"),
    ("/proc/sys/kernel/perf_event_paranoid", "2\n"),
    ("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n"),
    ("/sys/class/net/eth1/ifindex", "2\n"),
    ("/sys/class/net/eth1/threaded", "0\n"),
    ("/sys/class/net/lo/ifindex", "1\n"),
    ("/sys/class/net/bonding_masters", "\n"),
    ("/sys/devices/pci/msi_irqs/41", "msix\n"),
    ("/sys/devices/pci/virtio2/vendor", "0x1af4\n"),
    ("/proc/1/comm", "systemd\n"),
];

impl Faked {
    pub(crate) fn fit() -> Self {
        let place = tempdir();
        let keeper = Keeper {
            source: Source::Chrony,
            reference: Some("192.0.2.1".to_owned()),
            error_bound_ns: Some(70_000),
            tai_offset_s: Some(37),
            ..Keeper::default()
        };
        let faked = Self { place, keeper };
        for (path, text) in FILES {
            faked.put(path, text);
        }
        let device = faked.place.path().join("sys/class/net/eth1/device");
        std::os::unix::fs::symlink("../../../devices/pci/virtio2", device).unwrap();
        faked.put_bytes("/sys/kernel/btf/vmlinux", &0xEB9F_u16.to_ne_bytes());
        faked.put_bytes("/dev/cpu_dma_latency", &2_000_000_000_i32.to_ne_bytes());
        for cpu in 0..4 {
            faked.put(&format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"), "performance\n");
            faked.idle_state(cpu, "state0", ["POLL", "0", "0"]);
            faked.idle_state(cpu, "state1", ["C1", "2", "0"]);
            faked.idle_state(cpu, "state2", ["C6", "133", "1"]);
            faked.thread(100 + cpu, &format!("irq_work/{cpu}"), 1, 51, &cpu.to_string());
        }
        faked.thread(200, "irq/41-virtio2-input.0", 1, 50, "1");
        faked.thread(201, "irq/42-virtio2-input.0", 1, 50, "2");
        faked
    }

    pub(crate) fn host(&self) -> Host {
        Host::below(self.place.path(), self.keeper.clone())
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        self.put_bytes(path, text.as_bytes());
    }

    fn put_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.place.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn dma_latency(&self, us: i32) {
        self.put_bytes("/dev/cpu_dma_latency", &us.to_ne_bytes());
    }

    /// Takes a file or a directory away.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.place.path().join(path.trim_start_matches('/'));
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// Its name, what it takes to leave it, and whether it is switched off.
    pub(crate) fn idle_state(&self, cpu: u32, state: &str, [name, latency, disable]: [&str; 3]) {
        for (file, text) in [("name", name), ("latency", latency), ("disable", disable)] {
            self.put(
                &format!("/sys/devices/system/cpu/cpu{cpu}/cpuidle/{state}/{file}"),
                &format!("{text}\n"),
            );
        }
    }

    /// A kernel thread: 1 is the policy `SCHED_FIFO`, 0 the ordinary one.
    pub(crate) fn thread(&self, tid: u32, name: &str, policy: u8, priority: u8, cpus: &str) {
        let before = "S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 -51 0 1 0";
        let between = "0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 1 0 0 17 0";
        let stat = format!("{tid} ({name}) {before} {tid} {between} {priority} {policy} 0 0 0\n");
        self.put(&format!("/proc/{tid}/stat"), &stat);
        self.put(&format!("/proc/{tid}/status"), &format!("Name:\t{name}\nCpus_allowed_list:\t{cpus}\n"));
    }
}
