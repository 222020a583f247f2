//! The sources of `core`, of the very compiler in use: rustup's component, or Debian's package of the same version.

use std::path::{Path, PathBuf};

use super::apt;
use super::toolchain::Rustc;
use crate::error::{Error, Result};

/// The folder `library` of the compiler's sources.
pub(crate) fn find_or_get(cache: &Path, rustc: &Rustc) -> Result<PathBuf> {
    let installed = rustc.sysroot.join("lib/rustlib/src/rust/library");
    let got = cache.join(format!("rust-src-{}/library", rustc.release));
    if let Some(found) = [&installed, &got].into_iter().find(|library| has_core(library)) {
        return Ok(found.clone());
    }
    eprintln!("core's sources: the toolchain has none, getting Debian's rust-src {} (45 MB)", rustc.release);
    apt::fetch_library(cache, &rustc.release, &got).map_err(|error| no_sources(&rustc.release, &error))?;
    Ok(got)
}

fn has_core(library: &Path) -> bool {
    library.join("core/src/lib.rs").is_file()
}

fn no_sources(release: &str, error: &Error) -> Error {
    Error::plain(format!(
        "the sources of Rust's core library {release} are needed to compile for BPF; the toolchain has none, and \
         Debian's package could not be had: {error}\nRemedy: `rustup component add rust-src`, then again"
    ))
}
