//! What makes a CPU slow to begin: idle states, frequencies, a clock that is slow to read.

use super::finding::{Finding, Looked};
use super::{Change, Subject};

const CPUS: &str = "/sys/devices/system/cpu";
/// The slowest way out of an idle state that goes unnoticed beside a wake-up of some 30 us.
const IDLE_EXIT_MAX_US: i64 = 10;

/// An idle state that takes long to leave.
struct Deep {
    cpu: usize,
    state: String,
    text: String,
}

pub(super) fn idle_states(subject: &Subject<'_>) -> Looked {
    // A number of 32 bits in the machine's order: what all who hold it open allow.
    let allowed = subject.host.head("/dev/cpu_dma_latency").map(i32::from_ne_bytes);
    if let Ok(us) = allowed
        && i64::from(us) <= IDLE_EXIT_MAX_US
    {
        return Ok(Finding::pass(format!("/dev/cpu_dma_latency is held at {us} us")));
    }
    let mut deep = Vec::new();
    for cpu in subject.way() {
        deep.extend(deep_states(subject, cpu)?);
    }
    if deep.is_empty() {
        return Ok(Finding::pass(format!("no idle state takes more than {IDLE_EXIT_MAX_US} us to leave")));
    }
    let named: Vec<_> = deep.iter().map(|it| format!("CPU {} {}", it.cpu, it.text)).collect();
    let unread = if allowed.is_err() { "; /dev/cpu_dma_latency cannot be read" } else { "" };
    let off = |it: &Deep| format!("echo 1 > {CPUS}/cpu{}/cpuidle/{}/disable", it.cpu, it.state);
    let remedy = deep.iter().map(off).collect::<Vec<_>>().join("; ");
    Ok(Finding::warn(format!("idle states that take long to leave: {}{unread}", named.join(", ")), remedy))
}

fn deep_states(subject: &Subject<'_>, cpu: usize) -> Result<Vec<Deep>, Finding> {
    let place = format!("{CPUS}/cpu{cpu}/cpuidle");
    let mut deep = Vec::new();
    for state in subject.host.names(&place) {
        let of = |what: &str| format!("{place}/{state}/{what}");
        let latency = subject.host.number(&of("latency"))?;
        if latency > IDLE_EXIT_MAX_US && subject.host.number(&of("disable"))? == 0 {
            let name = subject.host.word(&of("name"))?;
            deep.push(Deep { cpu, state, text: format!("{name} {latency} us") });
        }
    }
    Ok(deep)
}

pub(super) fn governor(subject: &Subject<'_>) -> Looked {
    const WANTED: &str = "performance";
    let (mut any, mut wrong, mut changes) = (false, Vec::new(), Vec::new());
    for cpu in subject.way() {
        let path = format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor");
        if !subject.host.has(&path) {
            continue;
        }
        any = true;
        let governor = subject.host.word(&path)?;
        if governor != WANTED {
            wrong.push(format!("CPU {cpu} {governor}"));
            changes.push(Change::file(path, WANTED));
        }
    }
    Ok(match (any, wrong.is_empty()) {
        (false, _) => Finding::pass("frequencies are not this system's to set"),
        (true, true) => Finding::pass(WANTED),
        (true, false) => Finding::warn(wrong.join(", "), changes),
    })
}

pub(super) fn clocksource(subject: &Subject<'_>) -> Looked {
    const PLACE: &str = "/sys/devices/system/clocksource/clocksource0";
    /// Read without leaving the process.
    const QUICK: [&str; 4] = ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"];
    const COARSE: [&str; 2] = ["jiffies", "refined-jiffies"];
    let current = subject.host.word(&format!("{PLACE}/current_clocksource"))?;
    if QUICK.contains(&current.as_str()) {
        return Ok(Finding::pass(current));
    }
    let available = subject.host.word(&format!("{PLACE}/available_clocksource"))?;
    let remedy = match QUICK.into_iter().find(|quick| available.split_whitespace().any(|it| it == *quick)) {
        Some(quick) => format!("echo {quick} > {PLACE}/current_clocksource"),
        None => {
            "kernel parameter tsc=reliable, where the CPUs' counters are (dmesg says why they were given up)"
                .to_owned()
        }
    };
    Ok(if COARSE.contains(&current.as_str()) {
        Finding::fail(format!("{current}: stamps are as coarse as the tick"), remedy)
    } else {
        Finding::warn(format!("{current}: each stamp costs a microsecond or more"), remedy)
    })
}
