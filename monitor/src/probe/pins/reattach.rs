//! Attaches an instance again to those of its interfaces that it has lost: with the programs that it has pinned, so that
//! nothing is loaded, replaced or made anew.

use std::sync::Arc;

use super::{
    Attached, PinError,
    changes::Changes,
    lock::ChangeLock,
    open::{self, Pinned},
    programs::Programs,
};
use crate::netns::Netns;

/// Attaches again to interfaces of the instance that have gone and come back under the name they had, have been moved to
/// this network namespace, or have lost a program.
///
/// # Errors
/// Where there is no such instance, it is not whole, or the kernel refuses.
pub fn reattach(name: &str, here: &Arc<Netns>) -> Result<Attached, PinError> {
    let _lock = ChangeLock::take()?;
    let pinned = Pinned::open(name)?;
    let mut attached = Attached { renewed: true, ..Attached::default() };
    let lost = pinned.lost(here)?;
    if lost.is_empty() {
        return Ok(attached);
    }
    let directory = pinned.directory();
    let mut programs = Programs::open(directory, pinned.record().hook)?;
    let (mut map, mut record) = (open::record_map(directory)?, pinned.record().clone());
    let mut changes = Changes { directory, kernel: pinned.kernel(), map: &mut map, record: &mut record };
    for interface in &lost {
        changes.renew(&mut programs, interface, &mut attached)?;
    }
    Ok(attached)
}
