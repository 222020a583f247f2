//! Figures with their spread, and how they are told.

use std::fs;

use monitor::sys::{sched::CpuList, uname::Uname};
use serde_json::{Value, json};

/// What was measured in one round: of each block, what it is compared with, and what is above it. Nanoseconds a packet.
#[derive(Clone, Default)]
pub(crate) struct Round {
    baseline: Vec<f64>,
    above: Vec<f64>,
}

impl Round {
    /// Adds a block.
    pub(crate) fn push(&mut self, baseline: f64, own: f64) {
        self.baseline.push(baseline);
        self.above.push(own - baseline);
    }
}

/// One figure: what something costs above what it is compared with, nanoseconds a packet.
pub(crate) struct Figure {
    name: String,
    /// Median over the rounds of what it is compared with.
    baseline: f64,
    /// Median over the rounds of the difference, which is the median of a round's blocks.
    above: f64,
    /// The least and the most of a round.
    range: (f64, f64),
    rounds: usize,
    limit: Option<f64>,
}

impl Figure {
    /// From its rounds.
    pub(crate) fn of(name: &str, rounds: &[Round], limit: Option<f64>) -> Self {
        let baseline: Vec<f64> = rounds.iter().map(|round| median(&round.baseline)).collect();
        let above: Vec<f64> = rounds.iter().map(|round| median(&round.above)).collect();
        Self {
            name: name.to_owned(),
            baseline: median(&baseline),
            above: median(&above),
            range: (
                above.iter().copied().fold(f64::INFINITY, f64::min),
                above.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ),
            rounds: rounds.len(),
            limit,
        }
    }

    fn holds(&self) -> Option<bool> {
        self.limit.map(|limit| self.above <= limit)
    }

    fn json(&self, clock: f64) -> Value {
        json!({
            "name": self.name, "unit": "ns/packet", "baseline": self.baseline, "above": self.above,
            "range": [self.range.0, self.range.1], "rounds": self.rounds,
            "above_by_baseline": self.above / self.baseline, "above_by_clock": self.above / clock,
            "limit": self.limit, "holds": self.holds(),
        })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// All figures, and where they were taken.
pub(crate) struct Report {
    kernel: String,
    processor: String,
    cpus: usize,
    figures: Vec<Figure>,
}

impl Report {
    /// Empty, for this machine.
    pub(crate) fn new() -> Self {
        Self {
            kernel: Uname::read().map_or_else(|_| "unknown".to_owned(), |uname| uname.release),
            processor: processor(),
            cpus: CpuList::online().map_or(0, |online| online.count()),
            figures: Vec::new(),
        }
    }

    /// Adds a figure. The first is by what the others are told besides: a reading of the clock.
    pub(crate) fn push(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Whether every figure with a limit is within it.
    pub(crate) fn all_hold(&self) -> bool {
        self.figures.iter().all(|figure| figure.holds() != Some(false))
    }

    /// What one reading of the clock takes.
    fn clock(&self) -> f64 {
        self.figures[0].above
    }

    /// For a person.
    pub(crate) fn print_table(&self) {
        println!(
            "{}, {} CPUs, Linux {}; nanoseconds a packet, medians of rounds",
            self.processor, self.cpus, self.kernel
        );
        println!(
            "{:<52} {:>8} {:>7} {:>15} {:>8} {:>8} {:>6}",
            "", "compared", "above", "of rounds", "/compar.", "/clock", "limit"
        );
        for figure in &self.figures {
            let limit = figure.limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.0}"));
            let verdict = match figure.holds() {
                Some(true) => "holds",
                Some(false) => "EXCEEDED",
                None => "",
            };
            let (low, high) = figure.range;
            println!(
                "{:<52} {:>8.1} {:>7.1} {:>7.1} {:>7.1} {:>8.2} {:>8.2} {:>6} {verdict}",
                figure.name,
                figure.baseline,
                figure.above,
                low,
                high,
                figure.above / figure.baseline,
                figure.above / self.clock(),
                limit
            );
        }
    }

    /// For a program: one object.
    pub(crate) fn print_json(&self) {
        let figures: Vec<Value> = self.figures.iter().map(|figure| figure.json(self.clock())).collect();
        let machine = json!({ "processor": self.processor, "cpus": self.cpus, "kernel": self.kernel });
        println!("{}", json!({ "kind": "bench.probe", "machine": machine, "figures": figures }));
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
