//! Who attached what is read.

use std::sync::Arc;

use crate::{
    netns::Netns,
    probe::{
        Interface, Probe, ProbeError,
        pins::{self, Attached, Followed, InterfaceRecord, InterfaceState, PinError, ReaderLock, Record},
    },
};

pub(super) enum Source {
    /// This process, which detaches it again.
    Own(Box<Probe>),
    /// Another: an instance that is pinned, of which this is the only reader.
    Pinned(Box<Instance>),
}

/// An instance that is followed.
pub(super) struct Instance {
    pub(super) followed: Followed,
    /// What it said of itself the last time.
    pub(super) record: Record,
    pub(super) _lock: ReaderLock,
}

impl Instance {
    /// Its interfaces and what became of each.
    fn interfaces(&self) -> Vec<(InterfaceRecord, InterfaceState)> {
        let state = |one: &InterfaceRecord| (one.clone(), self.followed.state_of(one, self.record.hook));
        self.record.interfaces.iter().map(state).collect()
    }
}

impl Source {
    pub(super) fn detach(&mut self) -> Result<(), ProbeError> {
        match self {
            Self::Own(probe) => probe.detach(),
            Self::Pinned(_) => Ok(()),
        }
    }

    pub(super) fn forget(&mut self, interface: &Interface) {
        match self {
            Self::Own(probe) => probe.forget(interface),
            Self::Pinned(_) => {}
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
            Self::Pinned(instance) => instance
                .followed
                .gone()
                .then(|| format!("instance {} was detached while it was followed", instance.followed.name())),
        }
    }

    /// The name of the instance that is read.
    pub(super) fn instance(&self) -> Option<&str> {
        match self {
            Self::Own(_) => None,
            Self::Pinned(instance) => Some(instance.followed.name()),
        }
    }

    /// The interfaces of an instance, where they are others than the last time; with what became of each.
    pub(super) fn changed(&mut self) -> Option<Vec<(InterfaceRecord, InterfaceState)>> {
        let Self::Pinned(instance) = self else { return None };
        // While it is being detached it cannot be read, which is noticed elsewhere.
        let record = instance.followed.record().ok();
        instance.record = record.filter(|now| now.interfaces != instance.record.interfaces)?;
        Some(instance.interfaces())
    }

    /// The interfaces of an instance and what became of each.
    pub(super) fn interfaces(&self) -> Vec<(InterfaceRecord, InterfaceState)> {
        match self {
            Self::Own(_) => Vec::new(),
            Self::Pinned(instance) => instance.interfaces(),
        }
    }

    /// Attaches an instance again to interfaces that have come back.
    pub(super) fn reattach(&self, here: &Arc<Netns>) -> Result<Attached, PinError> {
        match self {
            Self::Own(_) => Ok(Attached::default()),
            Self::Pinned(instance) => pins::reattach(instance.followed.name(), here),
        }
    }
}
