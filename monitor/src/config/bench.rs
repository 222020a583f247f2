//! The options of `bench host` that may stand in a file.

use std::{
    fmt::Display,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::ConfigError;
use crate::hostbench::{INTERVALS_US, LOOPS};
use crate::sys::sched::FIFO_PRIORITIES;

/// Options of `bench host`; those not given are `None`, false or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct BenchOptions {
    /// CPUs to measure on.
    pub cpu: Vec<usize>,
    /// `SCHED_FIFO` priority of the measuring thread, 1 to 99.
    pub priority: Option<u8>,
    /// Microseconds between two wake-ups, 100 to 1000000.
    pub interval: Option<u32>,
    /// Wake-ups and samples, 1 to 10000000.
    pub loops: Option<u32>,
    /// One JSON object.
    pub json: bool,
    /// Where percentile files go.
    pub hgrm: Option<PathBuf>,
}

impl BenchOptions {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, holds anything that is not known, or a value that is out of its range.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|reason| ConfigError::Parse { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let options: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let Self { priority, interval, loops, .. } = &options;
        within("priority", *priority, &FIFO_PRIORITIES)?;
        within("interval", interval.map(i64::from), &INTERVALS_US)?;
        within("loops", loops.map(i64::from), &LOOPS)?;
        Ok(options)
    }

    /// These, with what was given on the command line put over them.
    #[must_use]
    pub fn overlaid_by(self, given: Self) -> Self {
        Self {
            cpu: if given.cpu.is_empty() { self.cpu } else { given.cpu },
            priority: given.priority.or(self.priority),
            interval: given.interval.or(self.interval),
            loops: given.loops.or(self.loops),
            json: given.json || self.json,
            hgrm: given.hgrm.or(self.hgrm),
        }
    }
}

fn within<T: PartialOrd + Display>(
    key: &str,
    value: Option<T>,
    range: &RangeInclusive<T>,
) -> Result<(), String> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(format!("key '{key}': {value} is not in {}..={}", range.start(), range.end()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_the_file() {
        let file = "cpu = [1]\npriority = 60\ninterval = 500\nloops = 2000\njson = true\nhgrm = \"/tmp/h\"";
        let file = BenchOptions::parse(file).unwrap();
        assert_eq!(file.clone().overlaid_by(BenchOptions::default()), file);
        let given = BenchOptions { cpu: vec![0], loops: Some(9), ..BenchOptions::default() };
        let both = file.overlaid_by(given);
        assert_eq!((both.cpu, both.loops, both.priority, both.json), (vec![0], Some(9), Some(60), true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("priority = 100", "'priority': 100 is not in 1..=99"),
            ("interval = 99", "'interval': 99 is not in 100..=1000000"),
            ("loops = 0", "'loops': 0 is not in 1..=10000000"),
            ("what = 1", "what"),
            ("cpu = 1", "cpu"),
        ] {
            let told = BenchOptions::parse(text).unwrap_err();
            assert!(told.contains(named), "{text}: {told}");
        }
    }
}
