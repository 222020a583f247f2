//! An instance's interfaces while they are changed: added, attached to again, known again where they were moved.

use std::{fs, mem, path::Path};

use aya::programs::{
    SchedClassifier, TcAttachType,
    links::{FdLink, LinkError},
    tc::{SchedClassifierLink, SchedClassifierLinkId},
};
use monitor_common::{INTERFACES_MAX, InstanceInterface, InterfaceKey, InterfaceSettings};
use monitor_core::packet::InterfaceId;

use super::{
    Attached, InterfaceRecord, PinError, Record, attach::not_pinnable, clsact, directory::Directory, open,
    programs::Programs, record::RecordMap, state,
};
use crate::probe::{
    Hook, Interface, Kernel, ProbeError,
    attach::{self as hooks, namespace_error},
    xdp,
};

/// What is to be written down of an instance while it is changed.
pub(super) struct Changes<'a> {
    pub(super) directory: &'a Directory,
    pub(super) kernel: &'a Kernel,
    pub(super) map: &'a mut RecordMap,
    pub(super) record: &'a mut Record,
}

impl Changes<'_> {
    /// Attaches to an interface that the instance knows or not; programs that are on it already stay.
    pub(super) fn renew(
        &mut self,
        programs: &mut Programs,
        interface: &Interface,
        attached: &mut Attached,
    ) -> Result<(), PinError> {
        let (key, name) = (interface.key, &interface.name);
        let known = &self.record.interfaces;
        if let Some(place) = known.iter().position(|one| one.key == key) {
            if self.is_linked(&known[place]) {
                self.record.interfaces[place].name.clone_from(name);
                return Ok(());
            }
            // Its links are dead, or somebody has removed one.
            self.drop_interface(place)?;
        } else if let Some(place) = self.moved_to(interface)? {
            return self.know_again(place, interface, attached);
        } else {
            let lost = |one: &InterfaceRecord| one.name == *name && !self.is_linked(one);
            if let Some(place) = known.iter().position(lost) {
                self.drop_interface(place)?;
            }
        }
        self.add(programs, interface, attached)
    }

    pub(super) fn add(
        &mut self,
        programs: &mut Programs,
        interface: &Interface,
        attached: &mut Attached,
    ) -> Result<(), PinError> {
        let taken: Vec<_> = self.record.interfaces.iter().map(|one| one.id.0).collect();
        let free = (0..INTERFACES_MAX).zip(0..).map(|(_, id)| id).find(|id| !taken.contains(id));
        let id = free.map(InterfaceId).ok_or_else(|| PinError::NotPinnable {
            what: interface.name.clone(),
            reason: format!("the instance has {INTERFACES_MAX} interfaces, which is all that it can have"),
        })?;
        self.watch(interface, id)?;
        let raw = InstanceInterface {
            netns: interface.key.netns,
            ifindex: interface.key.ifindex,
            ..Default::default()
        };
        let mut record = InterfaceRecord { id, name: interface.name.clone(), key: interface.key, raw };
        if self.record.hook == Hook::Xdp {
            let early = xdp::attach_loaded(programs.xdp()?, interface)?;
            attached.warnings.extend(early.warning);
            pin_link(early.link, &self.directory.hook_link(id, xdp::PROGRAM), xdp::PROGRAM)?;
        }
        for &(name, way) in hooks::at_tc(self.record.hook) {
            let program = programs.classifier(name)?;
            if let Some(link) = hooks::link_in(program, interface, name, way)? {
                let link = take(program, link, name, &interface.name)?;
                let link = FdLink::try_from(link).map_err(|error: LinkError| not_pinnable(name, &error))?;
                pin_link(link, &self.directory.hook_link(id, name), name)?;
            } else {
                self.add_filter(program, interface, &mut record, (name, way))?;
            }
        }
        self.write_down(&record)?;
        attached.interfaces.push(interface.name.clone());
        Ok(())
    }

    /// By a filter on clsact, which is written down before it is there.
    fn add_filter(
        &mut self,
        program: &mut SchedClassifier,
        interface: &Interface,
        record: &mut InterfaceRecord,
        (name, way): (&str, TcAttachType),
    ) -> Result<(), PinError> {
        if !clsact::is_used(record) {
            let netns = &interface.netns;
            let prepared = netns.run(|| clsact::prepare(record, |record| self.write_down(record)));
            prepared.map_err(|error| namespace_error(interface, error))??;
        }
        let link = hooks::filter_in(program, interface, name, way)?;
        let link = take(program, link, name, &interface.name)?;
        let place = clsact::place_of(clsact::side_of(way));
        record.raw.priorities[place] = link.priority().map_err(|error| not_pinnable(name, &error))?;
        record.raw.handles[place] = link.handle().map_err(|error| not_pinnable(name, &error))?.into();
        // Dropping it would remove the filter, which nothing but the record keeps from now on.
        mem::forget(link);
        self.write_down(record)
    }

    /// The interface of the instance that is this one, moved here from another namespace with its programs on it.
    fn moved_to(&self, interface: &Interface) -> Result<Option<usize>, PinError> {
        let known = &self.record.interfaces;
        let place = interface
            .netns
            .run(|| known.iter().position(|one| state::is_on(self.directory, one, interface.key.ifindex)));
        Ok(place.map_err(|error| namespace_error(interface, error))?)
    }

    /// Its programs never went: only the tables have to know it by its new namespace and index.
    fn know_again(
        &mut self,
        place: usize,
        interface: &Interface,
        attached: &mut Attached,
    ) -> Result<(), PinError> {
        let mut record = self.record.interfaces[place].clone();
        self.watch(interface, record.id)?;
        record.name.clone_from(&interface.name);
        record.key = interface.key;
        self.write_down(&record)?;
        attached.interfaces.push(interface.name.clone());
        Ok(())
    }

    fn watch(&self, interface: &Interface, id: InterfaceId) -> Result<(), PinError> {
        self.make_room()?;
        self.kernel.watch(interface.key, InterfaceSettings { number: id.0.into(), reserved: 0 })?;
        for &irq in &interface.irqs {
            self.kernel.own_irq(irq, interface.key)?;
        }
        Ok(())
    }

    /// Its line in the table of interfaces stays: the ring may hold records of it.
    fn drop_interface(&mut self, place: usize) -> Result<(), PinError> {
        let record = &self.record.interfaces[place];
        for name in open::programs_on_interfaces(self.record.hook) {
            let _ = fs::remove_file(self.directory.hook_link(record.id, name));
        }
        if clsact::is_used(record) {
            clsact::remove(self.directory, record)?;
        }
        self.record.interfaces.remove(place);
        Ok(self.map.write(self.record)?)
    }

    /// Takes interfaces that are gone out of the table where it is full.
    fn make_room(&self) -> Result<(), PinError> {
        let watched = self.kernel.watched()?;
        if watched.len() < INTERFACES_MAX {
            return Ok(());
        }
        let is_gone = |key: &InterfaceKey| !self.record.interfaces.iter().any(|one| one.key == *key);
        for (key, _) in watched.into_iter().filter(|(key, _)| is_gone(key)) {
            self.kernel.unwatch(key)?;
        }
        Ok(())
    }

    fn is_linked(&self, record: &InterfaceRecord) -> bool {
        state::is_linked(self.directory, record, self.record.hook)
    }

    fn write_down(&mut self, interface: &InterfaceRecord) -> Result<(), PinError> {
        let known = &mut self.record.interfaces;
        match known.iter_mut().find(|one| one.id == interface.id) {
            Some(one) => one.clone_from(interface),
            None => known.push(interface.clone()),
        }
        Ok(self.map.write(self.record)?)
    }
}

pub(super) fn pin_link(link: FdLink, pin: &Path, program: &str) -> Result<(), PinError> {
    // bpffs keeps names with dots for itself.
    let mut next = pin.as_os_str().to_owned();
    next.push("-next");
    let _ = fs::remove_file(&next);
    link.pin(&next).map_err(|error| not_pinnable(program, &error))?;
    fs::rename(&next, pin).map_err(PinError::path(pin, "pin a link there"))
}

fn take(
    program: &mut SchedClassifier,
    id: SchedClassifierLinkId,
    name: &str,
    interface: &str,
) -> Result<SchedClassifierLink, ProbeError> {
    program.take_link(id).map_err(|error| hooks::attach_error(name, interface, &error))
}
