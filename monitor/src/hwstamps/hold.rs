//! Asking cards to stamp for somebody's sake, and putting back what was before once nobody's is left.

use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{
    Card, Cards, HostCards, NoStamps, Reason, Store, StoreError,
    record::{Entry, Locked, Record},
};
use crate::{
    probe::{Interface, pins},
    sys::{
        hwstamp::{RECEIVE_ALL, Setting},
        phc::HardwareClock,
    },
};

/// For whose sake a card is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Owner {
    /// A process: the one of this number that was started then, in clock ticks since boot.
    Process {
        /// Its number.
        pid: u32,
        /// When it was started.
        start: u64,
    },
    /// An attached instance.
    Instance {
        /// Its name.
        name: String,
    },
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        let pid = std::process::id();
        Self::Process { pid, start: start_of(pid).unwrap_or(0) }
    }

    /// An instance by its name.
    #[must_use]
    pub fn instance(name: &str) -> Self {
        Self::Instance { name: name.to_owned() }
    }

    /// Whether it is still there. Where that cannot be told, it is.
    fn is_alive(&self) -> bool {
        match self {
            Self::Process { pid, start } => start_of(*pid) == Some(*start),
            Self::Instance { name } => pins::instances().map_or(true, |found| {
                // One that another version of this program made reads them as well.
                found.own.contains(name) || found.others.iter().any(|other| other.instances.contains(name))
            }),
        }
    }
}

/// When a process was started (`proc_pid_stat(5)`, field 22); its name may hold anything, brackets too.
fn start_of(pid: u32) -> Option<u64> {
    const START: usize = 19;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(START)?.parse().ok()
}

/// A card that stamps every packet that comes in.
#[derive(Debug)]
pub struct Asked {
    /// Its clock.
    pub clock: HardwareClock,
    /// The clock's device.
    pub device: String,
}

/// What a card must do, or it could not be put back.
const TOLD: &str = "say what it stamps, which could not be put back";

/// Asks cards and puts them back.
#[derive(Clone, Debug)]
pub struct Holder<C = HostCards> {
    cards: C,
    store: Store,
}

impl Holder {
    /// For the cards of this host.
    #[must_use]
    pub fn of_host() -> Self {
        Self { cards: HostCards, store: Store::usual() }
    }

    /// Asks the card behind an interface for somebody's sake. Gives its clock.
    ///
    /// # Errors
    /// Why there will be no stamps; the card is as it was.
    pub fn ask(&self, interface: &Interface, owner: &Owner) -> Result<Asked, NoStamps> {
        self.with_clock(interface, |card| self.hold(card, owner))
    }

    /// Finds the card behind an interface asked already, and asks nothing of it. Gives its clock.
    ///
    /// # Errors
    /// Why there are no stamps.
    pub fn find(&self, interface: &Interface) -> Result<Asked, NoStamps> {
        self.with_clock(interface, |card| {
            let receive = self.cards.setting(card).map_err(refused(TOLD))?.receive;
            if receive == RECEIVE_ALL { Ok(()) } else { Err(Reason::Otherwise { filter: receive }) }
        })
    }

    fn with_clock(
        &self,
        interface: &Interface,
        asked: impl FnOnce(&Card) -> Result<(), Reason>,
    ) -> Result<Asked, NoStamps> {
        let failed = |reason| NoStamps { interface: interface.name.clone(), reason };
        let card = Card::behind(&interface.netns, interface.key.ifindex).map_err(failed)?;
        let number = self.check(&card).map_err(failed)?;
        // Before it is asked: without its clock its stamps are good for nothing.
        let device = format!("/dev/ptp{number}");
        let clock = HardwareClock::numbered(number)
            .map_err(|source| failed(Reason::Clock { device: device.clone(), source }))?;
        asked(&card).map_err(failed)?;
        Ok(Asked { clock, device })
    }
}

impl<C: Cards> Holder<C> {
    /// For other cards, with the record elsewhere.
    #[must_use]
    pub const fn new(cards: C, store: Store) -> Self {
        Self { cards, store }
    }

    /// The number of the clock of a card that can stamp every packet.
    fn check(&self, card: &Card) -> Result<u32, Reason> {
        let abilities = self.cards.abilities(card).map_err(refused("say what it can stamp"))?;
        if !abilities.stamps_all() {
            return Err(Reason::NotAll);
        }
        abilities.clock.ok_or(Reason::NoClock)
    }

