//! `PyPI`'s `pyc37`, a PMU and a PDC of somebody else's that speak C37.118 over TCP: installed into a virtual environment
//! below `target/`, which changes nothing of the host.

use std::process::Command;

use crate::error::Result;
use crate::process;
use crate::project::{self, Project};

/// The version that tests were written with. It needs psutil and does not say so.
const PACKAGES: [&str; 2] = ["pyc37==1.0.2", "psutil"];

/// Makes the environment where it is missing; says where it stays so.
pub(super) fn provide(project: &Project) {
    if let Err(error) = install(project) {
        eprintln!("pyc37 cannot be had; tests that need it will be skipped: {error}");
        eprintln!(
            "remedy: give this host Python 3 with venv (apt-get install python3-venv) and a package index"
        );
    }
}

/// The mark is written last: an environment that was not finished is made anew.
fn install(project: &Project) -> Result<()> {
    let place = project.target.join("tools").join("pyc37");
    let mark = place.join("complete");
    if mark.is_file() {
        return Ok(());
    }
    eprintln!("installing {} into {}", PACKAGES.join(" and "), place.display());
    project::remove_dir(&place)?;
    process::output(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
    let python = place.join("bin").join("python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
    process::output(&mut pip)?;
    process::output(Command::new(&python).args(["-c", "import collections.abc, pyc37.pmu, pyc37.pdc"]))?;
    project::write(&mark, b"")
}
