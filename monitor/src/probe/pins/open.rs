//! An instance that somebody attached: its maps, compared with what they must be, and what it says of itself.

use std::{fs, path::Path, time::Duration};

use aya::{
    maps::{Map, MapData},
    programs::ProgramInfo,
};

use super::{
    InterfaceRecord, PinError, ReaderLock, Record,
    directory::{self, Directory},
    expected,
    record::{self, RecordMap},
};
use crate::probe::{Hook, Kernel, ProbeError, attach, kernel::map_error, xdp};
use crate::reader::{ReaderError, RingState, RingView};
use crate::sys::bpf;

/// An attached instance, opened.
pub struct Pinned {
    directory: Directory,
    record: Record,
    kernel: Kernel,
}

/// An instance that is being read.
pub struct Followed {
    directory: Directory,
}

impl Followed {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.directory.name
    }

    /// Whether somebody has detached it.
    #[must_use]
    pub fn gone(&self) -> bool {
        !self.directory.map(record::MAP).exists()
    }
}

/// A pinned program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramState {
    /// Its name.
    pub name: String,
    /// The kernel's number for it.
    pub id: u32,
    /// Hash of its instructions.
    pub tag: u64,
    /// How often it ran; 0 unless `kernel.bpf_stats_enabled` is 1.
    pub run_count: u64,
    /// How long all its runs took together.
    pub run_time: Duration,
}

impl Pinned {
    /// Opens an instance.
    ///
    /// # Errors
    /// Where there is none of that name, or a pin of it is missing or not what this version makes.
    pub fn open(name: &str) -> Result<Self, PinError> {
        let directory = Directory::of(name);
        if !directory.exists() {
            return Err(not_attached(name));
        }
        let record = read_record(&directory)?;
        if !record.complete {
            return Err(broken(&directory, "attaching it was not completed".to_owned()));
        }
        for wanted in &expected::MAPS {
            let data = pinned_map(&directory, wanted.name)?;
            if let Some(difference) = wanted.differs(&data) {
                return Err(broken(&directory, difference));
            }
        }
        let kernel = Kernel::take(|name| {
            let data = MapData::from_pin(directory.map(name)).map_err(|error| map_error(name, &error))?;
            Map::from_map_data(data).map_err(|error| map_error(name, &error))
        })?;
        Ok(Self { directory, record, kernel })
    }

    /// A handle by which to notice that it is detached.
    #[must_use]
    pub fn followed(&self) -> Followed {
        Followed { directory: self.directory.clone() }
    }

    /// What it says of itself.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Its maps.
    #[must_use]
    pub fn into_kernel(self) -> Kernel {
        self.kernel
    }

    /// Its maps.
    #[must_use]
    pub const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Becomes its only reader.
    ///
    /// # Errors
    /// [`PinError::BeingRead`], which names the reader that there is.
    pub fn lock_reader(&self) -> Result<ReaderLock, PinError> {
        let lock = ReaderLock::take(self.directory.path())?;
        lock.ok_or_else(|| PinError::BeingRead { name: self.directory.name.clone(), reader: self.reader() })
    }

    /// Whether somebody reads it.
    ///
    /// # Errors
    /// Where its directory cannot be opened.
    pub fn is_being_read(&self) -> Result<bool, PinError> {
        Ok(ReaderLock::take(self.directory.path())?.is_none())
    }

    /// The ring and its reader, without taking anything.
    ///
    /// # Errors
    /// Where the kernel refuses a mapping.
    pub fn ring_state(&self) -> Result<RingState, ReaderError> {
        Ok(RingView::map(self.kernel.ring(), self.kernel.reader_page())?.state())
    }

    /// Who reads it, or read it last.
    #[must_use]
    pub fn reader(&self) -> String {
        let pid = self.ring_state().map(|state| state.reader_pid).unwrap_or_default();
        match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("{} (process {pid})", name.trim_end()),
            Err(_) => format!("process {pid}"),
        }
    }

    /// Its programs.
    ///
    /// # Errors
    /// Where they cannot be listed; one that is missing is left out.
    pub fn programs(&self) -> Result<Vec<ProgramState>, PinError> {
        let programs = self.directory.programs();
        let state = |name: String| {
            let info = ProgramInfo::from_pin(programs.join(&name)).ok()?;
            Some(ProgramState {
                name,
                id: info.id(),
                tag: info.tag(),
                run_count: info.run_count(),
                run_time: info.run_time(),
            })
        };
        Ok(directory::names(&programs)?.into_iter().filter_map(state).collect())
    }

    /// Whether an interface's programs are still on it.
    #[must_use]
    pub fn is_attached_to(&self, interface: &InterfaceRecord) -> bool {
        interface.raw.flags & monitor_common::ATTACHED_CLSACT != 0
            || programs_on_interfaces(self.record.hook).all(|name| {
                let pin = self.directory.links().join(format!("{}-{name}", interface.id.0));
                is_alive(&pin, interface.key.ifindex)
            })
    }
}

/// Names of the programs that each interface has, by the hook for what comes in.
pub(super) fn programs_on_interfaces(hook: Hook) -> impl Iterator<Item = &'static str> {
    let early = (hook == Hook::Xdp).then_some(xdp::PROGRAM);
    early.into_iter().chain(attach::at_tc(hook).iter().map(|(name, _)| *name))
}

/// Whether a pinned link is still on its interface: it outlives the interface, but attached to index 0.
pub(super) fn is_alive(pin: &Path, ifindex: u32) -> bool {
    let told = bpf::open_pin(pin).and_then(|link| bpf::told_of(&link, "ifindex"));
    told.is_ok_and(|found| found == u64::from(ifindex))
}

fn pinned_map(directory: &Directory, name: &str) -> Result<MapData, PinError> {
    MapData::from_pin(directory.map(name)).map_err(|error| {
        let reason = crate::probe::error::chain(&error);
        broken(directory, format!("the pin of map {name} is missing or no map ({reason})"))
    })
}

pub(super) fn read_record(directory: &Directory) -> Result<Record, PinError> {
    Ok(record_map(directory)?.read()?)
}

pub(super) fn record_map(directory: &Directory) -> Result<RecordMap, PinError> {
    let data = pinned_map(directory, record::MAP)?;
    let wanted = expected::MAPS.iter().find(|one| one.name == record::MAP);
    if let Some(difference) = wanted.and_then(|wanted| wanted.differs(&data)) {
        return Err(broken(directory, difference));
    }
    let map = Map::from_map_data(data).map_err(|error| ProbeError::from_map(record::MAP, &error))?;
    Ok(RecordMap::new(map)?)
}

fn broken(directory: &Directory, reason: String) -> PinError {
    PinError::Broken { name: directory.name.clone(), reason }
}

/// The error that says which instances there are instead.
#[must_use]
pub fn not_attached(name: &str) -> PinError {
    let present = directory::instances().map(|instances| instances.own).unwrap_or_default();
    let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
    PinError::NotAttached { name: name.to_owned(), present }
}
