//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum as _};

use super::model::Model;
use super::receiver::Receiver;

/// How long a block is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// From its beginning, the time in which arrivals are learned: left out.
    pub(crate) learning: Duration,
    /// The time after that, in which frames are measured.
    pub(crate) measured: Duration,
}

const FULL: Length = Length { learning: Duration::from_secs(1), measured: Duration::from_secs(2) };
const QUICK: Length = Length { learning: Duration::from_millis(200), measured: Duration::from_millis(200) };
const ROUNDS: u64 = 5;

/// How soon a reader sees a frame, by receiver and by model of arrivals
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Fails where a figure is beyond its limit
    #[arg(long)]
    pub(crate) check: bool,
    /// One round of short blocks: shows that all of it runs, measures nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Writes the results to a file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Only this model of arrivals; may be repeated
    #[arg(long)]
    model: Vec<Model>,
    /// Only this receiver; may be repeated
    #[arg(long)]
    receiver: Vec<Receiver>,
    /// How often each block is run
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: Option<u64>,
    /// What the order of blocks and all that is random in arrivals come from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Handed over by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    pub(crate) fn models(&self) -> Vec<Model> {
        if self.model.is_empty() { Model::value_variants().to_vec() } else { self.model.clone() }
    }

    pub(crate) fn receivers(&self) -> Vec<Receiver> {
        if self.receiver.is_empty() { Receiver::value_variants().to_vec() } else { self.receiver.clone() }
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.unwrap_or(if self.quick { 1 } else { ROUNDS })
    }

    pub(crate) const fn length(&self) -> Length {
        if self.quick { QUICK } else { FULL }
    }
}
