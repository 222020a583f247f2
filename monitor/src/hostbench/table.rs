//! The report for a person: this host beside the published figures, and the verdict.

use std::fmt;

use super::allocation::Allocation;
use super::inversion::Inversion;
use super::published::Figures;
use super::report::{Judged, Report, Verdict};
use super::spread::Spread;
use super::thread::{Granted, Refused};
use crate::rt::Part;

const NAME_WIDTH: usize = 38;
const CELL_WIDTH: usize = 11;

/// A line of the table: this host's value in nanoseconds, and what was published.
struct Row {
    name: String,
    own_ns: Option<f64>,
    published: fn(&Figures) -> Option<u64>,
    /// Before what was published, where this host's value has a sign.
    sign: Option<f64>,
}

impl Row {
    fn new(name: impl Into<String>, own_ns: Option<f64>, published: fn(&Figures) -> Option<u64>) -> Self {
        Self { name: name.into(), own_ns, published, sign: None }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, published: &[Figures]) -> fmt::Result {
        write!(f, "{:NAME_WIDTH$}", self.name)?;
        let others = published
            .iter()
            .map(|figures| (self.published)(figures).map(|ns| whole(ns) * self.sign.unwrap_or(1.0)));
        for ns in [self.own_ns].into_iter().chain(others) {
            let text = match ns.map(|ns| ns / 1000.0) {
                Some(us) if self.sign.is_some() => format!("{us:+.1}"),
                Some(us) => format!("{us:.1}"),
                None => "-".to_owned(),
            };
            write!(f, " {text:>CELL_WIDTH$}")?;
        }
        writeln!(f)
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a person to read, to a tenth of a microsecond")]
fn whole(ns: u64) -> f64 {
    ns as f64
}

#[expect(clippy::cast_precision_loss, reason = "for a person to read, to a tenth of a microsecond")]
fn signed(ns: i64) -> f64 {
    ns as f64
}

/// Of each of `parts` the first refusal: those of other threads say the same of other priorities.
fn first_of_each<'all>(refusals: &'all [Refused], parts: &'all [Part]) -> impl Iterator<Item = &'all str> {
    let first = |&part: &Part| refusals.iter().find(|refused| refused.part == part);
    parts.iter().filter_map(first).map(|refused| refused.said.as_str())
}

fn nothing(_: &Figures) -> Option<u64> {
    None
}

fn p99(spread: &Spread) -> Option<f64> {
    spread.quantile_ns(0.99).map(whole)
}

impl Report {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for one in &self.task_latency {
            let name = |what| format!("task latency, CPU {}, {what}", one.cpu);
            let spread = &one.spread;
            rows.extend([
                Row::new(name("min"), spread.min_ns().map(signed), nothing),
                Row::new(name("avg"), spread.average_ns(), |figures| figures.task_latency_avg_ns),
                Row::new(name("max"), spread.max_ns().map(signed), |figures| figures.task_latency_max_ns),
                Row::new(name("sd"), spread.deviation_ns(), |figures| figures.task_latency_sd_ns),
            ]);
        }
        if let Some(sampling) = &self.sampling {
            let spread = &sampling.spread;
            let row = |name: &str, own: Option<i64>, sign| {
                let row = Row::new(name, own.map(signed), |figures: &Figures| figures.jitter_ns);
                Row { sign: Some(sign), ..row }
            };
            rows.extend([
                row("10 kHz sampling, shortest period", spread.min_ns(), -1.0),
                row("10 kHz sampling, longest period", spread.max_ns(), 1.0),
                Row::new("10 kHz sampling, sd", spread.deviation_ns(), nothing),
            ]);
        }
        if let Some(Allocation { fresh, prefaulted, .. }) = &self.allocation {
            rows.extend([
                Row::new("allocation, fresh, p99", p99(fresh), nothing),
                Row::new("allocation, locked and prefaulted, p99", p99(prefaulted), |figures| {
                    figures.allocation_p99_ns
                }),
            ]);
        }
        if let Some(Inversion { plain, inheriting, .. }) = &self.inversion {
            let max = |spread: &Spread| spread.max_ns().map(signed);
            rows.extend([
                Row::new("priority inversion, plain mutex, max", max(plain), nothing),
                Row::new("priority inversion, inheriting, max", max(inheriting), |figures| {
                    figures.inversion_ns
                }),
            ]);
        }
        rows
    }

    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, settings) = (&self.host, &self.settings);
        let model = if host.preempt_rt { "PREEMPT_RT" } else { "not PREEMPT_RT" };
        writeln!(f, "host         Linux {} {}, {model}", host.kernel, host.machine)?;
        let cpus: Vec<_> = settings.cpus.iter().map(ToString::to_string).collect();
        let (cpus, priority) = (cpus.join(","), settings.priority);
        match &self.granted {
            Some(Granted { real_time: true, on_cpu, memory_locked, refusals }) => {
                let place = if *on_cpu { "" } else { " not kept to" };
                let memory = if *memory_locked { "memory locked" } else { "memory not locked" };
                writeln!(f, "real-time    SCHED_FIFO {priority},{place} CPU {cpus}, {memory}")?;
                first_of_each(refusals, &[Part::Affinity, Part::MemoryLock])
                    .try_for_each(|said| writeln!(f, "             {said}"))?;
            }
            Some(Granted { refusals, .. }) => {
                let reason = first_of_each(refusals, &[Part::Scheduling]).next();
                let reason = reason.unwrap_or("the host gave no real-time policy");
                writeln!(f, "real-time    NOT REAL-TIME: {reason}")?;
                first_of_each(refusals, &[Part::Affinity, Part::MemoryLock])
                    .try_for_each(|said| writeln!(f, "             {said}"))?;
            }
            None => {}
        }
        let interval_us = settings.interval_ns / 1000;
        writeln!(f, "task latency every {interval_us} us, {} loops", settings.loops)?;
        for one in &self.task_latency {
            let (count, loops) = (one.spread.count(), settings.loops);
            if count < loops {
                writeln!(f, "             CPU {}: {count} of {loops} loops: ended early", one.cpu)?;
            }
            if one.overruns > 0 {
                writeln!(
                    f,
                    "             CPU {}: {} intervals passed over by late wake-ups",
                    one.cpu, one.overruns
                )?;
            }
        }
        if let Some(sampling) = self.sampling.as_ref().filter(|sampling| sampling.missed > 0) {
            writeln!(f, "sampling     {} of {} instants missed", sampling.missed, sampling.instants)?;
        }
        if self.interrupted {
            writeln!(f, "ended early  what is not below was not measured")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        write!(f, "{:NAME_WIDTH$} {:>CELL_WIDTH$}", "microseconds", "this host")?;
        self.published.iter().try_for_each(|figures| write!(f, " {:>CELL_WIDTH$}", figures.host))?;
        writeln!(f)?;
        for row in self.rows() {
            row.write(f, &self.published)?;
        }
        writeln!(f)?;
        let Verdict { met, task_latency_max, sampling_jitter } = self.verdict;
        write_judged(f, "task latency, max", task_latency_max)?;
        write_judged(f, "10 kHz sampling, jitter", sampling_jitter)?;
        let without = self.granted.as_ref().is_some_and(|granted| !granted.real_time);
        let marked = if without { "NOT REAL-TIME: " } else { "" };
        writeln!(f, "verdict: {marked}{}", said(met))
    }
}

