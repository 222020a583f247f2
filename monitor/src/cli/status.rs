//! `status`: what is attached, and how it does. Takes nothing from any ring.

use clap::Args;

use super::{Outcome, complete, exit, output};
use crate::config::InstanceName;
use crate::status::Status;

/// Show what is attached: instances, interfaces, programs, counters, ring and reader
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this instance
    #[arg(long, value_name = "NAME", add = complete::instances())]
    instance: Option<InstanceName>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let only = arguments.instance.as_ref().map(InstanceName::as_str);
    let status = Status::read(only).map_err(|error| error.to_string())?;
    let text = if arguments.json {
        serde_json::to_string(&status).map_err(|error| error.to_string())?
    } else {
        status.to_string()
    };
    output::line(text.trim_end())?;
    Ok(if status.unaccounted() == 0 { exit::DONE } else { exit::UNACCOUNTED })
}
