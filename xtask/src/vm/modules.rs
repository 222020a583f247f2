//! The modules that tests need, with those that they depend on, uncompressed and numbered in the order of loading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object as _, ObjectSection as _};

use crate::error::{Error, Result};
use crate::project;

/// Veth pairs and VLANs; clsact and its filters, by which programs are attached before Linux 6.6; what ss asks for a TCP
/// connection; the driver of the machine's network cards.
pub(super) const WANTED: [&str; 6] = ["veth", "8021q", "sch_ingress", "cls_bpf", "tcp_diag", "e1000e"];

/// Copies the wanted modules from below `from` into `to`.
pub(super) fn gather(from: &Path, to: &Path, busybox: &Path) -> Result<()> {
    let all: BTreeMap<String, PathBuf> =
        project::files_below(from)?.into_iter().filter_map(|path| Some((name(&path)?, path))).collect();
    let mut taken = Vec::new();
    WANTED.into_iter().try_for_each(|wanted| take(wanted, &all, to, busybox, &mut taken))
}

/// Those that it depends on first.
fn take(
    module: &str,
    all: &BTreeMap<String, PathBuf>,
    to: &Path,
    busybox: &Path,
    taken: &mut Vec<String>,
) -> Result<()> {
    if taken.iter().any(|one| one == module) {
        return Ok(());
    }
    let path = all.get(module).ok_or_else(|| Error::plain(format!("the kernel has no module {module}")))?;
    let bytes = contents(path, busybox)?;
    for needed in depends(&bytes).map_err(Error::parse(path.display()))? {
        take(&needed, all, to, busybox, taken)?;
    }
    project::write(&to.join(format!("{:02}-{module}.ko", taken.len())), &bytes)?;
    taken.push(module.to_owned());
    Ok(())
}

/// `veth` of `.../veth.ko` and `.../veth.ko.xz`; the kernel takes `-` and `_` for the same.
fn name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    Some(file.strip_suffix(".xz").unwrap_or(file).strip_suffix(".ko")?.replace('-', "_"))
}

fn contents(path: &Path, busybox: &Path) -> Result<Vec<u8>> {
    if path.extension().is_none_or(|end| end != "xz") {
        return project::read(path);
    }
    let unpacked = Command::new(busybox).args(["xz", "-dc"]).arg(path).output();
    let unpacked = unpacked.map_err(Error::file("decompress", path))?;
    if unpacked.status.success() {
        Ok(unpacked.stdout)
    } else {
        Err(Error::plain(format!("cannot decompress {}", path.display())))
    }
}

/// The line `depends=` of a module's `.modinfo` (kernel's scripts/mod/modpost.c, `add_depends`).
fn depends(module: &[u8]) -> object::Result<Vec<String>> {
    let file = object::File::parse(module)?;
    let Some(section) = file.section_by_name(".modinfo") else { return Ok(Vec::new()) };
    Ok(depends_of(section.data()?))
}

fn depends_of(information: &[u8]) -> Vec<String> {
    let lines = information.split(|&byte| byte == 0).filter_map(|line| std::str::from_utf8(line).ok());
    let names = lines.filter_map(|line| line.strip_prefix("depends=")).flat_map(|names| names.split(','));
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_says_what_it_depends_on() {
        let information = b"version=1.8\0license=GPL\0depends=mrp,garp-x\0retpoline=Y\0";
        assert_eq!(depends_of(information), ["mrp", "garp_x"]);
        assert_eq!(depends_of(b"depends=\0"), [""; 0]);
    }

    #[test]
    fn compressed_or_not_a_module_has_one_name() {
        for path in ["kernel/net/sched/sch-ingress.ko", "sch_ingress.ko.xz"] {
            assert_eq!(name(Path::new(path)).as_deref(), Some("sch_ingress"));
        }
        assert_eq!(name(Path::new("modules.builtin")), None);
    }
}
