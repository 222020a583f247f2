//! What the scheduler takes from a real-time thread that does not sleep, so that others are not starved.

use super::finding::{Finding, Looked};
use super::{Change, Subject};

/// How long the reader may be kept from its CPU at a time: half of the millisecond in which alarms are to be raised.
const GAP_MAX_US: i64 = 500;
/// The same share of the CPU for others as the kernel leaves them (5 %), in pieces of [`GAP_MAX_US`].
const PERIOD_US: i64 = 10_000;
const RUNTIME_US: i64 = PERIOD_US - GAP_MAX_US;
const NANOS_PER_MICRO: i64 = 1_000;

/// `sched_rt_runtime_us` of each `sched_rt_period_us` is what real-time threads may take (sched(7)).
pub(super) fn rt_throttling(subject: &Subject<'_>) -> Looked {
    const RUNTIME: &str = "/proc/sys/kernel/sched_rt_runtime_us";
    const PERIOD: &str = "/proc/sys/kernel/sched_rt_period_us";
    let (runtime, period) = (subject.host.number(RUNTIME)?, subject.host.number(PERIOD)?);
    let gap = period - runtime;
    if runtime < 0 || gap <= 0 {
        return Ok(Finding::pass("real-time threads are not throttled"));
    }
    let found = format!("real-time threads may take {runtime} us of each {period} us: gaps of {gap} us");
    if gap <= GAP_MAX_US {
        return Ok(Finding::pass(found));
    }
    // The runtime first where it shrinks: the kernel refuses one above the period.
    let mut changes = vec![Change::file(RUNTIME, RUNTIME_US), Change::file(PERIOD, PERIOD_US)];
    if period < PERIOD_US {
        changes.reverse();
    }
    Ok(Finding::warn(format!("{found} for a reader that spins"), changes))
}

/// Since 6.12 a server runs ordinary threads that a real-time one starves, whatever `sched_rt_runtime_us` says.
pub(super) fn fair_server(subject: &Subject<'_>) -> Looked {
    const SINCE: (u32, u32) = (6, 12);
    const DEBUG: &str = "/sys/kernel/debug";
    if subject.series()? < SINCE {
        return Ok(Finding::pass("there is no fair server before Linux 6.12"));
    }
    let place = format!("{DEBUG}/sched/fair_server/cpu{}", subject.cpu);
    if !subject.host.has(&format!("{DEBUG}/sched")) {
        let remedy = format!("mount -t debugfs debugfs {DEBUG}, and run it as root");
        return Err(Finding::unknown(format!("{place}: debugfs is not mounted, or not to be read"), remedy));
    }
    if !subject.host.has(&format!("{DEBUG}/sched/fair_server")) {
        return Ok(Finding::pass("this kernel has no fair server"));
    }
    let runtime = subject.host.number(&format!("{place}/runtime"))?;
    let period = subject.host.number(&format!("{place}/period"))?;
    if runtime <= GAP_MAX_US * NANOS_PER_MICRO {
        return Ok(Finding::pass(format!("the fair server takes at most {runtime} ns of each {period} ns")));
    }
    let found = format!(
        "the fair server takes up to {runtime} ns of each {period} ns from a reader that spins on CPU {}",
        subject.cpu
    );
    let gap = GAP_MAX_US * NANOS_PER_MICRO;
    let remedy =
        format!("echo {gap} > {place}/runtime; echo {} > {place}/period", PERIOD_US * NANOS_PER_MICRO);
    Ok(Finding::warn(found, remedy))
}
