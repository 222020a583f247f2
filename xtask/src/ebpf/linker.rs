//! bpf-linker: joins the crates' LLVM bitcode to one object, with BTF.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Result;
use crate::{process, project};

/// The last one that uses rustc's own LLVM; later ones ask for one installed on the system.
pub(crate) const VERSION: &str = "0.10.3";

/// bpf-linker of exactly [`VERSION`]: the one on PATH, the one built before, or one built now.
pub(crate) fn find_or_build(cache: &Path) -> Result<PathBuf> {
    let on_path = PathBuf::from("bpf-linker");
    if is_wanted(&on_path) {
        return Ok(on_path);
    }
    let tools = cache.join("tools");
    let built = tools.join("bin/bpf-linker");
    if !is_wanted(&built) {
        eprintln!("bpf-linker {VERSION}: building it under {} (about a minute)", tools.display());
        build(&tools)?;
    }
    Ok(built)
}

fn is_wanted(linker: &Path) -> bool {
    let version = process::output(Command::new(linker).arg("--version"));
    version.is_ok_and(|version| version.trim() == format!("bpf-linker {VERSION}"))
}

fn build(tools: &Path) -> Result<()> {
    let build = tools.join("build");
    let mut command = project::cargo();
    command.args(["install", "--quiet", "--locked", "--force", "--root"]).arg(tools);
    command.arg("--target-dir").arg(&build).arg(format!("bpf-linker@{VERSION}"));
    // Cargo tells the user to add the directory to PATH; here nobody has to.
    process::output(&mut command)?;
    project::remove_dir(&build)
}
