//! Who attached what is read.

use std::sync::Arc;

use crate::{
    netns::Netns,
    probe::{
        Hook, Interface, Probe, ProbeError,
        pins::{self, Attached, Followed, InterfaceState, PinError, ReaderLock, Record},
    },
};

pub(super) enum Source {
    /// This process, which detaches it again.
    Own(Box<Probe>),
    /// Another: an instance that is pinned, of which this is the only reader.
    Pinned { instance: Followed, record: Record, _lock: ReaderLock },
}

impl Source {
    pub(super) fn detach(&mut self) -> Result<(), ProbeError> {
        match self {
            Self::Own(probe) => probe.detach(),
            Self::Pinned { .. } => Ok(()),
        }
    }

    pub(super) fn forget(&mut self, interface: &Interface) {
        match self {
            Self::Own(probe) => probe.forget(interface),
            Self::Pinned { .. } => {}
        }
    }

    pub(super) fn flush_log(&mut self) {
        if let Self::Own(probe) = self {
            probe.flush_log();
        }
    }

    /// A sentence where what is read is no longer there.
    pub(super) fn gone(&self) -> Option<String> {
        match self {
            Self::Own(_) => None,
            Self::Pinned { instance, .. } => instance
                .gone()
                .then(|| format!("instance {} was detached while it was followed", instance.name())),
        }
    }

    /// The instance that is read.
    pub(super) fn instance(&self) -> Option<&Followed> {
        match self {
            Self::Own(_) => None,
            Self::Pinned { instance, .. } => Some(instance),
        }
    }

    /// The interfaces of an instance, where they are others than the last time; with what became of each.
    pub(super) fn changed(&mut self) -> Option<Vec<(pins::InterfaceRecord, InterfaceState)>> {
        let Self::Pinned { instance, record, .. } = self else { return None };
        // While it is being detached it cannot be read, which is noticed elsewhere.
        let now = instance.record().ok().filter(|now| now.interfaces != record.interfaces)?;
        *record = now;
        Some(Self::states(instance, record))
    }

    /// The interfaces of an instance and what became of each.
    pub(super) fn interfaces(&self) -> Vec<(pins::InterfaceRecord, InterfaceState)> {
        match self {
            Self::Own(_) => Vec::new(),
            Self::Pinned { instance, record, .. } => Self::states(instance, record),
        }
    }

    fn states(instance: &Followed, record: &Record) -> Vec<(pins::InterfaceRecord, InterfaceState)> {
        let hook: Hook = record.hook;
        let state = |one: &pins::InterfaceRecord| (one.clone(), instance.state_of(one, hook));
        record.interfaces.iter().map(state).collect()
    }

    /// Attaches an instance again to interfaces that have come back.
    pub(super) fn reattach(&self, here: &Arc<Netns>) -> Result<Attached, PinError> {
        match self {
            Self::Own(_) => Ok(Attached::default()),
            Self::Pinned { instance, .. } => pins::reattach(instance.name(), here),
        }
    }
}
