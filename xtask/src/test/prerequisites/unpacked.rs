//! Programs of packages that are not to be installed, since with them comes a service that would begin to keep the
//! host's clock: downloaded and unpacked below `target/`, with the libraries that they need installed.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::packages;
use crate::process;
use crate::project::{self, Project};

/// Each program with the package that has it.
const PROGRAMS: [(&str, &str); 2] = [("ptp4l", "linuxptp"), ("chronyd", "chrony")];
/// Where packages keep such programs.
const SBIN: &str = "usr/sbin";

/// Where the unpacked programs lie, for PATH.
pub(crate) fn directories(project: &Project) -> impl Iterator<Item = PathBuf> {
    PROGRAMS.into_iter().map(|(_, package)| place(project, package).join(SBIN))
}

fn place(project: &Project, package: &str) -> PathBuf {
    project.target.join("tools").join(package)
}

/// Unpacks what is neither on the system nor unpacked already; says what stays missing.
pub(super) fn provide(project: &Project) {
    for (program, package) in PROGRAMS {
        let there = place(project, package).join(SBIN).join(program).is_file();
        if there || process::find(program).is_some() {
            continue;
        }
        if let Err(error) = unpack(&place(project, package), package) {
            eprintln!("{program} cannot be had; tests that need it will be skipped: {error}");
        }
    }
}

fn unpack(place: &Path, package: &str) -> Result<()> {
    eprintln!("unpacking {package} (it is not installed, so that its service does not run)");
    let download = place.with_extension("download");
    let archive = packages::download(package, &download)?;
    let field = packages::field(&archive, "Depends")?;
    let libraries = libraries(&field);
    if process::is_root() && !libraries.is_empty() {
        let mut words = vec!["install", "--yes", "--no-install-recommends"];
        words.extend(libraries);
        packages::apt_get(&words)?;
    }
    packages::unpack(&archive, place)?;
    project::remove_dir(&download)
}

/// The libraries among a package's dependencies, such as `libc6 (>= 2.34), adduser`; of alternatives the first.
fn libraries(depends: &str) -> Vec<&str> {
    let names = depends.split(',').filter_map(|one| one.split_whitespace().next());
    names.map(|name| name.split(':').next().unwrap_or(name)).filter(|name| name.starts_with("lib")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_what_comes_with_them() {
        let depends =
            "adduser, libcap2 (>= 1:2.10), libc6:any | libc6.1, iproute2 [linux-any], libseccomp2 (>= 2.4)\n";
        assert_eq!(libraries(depends), ["libcap2", "libc6", "libseccomp2"]);
    }
}
