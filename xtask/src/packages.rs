//! Debian's packages by the machine's own apt: installed, or downloaded and unpacked below `target/` where installing
//! would change more of the host than its programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::process;
use crate::project;

/// tshark's package asks whether everybody may capture; unasked it takes "no".
pub(crate) fn apt_get(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(words);
    process::output(&mut command).map(drop)
}

/// Downloads one package into an empty `directory`, with newer lists where those at hand do not have it.
pub(crate) fn download(package: &str, directory: &Path) -> Result<PathBuf> {
    project::remove_dir(directory)?;
    project::create_dir(directory)?;
    let fetch =
        || process::output(Command::new("apt-get").args(["download", package]).current_dir(directory));
    if fetch().is_err() {
        if process::is_root() {
            apt_get(&["update"])?;
        }
        fetch()?;
    }
    project::entries(directory)?
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .ok_or_else(|| Error::plain("apt-get downloaded no package"))
}

/// What a package's control file says, such as `Depends`.
pub(crate) fn field(archive: &Path, name: &str) -> Result<String> {
    process::output(Command::new("dpkg-deb").arg("--field").arg(archive).arg(name))
}

/// Unpacks a package's files below `place`.
pub(crate) fn unpack(archive: &Path, place: &Path) -> Result<()> {
    process::output(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(place)).map(drop)
}
