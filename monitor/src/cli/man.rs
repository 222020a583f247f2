//! `man`: the manual pages, from what the command line says of itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Outcome, exit, output};

/// Print the manual pages, one after the other, or write each to a file
///
/// To read them: pmu-monitor man | man -l -
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write pmu-monitor.1 and a page for each command into this directory, which is made where it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut out = output::standard().map_err(|error| output::said(&error))?;
    match &arguments.out {
        None => pages().iter().try_for_each(|page| page.render(&mut out)),
        Some(place) => write_all(place, &mut out)?,
    }
    .and_then(|()| out.flush())
    .map_err(|error| output::said(&error))?;
    Ok(exit::DONE)
}

/// Writes every page and says where. The outer error is one of the directory, the inner one of the output.
fn write_all(place: &Path, out: &mut impl Write) -> Result<io::Result<()>, String> {
    let failed = |path: &Path, error: &io::Error| {
        format!(
            "cannot write to {}: {error}; give a directory with --out that may be written to",
            path.display()
        )
    };
    fs::create_dir_all(place).map_err(|error| failed(place, &error))?;
    for page in pages() {
        let path =
            page.generate_to(place).map_err(|error| failed(&place.join(page.get_filename()), &error))?;
        if let Err(error) = writeln!(out, "{}", path.display()) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// The program's page, then one for each command.
fn pages() -> Vec<Man> {
    let mut program: Command = super::Arguments::command().disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().cloned().collect::<Vec<_>>();
    [program].into_iter().chain(commands).map(Man::new).collect()
}
