//! Every check on a faked host: where it passes, and where it does not.

use std::collections::BTreeSet;

use super::faked::{Faked, asked};
use super::*;
use crate::clock::Source;

/// What is changed of a host that is fit, and what a check says then.
struct Case {
    id: &'static str,
    verdict: Verdict,
    /// A part of what is said: in `found` or in the remedy.
    says: &'static str,
    change: fn(&mut Faked),
}

const fn case(id: &'static str, verdict: Verdict, says: &'static str, change: fn(&mut Faked)) -> Case {
    Case { id, verdict, says, change }
}

const RELEASE: &str = "/proc/sys/kernel/osrelease";
const VERSION: &str = "/proc/sys/kernel/version";
const CPUS: &str = "/sys/devices/system/cpu";
const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const THREADED: &str = "/sys/class/net/eth1/threaded";
const PERIOD: &str = "/proc/sys/kernel/sched_rt_period_us";
const RUNTIME: &str = "/proc/sys/kernel/sched_rt_runtime_us";
const STATUS: &str = "/proc/self/status";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

fn ordinary_kernel(host: &mut Faked) {
    host.put(VERSION, "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1\n");
    host.put("/sys/kernel/realtime", "0\n");
}

fn rt_kernel(host: &mut Faked, release: &str) {
    host.put(RELEASE, release);
    host.put(VERSION, "#1 SMP PREEMPT_RT\n");
}

use Verdict::{Fail, Pass, Unknown, Warn};

