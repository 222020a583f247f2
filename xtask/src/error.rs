//! What can go wrong in a task: each message says what failed, where, and what to do about it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot {doing} {}: {source}", .path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },

    #[error("cannot start {program}: {source}; is it installed and on PATH?")]
    Start { program: String, source: std::io::Error },

    #[error("`{command}` failed ({status}){}", detail(.stderr))]
    Command { command: String, status: ExitStatus, stderr: String },

    #[error("{what} is not understood: {why}")]
    Parse { what: String, why: String },

    /// A whole message: what, where and the remedy.
    #[error("{0}")]
    Plain(String),
}

fn detail(stderr: &str) -> String {
    let stderr = stderr.trim_end();
    if stderr.is_empty() { String::new() } else { format!(":\n{stderr}") }
}

impl Error {
    /// For `map_err` on a file operation: `fs::read(p).map_err(Error::file("read", p))`.
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self::Plain(message.into())
    }

    /// For `map_err` on a parser.
    pub(crate) fn parse<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        let what = what.to_string();
        move |why| Self::Parse { what, why: why.to_string() }
    }
}
