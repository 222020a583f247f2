//! Debian's PREEMPT_RT kernels: what of their packages the guest needs, unpacked once below `target/vm/`.

use std::path::{Path, PathBuf};

use super::modules;
use crate::error::{Error, Result};
use crate::packages;
use crate::project;

/// A kernel to test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Before tcx (6.6): the programs are attached through clsact.
    Rt61,
    Rt612,
}

impl Kernel {
    pub(super) const ALL: [Self; 2] = [Self::Rt61, Self::Rt612];

    /// As it is asked for.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rt61 => "6.1-rt",
            Self::Rt612 => "6.12-rt",
        }
    }

    /// The package that names the newest kernel of the series by depending on it.
    const fn metapackage(self) -> &'static str {
        match self {
            Self::Rt61 => "linux-image-rt-amd64",
            Self::Rt612 => "linux-image-6.12-rt-amd64",
        }
    }
}

/// What the guest needs of a kernel's package.
pub(super) struct Files {
    pub(super) directory: PathBuf,
    /// Modules, in the order in which they are to be loaded.
    pub(super) modules: Vec<PathBuf>,
    /// busybox, which needs no library.
    pub(super) busybox: PathBuf,
}

const BUSYBOX: &str = "busybox-static";
/// Written last: what was not finished is made anew.
const MARK: &str = "complete";

/// The files, downloaded and unpacked where that was not done yet.
pub(super) fn provide(place: &Path, kernel: Kernel) -> Result<Files> {
    let busybox = busybox(place)?;
    let directory = place.join(kernel.name());
    // What an earlier version took of the package may be too little.
    if !project::read(&directory.join(MARK)).is_ok_and(|mark| mark.ends_with(marked("").as_bytes())) {
        project::remove_dir(&directory)?;
        unpack(&directory, kernel, &busybox)?;
    }
    let modules = project::files_below(&directory.join("modules"))?;
    Ok(Files { directory, modules, busybox })
}

/// What QEMU boots.
pub(super) fn image(directory: &Path) -> PathBuf {
    directory.join("vmlinuz")
}

fn busybox(place: &Path) -> Result<PathBuf> {
    let unpacked = place.join("busybox");
    let program = unpacked.join("bin/busybox");
    if !program.is_file() {
        let download = place.join("busybox.download");
        packages::unpack(&packages::download(BUSYBOX, &download)?, &unpacked)?;
        project::remove_dir(&download)?;
    }
    Ok(program)
}

fn unpack(directory: &Path, kernel: Kernel, busybox: &Path) -> Result<()> {
    let download = directory.join("download");
    let meta = packages::download(kernel.metapackage(), &download)?;
    let depends = packages::field(&meta, "Depends")?;
    let package = image_package(&depends)
        .ok_or_else(|| Error::plain(format!("{} depends on no kernel: {depends}", kernel.metapackage())))?;
    eprintln!("vm {}: unpacking {package}", kernel.name());
    let whole = directory.join("whole");
    packages::unpack(&packages::download(package, &download)?, &whole)?;
    let image = project::entries(&whole.join("boot"))?
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .ok_or_else(|| Error::plain(format!("{package} has no image")))?;
    modules::gather(&whole.join("lib/modules"), &directory.join("modules"), busybox)?;
    std::fs::rename(&image, self::image(directory)).map_err(Error::file("move", &image))?;
    project::remove_dir(&whole)?;
    project::remove_dir(&download)?;
    project::write(&directory.join(MARK), marked(package).as_bytes())
}

/// The package and what was taken of it.
fn marked(package: &str) -> String {
    format!("{package} {}\n", modules::WANTED.join(" "))
}

/// The kernel among what the metapackage depends on, such as `linux-image-6.1.0-56-rt-amd64 (= 6.1.192-2)`.
fn image_package(depends: &str) -> Option<&str> {
    let names = depends.split([',', '|']).filter_map(|one| one.split_whitespace().next());
    names.into_iter().find(|name| name.starts_with("linux-image-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metapackage_names_the_kernel() {
        let depends = "linux-base (>= 4.3), linux-image-6.1.0-56-rt-amd64 (= 6.1.192-2)\n";
        assert_eq!(image_package(depends), Some("linux-image-6.1.0-56-rt-amd64"));
        assert_eq!(image_package("linux-base\n"), None);
    }
}
