//! The object that the kernel loads: when it must be built, and how its parts come together.
//!
//! `toolchain` gathers what compiles for BPF (`linker`, `core_sources`, `sysroot`), `compile` builds, `strip` takes
//! out what carries paths, `sources` says what went in, and `prove` shows that place does not matter.

mod apt;
mod compile;
mod core_sources;
mod linker;
mod lock;
pub(crate) mod prove;
mod sources;
mod strip;
mod sysroot;
pub(crate) mod toolchain;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};
use compile::Build;
use sources::Sources;
use toolchain::Toolchain;

/// rustc's name for BPF with the least significant byte first: x86-64's and aarch64's order.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The committed object and the record of what it was made from.
struct Committed {
    object: PathBuf,
    sources: PathBuf,
}

impl Committed {
    fn of(root: &Path) -> Self {
        let directory = root.join("monitor-ebpf/object");
        Self { object: directory.join("pmu-monitor.o"), sources: directory.join("pmu-monitor.sources") }
    }

    /// The record, where both files are there and belong together.
    fn record(&self) -> Option<sources::Record> {
        let record = sources::Record::parse(&project::read_text(&self.sources).ok()?)?;
        let object = project::read(&self.object).ok()?;
        (record.object == sources::sha256(&object)).then_some(record)
    }
}

/// Makes sure that the committed object was made from the sources as they are, building it where it was not.
pub(crate) fn ensure(project: &Project) -> Result<()> {
    let committed = Committed::of(&project.root);
    let sources = Sources::gather(&project.root)?;
    let record = committed.record();
    match &record {
        Some(record) if record.hash == sources.hash() => {
            eprintln!("eBPF object: fits its sources, nothing to build");
            return Ok(());
        }
        Some(record) => eprintln!("eBPF object: building it, because of {}", record.first_change(&sources)),
        None => eprintln!("eBPF object: building it, because there is none that fits its record"),
    }
    write_committed(project, &committed, &sources)
        .map_err(|error| Error::plain(format!("the eBPF object must be built and cannot be: {error}")))
}

fn write_committed(project: &Project, committed: &Committed, sources: &Sources) -> Result<()> {
    let toolchain = Toolchain::gather(project)?;
    let object = Build::of(project, &toolchain).object()?;
    project::write(&committed.object, &object)?;
    project::write(&committed.sources, sources.record(&object, &toolchain.rustc.version).as_bytes())?;
    eprintln!("eBPF object: {} bytes in {}", object.len(), committed.object.display());
    Ok(())
}

/// Builds the object with its messages to user space, beside the committed one and never in its place.
pub(crate) fn build_log(project: &Project) -> Result<PathBuf> {
    let toolchain = Toolchain::gather(project)?;
    let object = Build { log: true, ..Build::of(project, &toolchain) }.object()?;
    let path = project.ebpf_cache().join("log/pmu-monitor.o");
    project::write(&path, &object)?;
    eprintln!("eBPF object with messages: {} bytes in {}", object.len(), path.display());
    Ok(path)
}

/// The BPF world's lints, as errors.
pub(crate) fn clippy(project: &Project) -> Result<()> {
    let toolchain = Toolchain::gather(project)?;
    let mut command = Build::of(project, &toolchain).cargo("clippy")?;
    process::run(command.args(["--quiet", "--release", "--", "-D", "warnings"]))
}

/// Builds the object anew, from nothing that an earlier build left, and compares it with the committed one.
pub(crate) fn check(project: &Project) -> Result<()> {
    let committed = Committed::of(&project.root);
    let record = committed.record().ok_or_else(|| {
        Error::plain(format!(
            "{} and its record do not belong together; `cargo xtask build-ebpf` writes both",
            committed.object.display()
        ))
    })?;
    let sources = Sources::gather(&project.root)?;
    if record.hash != sources.hash() {
        return Err(Error::plain(format!(
            "the committed eBPF object is out of date because of {}; `cargo xtask build-ebpf` builds it, then commit both files in monitor-ebpf/object",
            record.first_change(&sources)
        )));
    }
    let toolchain = Toolchain::gather(project)?;
    let target = project.ebpf_cache().join("check");
    project::remove_dir(&target)?;
    let object = Build { target: target.clone(), ..Build::of(project, &toolchain) }.object()?;
    project::remove_dir(&target)?;
    compare_with_committed(&object, &committed, &record, &toolchain)
}

fn compare_with_committed(
    object: &[u8],
    committed: &Committed,
    record: &sources::Record,
    toolchain: &Toolchain,
) -> Result<()> {
    let differing = strip::differing_sections(object, &project::read(&committed.object)?)?;
    if differing.is_empty() {
        eprintln!("eBPF object: built anew, equal to the committed one byte for byte");
        return Ok(());
    }
    let why = if record.rustc == toolchain.rustc.version {
        "the same compiler made both: its sources were changed without building it, or a flag does not hold"
            .to_owned()
    } else {
        format!(
            "the committed one was made by rustc {}, this one by {}",
            record.rustc, toolchain.rustc.version
        )
    };
    Err(Error::plain(format!(
        "the object built anew differs from the committed one in {}; {why}. `rm {}` and `cargo xtask build-ebpf` write it anew",
        differing.join(", "),
        committed.object.display()
    )))
}
