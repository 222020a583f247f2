//! Interfaces while they are monitored: one goes away, comes back, is renamed, is moved.
//!
//! What this process attached it attaches again, where that was asked for. What an instance is attached to is the
//! instance's: a follower goes on without an interface, and takes up what somebody attaches meanwhile.

use std::sync::Arc;

use monitor_common::InterfaceKey;

use super::{Notices, source::Source};
use crate::{
    hub::InterfaceNames,
    netns::{LinkChange, LinkEvent, Netns, Promiscuous},
    probe::{
        Interface, ProbeError,
        pins::{InterfaceRecord, InterfaceState},
    },
    reader,
};

/// The interfaces of a run, as they are now.
pub(super) struct Watching<'a> {
    pub(super) source: &'a mut Source,
    /// Those that are there.
    pub(super) present: Vec<Interface>,
    /// Those that have gone, as they were.
    pub(super) absent: Vec<Interface>,
    /// As the real-time thread knows them.
    pub(super) known: reader::Interfaces,
    /// Where the hub hears their names.
    pub(super) names: InterfaceNames,
    /// Whether to attach again to one that comes back.
    pub(super) reattach: bool,
    /// Those held in promiscuous mode; `None` where that was not asked for.
    pub(super) promiscuous: Option<Vec<Promiscuous>>,
    pub(super) notices: &'a Notices,
    pub(super) here: Arc<Netns>,
}

