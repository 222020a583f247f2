//! Interrupt lines of an interface's hardware, and where their interrupts go, from `/sys` and `/proc`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::sys::sched::CpuList;

/// `/proc/interrupts` as it was read; empty where it could not be.
pub(super) struct Table(String);

impl Table {
    /// That of a host whose files lie below a root.
    pub(super) fn read(root: &Path) -> Self {
        Self(fs::read_to_string(root.join("proc/interrupts")).unwrap_or_default())
    }

    /// Rows of numbered lines, each with its number.
    fn rows(&self) -> impl Iterator<Item = (u32, &str)> {
        self.0.lines().filter_map(|row| {
            let (line, rest) = row.split_once(':')?;
            Some((line.trim().parse().ok()?, rest))
        })
    }

    /// The lines whose handler is called like one of `names`, or has it before a dash.
    fn named<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = u32> + 'a {
        let is_ours = |handler: &str| {
            names.iter().any(|name| {
                handler.strip_prefix(name).is_some_and(|more| more.is_empty() || more.starts_with(['-', ':']))
            })
        };
        self.rows().filter(move |(_, rest)| rest.split([' ', ',']).any(is_ours)).map(|(line, _)| line)
    }

    /// The lines that no CPU has had an interrupt from since the start: a card has some for other purposes than packets.
    pub(super) fn unused(&self) -> Vec<u32> {
        let cpus = self.0.lines().next().map_or(0, |head| head.split_whitespace().count());
        let unused = |rest: &str| {
            let counts: Vec<_> = rest.split_whitespace().take(cpus).collect();
            counts.len() == cpus && counts.iter().all(|&count| count == "0")
        };
        self.rows().filter(|(_, rest)| unused(rest)).map(|(line, _)| line).collect()
    }
}

/// The lines of an interface's device, rising: its MSI vectors, else its legacy line; and those whose handlers are called
/// like it. None for an interface without hardware.
#[must_use]
pub fn lines(root: &Path, interface: &str) -> Vec<u32> {
    of_interface(root, interface, &Table::read(root))
}

/// The same by a table that has been read.
pub(super) fn of_interface(root: &Path, interface: &str, table: &Table) -> Vec<u32> {
    let device = root.join("sys/class/net").join(interface).join("device");
    let Ok(device) = fs::canonicalize(device) else { return Vec::new() };
    let mut lines = BTreeSet::from_iter(of_device(&device));
    // A virtio device's lines have its name, not the interface's.
    let device_name = device.file_name().and_then(|name| name.to_str()).unwrap_or(interface);
    lines.extend(table.named(&[interface, device_name]));
    lines.into_iter().collect()
}

/// A virtio device's vectors stand at the PCI function above it; above any other there are a bridge's own.
fn of_device(device: &Path) -> Vec<u32> {
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

/// The CPUs that a line's interrupts come to; none where that is not told.
#[must_use]
pub fn affinity(root: &Path, line: u32) -> Option<CpuList> {
    let place = root.join("proc/irq").join(line.to_string());
    let list = |file: &str| {
        let text = fs::read_to_string(place.join(file)).ok()?;
        CpuList::parse(&text).filter(|cpus| cpus.count() > 0)
    };
    let (effective, wanted) = (list("effective_affinity_list"), list("smp_affinity_list"));
    // The one is empty until interrupts are asked for, and follows the other with the next interrupt.
    let settled =
        |cpus: &CpuList| wanted.as_ref().is_none_or(|wanted| cpus.iter().any(|cpu| wanted.contains(cpu)));
    effective.filter(settled).or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table(text.to_owned())
    }

    #[test]
    fn vectors_are_found_at_the_device_or_the_function_above_it() {
        let root = tempfile::tempdir().expect("a directory");
        let device = root.path().join("0000:00:03.0/virtio0");
        fs::create_dir_all(&device).expect("made");
        fs::create_dir_all(root.path().join("0000:00:03.0/msi_irqs")).expect("made");
        for vector in ["24", "25"] {
            fs::write(root.path().join("0000:00:03.0/msi_irqs").join(vector), "msix").expect("written");
        }
        let mut found = of_device(&device);
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

    #[test]
    fn lines_are_known_by_their_handlers() {
        let named = |row: &str, names: &[&str]| table(row).named(names).collect::<Vec<_>>();
        let row = " 38:          0      26020 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0";
        assert_eq!(named(row, &["eth0", "virtio2"]), [38]);
        assert_eq!(named(row, &["virtio"]), [0; 0]);
        assert_eq!(named(" 9: 1 IO-APIC 9-fasteoi acpi, eth1", &["eth1"]), [9]);
        assert_eq!(named(" 9: 1 IO-APIC 9-fasteoi eth10-rx", &["eth1"]), [0; 0]);
        assert_eq!(named("NMI: 1 eth1", &["eth1"]), [0; 0]);
    }

    #[test]
    fn interrupts_go_where_they_may_once_they_were_moved() {
        let root = tempfile::tempdir().expect("a directory");
        let place = root.path().join("proc/irq/9");
        fs::create_dir_all(&place).expect("made");
        let put = |file: &str, text: &str| fs::write(place.join(file), text).expect("written");
        let cpus = || affinity(root.path(), 9).map(|cpus| cpus.to_string());
        assert_eq!(cpus(), None);
        put("effective_affinity_list", "1\n");
        assert_eq!(cpus().as_deref(), Some("1"));
        put("smp_affinity_list", "0-1\n");
        assert_eq!(cpus().as_deref(), Some("1"));
        put("smp_affinity_list", "2-3\n");
        assert_eq!(cpus().as_deref(), Some("2-3"), "the next interrupt goes there");
        put("effective_affinity_list", "\n");
        assert_eq!(cpus().as_deref(), Some("2-3"));
    }
}