fn write_judged(f: &mut fmt::Formatter<'_>, what: &str, judged: Judged) -> fmt::Result {
    let Judged { value_ns, limit_ns, met } = judged;
    let limit = limit_ns / 1000;
    match value_ns {
        Some(ns) => writeln!(f, "{what}: {:.1} us, limit {limit} us: {}", whole(ns) / 1000.0, said(met)),
        None => writeln!(f, "{what}: limit {limit} us: {}", said(met)),
    }
}

fn said(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "not met",
        None => "none, since it was not measured",
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{latency, measured, refused, report};
    use super::*;

    #[test]
    fn this_host_stands_beside_the_published_ones() {
        let text = report(measured()).to_string();
        let expected = "\
host         Linux 6.12.30-rt-amd64 x86_64, PREEMPT_RT
real-time    SCHED_FIFO 99, CPU 1, memory locked
task latency every 1000 us, 3 loops

microseconds                             this host  PREEMPT_RT       stock   wind farm
task latency, CPU 1, min                      20.0           -           -           -
task latency, CPU 1, avg                      30.0           -           -        12.3
task latency, CPU 1, max                      40.0        83.0     12800.0        48.7
task latency, CPU 1, sd                        8.2           -           -         5.1
10 kHz sampling, shortest period             -60.0       -67.0      -420.0           -
10 kHz sampling, longest period              +50.0       +67.0      +420.0           -
10 kHz sampling, sd                           45.5           -           -           -
allocation, fresh, p99                        30.0           -           -           -
allocation, locked and prefaulted, p99         1.0       112.0      9300.0           -
priority inversion, plain mutex, max        2050.0           -           -           -
priority inversion, inheriting, max           25.0        42.0      1850.0           -

task latency, max: 40.0 us, limit 150 us: met
10 kHz sampling, jitter: 60.0 us, limit 100 us: met
verdict: met
";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_rights_it_says_so_with_the_remedy_and_beside_the_verdict() {
        let mut measured = measured();
        let refusals = vec![
            refused(Part::MemoryLock, "memory lock refused: run as root"),
            refused(Part::Scheduling, "SCHED_FIFO priority 99 refused (EPERM): run as root"),
            refused(Part::Scheduling, "SCHED_FIFO priority 98 refused (EPERM): run as root"),
        ];
        measured.task_latency[0].granted =
            Granted { real_time: false, on_cpu: true, memory_locked: false, refusals };
        let text = report(measured).to_string();
        let expected = "\nreal-time    NOT REAL-TIME: SCHED_FIFO priority 99 refused (EPERM): run as root\n             \
                        memory lock refused: run as root\ntask latency every";
        assert!(text.contains(expected), "{text}");
        assert!(text.ends_with("\nverdict: NOT REAL-TIME: met\n"), "{text}");
    }

    #[test]
    fn ended_early_it_says_what_was_measured() {
        let (sampling, allocation, inversion) = (None, None, None);
        let task_latency = vec![latency(&[160_000])];
        let measured = super::super::report::Measured {
            cpu_dma_latency_held: false,
            interrupted: true,
            task_latency,
            sampling,
            allocation,
            inversion,
        };
        let text = report(measured).to_string();
        assert!(text.contains("CPU 1: 1 of 3 loops: ended early\n"), "{text}");
        assert!(text.contains("\nended early  what is not below was not measured\n"), "{text}");
        assert!(!text.contains("allocation"), "{text}");
        assert!(
            text.contains("10 kHz sampling, jitter: limit 100 us: none, since it was not measured\n"),
            "{text}"
        );
        assert!(text.ends_with("\nverdict: not met\n"), "{text}");
    }
}