impl Watching<'_> {
    /// Whether any interface is there.
    pub(super) fn has_interfaces(&self) -> bool {
        !self.present.is_empty()
    }

    /// What is known before the first news: an instance may have lost interfaces before anybody followed it.
    pub(super) fn begin(&mut self) {
        for (record, state) in self.source.interfaces() {
            match state {
                InterfaceState::Attached | InterfaceState::Elsewhere => continue,
                InterfaceState::Renamed { now } => {
                    self.notices.say(format!("interface {} is called {now} now", record.name));
                    continue;
                }
                InterfaceState::Gone => self.notices.say(format!("interface {} is gone", record.name)),
                InterfaceState::Moved => self.notices.say(format!(
                    "interface {} has been moved to another network namespace, where its frames are not known",
                    record.name
                )),
                InterfaceState::Detached => self
                    .notices
                    .say(format!("interface {} is there, but not all programs are on it", record.name)),
                InterfaceState::Replaced { ifindex } => self.say_another(&record.name, ifindex),
            }
            let lost = |one: &Interface| one.id == record.id;
            self.absent.extend(self.present.extract_if(.., |one| lost(one)));
        }
        if self.reattach && !self.absent.is_empty() {
            self.reattach_instance();
        }
    }

    /// Takes in one piece of news.
    pub(super) fn hear(&mut self, netns: &Arc<Netns>, event: &LinkEvent) {
        let is_it = |one: &Interface| one.key.netns == netns.inode() && one.key.ifindex == event.index;
        if let Some(place) = self.present.iter().position(is_it) {
            return self.hear_of_present(place, event);
        }
        let came = matches!(event.change, LinkChange::Added | LinkChange::Renamed { .. } | LinkChange::Up);
        let is_back = |one: &Interface| one.key.netns == netns.inode() && one.name == event.name;
        if let (true, Some(place)) = (came, self.absent.iter().position(is_back)) {
            self.come_back(place, event);
        }
    }

    fn hear_of_present(&mut self, place: usize, event: &LinkEvent) {
        let name = &self.present[place].name;
        match &event.change {
            LinkChange::Removed => {
                self.notices.say(format!("interface {name} has vanished, and its programs with it"));
                let gone = self.present.remove(place);
                self.source.forget(&gone);
                self.absent.push(gone);
            }
            LinkChange::Renamed { from } => {
                self.notices.say(format!("interface {from} is now called {}; watching goes on", event.name));
            }
            LinkChange::Down => self.notices.say(format!("interface {} is down", event.name)),
            LinkChange::Up => self.notices.say(format!("interface {} is up", event.name)),
            LinkChange::Added => {}
        }
    }

    /// An interface has the name of one that has gone.
    fn come_back(&mut self, place: usize, event: &LinkEvent) {
        let is_instance = self.source.instance().is_some();
        match (self.reattach, is_instance) {
            (true, true) => self.reattach_instance(),
            (true, false) => self.attach_again(place),
            // Once for each: later news of it says nothing new.
            (false, true) if event.change != LinkChange::Up => self.say_another(&event.name, event.index),
            (false, _) => {}
        }
    }

    fn say_another(&self, name: &str, ifindex: u32) {
        let Some(instance) = self.source.instance() else { return };
        let remedy = if self.reattach {
            String::new()
        } else {
            format!(": `pmu-monitor attach --instance {instance} --reattach` attaches to it")
        };
        self.notices
            .say(format!("interface {name} has gone, and another {name} (index {ifindex}) is there{remedy}"));
    }

    /// What this process attached.
    fn attach_again(&mut self, place: usize) {
        let lost = self.absent[place].clone();
        match self.attach_own(&lost) {
            Ok(found) => {
                self.notices.say(format!(
                    "interface {} is back (index {}) and attached",
                    found.name, found.key.ifindex
                ));
                self.absent.remove(place);
                self.present.push(found);
            }
            Err(error) => {
                self.notices.say(format!("interface {} is back, but not attached: {error}", lost.name));
            }
        }
    }

    fn attach_own(&mut self, lost: &Interface) -> Result<Interface, ProbeError> {
        let Source::Own(probe) = &mut *self.source else { return Ok(lost.clone()) };
        let found = Interface::find(&lost.netns, &lost.name, lost.id)?;
        // Before the first record of it.
        self.known.learn(found.key, found.id, &keys(&self.present));
        let told = probe.warnings().len();
        if let Err(error) = probe.attach(&found) {
            // Half of it may be on.
            probe.forget(&found);
            return Err(error);
        }
        probe.warnings()[told..].iter().for_each(|warning| self.notices.say(warning.clone()));
        if let Some(promiscuous) = &mut self.promiscuous {
            match found.netns.run(|| Promiscuous::enable(&found.name)).and_then(|held| held) {
                Ok(held) => promiscuous.push(held),
                Err(error) => self.notices.say(error.to_string()),
            }
        }
        Ok(found)
    }

    /// What an instance is attached to.
    fn reattach_instance(&self) {
        match self.source.reattach(&self.here) {
            // Said once the instance says so itself.
            Ok(attached) => attached.warnings.into_iter().for_each(|warning| self.notices.say(warning)),
            Err(error) => self.notices.say(format!("the instance cannot be attached again: {error}")),
        }
    }

    /// Takes up what somebody has attached an instance to. Gives a reason to end where there is nothing left to wait
    /// for.
    pub(super) fn settle(&mut self) -> Option<String> {
        if let Some(reason) = self.source.gone() {
            return Some(reason);
        }
        if let Some(changed) = self.source.changed() {
            self.take_up(&changed);
        }
        let is_over = self.present.is_empty() && !self.reattach && self.source.instance().is_none();
        let gone = self.absent.last().filter(|_| is_over)?;
        Some(format!(
            "interface {} vanished while it was monitored, and no other is left; start again once it is back, or with \
             --reattach, which waits for it",
            gone.name
        ))
    }

    fn take_up(&mut self, changed: &[(InterfaceRecord, InterfaceState)]) {
        let current: Vec<_> = changed.iter().map(|(record, _)| record.key).collect();
        for (record, state) in changed.iter().filter(|(_, state)| state.is_attached()) {
            let is_it = |one: &Interface| one.key == record.key;
            if let Some(one) = self.present.iter_mut().find(|one| is_it(one)) {
                one.name.clone_from(&record.name);
                self.names.tell(record.id, &record.name);
                continue;
            }
            // Its name before its key: no event of it goes without.
            self.names.tell(record.id, &record.name);
            self.known.learn(record.key, record.id, &current);
            self.absent.retain(|one| one.id != record.id);
            self.present.retain(|one| one.id != record.id);
            self.present.push(record.interface(&self.here));
            let place =
                if matches!(state, InterfaceState::Elsewhere) { " of another network namespace" } else { "" };
            self.notices.say(format!(
                "interface {} (index {}{place}) is attached now; its frames are read",
                record.name, record.key.ifindex
            ));
        }
    }
}

fn keys(interfaces: &[Interface]) -> Vec<InterfaceKey> {
    interfaces.iter().map(|one| one.key).collect()
}
