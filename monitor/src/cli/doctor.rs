//! `doctor`: whether this host is fit, and what to change.

use clap::Args;

use super::{Outcome, complete, exit, output, run};
use crate::doctor::{Asked, Host, Subject, SubjectError, Totals, examine};
use crate::rt::Request;

/// Check whether this host is fit for real-time delivery, and what to change
///
/// Changes nothing. Ends with 0 where every check passes or warns, 5 where one fails, and 1 where none fails but one
/// could not be looked at.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The run that the host should be fit for.
#[derive(Debug, Args)]
pub(super) struct ReaderArguments {
    /// Interface that is to be monitored (repeatable; all that have hardware where none is given)
    #[arg(long, value_name = "IF", add = complete::interface_names())]
    iface: Vec<String>,
    /// CPU of the real-time thread (where none is given the first isolated one, else the last)
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// The real-time thread's priority under `SCHED_FIFO`, 1 to 99 (50 where none is given)
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
}

impl ReaderArguments {
    pub(super) fn asked(&self) -> Asked {
        Asked {
            interfaces: self.iface.clone(),
            cpu: self.cpu,
            priority: self.priority.unwrap_or(Request::default().priority),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let host = Host::this();
    let subject = match Subject::of(&host, &arguments.reader.asked()) {
        Ok(subject) => subject,
        Err(wrong @ SubjectError::Request(_)) => return Ok(run::usage(&wrong.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    let report = examine(&subject);
    let text = if arguments.json {
        serde_json::to_string(&report).map_err(|error| error.to_string())?
    } else {
        report.to_string()
    };
    output::line(&text)?;
    Ok(status(report.totals))
}

/// What fails is worse than what is not known.
fn status(totals: Totals) -> u8 {
    match totals {
        Totals { fail: 1.., .. } => exit::UNFIT,
        Totals { unknown: 1.., .. } => exit::FAILED,
        _ => exit::DONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let warned = Totals { checks: 3, pass: 2, warn: 1, ..Totals::default() };
        assert_eq!(status(warned), exit::DONE);
        let unknown = Totals { unknown: 1, ..warned };
        assert_eq!(status(unknown), exit::FAILED);
        assert_eq!(status(Totals { fail: 1, ..unknown }), exit::UNFIT);
    }
}
