//! What of an instance is as this version would make it, and what lies about that does not belong to it.
//!
//! Attaching that was killed, or a hand, leaves pins behind: a program that was to take another's place, a link of an
//! interface that was never written down, pins of one version beside links of another. Each is told by what the kernel
//! says of it, not by what should have happened.

use std::{fs, path::Path};

use aya::programs::ProgramInfo;
use monitor_core::packet::InterfaceId;

use super::{
    InterfaceRecord, PinError, clsact,
    directory::{self, Directory},
    open,
};
use crate::probe::{Hook, attach::STAGES};
use crate::sys::bpf;

/// Whether a program is pinned with the given tag, and every link of it that is pinned runs that very program.
pub(super) fn is_current(
    directory: &Directory,
    interfaces: &[InterfaceRecord],
    name: &str,
    tag: u64,
) -> bool {
    let Ok(pinned) = ProgramInfo::from_pin(directory.programs().join(name)) else { return false };
    let on_interfaces = interfaces.iter().map(|one| directory.hook_link(one.id, name));
    let mut links = on_interfaces.chain([directory.stage_link(name)]).filter(|link| link.exists());
    let side = open::way_of(name).map(clsact::side_of);
    let with_filters = interfaces.iter().filter(|one| clsact::is_used(one));
    let filters = with_filters.flat_map(|one| clsact::own(directory, one).unwrap_or_default());
    let mut filters = filters.filter(|filter| Some(filter.side) == side);
    pinned.tag() == tag
        && links.all(|link| program_of(&link) == Some(pinned.id()))
        && filters.all(|filter| filter.program == Some(pinned.id()))
}

/// What stands in the name of the pin of a program that was replaced, before the program's number.
const REPLACED: &str = "-replaced-";

/// Keeps the pin of a program that is about to be replaced under another name: by its number a filter that still runs it
/// is known as the instance's own.
pub(super) fn keep_replaced(directory: &Directory, name: &str) -> Result<(), PinError> {
    let pin = directory.programs().join(name);
    let Ok(pinned) = ProgramInfo::from_pin(&pin) else { return Ok(()) };
    let kept = directory.programs().join(format!("{name}{REPLACED}{}", pinned.id()));
    fs::rename(&pin, &kept).map_err(PinError::path(&pin, "rename it"))
}

/// Removes the pins of programs that have been replaced everywhere.
pub(super) fn forget_replaced(directory: &Directory) -> Result<(), PinError> {
    let programs = directory.programs();
    for name in directory::names(&programs)?.into_iter().filter(|name| name.contains(REPLACED)) {
        let pin = programs.join(name);
        fs::remove_file(&pin).map_err(PinError::path(&pin, "remove it"))?;
    }
    Ok(())
}

/// Removes pins that belong to nothing that is written down.
pub(super) fn tidy(
    directory: &Directory,
    interfaces: &[InterfaceRecord],
    hook: Hook,
) -> Result<(), PinError> {
    let hooks =
        |id: InterfaceId| open::programs_on_interfaces(hook).map(move |name| directory.hook_link(id, name));
    let stages = STAGES.iter().map(|(name, ..)| directory.stage_link(name));
    let links: Vec<_> = interfaces.iter().flat_map(|one| hooks(one.id)).chain(stages).collect();
    let names = open::programs_on_interfaces(hook).chain(STAGES.iter().map(|&(name, ..)| name));
    let programs: Vec<_> = names.map(|name| directory.programs().join(name)).collect();
    for (place, known) in [(directory.links(), links), (directory.programs(), programs)] {
        let strays = directory::names(&place)?.into_iter().map(|name| place.join(name));
        for stray in strays.filter(|pin| !known.contains(pin) && !was_replaced(pin)) {
            fs::remove_file(&stray).map_err(PinError::path(&stray, "remove it"))?;
        }
    }
    Ok(())
}

fn was_replaced(pin: &Path) -> bool {
    pin.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains(REPLACED))
}

/// Number of the program that a pinned link runs.
fn program_of(link: &Path) -> Option<u32> {
    let told = bpf::open_pin(link).and_then(|link| bpf::told_of(&link, "prog_id")).ok()?;
    u32::try_from(told).ok()
}
