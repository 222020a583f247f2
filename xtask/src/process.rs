//! Runs other programs, and says which one failed.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
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
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

/// Where system programs lie that a plain user's PATH may leave out.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// PATH with the directories of system programs at its end.
pub(crate) fn whole_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = SYSTEM_DIRECTORIES.into_iter().map(PathBuf::from);
    // A directory with a colon in its name cannot be in PATH to begin with.
    std::env::join_paths(std::env::split_paths(&path).chain(system)).unwrap_or(path)
}

/// The same with `more` directories behind them.
pub(crate) fn path_with(more: impl Iterator<Item = PathBuf>) -> OsString {
    let whole = whole_path();
    std::env::join_paths(std::env::split_paths(&whole).chain(more)).unwrap_or(whole)
}

/// Where a program lies, on PATH or among the system's.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&whole_path()).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Whether this process has root's rights. Linux gives a process's directory in /proc to its effective user.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
