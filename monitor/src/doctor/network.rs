//! Where the interfaces' interrupts come to, and where their packets are polled.

use super::finding::{Finding, Looked, Remedy};
use super::{Change, Subject};

/// How many lines of an interface are named in a sentence.
const NAMED_MAX: usize = 8;

/// `predict` and `spin` take the reader's whole CPU: an interrupt there waits for them, or they for it.
pub(super) fn irq_affinity(subject: &Subject<'_>) -> Looked {
    let (mut served, mut wrong, mut dark) = (Vec::new(), Vec::new(), Vec::new());
    for nic in &subject.nics {
        for line in &nic.lines {
            match &line.serves {
                None => dark.push(line.irq),
                Some(cpus) if cpus.contains(subject.cpu) => wrong.push((nic.name.as_str(), line.irq)),
                Some(_) => served.push(line.irq),
            }
        }
    }
    if !wrong.is_empty() {
        let named: Vec<_> =
            wrong.iter().take(NAMED_MAX).map(|(name, irq)| format!("{irq} ({name})")).collect();
        let more = wrong.len().saturating_sub(NAMED_MAX);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let found = format!("CPU {} serves interrupts {}{more}", subject.cpu, named.join(", "));
        return Ok(Finding::fail(found, away(subject, wrong.iter().map(|&(_, irq)| irq))));
    }
    if !dark.is_empty() {
        let found = format!("/proc/irq does not tell where interrupts {} go", numbers(&dark));
        return Err(Finding::unknown(found, "run it where /proc is the host's own"));
    }
    Ok(Finding::pass(match served.len() {
        0 => "no interrupts of the interfaces are to be found".to_owned(),
        1 => format!("interrupt {} comes to other CPUs than {}", numbers(&served), subject.cpu),
        _ => format!("interrupts {} come to other CPUs than {}", numbers(&served), subject.cpu),
    }))
}

fn away(subject: &Subject<'_>, irqs: impl Iterator<Item = u32>) -> Remedy {
    match subject.others() {
        Some(others) => irqs
            .map(|irq| Change::file(format!("/proc/irq/{irq}/smp_affinity_list"), &others))
            .collect::<Vec<_>>()
            .into(),
        None => "none with one CPU: a second CPU, or --wait block".into(),
    }
}

fn numbers(irqs: &[u32]) -> String {
    irqs.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn irqbalance(subject: &Subject<'_>) -> Looked {
    let host = subject.host;
    let mut processes = host.names("/proc");
    processes.retain(|name| name.parse::<u32>().is_ok());
    if processes.is_empty() {
        return Err(Finding::unknown("no process is to be seen in /proc", "run it where /proc is mounted"));
    }
    let runs = |pid: &String| host.word(&format!("/proc/{pid}/comm")).is_ok_and(|name| name == "irqbalance");
    if !processes.iter().any(runs) {
        return Ok(Finding::pass("irqbalance does not run"));
    }
    // It leaves isolated CPUs alone of itself.
    if subject.isolated.contains(subject.cpu) {
        return Ok(Finding::pass("irqbalance runs, and leaves isolated CPUs alone"));
    }
    let remedy = format!(
        "systemctl disable --now irqbalance; or IRQBALANCE_BANNED_CPULIST={} in /etc/default/irqbalance",
        subject.cpu
    );
    Ok(Finding::warn(format!("irqbalance runs, and may move interrupts to CPU {}", subject.cpu), remedy))
}

/// Polled in a thread of its own, an interface can be given a priority, but its packets have no interrupt to be stamped.
pub(super) fn napi_threading(subject: &Subject<'_>) -> Looked {
    let (mut threaded, mut changes) = (Vec::new(), Vec::new());
    for nic in &subject.nics {
        let path = format!("/sys/class/net/{}/threaded", nic.name);
        // Before 5.12 there is nothing to choose.
        if subject.host.has(&path) && subject.host.number(&path)? != 0 {
            threaded.push(nic.name.as_str());
            changes.push(format!("echo 0 > {path}"));
        }
    }
    if threaded.is_empty() {
        return Ok(Finding::pass("packets are polled where their interrupt came"));
    }
    let found = format!(
        "packets of {} are polled in threads of their own: the stages irq_to_softirq and softirq_to_receive are left \
         out",
        threaded.join(", ")
    );
    Ok(Finding::warn(found, changes.join("; ")))
}
