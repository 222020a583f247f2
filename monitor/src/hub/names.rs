//! Names of interfaces that are learnt while a run goes on: told by who watches the interfaces, heard by the hub.

use std::sync::{Arc, Mutex, PoisonError};

use monitor_core::packet::InterfaceId;

/// Numbers with their names, kept until the hub hears them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct InterfaceNames(Arc<Mutex<Vec<Named>>>);

type Named = (InterfaceId, Arc<str>);

impl InterfaceNames {
    /// Tells the name of an interface. Before the first event that has its number is made: then none goes without.
    pub fn tell(&self, id: InterfaceId, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((id, name.into()));
    }

    /// What was told since the last call.
    pub(super) fn take(&self) -> Vec<Named> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
