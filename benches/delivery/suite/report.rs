//! The results, for a person and for a program.

use std::fs;

use monitor::sys::sched::CpuList;
use monitor::sys::uname::Uname;
use serde_json::{Value, json};

use super::block::Measured;
use super::figures::{Figures, Latency};
use super::limits::{self, Limit};
use super::options::{Length, Options};
use super::scene::Cpus;

/// Everything that was measured.
pub(crate) struct Results {
    machine: Machine,
    cpus: Cpus,
    rounds: u64,
    length: Length,
    seed: u64,
    figures: Vec<Figures>,
    limits: Vec<Limit>,
}

/// Where it was measured.
struct Machine {
    processor: String,
    cpus: usize,
    kernel: String,
    /// Load of the machine when the run was over, one minute's mean.
    load: String,
}

impl Machine {
    fn here() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            processor: model
                .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, it)| it.trim().to_owned()),
            cpus: CpuList::online().map_or(0, |online| online.count()),
            kernel: Uname::read().map_or_else(|_| "unknown".to_owned(), |uname| uname.release),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

impl Results {
    pub(crate) fn new(cpus: Cpus, options: &Options, measured: &[Measured]) -> Self {
        let figures: Vec<Figures> = super::pairs(&options.models(), &options.receivers())
            .into_iter()
            .map(|(model, receiver)| Figures::of(model, receiver, measured))
            .collect();
        Self {
            machine: Machine::here(),
            cpus,
            rounds: options.rounds(),
            length: options.length(),
            seed: options.seed,
            limits: limits::limits(&figures),
            figures,
        }
    }

    /// Whether every limit holds, every block measured something, and every frame was received or counted as lost.
    pub(crate) fn all_hold(&self) -> bool {
        let is_whole = |one: &Figures| accounted(one) && one.rounds.len() as u64 == self.rounds;
        self.limits.iter().all(Limit::holds) && self.figures.iter().all(is_whole)
    }

    pub(crate) fn print_table(&self) {
        let Self { machine, cpus, rounds, length, seed, .. } = self;
        println!(
            "{}, {} CPUs, Linux {}, load {}; sender on CPU {}, reader on CPU {}",
            machine.processor, machine.cpus, machine.kernel, machine.load, cpus.sender, cpus.reader
        );
        println!(
            "microseconds from the receive stamp to the first look; {rounds} rounds of {:?} each, after {:?} of \
             learning that are left out; seed {seed}",
            length.measured, length.learning
        );
        for lines in self.figures.chunk_by(|one, next| one.model == next.model) {
            println!();
            println!(
                "{:<30} {:>7} {:>7} {:>7} {:>7} {:>8} {:>15} {:>8} {:>6} {:>6} {:>6}",
                lines[0].model.name(),
                "p50",
                "p90",
                "p99",
                "p99.9",
                "max",
                "p50 of rounds",
                "decoded",
                "CPU %",
                "met %",
                "lost"
            );
            lines.iter().for_each(print_line);
        }
        println!();
        for one in self.figures.iter().filter(|one| !accounted(one)) {
            let Figures { model, receiver, sent, received, lost, .. } = one;
            println!(
                "{}, {}: {received} frames received and {lost} lost are not the {sent} that were sent",
                model.name(),
                receiver.name()
            );
        }
        for limit in &self.limits {
            let verdict = if limit.holds() { "holds" } else { "EXCEEDED" };
            println!(
                "{:<62} {:>8.3}  {} {:.3}  {verdict}",
                limit.what,
                limit.value,
                limit.relation(),
                limit.bound
            );
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Self { machine, cpus, rounds, length, seed, figures, limits } = self;
        json!({
            "kind": "bench.delivery",
            "machine": {
                "processor": machine.processor, "cpus": machine.cpus, "kernel": machine.kernel,
                "load": machine.load, "sender_cpu": cpus.sender, "reader_cpu": cpus.reader,
            },
            "rounds": rounds, "seed": seed,
            "learning_s": length.learning.as_secs_f64(), "measured_s": length.measured.as_secs_f64(),
            "figures": figures.iter().map(Figures::json).collect::<Vec<_>>(),
            "limits": limits.iter().map(Limit::json).collect::<Vec<_>>(),
        })
    }
}

fn accounted(figures: &Figures) -> bool {
    figures.received <= figures.sent && figures.sent <= figures.received + figures.lost
}

fn print_line(figures: &Figures) {
    let looked = figures.looked.map_or_else(|| vec!["-".to_owned(); 5], |it| it.all().map(us).to_vec());
    let range = figures.spread().map(|(least, most)| format!("{} to {}", us(least), us(most)));
    let decoded = figures.decoded.as_ref().map(Latency::p50).map(us);
    println!(
        "{:<30} {:>7} {:>7} {:>7} {:>7} {:>8} {:>15} {:>8} {:>6.1} {:>6.1} {:>6}{}",
        figures.receiver.name(),
        looked[0],
        looked[1],
        looked[2],
        looked[3],
        looked[4],
        range.unwrap_or_else(|| "-".to_owned()),
        decoded.unwrap_or_else(|| "-".to_owned()),
        figures.cpu,
        figures.met,
        figures.lost,
        if figures.clock_steps > 0 { "  the clock was set meanwhile" } else { "" }
    );
}

/// Nanoseconds as microseconds, with as many places as mean something.
#[expect(clippy::cast_precision_loss, reason = "a latency for a person to read")]
fn us(ns: u64) -> String {
    let us = ns as f64 / 1e3;
    if us < 100.0 { format!("{us:.2}") } else { format!("{us:.0}") }
}
