//! The network cards' own stamps while a run lasts: cards are asked for them, their clocks read together with this host's, and
//! what they were asked before put back at the end.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use monitor_common::InterfaceKey;
use monitor_core::packet::InterfaceId;

use super::Notices;
use crate::{
    clock::{Follower, Reading, measure},
    hub::{HardwareCard, HardwareSummary},
    hwstamps::{Asked, Holder, NoStamps, Owner, Reason},
    probe::Interface,
    reader::{CardClocks, HardwareCounts},
    sys::phc::CrossStamp,
};

/// How often the clocks are read.
const READ_EVERY: Duration = Duration::from_secs(1);
/// How often until their rates are known.
const READ_EVERY_AT_FIRST: Duration = Duration::from_millis(100);

/// Cards that were asked.
pub(super) struct Hardware {
    holder: Holder,
    owner: Owner,
    clocks: Arc<CardClocks>,
    /// Interfaces that were looked at, with a card or without.
    watched: Vec<Watched>,
    /// Of cards that have gone.
    gone: Vec<HardwareCard>,
    refused: Vec<String>,
    notices: Notices,
    due: Instant,
    is_over: bool,
}

struct Watched {
    key: InterfaceKey,
    id: InterfaceId,
    name: String,
    /// None where it gives no stamps.
    asked: Option<Asked>,
    follower: Follower,
}

impl Hardware {
    /// Of a run of its own, or of an instance that somebody attached.
    pub(super) fn new(instance: Option<&str>, notices: &Notices) -> Self {
        Self {
            holder: Holder::of_host(),
            owner: instance.map_or_else(Owner::this_process, Owner::instance),
            clocks: Arc::default(),
            watched: Vec::new(),
            gone: Vec::new(),
            refused: Vec::new(),
            notices: notices.clone(),
            due: Instant::now(),
            is_over: false,
        }
    }

    /// What the real-time thread is to read stamps by.
    pub(super) fn clocks(&self) -> Arc<CardClocks> {
        Arc::clone(&self.clocks)
    }

    /// Asks the cards of interfaces that are new, and reads the clocks where it is time to.
    pub(super) fn look(&mut self, interfaces: &[Interface]) {
        let is_gone = |one: &mut Watched| interfaces.iter().all(|interface| interface.key != one.key);
        for gone in self.watched.extract_if(.., is_gone) {
            if let Some(map) = self.clocks.of(gone.id) {
                map.clear();
            }
            self.gone.extend(gone.card());
        }
        for interface in interfaces {
            if self.watched.iter().all(|one| one.key != interface.key) {
                self.ask(interface);
            }
        }
        if Instant::now() >= self.due {
            for place in 0..self.watched.len() {
                self.read(place);
            }
            let settled = self.watched.iter().all(|one| one.asked.is_none() || one.follower.is_settled());
            self.due = Instant::now() + if settled { READ_EVERY } else { READ_EVERY_AT_FIRST };
        }
    }

    fn ask(&mut self, interface: &Interface) {
        let asked = match &self.owner {
            // Whoever attached has asked it, and a follower may have no right to.
            Owner::Instance { .. } => {
                self.holder.find(interface).or_else(|_| self.holder.ask(interface, &self.owner))
            }
            Owner::Process { .. } => self.holder.ask(interface, &self.owner),
        };
        let asked = match asked {
            Ok(asked) => Some(asked),
            Err(none) => {
                self.refuse(none.to_string());
                None
            }
        };
        let Interface { id, name, key, .. } = interface;
        self.watched.push(Watched {
            key: *key,
            id: *id,
            name: name.clone(),
            asked,
            follower: Follower::default(),
        });
        self.due = Instant::now();
    }

    fn refuse(&mut self, sentence: String) {
        self.notices.say(format!("DEGRADED: {sentence}"));
        self.refused.push(sentence);
    }

    /// What cards were asked before for this run's own sake; once. An instance's go on. Gives what could not be.
    fn put_back(&mut self) -> Vec<String> {
        if mem::replace(&mut self.is_over, true) || matches!(self.owner, Owner::Instance { .. }) {
            return Vec::new();
        }
        self.holder.release(&self.owner).unwrap_or_else(|error| vec![error.to_string()])
    }

    fn read(&mut self, place: usize) {
        let Some(one) = self.watched.get_mut(place) else { return };
        let (Some(Asked { clock, device }), Some(map)) = (&one.asked, self.clocks.of(one.id)) else { return };
        let before = measure();
        let read = clock.cross_stamp();
        let host = measure();
        match read {
            Ok(CrossStamp { card_ns, realtime_ns, uncertainty_ns }) => {
                // Whoever stepped this host's clock in between, it is read again soon.
                if host.stepped_since(&before).is_none() {
                    let monotonic_ns = realtime_ns.saturating_sub(host.offset_ns);
                    let uncertainty_ns = uncertainty_ns.saturating_add(host.uncertainty_ns);
                    map.set(one.follower.take(Reading { card_ns, monotonic_ns, uncertainty_ns }));
                }
            }
            Err(source) => {
                map.clear();
                let reason = Reason::Clock { device: device.clone(), source };
                let none = NoStamps { interface: one.name.clone(), reason };
                one.asked = None;
                self.refuse(none.to_string());
            }
        }
    }
}

/// Puts back what was asked before for a run's own sake, and gives what came of it all.
pub(super) fn summed(
    hardware: Option<Hardware>,
    counts: Option<HardwareCounts>,
    packets: u64,
) -> Option<HardwareSummary> {
    let (mut hardware, counts) = hardware.zip(counts)?;
    let mut cards = mem::take(&mut hardware.gone);
    cards.extend(hardware.watched.iter().filter_map(Watched::card));
    let mut refused = mem::take(&mut hardware.refused);
    refused.extend(hardware.put_back());
    Some(HardwareSummary::new(&counts, packets, cards, refused))
}

impl Drop for Hardware {
    fn drop(&mut self) {
        for failure in self.put_back() {
            tracing::warn!("{failure}");
        }
    }
}

impl Watched {
    fn card(&self) -> Option<HardwareCard> {
        let Asked { device, .. } = self.asked.as_ref()?;
        Some(HardwareCard {
            iface: self.name.clone(),
            clock: device.clone(),
            steps: self.follower.steps(),
            worst_ns: self.follower.worst_ns(),
        })
    }
}