const CASES: &[Case] = &[
    case("preempt-rt", Fail, "linux-image-rt-amd64", ordinary_kernel),
    case("preempt-rt", Pass, "PREEMPT_RT", |host| host.remove("/sys/kernel/realtime")),
    case("preempt-rt", Unknown, VERSION, |host| host.remove(VERSION)),
    case("kernel-version", Warn, "5.15", |host| rt_kernel(host, "5.15.3")),
    case("kernel-version", Fail, "ring", |host| rt_kernel(host, "5.4.1")),
    case("kernel-version", Unknown, "strange", |host| rt_kernel(host, "strange")),
    case("ring-fixes", Fail, "CVE-2024-50138", |host| rt_kernel(host, "6.6.83-rt1")),
    case("ring-fixes", Fail, "8b62645b09f8", |host| rt_kernel(host, "6.10.9")),
    case("ring-fixes", Pass, "6.6.84", |host| rt_kernel(host, "6.6.84-rt1")),
    case("ring-fixes", Unknown, "stable update", |host| rt_kernel(host, "6.8.0-45-realtime")),
    case("ring-fixes", Pass, "without PREEMPT_RT", |host| {
        ordinary_kernel(host);
        host.put(RELEASE, "6.6.1\n");
    }),
    case("ring-fixes", Pass, "6.1.192", |host| {
        host.put(RELEASE, "6.1.0-56-rt-amd64\n");
        host.put(VERSION, "#1 SMP PREEMPT_RT Debian 6.1.192-2 (2026-11-16)\n");
    }),
    case("isolcpus", Warn, "isolcpus=managed_irq,domain,3", |host| {
        host.put("/sys/devices/system/cpu/isolated", "\n");
    }),
    case("isolcpus", Warn, "CPUs 2 are", |host| host.put("/sys/devices/system/cpu/isolated", "2\n")),
    case("isolcpus", Unknown, "isolated", |host| host.remove("/sys/devices/system/cpu/isolated")),
    case("nohz-full", Warn, "nohz_full=3", |host| host.put("/sys/devices/system/cpu/nohz_full", " (null)\n")),
    case("nohz-full", Warn, "NO_HZ_FULL", |host| host.remove("/sys/devices/system/cpu/nohz_full")),
    case("rcu-nocbs", Warn, "rcu_nocbs=3", |host| {
        host.remove("/sys/devices/system/cpu/nohz_full");
        host.put("/proc/cmdline", "quiet rcu_nocbs=1-2\n");
    }),
    case("rcu-nocbs", Warn, "rcu_nocbs=3", |host| {
        host.remove("/sys/devices/system/cpu/nohz_full");
        host.put("/proc/cmdline", "quiet rcu_nocbs\n");
    }),
    case("rcu-nocbs", Pass, "rcu_nocbs=all", |host| {
        host.remove("/sys/devices/system/cpu/nohz_full");
        host.put("/proc/cmdline", "rcu_nocbs=1 rcu_nocbs=all\n");
    }),
    case("rcu-nocbs", Pass, "rcu_nocbs=2-3", |host| {
        host.remove("/sys/devices/system/cpu/nohz_full");
        host.put("/proc/cmdline", "rcu_nocbs=2-3\n");
    }),
    case("rcu-nocbs", Unknown, "1-N", |host| {
        host.remove("/sys/devices/system/cpu/nohz_full");
        host.put("/proc/cmdline", "rcu_nocbs=1-N\n");
    }),
    case(
        "irqaffinity",
        Warn,
        "echo 7 > /proc/irq/default_smp_affinity; kernel parameter irqaffinity=0-2",
        |host| {
            host.put("/proc/irq/default_smp_affinity", "f\n");
        },
    ),
    case("irqaffinity", Unknown, "mask", |host| host.put("/proc/irq/default_smp_affinity", "x\n")),
    case("irqaffinity", Warn, "a second CPU", |host| {
        host.put("/proc/irq/default_smp_affinity", "f\n");
        host.put("/sys/devices/system/cpu/online", "3\n");
    }),
    case("nic-irq-affinity", Fail, "echo 0-2 > /proc/irq/41/smp_affinity_list", |host| {
        host.put("/proc/irq/41/effective_affinity_list", "3\n");
    }),
    case("nic-irq-affinity", Fail, "echo 0-2 > /proc/irq/42/smp_affinity_list", |host| {
        host.put("/proc/irq/42/smp_affinity_list", "0-3\n");
    }),
    case("nic-irq-affinity", Unknown, "41", |host| host.remove("/proc/irq/41")),
    case("nic-irq-affinity", Pass, "no interrupts", |host| {
        host.remove("/sys/class/net/eth1/device");
        host.remove("/proc/interrupts");
    }),
    case("irqbalance", Warn, "IRQBALANCE_BANNED_CPULIST=3", |host| {
        host.put("/proc/77/comm", "irqbalance\n");
        host.put("/sys/devices/system/cpu/isolated", "\n");
    }),
    case("irqbalance", Pass, "alone", |host| host.put("/proc/77/comm", "irqbalance\n")),
    case("napi-threading", Warn, "echo 0 > /sys/class/net/eth1/threaded", |host| host.put(THREADED, "1\n")),
    case("napi-threading", Pass, "polled", |host| host.remove(THREADED)),
    case("napi-threading", Unknown, "no number", |host| host.put(THREADED, "yes\n")),
    case("napi-priority", Fail, "chrt --fifo --pid 51 300", |host| {
        host.put(THREADED, "1\n");
        host.thread(300, "napi/eth1-8193", 0, 0, "0-2");
    }),
    case("napi-priority", Fail, "chrt --fifo --pid 51 300", |host| {
        host.put(THREADED, "1\n");
        host.thread(300, "napi/eth1-8193", 1, 50, "0-3");
    }),
    case("napi-priority", Pass, "napi/eth1-8193 at 1", |host| {
        host.put(THREADED, "1\n");
        host.thread(300, "napi/eth1-8193", 1, 1, "0-2");
        host.thread(301, "napi/eth10-8193", 0, 0, "0-3");
    }),
    case("napi-priority", Unknown, "napi/eth1", |host| host.put(THREADED, "1\n")),
    case("irq-thread-priority", Fail, "chrt --fifo --pid 51 201", |host| {
        host.thread(201, "irq/42-virtio2-input.0", 1, 50, "2-3");
    }),
    case("irq-thread-priority", Fail, "SCHED_OTHER", |host| {
        host.thread(201, "irq/42-virtio2-input.0", 0, 0, "2");
    }),
    case("irq-thread-priority", Unknown, "irq/", |host| {
        host.remove("/proc/200");
        host.remove("/proc/201");
    }),
    case("irq-thread-priority", Pass, "not handled in threads", |host| {
        ordinary_kernel(host);
        host.remove("/proc/200");
        host.remove("/proc/201");
    }),
    case("irq-work-priority", Warn, "chrt --fifo --pid 51 101", |host| {
        host.thread(101, "irq_work/1", 1, 1, "1");
    }),
    case("irq-work-priority", Pass, "irq_work/1", |host| host.thread(100, "irq_work/0", 1, 1, "0")),
    case("irq-work-priority", Pass, "without PREEMPT_RT", ordinary_kernel),
    case("irq-work-priority", Unknown, "irq_work/", |host| {
        (100..104).for_each(|tid| host.remove(&format!("/proc/{tid}")));
    }),
    case("idle-states", Warn, "echo 1 > /sys/devices/system/cpu/cpu3/cpuidle/state2/disable", |host| {
        host.idle_state(3, "state2", ["C6", "133", "0"]);
    }),
    case("idle-states", Pass, "5 us", |host| {
        host.idle_state(3, "state2", ["C6", "133", "0"]);
        host.dma_latency(5);
    }),
    case("idle-states", Warn, "cannot be read", |host| {
        host.idle_state(1, "state2", ["C6", "133", "0"]);
        host.remove("/dev/cpu_dma_latency");
    }),
    case("idle-states", Unknown, "latency", |host| {
        host.remove(&format!("{CPUS}/cpu3/cpuidle/state1/latency"));
    }),
    case(
        "governor",
        Warn,
        "echo performance > /sys/devices/system/cpu/cpu2/cpufreq/scaling_governor",
        |host| {
            host.put(&format!("{CPUS}/cpu2/cpufreq/scaling_governor"), "powersave\n");
        },
    ),
    case("governor", Pass, "performance", |host| {
        host.put(&format!("{CPUS}/cpu0/cpufreq/scaling_governor"), "powersave\n");
    }),
    case("governor", Pass, "not this system's", |host| {
        (0..4).for_each(|cpu| host.remove(&format!("{CPUS}/cpu{cpu}/cpufreq")));
    }),
    case("clocksource", Warn, "echo tsc >", |host| host.put(CLOCK, "hpet\n")),
    case("clocksource", Fail, "coarse", |host| host.put(CLOCK, "jiffies\n")),
    case("clocksource", Warn, "tsc=reliable", |host| {
        host.put(CLOCK, "acpi_pm\n");
        host.put("/sys/devices/system/clocksource/clocksource0/available_clocksource", "hpet acpi_pm\n");
    }),
    case("clocksource", Unknown, "current_clocksource", |host| host.remove(CLOCK)),
    case(
        "rt-throttling",
        Warn,
        "echo 9500 > /proc/sys/kernel/sched_rt_runtime_us; echo 10000 > /proc/sys/kernel/sched_rt_period_us",
        |host| {
            host.put(RUNTIME, "950000\n");
            host.put(PERIOD, "1000000\n");
        },
    ),
    case(
        "rt-throttling",
        Warn,
        "echo 10000 > /proc/sys/kernel/sched_rt_period_us; echo 9500 > /proc/sys/kernel/sched_rt_runtime_us",
        |host| {
            host.put(RUNTIME, "1000\n");
            host.put(PERIOD, "2000\n");
        },
    ),
    case("rt-throttling", Pass, "not throttled", |host| host.put(RUNTIME, "-1\n")),
    case("rt-throttling", Unknown, "sched_rt_period_us", |host| host.remove(PERIOD)),
    case("fair-server", Warn, "echo 500000 > /sys/kernel/debug/sched/fair_server/cpu3/runtime", |host| {
        host.put("/sys/kernel/debug/sched/fair_server/cpu3/runtime", "50000000\n");
    }),
    case("fair-server", Pass, "before Linux 6.12", |host| {
        rt_kernel(host, "6.6.84");
        host.remove("/sys/kernel/debug/sched");
    }),
    case("fair-server", Unknown, "mount -t debugfs", |host| host.remove("/sys/kernel/debug/sched")),
    case("memory-lock", Warn, "8388608", |host| host.put(STATUS, "CapEff:\t0000000000000000\n")),
    case("memory-lock", Pass, "unlimited", |host| {
        host.put(STATUS, "CapEff:\t0000000000000000\n");
        host.put(
            "/proc/self/limits",
            "Max locked memory         unlimited            unlimited            bytes\n",
        );
    }),
    case("memory-lock", Unknown, "CapEff", |host| host.put(STATUS, "Name:\tx\n")),
    case("lockdown", Fail, "lockdown=integrity", |host| {
        host.put(LOCKDOWN, "none integrity [confidentiality]\n");
    }),
    case("lockdown", Pass, "integrity", |host| host.put(LOCKDOWN, "none [integrity] confidentiality\n")),
    case("lockdown", Unknown, "mount -t securityfs", |host| host.remove(LOCKDOWN)),
    case("lockdown", Pass, "no lockdown", |host| host.remove("/sys/kernel/security")),
    case("btf", Fail, "CONFIG_DEBUG_INFO_BTF", |host| host.remove("/sys/kernel/btf/vmlinux")),
    case("btf", Fail, "does not begin", |host| host.put("/sys/kernel/btf/vmlinux", "ELF")),
    case("btf", Unknown, "vmlinux", |host| host.put("/sys/kernel/btf/vmlinux", "")),
    case("capabilities", Fail, "CAP_BPF, CAP_PERFMON", |host| {
        host.put(STATUS, "CapEff:\t0000000000a01000\n");
    }),
    case("capabilities", Warn, "CAP_SYS_NICE, CAP_IPC_LOCK", |host| {
        host.put(STATUS, "CapEff:\t000000c000001000\n");
    }),
    case("capabilities", Unknown, STATUS, |host| host.remove(STATUS)),
    case("perf-event-paranoid", Warn, "sysctl -w kernel.perf_event_paranoid=2", |host| {
        host.put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    }),
    case("bpffs", Warn, "mount -t bpf bpf /sys/fs/bpf", |host| {
        host.put("/proc/self/mounts", "tmpfs /sys/fs/bpf tmpfs rw 0 0\nbpf /mnt bpf rw 0 0\n");
    }),
    case("bpffs", Unknown, "mounts", |host| host.remove("/proc/self/mounts")),
    case("time-source", Fail, "nothing keeps", |host| host.keeper.source = Source::AdjtimexUnsynchronised),
    case("time-source", Warn, "chrony", |host| host.keeper.source = Source::AdjtimexSynchronised),
    case("time-source", Warn, "not known", |host| {
        host.keeper.source = Source::Ptp4l;
        host.keeper.error_bound_ns = None;
    }),
    case("time-source", Fail, "37 s off", |host| host.keeper.tai_mistake_s = Some(37)),
    case("time-source", Unknown, "adjtimex", |host| host.keeper.source = Source::Unknown),
    case("tai-offset", Warn, "leapsectz", |host| host.keeper.tai_offset_s = None),
    case("tai-offset", Unknown, "adjtimex", |host| host.keeper = crate::clock::Keeper::default()),
    case("tai-offset", Warn, "10 s", |host| host.keeper.tai_offset_s = Some(10)),
];

