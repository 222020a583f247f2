//! How a bench ends: its results in a file where one was named, and a status that says whether its limits hold where that
//! was asked.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// Writes `json` into `file`, if any, and fails where `is_beyond`.
pub(crate) fn end(json: &impl Display, file: Option<&Path>, is_beyond: bool) -> ExitCode {
    if let Some(file) = file {
        std::fs::write(file, format!("{json}\n")).unwrap_or_else(|error| {
            panic!("cannot write {}: {error}; name a file in a directory that is there", file.display())
        });
    }
    if is_beyond { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
