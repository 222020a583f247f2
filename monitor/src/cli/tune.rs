//! `tune`: what `doctor` recommends, done at run time, and undone.

use std::path::PathBuf;

use clap::Args;

use super::doctor::ReaderArguments;
use super::{Outcome, exit, output, run};
use crate::doctor::{Host, Subject, SubjectError};
use crate::tune::{Entry, Kernel, Plan, Restored, Step, Store, Undone, apply, undo};

/// Apply what doctor recommends, as far as that can be done at run time, and undo it
///
/// Moves the interfaces' interrupts off the reader's CPU, raises the threads that bring frames above the reader, sets
/// the governor, and shortens the gaps of real-time throttling. What was before is written down before each change.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Put everything back as it was before the first tune
    #[arg(long, conflicts_with_all = ["iface", "cpu", "priority", "dry_run"])]
    undo: bool,
    /// Directory of the record of what was before (`RUNTIME_DIRECTORY` of the environment, or /run/pmu-monitor where none is given)
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let host = Host::this();
    let store = arguments.state.as_deref().map_or_else(Store::usual, Store::in_directory);
    if arguments.undo {
        return restore(&host, &store);
    }
    let subject = match Subject::of(&host, &arguments.reader.asked()) {
        Ok(subject) => subject,
        Err(wrong @ SubjectError::Request(_)) => return Ok(run::usage(&wrong.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    let Plan { changes, left } = Plan::of(&subject);
    for sentence in left {
        tracing::warn!("left as it is: {sentence}");
    }
    if changes.is_empty() {
        output::line("nothing to change")?;
        return Ok(exit::DONE);
    }
    if arguments.dry_run {
        let lines: Vec<_> = changes.iter().map(ToString::to_string).collect();
        output::line(&lines.join("\n"))?;
        return Ok(exit::DONE);
    }
    let mut lines = Lines::default();
    let mut refused = false;
    apply(&host, &Kernel, &store, &changes, &mut |step| match step {
        Step::Recorded(_) => {}
        Step::Made(change) => lines.say(&change.to_string()),
        Step::Refused(_, sentence) => {
            refused = true;
            tracing::error!("{sentence}");
        }
    })
    .map_err(|error| error.to_string())?;
    lines.end()?;
    Ok(if refused { exit::FAILED } else { exit::DONE })
}

fn restore(host: &Host, store: &Store) -> Outcome {
    let mut lines = Lines::default();
    let undone = undo(host, &Kernel, store, &mut |entry, restored| match restored {
        Restored::Back => lines.say(&format!("back: {}", described(entry))),
        Restored::AsBefore => lines.say(&format!("as before already: {}", described(entry))),
        Restored::Gone => lines.say(&format!("gone: {}", described(entry))),
        Restored::Failed(sentence) => tracing::error!("{sentence}"),
    })
    .map_err(|error| error.to_string())?;
    match undone {
        Undone::Nothing => lines.say("nothing to put back"),
        Undone::EarlierBoot => lines.say("nothing to put back: the host was started anew since"),
        Undone::Through { .. } => {}
    }
    lines.end()?;
    Ok(if undone == (Undone::Through { complete: false }) { exit::FAILED } else { exit::DONE })
}

fn described(entry: &Entry) -> String {
    match entry {
        Entry::File { path, before, .. } => format!("{path} {}", before.trim()),
        Entry::Thread { tid, name, before, .. } => {
            format!("{name} ({tid}) policy {} priority {}", before.policy, before.priority)
        }
    }
}

/// Lines as things happen. That one could not be written is said at the end: the changes do not wait for it.
#[derive(Default)]
struct Lines(Option<String>);

impl Lines {
    fn say(&mut self, line: &str) {
        if let Err(error) = output::line(line) {
            self.0.get_or_insert(error);
        }
    }

    fn end(self) -> Result<(), String> {
        self.0.map_or(Ok(()), Err)
    }
}