fn examined(faked: &Faked) -> Report {
    let host = faked.host();
    examine(&Subject::of(&host, &asked()).unwrap())
}

#[test]
fn a_fit_host_passes_every_check() {
    let report = examined(&Faked::fit());
    for check in &report.checks {
        assert_eq!((check.verdict, &check.remedy), (Pass, &None), "{check:?}");
    }
    assert_eq!(report.totals.pass, CHECKS.len());
}

/// With the one above, which passes them all: each check is shown in both ways.
#[test]
fn every_check_has_a_case_that_does_not_pass() {
    let bad: BTreeSet<_> = CASES.iter().filter(|case| case.verdict != Pass).map(|case| case.id).collect();
    let all: BTreeSet<_> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(bad, all);
    assert_eq!(all.len(), CHECKS.len(), "an id is there twice");
}

#[test]
fn each_case_is_judged_as_it_says_and_the_totals_add_up() {
    for case in CASES {
        let mut faked = Faked::fit();
        (case.change)(&mut faked);
        let report = examined(&faked);
        let check = report.checks.iter().find(|check| check.id == case.id).unwrap();
        assert_eq!(check.verdict, case.verdict, "{check:?}");
        let remedy = check.remedy.as_deref().unwrap_or_default();
        assert!(check.found.contains(case.says) || remedy.contains(case.says), "{}: {check:?}", case.says);
        // What does not pass says what to do.
        assert_eq!(remedy.is_empty(), case.verdict == Pass, "{check:?}");
        let Totals { checks, pass, warn, fail, unknown } = report.totals;
        assert_eq!((checks, checks), (CHECKS.len(), pass + warn + fail + unknown));
    }
}

