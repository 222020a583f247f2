//! Where the project lies, where it builds, and the files in it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::process;

/// The project's directories.
#[derive(Debug)]
pub(crate) struct Project {
    /// The workspace's root.
    pub(crate) root: PathBuf,
    /// Where cargo builds: `target/`, or where the user's configuration puts it.
    pub(crate) target: PathBuf,
}

impl Project {
    /// Finds the project that this xtask belongs to (cargo names its directory when it runs it).
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = manifest
            .as_deref()
            .and_then(Path::parent)
            .ok_or_else(|| Error::plain("xtask does not know its project: start it as `cargo xtask`"))?;
        let target = metadata(cargo().current_dir(root), &["--no-deps"])?["target_directory"]
            .as_str()
            .map(PathBuf::from)
            .ok_or_else(|| Error::plain("cargo metadata names no target directory"))?;
        Ok(Self { root: root.to_owned(), target })
    }

    /// Where everything about the BPF target is kept.
    pub(crate) fn ebpf_cache(&self) -> PathBuf {
        self.target.join("ebpf")
    }
}

/// The cargo that runs this xtask.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// The compiler that cargo uses.
pub(crate) fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
}

/// `cargo metadata` of the project in which `cargo` is set to run.
pub(crate) fn metadata(cargo: &mut Command, flags: &[&str]) -> Result<serde_json::Value> {
    cargo.args(["metadata", "--quiet", "--locked", "--format-version=1"]).args(flags);
    let text = process::output(cargo)?;
    serde_json::from_str(&text).map_err(Error::parse("the output of cargo metadata"))
}

/// Every file below `directory`, sorted by path. A directory that does not exist has none.
pub(crate) fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if directory.is_dir() {
        collect(directory, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in entries(directory)? {
        if entry.is_dir() {
            collect(&entry, found)?;
        } else {
            found.push(entry);
        }
    }
    Ok(())
}

/// What lies directly in `directory`.
pub(crate) fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Error::file("read the directory", directory);
    fs::read_dir(directory)
        .map_err(unreadable())?
        .map(|entry| entry.map(|entry| entry.path()).map_err(unreadable()))
        .collect()
}

/// Copies a tree; directories named in `leave_out` stay behind, at any depth.
pub(crate) fn copy_tree(from: &Path, to: &Path, leave_out: &[&str]) -> Result<()> {
    create_dir(to)?;
    for entry in entries(from)? {
        let name = entry.file_name().unwrap_or(OsStr::new(""));
        let copy = to.join(name);
        if !entry.is_dir() {
            fs::copy(&entry, &copy).map_err(Error::file("copy", &entry))?;
        } else if !leave_out.iter().any(|left| name == *left) {
            copy_tree(&entry, &copy, leave_out)?;
        }
    }
    Ok(())
}

pub(crate) fn create_dir(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::file("create the directory", directory))
}

/// Removes a file; that it was not there is fine.
pub(crate) fn remove_file(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", file)(error)),
        _ => Ok(()),
    }
}

/// Removes a directory and what is in it; one that does not exist is removed already.
pub(crate) fn remove_dir(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove the directory", directory)(error))
        }
        _ => Ok(()),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::file("read", path))
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::file("read", path))
}

/// Writes a file whole or not at all: a build that is broken off leaves no half of it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        create_dir(directory)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    fs::write(&unfinished, bytes).map_err(Error::file("write", &unfinished))?;
    fs::rename(&unfinished, path).map_err(Error::file("write", path))
}
