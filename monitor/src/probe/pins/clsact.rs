//! Filters on clsact: how programs stay on an interface where the kernel has no links for them (before Linux 6.6).
//!
//! No pin keeps such a filter, and nothing takes it away but who knows of it. So the record says that an interface has
//! filters before the first is there, and a filter is an instance's own by the number of the program that it runs: that
//! of a program pinned with the instance. Priority and handle alone would not do: the kernel gives them out again.

use std::io;

use aya::programs::{
    ProgramInfo, SchedClassifier, TcAttachType,
    tc::{SchedClassifierLink, TcHandle},
};
use monitor_common::{ADDED_CLSACT, ATTACHED_CLSACT};

use super::{
    InterfaceRecord, PinError,
    directory::{self, Directory},
    open,
};
use crate::{
    netns::{self, Filter, FilterSide, Links, Netns},
    probe::{
        ProbeError,
        attach::{self as hooks, CLASSIFIERS},
    },
    sys::ifname,
};

/// Whether an interface of an instance has, or may have, filters rather than links.
pub(super) const fn is_used(interface: &InterfaceRecord) -> bool {
    interface.raw.flags & ATTACHED_CLSACT != 0
}

/// The side of clsact that a program is for.
pub(super) const fn side_of(way: TcAttachType) -> FilterSide {
    match way {
        TcAttachType::Egress => FilterSide::Egress,
        TcAttachType::Ingress | TcAttachType::Custom(_) => FilterSide::Ingress,
    }
}

/// Where in a record the priority and handle of a side are.
pub(super) const fn place_of(side: FilterSide) -> usize {
    match side {
        FilterSide::Ingress => 0,
        FilterSide::Egress => 1,
    }
}

/// The instance's filters on an interface of the current network namespace.
///
/// # Errors
/// Where netlink sockets are forbidden.
pub(super) fn own(directory: &Directory, interface: &InterfaceRecord) -> Result<Vec<Filter>, PinError> {
    let programs = numbers_of_programs(directory)?;
    let mut links = Links::open().map_err(|error| failed(interface, &error))?;
    let mut own = Vec::new();
    for side in FilterSide::ALL {
        let all = links.filters(interface.key.ifindex, side).map_err(|error| failed(interface, &error))?;
        own.extend(all.into_iter().filter(|filter| is_own(filter, &programs, interface)));
    }
    Ok(own)
}

/// By the program's number; where its pin has been removed by hand, by the record and the name it was attached under.
fn is_own(filter: &Filter, programs: &[u32], interface: &InterfaceRecord) -> bool {
    let Some(program) = filter.program else { return false };
    let place = place_of(filter.side);
    let (priority, handle) = (interface.raw.priorities[place], interface.raw.handles[place]);
    let names = CLASSIFIERS.into_iter().filter(|&(_, way)| side_of(way) == filter.side).map(|(name, _)| name);
    programs.contains(&program)
        || ((filter.priority, filter.handle) == (priority, handle)
            && handle != 0
            && names.into_iter().any(|name| filter.name.as_deref() == Some(name)))
}

/// Numbers of all programs that are pinned with an instance, whatever the pins are called.
fn numbers_of_programs(directory: &Directory) -> Result<Vec<u32>, PinError> {
    let programs = directory.programs();
    let number = |name: String| ProgramInfo::from_pin(programs.join(name)).map(|info| info.id()).ok();
    Ok(directory::names(&programs)?.into_iter().filter_map(number).collect())
}

/// Adds the queueing discipline where it is missing. `record` is told before, so that a kill in between leaves nothing
/// that nobody knows of.
///
/// # Errors
/// Where the kernel refuses, or the record cannot be written.
pub(super) fn prepare(
    interface: &mut InterfaceRecord,
    mut record: impl FnMut(&InterfaceRecord) -> Result<(), PinError>,
) -> Result<(), PinError> {
    let mut links = Links::open().map_err(|error| failed(interface, &error))?;
    let index = interface.key.ifindex;
    let is_there = links.has_clsact(index).map_err(|error| failed(interface, &error))?;
    interface.raw.flags |= ATTACHED_CLSACT | if is_there { 0 } else { ADDED_CLSACT };
    record(interface)?;
    if is_there {
        return Ok(());
    }
    match links.add_clsact(index) {
        Ok(()) => Ok(()),
        // Somebody else was faster: it is his.
        Err(netns::Error::Interface { source, .. }) if source.raw_os_error() == Some(libc::EEXIST) => {
            interface.raw.flags &= !ADDED_CLSACT;
            record(interface)
        }
        Err(error) => Err(failed(interface, &error)),
    }
}

