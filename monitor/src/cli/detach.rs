//! `detach`: takes an instance away, exactly its own.

use clap::Args;

use super::{Outcome, complete, exit, output, run};
use crate::config::InstanceName;
use crate::probe::pins::{self, Detached};

/// Detach an instance: its programs, links, maps and pins
///
/// Removes what a crash has left as well. An instance that is not there is no error.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of the instance
    #[arg(long, value_name = "NAME", default_value_t, add = complete::instances(), conflicts_with = "all")]
    instance: InstanceName,
    /// Every instance of this version
    #[arg(long)]
    all: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let said = if arguments.all { all()? } else { one(arguments.instance.as_str())? };
    // Those of instances that are no more, and of runs that were killed.
    run::put_back_stamps();
    output::line(&said)?;
    Ok(exit::DONE)
}

fn one(name: &str) -> Result<String, String> {
    match pins::detach(name).map_err(|error| error.to_string())? {
        Detached::Removed => Ok(format!("instance {name} is detached")),
        Detached::Absent => Ok(format!("instance {name} was not attached")),
    }
}

fn all() -> Result<String, String> {
    let names = pins::detach_all().map_err(|error| error.to_string())?;
    for other in pins::instances().map(|found| found.others).unwrap_or_default() {
        let names = other.instances.join(", ");
        tracing::warn!(
            "left alone, since another version of this program made them ({}): {names}",
            other.version
        );
    }
    Ok(if names.is_empty() {
        "no instance was attached".to_owned()
    } else {
        format!("detached: {}", names.join(", "))
    })
}