    /// Asks a card to stamp every packet. What else it stamps stays.
    ///
    /// # Errors
    /// Why it does not; it is as it was.
    pub fn hold(&self, card: &Card, owner: &Owner) -> Result<(), Reason> {
        let locked = self.store.lock().map_err(Reason::Record)?;
        let mut record = locked.load().map_err(Reason::Record)?;
        let now = self.cards.setting(card).map_err(refused(TOLD))?;
        let place = match record.cards.iter().position(|one| is_of(one, card)) {
            Some(place) => place,
            // Somebody else's wish, which stays.
            None if now.receive == RECEIVE_ALL => return Ok(()),
            None => {
                let (netns, name) = (card.netns.inode(), card.name.clone());
                let entry =
                    Entry { netns, ifindex: card.ifindex, name, before: now.into(), owners: Vec::new() };
                record.cards.push(entry);
                record.cards.len() - 1
            }
        };
        let entry = &mut record.cards[place];
        let is_new = !entry.owners.contains(owner);
        if is_new {
            entry.owners.push(owner.clone());
        }
        // Before the card is asked, so that a kill in between leaves nothing that nobody knows of.
        locked.save(&record).map_err(Reason::Record)?;
        if now.receive == RECEIVE_ALL {
            return Ok(());
        }
        let asked = self.cards.set(card, Setting { receive: RECEIVE_ALL, ..now });
        let reason = match asked {
            Ok(does) if does.receive == RECEIVE_ALL => return Ok(()),
            Ok(does) => Reason::Otherwise { filter: does.receive },
            Err(source) => Reason::Refused { what: "be asked to stamp every packet", source },
        };
        if matches!(reason, Reason::Otherwise { .. }) {
            self.cards.set(card, now).map_err(refused("be put back"))?;
        }
        record.cards[place].owners.retain(|one| !is_new || one != owner);
        record.cards.retain(|one| !one.owners.is_empty());
        locked.save(&record).map_err(Reason::Record)?;
        Err(reason)
    }

    /// Lets go of all that was asked for somebody's sake, and of what the dead have left. Gives a sentence for each card that
    /// could not be put back.
    ///
    /// # Errors
    /// Where the record cannot be read or written.
    pub fn release(&self, owner: &Owner) -> Result<Vec<String>, StoreError> {
        self.let_go(|one| one != owner && one.is_alive())
    }

    /// Puts back what processes that were killed, and instances that are no more, have left.
    ///
    /// # Errors
    /// As [`Holder::release`].
    pub fn clean_up(&self) -> Result<Vec<String>, StoreError> {
        self.let_go(Owner::is_alive)
    }

    fn let_go(&self, stays: impl Fn(&Owner) -> bool) -> Result<Vec<String>, StoreError> {
        // Without one nothing is made, not even a directory.
        if self.store.is_empty() {
            return Ok(Vec::new());
        }
        let locked = self.store.lock()?;
        let mut record = locked.load()?;
        let mut failures = Vec::new();
        for entry in &mut record.cards {
            entry.owners.retain(&stays);
        }
        record.cards.retain(|entry| {
            if !entry.owners.is_empty() {
                return true;
            }
            let restored = self.restore(entry);
            if let Err(error) = &restored {
                let Entry { name, before, .. } = entry;
                failures.push(format!(
                    "interface {name} cannot be put back to stamp as before (receive filter {}): {error}; run `pmu-monitor \
                     detach` as root to try again",
                    before.receive
                ));
            }
            restored.is_err()
        });
        save(&locked, &record)?;
        Ok(failures)
    }

    /// What it stamped before, unless it has gone, or somebody has asked it for something else since.
    fn restore(&self, entry: &Entry) -> io::Result<()> {
        let Some(card) = self.cards.find(entry.netns, entry.ifindex)? else { return Ok(()) };
        let before = Setting::from(entry.before);
        let put_back = self.cards.setting(&card).and_then(|now| {
            if now.receive == RECEIVE_ALL && now.receive != before.receive {
                self.cards.set(&card, Setting { receive: before.receive, ..now }).map(drop)
            } else {
                Ok(())
            }
        });
        match put_back {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other,
        }
    }
}

fn save(locked: &Locked<'_>, record: &Record) -> Result<(), StoreError> {
    locked.save(record)
}

fn is_of(entry: &Entry, card: &Card) -> bool {
    (entry.netns, entry.ifindex) == (card.netns.inode(), card.ifindex)
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> Reason {
    move |source| Reason::Refused { what, source }
}

#[cfg(test)]
mod tests;
