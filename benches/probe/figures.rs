//! Figures with their spread, and how they are told.

use std::fs;

use monitor::sys::{sched::CpuList, uname::Uname};
use serde_json::{Value, json};

/// One figure: what something costs above what it is compared with, nanoseconds a packet.
pub(crate) struct Figure {
    name: String,
    /// Median of what it is compared with.
    baseline: f64,
    /// Median of the differences, block by block.
    above: f64,
    /// Lower and upper quartile of the differences.
    quartiles: (f64, f64),
    /// Differences.
    blocks: usize,
    limit: Option<f64>,
}

impl Figure {
    /// From one value a block of each.
    pub(crate) fn difference(name: &str, baseline: &[f64], own: &[f64], limit: Option<f64>) -> Self {
        let above: Vec<f64> = own.iter().zip(baseline).map(|(own, baseline)| own - baseline).collect();
        Self {
            name: name.to_owned(),
            baseline: quantile(baseline, 0.5),
            above: quantile(&above, 0.5),
            quartiles: (quantile(&above, 0.25), quantile(&above, 0.75)),
            blocks: above.len(),
            limit,
        }
    }

    fn holds(&self) -> Option<bool> {
        self.limit.map(|limit| self.above <= limit)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "unit": "ns/packet", "baseline": self.baseline, "above": self.above,
            "quartiles": [self.quartiles.0, self.quartiles.1], "blocks": self.blocks, "limit": self.limit,
            "holds": self.holds(),
        })
    }
}

fn quantile(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a short list"
    )]
    let place = ((sorted.len() - 1) as f64 * quantile).round() as usize;
    sorted[place]
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

    /// Adds a figure.
    pub(crate) fn push(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Whether every figure with a limit is within it.
    pub(crate) fn all_hold(&self) -> bool {
        self.figures.iter().all(|figure| figure.holds() != Some(false))
    }

    /// For a person.
    pub(crate) fn print_table(&self) {
        println!(
            "{}, {} CPUs, Linux {}; nanoseconds a packet, medians of blocks",
            self.processor, self.cpus, self.kernel
        );
        println!("{:<44} {:>8} {:>8} {:>17} {:>6}", "", "compared", "above", "quartiles", "limit");
        for figure in &self.figures {
            let limit = figure.limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.0}"));
            let verdict = match figure.holds() {
                Some(true) => "holds",
                Some(false) => "EXCEEDED",
                None => "",
            };
            let (low, high) = figure.quartiles;
            println!(
                "{:<44} {:>8.1} {:>8.1} {:>8.1}{:>9.1} {:>6} {verdict}",
                figure.name, figure.baseline, figure.above, low, high, limit
            );
        }
    }

    /// For a program: one object.
    pub(crate) fn print_json(&self) {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let machine = json!({ "processor": self.processor, "cpus": self.cpus, "kernel": self.kernel });
        println!("{}", json!({ "kind": "bench.probe", "machine": machine, "figures": figures }));
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