#[test]
fn an_empty_host_is_unknown_and_nothing_panics() {
    let place = tempfile::tempdir().unwrap();
    let host = Host::below(place.path(), crate::clock::Keeper::default());
    let refused = Subject::of(&host, &asked()).unwrap_err().to_string();
    assert!(refused.contains("/sys/devices/system/cpu/online"), "{refused}");
    let cpus = place.path().join("sys/devices/system/cpu");
    std::fs::create_dir_all(&cpus).unwrap();
    std::fs::write(cpus.join("online"), "0-3\n").unwrap();
    let report = examine(&Subject::of(&host, &Asked { interfaces: Vec::new(), ..asked() }).unwrap());
    assert!(report.totals.unknown > 10, "{report}");
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let faked = Faked::fit();
    let host = faked.host();
    let refused = |asked: Asked| Subject::of(&host, &asked).unwrap_err().to_string();
    let said = refused(Asked { interfaces: vec!["eth9".to_owned()], ..asked() });
    assert!(said.contains("eth9") && said.contains("eth1, lo"), "{said}");
    assert!(refused(Asked { cpu: Some(8), ..asked() }).contains("0-7"));
    assert!(refused(Asked { cpu: Some(5), ..asked() }).contains("CPU 5 is offline"));
    for priority in [0, 100] {
        assert!(refused(Asked { priority, ..asked() }).contains("1 (lowest) to 99"));
    }
}

#[test]
fn without_being_asked_it_takes_cards_and_an_isolated_cpu() {
    let faked = Faked::fit();
    let nothing = Asked { interfaces: Vec::new(), cpu: None, priority: 50 };
    faked.put("/sys/devices/system/cpu/isolated", "2\n");
    let host = faked.host();
    let subject = Subject::of(&host, &nothing).unwrap();
    assert_eq!((subject.cpu(), subject.interfaces().collect::<Vec<_>>()), (2, vec!["eth1"]));
    faked.put("/sys/devices/system/cpu/isolated", "\n");
    assert_eq!(Subject::of(&host, &nothing).unwrap().cpu(), 3);
}

#[test]
fn nothing_is_above_the_highest_priority() {
    let faked = Faked::fit();
    faked.thread(200, "irq/41-virtio2-input.0", 1, 99, "3");
    let host = faked.host();
    let report = examine(&Subject::of(&host, &Asked { priority: 99, ..asked() }).unwrap());
    let check = report.checks.iter().find(|check| check.id == "irq-thread-priority").unwrap();
    assert!(check.remedy.as_ref().unwrap().contains("lower --priority"), "{check:?}");
}
