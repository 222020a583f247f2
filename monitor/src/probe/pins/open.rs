//! An instance that somebody attached: its maps, compared with what they must be, and what it says of itself.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};

use aya::{
    maps::{Map, MapData},
    programs::{ProgramInfo, TcAttachType},
};
use monitor_common::ABI_VERSION;

use super::{
    InterfaceRecord, InterfaceState, PinError, ReaderLock, Record,
    directory::{self, Directory},
    expected, lock,
    record::{self, RecordMap},
    state,
};
use crate::netns::{self, Netns};
use crate::probe::{
    Hook, Interface, Kernel, ProbeError,
    attach::{self, STAGES},
    kernel::map_error,
    xdp,
};
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
    /// Inode number of the pin that says what is attached.
    inode: Option<u64>,
    map: RecordMap,
}

impl Followed {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.directory.name
    }

    /// Whether somebody has detached it; another of its name may be there already.
    #[must_use]
    pub fn gone(&self) -> bool {
        inode(&self.directory) != self.inode
    }

    /// What it says of itself now: somebody may have attached it to more interfaces, or to others.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn record(&self) -> Result<Record, PinError> {
        Ok(self.map.read()?)
    }

    /// What became of one of its interfaces.
    #[must_use]
    pub fn state_of(&self, interface: &InterfaceRecord, hook: Hook) -> InterfaceState {
        state::of(&self.directory, interface, hook)
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
        directory::check_mounted()?;
        let directory = Directory::of(name);
        if !directory.exists() {
            return Err(not_attached(name));
        }
        let record = read_record(&directory)?;
        if record.abi_version != ABI_VERSION {
            let reason = format!("its record is of version {}, not {ABI_VERSION}", record.abi_version);
            return Err(broken(&directory, reason));
        }
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

    /// A handle by which to notice that it is detached, or attached to something else.
    ///
    /// # Errors
    /// Where the map that says so cannot be opened once more.
    pub fn followed(&self) -> Result<Followed, PinError> {
        let map = record_map(&self.directory)?;
        Ok(Followed { inode: inode(&self.directory), directory: self.directory.clone(), map })
    }

    pub(super) const fn directory(&self) -> &Directory {
        &self.directory
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
        lock.ok_or_else(|| PinError::BeingRead {
            name: self.directory.name.clone(),
            reader: self.named_reader(),
        })
    }

    /// Process that reads it now. Looking keeps no reader out.
    ///
    /// # Errors
    /// Where the kernel's list of locks cannot be read.
    pub fn reader(&self) -> Result<Option<u32>, PinError> {
        let path = self.directory.path();
        lock::holder(path).map_err(PinError::path(path, "find who reads it in /proc/locks"))
    }

    /// The ring and its reader, without taking anything.
    ///
    /// # Errors
    /// Where the kernel refuses a mapping.
    pub fn ring_state(&self) -> Result<RingState, ReaderError> {
        Ok(RingView::map(self.kernel.ring(), self.kernel.reader_page())?.state())
    }

    /// Who reads it, by name and number.
    fn named_reader(&self) -> String {
        let Ok(Some(pid)) = self.reader() else { return "another process".to_owned() };
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

    /// Programs on tracepoints whose link is not pinned any more: the stamps they give are absent. One that this kernel
    /// did not grant is not among them.
    #[must_use]
    pub fn missing_stages(&self) -> Vec<&'static str> {
        let programs = self.directory.programs();
        let expected =
            STAGES.iter().filter(|(name, _, optional)| optional.is_none() || programs.join(name).exists());
        let names = expected.map(|&(name, ..)| name);
        names.filter(|name| !self.directory.stage_link(name).exists()).collect()
    }

    /// What became of one of its interfaces.
    #[must_use]
    pub fn state_of(&self, interface: &InterfaceRecord) -> InterfaceState {
        state::of(&self.directory, interface, self.record.hook)
    }

    /// Interfaces of this network namespace that the instance should be on and is not: one that is there in the place of
    /// one that has gone, one that was moved here, one that has lost a program.
    ///
    /// # Errors
    /// Where the interfaces cannot be listed.
    pub fn lost(&self, here: &Arc<Netns>) -> Result<Vec<Interface>, PinError> {
        let present = here.run(netns::interfaces).and_then(|listed| listed).map_err(|error| {
            let source = io::Error::other(error);
            ProbeError::Namespace { name: self.directory.name.clone(), source }
        })?;
        let called = |name: &str| present.iter().find(|one| one.name == name);
        let numbered = |index: u32| present.iter().find(|one| one.index == index);
        let find = |one: &InterfaceRecord| match self.state_of(one) {
            InterfaceState::Replaced { .. } => called(&one.name),
            InterfaceState::Detached => numbered(one.key.ifindex),
            InterfaceState::Moved | InterfaceState::Elsewhere => {
                present.iter().find(|there| state::is_on(&self.directory, one, there.index))
            }
            InterfaceState::Attached | InterfaceState::Renamed { .. } | InterfaceState::Gone => None,
        };
        let found = self.record.interfaces.iter().filter_map(|one| Some((one.id, find(one)?)));
        found.map(|(id, there)| Ok(Interface::find(here, &there.name, id)?)).collect()
    }
}

/// The program at tc for what leaves, which every interface has.
pub(super) const EGRESS: &str = "egress";

/// Names of the programs that each interface has, by the hook for what comes in.
pub(super) fn programs_on_interfaces(hook: Hook) -> impl Iterator<Item = &'static str> {
    let early = (hook == Hook::Xdp).then_some(xdp::PROGRAM);
    early.into_iter().chain(attach::at_tc(hook).iter().map(|(name, _)| *name))
}

/// Which packets a program at tc is for.
pub(super) fn way_of(program: &str) -> Option<TcAttachType> {
    attach::CLASSIFIERS.into_iter().find(|(name, _)| *name == program).map(|(_, way)| way)
}

/// Whether a pinned link is still on an interface: it outlives the interface, but attached to index 0.
pub(super) fn is_alive(pin: &Path) -> bool {
    let told = bpf::open_pin(pin).and_then(|link| bpf::told_of(&link, "ifindex"));
    told.is_ok_and(|index| index != 0)
}

fn inode(directory: &Directory) -> Option<u64> {
    fs::metadata(directory.map(record::MAP)).ok().map(|pin| pin.ino())
}

fn pinned_map(directory: &Directory, name: &str) -> Result<MapData, PinError> {
    let path = directory.map(name);
    // An instance that this user may not open, or that the file system does not let be opened, may well be whole.
    if let Err(error) = bpf::open_pin(&path)
        && matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    {
        return Err(PinError::path(path, "open it")(error));
    }
    MapData::from_pin(path).map_err(|error| {
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
