//! Interrupt lines of an interface, from sysfs: only their handlers' stamps belong to its packets.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The lines of `/sys/class/net/NAME`'s device: its MSI vectors, else its legacy line. Empty for an interface without
/// hardware, and where the device does not say (virtio over MMIO): the stage is then absent.
pub(super) fn of_interface(name: &str) -> Vec<u32> {
    below(Path::new("/"), name)
}

/// The same where `/sys` lies below a root.
pub(super) fn below(root: &Path, name: &str) -> Vec<u32> {
    let device = root.join("sys/class/net").join(name).join("device");
    fs::canonicalize(device).map(|device| lines(&device)).unwrap_or_default()
}

/// A virtio device's vectors stand at the PCI function above it.
fn lines(device: &Path) -> Vec<u32> {
    device.ancestors().take(2).map(own_lines).find(|lines| !lines.is_empty()).unwrap_or_default()
}

fn own_lines(device: &Path) -> Vec<u32> {
    let vectors: Vec<u32> = fs::read_dir(device.join("msi_irqs"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    if vectors.is_empty() { legacy_line(&device.join("irq")).into_iter().collect() } else { vectors }
}

fn legacy_line(path: &PathBuf) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok().filter(|&line| line != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_found_at_the_device_or_the_function_above_it() {
        let root = tempfile::tempdir().expect("a directory");
        let device = root.path().join("0000:00:03.0/virtio0");
        fs::create_dir_all(&device).expect("made");
        fs::create_dir_all(root.path().join("0000:00:03.0/msi_irqs")).expect("made");
        for vector in ["24", "25"] {
            fs::write(root.path().join("0000:00:03.0/msi_irqs").join(vector), "msix").expect("written");
        }
        let mut found = lines(&device);
        found.sort_unstable();
        assert_eq!(found, [24, 25]);
    }

    #[test]
    fn a_legacy_line_counts_only_where_there_is_one() {
        let root = tempfile::tempdir().expect("a directory");
        fs::write(root.path().join("irq"), "11\n").expect("written");
        assert_eq!(own_lines(root.path()), [11]);
        fs::write(root.path().join("irq"), "0\n").expect("written");
        assert!(own_lines(root.path()).is_empty());
    }
}
