//! Shows that the object does not depend on where anything lies: built here, and once more from a copy of the
//! project, with another `CARGO_HOME` and `core`'s sources at another place.

use std::fs;
use std::path::{Path, PathBuf};

use super::compile::Build;
use super::toolchain::Toolchain;
use super::{strip, sysroot};
use crate::error::{Error, Result};
use crate::project::{self, Project};

/// Fails with the names of the sections in which the two objects differ.
pub(crate) fn prove(project: &Project) -> Result<()> {
    let toolchain = Toolchain::gather(project)?;
    let place = project.ebpf_cache().join("prove");
    project::remove_dir(&place)?;
    let here = Build { target: place.join("here"), ..Build::of(project, &toolchain) }.object()?;
    let elsewhere = build_elsewhere(project, toolchain, &place)?;
    let differing = strip::differing_sections(&here, &elsewhere)?;
    if !differing.is_empty() {
        return Err(Error::plain(format!(
            "the object depends on its place: built in {} and below {} it differs in {}",
            project.root.display(),
            place.display(),
            differing.join(", ")
        )));
    }
    eprintln!(
        "eBPF object: equal byte for byte ({} bytes) from two directories, two CARGO_HOMEs and two places of core's sources",
        here.len()
    );
    project::remove_dir(&place)
}

/// Nothing in this build lies where it lies in the usual one, and no path is as long.
fn build_elsewhere(project: &Project, here: Toolchain, place: &Path) -> Result<Vec<u8>> {
    let root = place.join("a copy of the project");
    eprintln!("elsewhere: building a copy of the project, with its own core and its own CARGO_HOME");
    project::copy_tree(&project.root, &root, &["target", ".git"])?;
    let library = place.join("sources/of/rust/library");
    project::copy_tree(&here.library, &library, &[])?;
    let sysroot = sysroot::find_or_build(&place.join("another-sysroot"), &here.rustc, &library)?;
    let toolchain = here.with_core(library, sysroot);
    let cargo_home = Some(another_cargo_home(place)?);
    Build { toolchain: &toolchain, root, target: place.join("elsewhere"), cargo_home, log: false }.object()
}

/// An empty `CARGO_HOME` that knows the same registries as the user's.
fn another_cargo_home(place: &Path) -> Result<PathBuf> {
    let home = place.join("another cargo home");
    project::create_dir(&home)?;
    let home_directory = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let users = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home_directory);
    if let Some(configuration) = users.map(|users| users.join("config.toml")).filter(|file| file.is_file()) {
        fs::copy(&configuration, home.join("config.toml")).map_err(Error::file("copy", &configuration))?;
    }
    Ok(home)
}
