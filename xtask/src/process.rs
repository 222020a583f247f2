//! Runs other programs, and says which one failed.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Runs `command` with its output in view; an error names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(cannot_start(command.get_program()))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Command { command: line(command), status, stderr: String::new() })
    }
}

/// Runs `command` unseen and gives its standard output; an error carries what it said.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(cannot_start(command.get_program()))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(Error::parse(format!("the output of `{}`", line(command))))
    } else {
        Err(Error::Command {
            command: line(command),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

fn cannot_start(program: &OsStr) -> impl FnOnce(std::io::Error) -> Error {
    let program = program.to_string_lossy().into_owned();
    move |source| Error::Start { program, source }
}

/// The command as a person would type it (without its environment).
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![name(command.get_program())];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// A program's file name: `cargo` rather than where it lies.
fn name(program: &OsStr) -> String {
    std::path::Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}
