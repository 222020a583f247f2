//! The results, for a person and for a program.

use std::fs;

use monitor::probe::Transport;
use monitor::sys::sched::CpuList;
use monitor::sys::uname::Uname;
use serde_json::{Value, json};

use super::case::{Case, Way};
use super::scene::Cpus;
use super::sustained::Sustained;

/// Of a drain that reads the clock and checks the CRC, what the live loop may cost, by the ring.
const LIMIT: f64 = 4.0;

/// What a frame cost in one way, nanoseconds: in the fastest block, and in the median one.
pub(crate) struct Figure {
    transport: Transport,
    way: Way,
    fastest: f64,
    median: f64,
    frames: u64,
}

impl Figure {
    pub(crate) fn of(case: &Case) -> Self {
        let [fastest, median] = case.cost();
        Self { transport: case.transport, way: case.way, fastest, median, frames: case.frames() }
    }
}

/// Everything that was measured, and where.
pub(crate) struct Results {
    machine: Value,
    rounds: u32,
    figures: Vec<Figure>,
    sustained: Vec<Sustained>,
}

impl Results {
    pub(crate) fn new(cpus: Cpus, rounds: u32, figures: Vec<Figure>, sustained: Vec<Sustained>) -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let machine = json!({
            "processor": model.map_or(std::env::consts::ARCH, |(_, it)| it.trim()),
            "cpus": CpuList::online().map_or(0, |online| online.count()),
            "kernel": Uname::read().map_or_else(|_| "unknown".to_owned(), |uname| uname.release),
            "load": load.split(' ').next().unwrap_or_default(),
            "sender_cpu": cpus.sender, "reader_cpu": cpus.reader,
        });
        Self { machine, rounds, figures, sustained }
    }

    /// Nanoseconds by that of the drain that reads the clock and checks the CRC, by the same transport.
    fn ratio(&self, figure: &Figure) -> f64 {
        let is_it = |one: &&Figure| (one.transport, one.way) == (figure.transport, Way::Stamped);
        self.figures.iter().find(is_it).map_or(f64::NAN, |stamped| figure.fastest / stamped.fastest)
    }

    const fn limit(figure: &Figure) -> Option<f64> {
        match (figure.transport, figure.way) {
            (Transport::Ring, Way::Decoded) => Some(LIMIT),
            _ => None,
        }
    }

    /// Whether the limit holds, and every frame was taken or counted as lost.
    pub(crate) fn all_hold(&self) -> bool {
        let within = |one: &Figure| Self::limit(one).is_none_or(|limit| self.ratio(one) <= limit);
        self.figures.iter().all(within) && self.sustained.iter().all(Sustained::is_accounted)
    }

    pub(crate) fn print_table(&self) {
        let at = |key: &str| self.machine[key].to_string().replace('"', "");
        println!(
            "{}, {} CPUs, Linux {}, load {}; sender on CPU {}, reader on CPU {}; {} rounds",
            at("processor"),
            at("cpus"),
            at("kernel"),
            at("load"),
            at("sender_cpu"),
            at("reader_cpu"),
            self.rounds
        );
        println!("{:<40} {:>10} {:>8} {:>6} {:>6}", "ns/frame", "fastest", "median", "ratio", "limit");
        for one in &self.figures {
            let (ratio, limit) = (self.ratio(one), Self::limit(one));
            println!(
                "{:<40} {:>10.1} {:>8.1} {ratio:>6.2} {:>6}{}",
                format!("{}, {}", one.transport, one.way.name()),
                one.fastest,
                one.median,
                limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.1}")),
                if limit.is_some_and(|limit| ratio > limit) { "  EXCEEDED" } else { "" }
            );
        }
        println!("{:<10} {:>12} {:>10} {:>10} {:>8}", "live loop", "frames/s", "sent", "taken", "lost");
        for one in &self.sustained {
            println!(
                "{:<10} {:>12.0} {:>10} {:>10} {:>8}{}",
                one.transport.to_string(),
                one.rate(),
                one.sent,
                one.delivered,
                one.lost,
                if one.is_accounted() { "" } else { "  UNACCOUNTED" }
            );
        }
    }

    pub(crate) fn json(&self) -> Value {
        let figure = |one: &Figure| {
            json!({
                "transport": one.transport.to_string(), "way": one.way.name(), "unit": "ns/frame",
                "fastest": one.fastest, "median": one.median, "frames": one.frames,
                "ratio": self.ratio(one), "limit": Self::limit(one),
            })
        };
        let sustained = |one: &Sustained| {
            json!({
                "transport": one.transport.to_string(), "frames_per_s": one.rate(), "frames_sent": one.sent,
                "frames_taken": one.delivered, "frames_lost": one.lost,
            })
        };
        json!({
            "kind": "bench.drain", "machine": self.machine, "rounds": self.rounds,
            "figures": self.figures.iter().map(figure).collect::<Vec<_>>(),
            "sustained": self.sustained.iter().map(sustained).collect::<Vec<_>>(),
        })
    }
}
