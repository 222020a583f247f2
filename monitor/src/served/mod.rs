//! Which CPUs serve an interface's hardware: those that handle its interrupts, and those that its NAPI threads may run on.
//! A thread that looks at the ring there without sleeping keeps away what it looks for.
//!
//! As `/proc` and `/sys` say at this moment; both are read below a root that tests make up.

mod lines;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::sys::sched::CpuList;
use lines::Table;

pub use lines::{affinity, lines};

/// Something that serves an interface, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// On these CPUs.
    pub cpus: CpuList,
    /// What does: `interrupt 24 of eth1`.
    pub by: String,
    /// How to move it to other CPUs.
    pub remedy: String,
}

/// All that serves these interfaces. Nothing where they have no hardware; what cannot be read counts as not there.
#[must_use]
pub fn serving(root: &Path, interfaces: &[&str]) -> Vec<Served> {
    if interfaces.is_empty() {
        return Vec::new();
    }
    let table = Table::read(root);
    let unused = table.unused();
    let interrupts = interfaces.iter().flat_map(|interface| {
        let lines = lines::of_interface(root, interface, &table);
        let used = lines.into_iter().filter(|line| !unused.contains(line));
        used.filter_map(move |line| {
            Some(Served {
                cpus: affinity(root, line)?,
                by: format!("interrupt {line} of {interface}"),
                remedy: format!("/proc/irq/{line}/smp_affinity_list moves it"),
            })
        })
    });
    let mut served: Vec<_> = interrupts.collect();
    served.extend(napi_threads(root, interfaces));
    served
}

/// Threads that poll one of the interfaces in the place of a softirq (`/sys/class/net/IF/threaded`).
fn napi_threads(root: &Path, interfaces: &[&str]) -> Vec<Served> {
    let processes = fs::read_dir(root.join("proc")).into_iter().flatten().filter_map(Result::ok);
    let thread = |place: PathBuf| {
        let process: u32 = place.file_name()?.to_str()?.parse().ok()?;
        let name = fs::read_to_string(place.join("comm")).ok()?;
        let interface = interfaces.iter().find(|interface| polls(name.trim_end(), interface))?;
        let status = fs::read_to_string(place.join("status")).ok()?;
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        Some(Served {
            cpus: CpuList::parse(cpus)?,
            by: format!("thread {} of {interface}", name.trim_end()),
            remedy: format!("`taskset -pc CPU {process}` binds it"),
        })
    };
    processes.filter_map(|entry| thread(entry.path())).collect()
}

/// Whether a thread is named as `napi/IF-N` (`napi_kthread_create`, net/core/dev.c). Before 5.17 the 15th letter was the
/// last.
fn polls(thread: &str, interface: &str) -> bool {
    let prefix = format!("napi/{interface}-");
    let number = thread.strip_prefix(&prefix);
    number.is_some_and(|number| number.bytes().all(|letter| letter.is_ascii_digit()))
        || thread.len() == 15 && prefix.starts_with(thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with one card of three lines and a NAPI thread.
    fn host() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("in a directory")).expect("made");
            fs::write(path, text).expect("written");
        };
        let device = "sys/devices/pci0000:00/0000:00:03.0";
        for line in [24, 25, 26] {
            write(&format!("{device}/msi_irqs/{line}"), "msix\n");
        }
        write("sys/class/net/lo/ifindex", "1\n");
        fs::create_dir_all(root.path().join("sys/class/net/eth1")).expect("made");
        std::os::unix::fs::symlink(root.path().join(device), root.path().join("sys/class/net/eth1/device"))
            .expect("linked");
        write(
            "proc/interrupts",
            "           CPU0       CPU1       CPU2       CPU3\n\
             \x20 24:          0          0          0          0   PCI-MSI 49152-edge      eth1-config\n\
             \x20 25:          0       1234          0          0   PCI-MSI 49153-edge      eth1-rx\n\
             \x20 26:         17          0          0          0   PCI-MSI 49154-edge      eth1-tx\n\
             NMI:          0          0          0          0   Non-maskable interrupts\n",
        );
        write("proc/irq/24/effective_affinity_list", "3\n");
        write("proc/irq/25/effective_affinity_list", "1\n");
        write("proc/irq/25/smp_affinity_list", "0-3\n");
        write("proc/irq/26/effective_affinity_list", "\n");
        write("proc/irq/26/smp_affinity_list", "0\n");
        for (process, name) in [(40, "napi/eth1-8193"), (41, "napi/eth10-8194"), (42, "eth1")] {
            write(&format!("proc/{process}/comm"), &format!("{name}\n"));
            write(&format!("proc/{process}/status"), &format!("Name:\t{name}\nCpus_allowed_list:\t2\n"));
        }
        write("proc/self/comm", "napi/eth1-1\n");
        root
    }

    #[test]
    fn interrupts_and_threads_are_found_where_they_are() {
        let root = host();
        let mut found: Vec<_> = serving(root.path(), &["eth1"])
            .into_iter()
            .map(|Served { cpus, by, .. }| (by, cpus.to_string()))
            .collect();
        found.sort();
        let wanted = [
            ("interrupt 25 of eth1", "1"),
            ("interrupt 26 of eth1", "0"),
            ("thread napi/eth1-8193 of eth1", "2"),
        ];
        assert_eq!(found, wanted.map(|(by, cpus)| (by.to_owned(), cpus.to_owned())));
    }

    #[test]
    fn what_has_no_hardware_or_cannot_be_read_is_served_by_nothing() {
        let root = host();
        assert_eq!(serving(root.path(), &["lo"]), []);
        assert_eq!(serving(root.path(), &["eth2"]), []);
        assert_eq!(serving(Path::new("/nowhere"), &["eth1"]), []);
    }

    #[test]
    fn without_counts_every_line_may_have_interrupts() {
        let root = host();
        fs::remove_file(root.path().join("proc/interrupts")).expect("removed");
        let config = serving(root.path(), &["eth1"]).into_iter().find(|one| one.by == "interrupt 24 of eth1");
        assert_eq!(config.map(|one| one.cpus.to_string()).as_deref(), Some("3"));
    }

    #[test]
    fn a_name_that_was_cut_is_known() {
        assert!(polls("napi/enp129s0f0", "enp129s0f0np0"));
        assert!(polls("napi/eth1-77", "eth1"));
        assert!(!polls("napi/eth1-77", "eth"));
        assert!(!polls("napi/eth1-x", "eth1"));
    }
}
