//! A sysroot that holds `core` and `compiler_builtins` for the BPF target and nothing else.
//!
//! Both are compiled by rustc itself rather than by cargo: cargo hashes a package's path into its symbols, and the
//! object must not depend on where the sources lie. They depend on no other crate, so nothing is lost.

use std::path::{Path, PathBuf};

use super::TARGET;
use super::compile::{CODEGEN_FLAGS, remap};
use super::sources::sha256;
use super::toolchain::Rustc;
use crate::error::Result;
use crate::{process, project};

/// What the build script of `compiler_builtins` sets for this target.
const BUILTINS_FLAGS: [&str; 7] = [
    "--cfg=feature=\"compiler-builtins\"",
    "--cfg=feature=\"mem\"",
    "--cfg=feature=\"mem-unaligned\"",
    "--cfg=feature=\"unstable-intrinsics\"",
    "--cfg=intrinsics_enabled",
    "--cfg=arch_enabled",
    "--cfg=optimizations_enabled",
];

/// What both crates are compiled with: the standard library is unstable by nature, and its warnings are not ours.
const LIBRARY_FLAGS: [&str; 7] = [
    "--edition=2024",
    "--crate-type=rlib",
    "--cap-lints=allow",
    "-Zforce-unstable-if-unmarked",
    "-Cmetadata=pmu-monitor",
    "-Copt-level=3",
    "-Ccodegen-units=1",
];

/// The sysroot at `place`, built where it is not there for this compiler, these sources and these flags.
pub(crate) fn find_or_build(place: &Path, rustc: &Rustc, library: &Path) -> Result<PathBuf> {
    let made_from = format!(
        "{}\n{}\n{LIBRARY_FLAGS:?}\n{BUILTINS_FLAGS:?}\n{CODEGEN_FLAGS:?}\n",
        rustc.version,
        library.display()
    );
    let key = sha256(made_from.as_bytes());
    let key_file = place.join("made-from");
    if project::read_text(&key_file).is_ok_and(|found| found == key) {
        return Ok(place.to_owned());
    }
    eprintln!("core for {TARGET}: compiling it (about 15 seconds)");
    project::remove_dir(place)?;
    build(place, library)?;
    project::write(&key_file, key.as_bytes())?;
    Ok(place.to_owned())
}

fn build(sysroot: &Path, library: &Path) -> Result<()> {
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    project::create_dir(&libraries)?;
    compile(sysroot, &libraries, library, "core", "core", &[])?;
    compile(
        sysroot,
        &libraries,
        library,
        "compiler_builtins",
        "compiler-builtins/compiler-builtins",
        &BUILTINS_FLAGS,
    )
}

fn compile(
    sysroot: &Path,
    libraries: &Path,
    library: &Path,
    name: &str,
    directory: &str,
    flags: &[&str],
) -> Result<()> {
    let mut command = project::rustc();
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(library);
    command.arg("--crate-name").arg(name).arg(Path::new(directory).join("src/lib.rs"));
    command.args(["--target", TARGET]).arg("--sysroot").arg(sysroot);
    command.args(LIBRARY_FLAGS).args(CODEGEN_FLAGS).args(flags);
    command.arg(remap(library, "/rust/library")).arg("--out-dir").arg(libraries);
    process::output(&mut command).map(drop)
}
