//! What an instance says of itself, as user space speaks of it.

use std::sync::Arc;

use aya::maps::{Array, Map, MapData};
use monitor_common::{
    ABI_VERSION, HOOK_TC_INGRESS, HOOK_XDP, INTERFACES_MAX, Instance, InstanceInterface, InterfaceKey,
    NAME_BYTES, READS_HARDWARE_STAMPS, STATE_ATTACHED, STATE_BEGUN,
};
use monitor_core::packet::InterfaceId;

use crate::netns::Netns;
use crate::probe::{
    Hook, Interface, ProbeError,
    kernel::{map_error, missing},
};

/// The map it stands in.
pub(super) const MAP: &str = "INSTANCE";
const BYTES: usize = size_of::<Instance>();

/// One interface of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceRecord {
    /// The number by which events name it.
    pub id: InterfaceId,
    /// Its name when it was attached to.
    pub name: String,
    /// Namespace and index.
    pub key: InterfaceKey,
    /// What is needed to detach from it, where no link does.
    pub raw: InstanceInterface,
}

impl InterfaceRecord {
    /// As the rooms above know interfaces. `here` stands for its namespace, which only matters where it is this one.
    #[must_use]
    pub fn interface(&self, here: &Arc<Netns>) -> Interface {
        let Self { id, name, key, raw: _ } = self.clone();
        Interface { id, name, key, irqs: Vec::new(), netns: Arc::clone(here) }
    }
}

/// What an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// ABI of whoever made it.
    pub abi_version: u32,
    /// Whether attaching was completed.
    pub complete: bool,
    /// Hook for what comes in.
    pub hook: Hook,
    /// Whether its programs read the network card's own stamps.
    pub hardware_stamps: bool,
    /// When it was attached: nanoseconds since the Unix epoch.
    pub attached_ns: i64,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceRecord>,
}

impl Record {
    /// A new one, not complete yet.
    pub(super) fn new(hook: Hook, hardware_stamps: bool, attached_ns: i64) -> Self {
        let interfaces = Vec::new();
        Self { abi_version: ABI_VERSION, complete: false, hook, hardware_stamps, attached_ns, interfaces }
    }

    /// Its interfaces, where its programs read the network cards' own stamps.
    pub(super) fn stamped(&self) -> Vec<InterfaceRecord> {
        if self.hardware_stamps { self.interfaces.clone() } else { Vec::new() }
    }

    fn from_raw(raw: &Instance) -> Self {
        let interfaces = raw.interfaces.iter().zip(0..).filter(|(line, _)| line.ifindex != 0);
        Self {
            abi_version: raw.abi_version,
            complete: raw.state == STATE_ATTACHED,
            hook: if raw.hook == u32::from(HOOK_XDP) { Hook::Xdp } else { Hook::Tc },
            hardware_stamps: raw.flags & READS_HARDWARE_STAMPS != 0,
            attached_ns: raw.attached_ns,
            interfaces: interfaces.map(|(line, id)| interface(line, InterfaceId(id))).collect(),
        }
    }

    fn to_raw(&self) -> Instance {
        let hook = match self.hook {
            Hook::Tc => HOOK_TC_INGRESS,
            Hook::Xdp => HOOK_XDP,
        };
        let mut raw = Instance {
            abi_version: self.abi_version,
            state: if self.complete { STATE_ATTACHED } else { STATE_BEGUN },
            hook: hook.into(),
            flags: if self.hardware_stamps { READS_HARDWARE_STAMPS } else { 0 },
            attached_ns: self.attached_ns,
            interfaces: [InstanceInterface::default(); INTERFACES_MAX],
        };
        for one in &self.interfaces {
            if let Some(line) = raw.interfaces.get_mut(usize::from(one.id.0)) {
                *line = InstanceInterface { netns: one.key.netns, ifindex: one.key.ifindex, ..one.raw };
                let name = &one.name.as_bytes()[..one.name.len().min(NAME_BYTES - 1)];
                line.name[..name.len()].copy_from_slice(name);
            }
        }
        raw
    }
}

fn interface(line: &InstanceInterface, id: InterfaceId) -> InterfaceRecord {
    let name = line.name.split(|&byte| byte == 0).next().unwrap_or_default();
    InterfaceRecord {
        id,
        name: String::from_utf8_lossy(name).into_owned(),
        key: InterfaceKey { netns: line.netns, ifindex: line.ifindex },
        raw: *line,
    }
}

/// The map, opened.
pub(super) struct RecordMap(Array<MapData, [u8; BYTES]>);

impl RecordMap {
    pub(super) fn new(map: Map) -> Result<Self, ProbeError> {
        Array::try_from(map).map(Self).map_err(|_| missing(MAP))
    }

    pub(super) fn read(&self) -> Result<Record, ProbeError> {
        let bytes = self.0.get(&0, 0).map_err(|error| map_error(MAP, &error))?;
        Ok(Record::from_raw(&bytemuck::pod_read_unaligned(&bytes)))
    }

    pub(super) fn write(&mut self, record: &Record) -> Result<(), ProbeError> {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(bytemuck::bytes_of(&record.to_raw()));
        self.0.set(0, bytes, 0).map_err(|error| map_error(MAP, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let key = InterfaceKey { netns: 4_026_531_840, ifindex: 7 };
        let one = |id, name: &str| InterfaceRecord {
            id: InterfaceId(id),
            name: name.to_owned(),
            key,
            raw: InstanceInterface::default(),
        };
        let record = Record {
            interfaces: vec![one(0, "eth1"), one(63, "fifteen-letters")],
            ..Record::new(Hook::Xdp, true, 5)
        };
        let mut back = Record::from_raw(&record.to_raw());
        back.interfaces.iter_mut().for_each(|one| one.raw = InstanceInterface::default());
        assert_eq!(back, record);
    }
}
