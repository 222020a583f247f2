//! `completions SHELL`: the script by which a shell completes this program's command lines.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Zsh};

use super::{Outcome, complete, exit, output};

/// What the shell calls: the program of this name on its path.
const PROGRAM: &str = "pmu-monitor";

/// Print a script that makes a shell complete options, interfaces and instances
///
/// The script calls pmu-monitor back at each completion: make it anew after an upgrade.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Zsh,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Elvish => &Elvish,
            Self::Fish => &Fish,
            Self::Zsh => &Zsh,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut out = output::standard().map_err(|error| output::said(&error))?;
    let shell = arguments.shell.completer();
    let written = shell.write_registration(complete::VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut out);
    written.and_then(|()| out.flush()).map_err(|error| output::said(&error))?;
    Ok(exit::DONE)
}