/// Puts a program into the place of the one that an instance's filter runs, at once.
///
/// # Errors
/// Where the kernel refuses.
pub(super) fn replace(
    program: &mut SchedClassifier,
    directory: &Directory,
    interface: &InterfaceRecord,
    (name, way): (&str, TcAttachType),
) -> Result<(), PinError> {
    let refused = |error| hooks::attach_error(name, &interface.name, &error);
    let namespace = Netns::current().map_err(|error| failed(interface, &error))?;
    if namespace.inode() != interface.key.netns {
        return Err(PinError::Unreachable {
            name: directory.name.clone(),
            interface: interface.name.clone(),
            netns: interface.key.netns,
        });
    }
    let Ok(called) = ifname::name_of(interface.key.ifindex) else { return Ok(()) };
    for filter in own(directory, interface)?.into_iter().filter(|filter| filter.side == side_of(way)) {
        let handle = TcHandle::from(filter.handle);
        let link = SchedClassifierLink::attached(&called, way, filter.priority, handle, None);
        let link = link.map_err(|error| ProbeError::Attach {
            program: name.to_owned(),
            target: called.clone(),
            reason: error.to_string(),
        })?;
        let id = program.attach_to_link(link).map_err(refused)?;
        // Dropping it would remove the filter, which nothing but the record keeps.
        std::mem::forget(program.take_link(id).map_err(refused)?);
    }
    Ok(())
}

/// Removes an instance's filters from an interface, and the queueing discipline where it was added for them and nobody
/// else's filters are on it. In the interface's own namespace, which is looked for where it is another. What has gone
/// with its interface is no error.
///
/// # Errors
/// [`PinError::Unreachable`]; where the kernel refuses.
pub(super) fn remove(directory: &Directory, interface: &InterfaceRecord) -> Result<(), PinError> {
    let unreachable = || PinError::Unreachable {
        name: directory.name.clone(),
        interface: interface.name.clone(),
        netns: interface.key.netns,
    };
    let here = Netns::current().map_err(|error| failed(interface, &error))?;
    let netns = if here.inode() == interface.key.netns {
        here
    } else {
        match Netns::find(interface.key.netns) {
            Ok(Some(found)) => found,
            // With a namespace go its interfaces and what is on them.
            Ok(None) => return Ok(()),
            Err(_) => return Err(unreachable()),
        }
    };
    netns.run(|| remove_here(directory, interface)).map_err(|_| unreachable())?
}

fn remove_here(directory: &Directory, interface: &InterfaceRecord) -> Result<(), PinError> {
    let index = interface.key.ifindex;
    if ifname::name_of(index).is_err() {
        return Ok(());
    }
    let mut links = Links::open().map_err(|error| failed(interface, &error))?;
    for filter in own(directory, interface)? {
        missing_is_fine(links.remove_filter(index, &filter).map(|()| true))
            .map_err(|error| failed(interface, &error))?;
    }
    if interface.raw.flags & ADDED_CLSACT != 0 {
        let removed = missing_is_fine(links.remove_empty_clsact(index));
        if !removed.map_err(|error| failed(interface, &error))? {
            hand_over(directory, interface)?;
        }
    }
    Ok(())
}

/// Another instance on the same interface becomes the one to remove the queueing discipline with its last filter.
fn hand_over(directory: &Directory, interface: &InterfaceRecord) -> Result<(), PinError> {
    let others = directory::instances()?.own.into_iter().filter(|name| *name != directory.name);
    for name in others {
        let Ok(mut map) = open::record_map(&Directory::of(&name)) else { continue };
        let Ok(mut record) = map.read() else { continue };
        let same = |one: &&mut InterfaceRecord| one.key == interface.key && is_used(one);
        if let Some(heir) = record.interfaces.iter_mut().find(same) {
            heir.raw.flags |= ADDED_CLSACT;
            return Ok(map.write(&record)?);
        }
    }
    Ok(())
}

/// What is not there any more need not be removed: filter (ENOENT), queueing discipline (ENOENT, EINVAL), interface.
fn missing_is_fine(removed: Result<bool, netns::Error>) -> Result<bool, netns::Error> {
    match removed {
        Err(netns::Error::Interface { source, .. })
            if matches!(source.raw_os_error(), Some(libc::ENOENT | libc::EINVAL | libc::ENODEV)) =>
        {
            Ok(true)
        }
        other => other,
    }
}

fn failed(interface: &InterfaceRecord, error: &netns::Error) -> PinError {
    let source = io::Error::other(error.to_string());
    PinError::Probe(ProbeError::Namespace { name: interface.name.clone(), source })
}
