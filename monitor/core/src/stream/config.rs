//! Configurations in preallocated slots: which layout reads whose DATA frames.
//!
//! A configuration belongs to a source, the PMU's (or PDC's) address and IDCODE, whatever transport and receiver it
//! went to: a PMU may be commanded over TCP and send over UDP. The last CFG-2 of a source lays out its DATA frames;
//! a CFG-1 says what it could send and lays out nothing.
//!
//! # The life of a slot
//! A configuration whose content is new takes a free slot, and the slot that the source had before is retired: events
//! that name it may still be on their way. It is used again, with its generation one up, only when the other end of
//! the queue has passed every event that was taken while it was in use ([`Outlet::passed`], [`Outlet::taken`]). A
//! repeated configuration (PMUs send one every minute) changes nothing.
//!
//! A frame that is no possible configuration leaves the source's last one in use. One that is possible and finds no
//! slot, or does not fit into one, ends the use of the last one: what that says is known to be out of date.
//!
//! [`Outlet::passed`]: crate::event::Outlet::passed
//! [`Outlet::taken`]: crate::event::Outlet::taken

use std::collections::VecDeque;
use std::hash::Hasher;

use super::ConfigId;
use super::table::{Entry, KeyTable};
use crate::fold::Fold;
use crate::protocol::c37118::{ConfigView, Layout, LayoutBounds};

/// Where SOC and FRACSEC stand in a frame: what differs between repetitions of one configuration, beside CHK.
const TIME_TAG: std::ops::Range<usize> = 6..14;
const CHECK_SIZE: usize = 2;

/// Who sends: all that a configuration is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The sender's address, 16 bytes as in [`Endpoint`](crate::packet::Endpoint).
    pub address: [u8; 16],
    /// The stream's IDCODE.
    pub idcode: u16,
}

/// Number of a source in the table of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceId(u32);

/// What became of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is new, and in use from now on.
    New(ConfigId),
    /// It is in use already.
    Known(ConfigId),
    /// It does not fit into a slot, or no slot is free.
    Refused,
}

/// What distinguishes one content from another. Two different ones agree by chance once in 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Content {
    size: u16,
    hash: u64,
}

impl Content {
    /// Of the bytes of a sound configuration frame.
    fn of(bytes: &[u8]) -> Self {
        let mut hash = Fold::default();
        hash.write(bytes.get(..TIME_TAG.start).unwrap_or_default());
        hash.write(bytes.get(TIME_TAG.end..bytes.len().saturating_sub(CHECK_SIZE)).unwrap_or_default());
        Self { size: u16::try_from(bytes.len()).unwrap_or(u16::MAX), hash: hash.finish() }
    }
}

#[derive(Debug)]
struct Slot {
    layout: Layout,
    content: Content,
    /// Counts up with each use, from 1.
    generation: u16,
    /// Whether the other end of the queue was told of this use.
    announced: bool,
}

/// A slot that was in use, and the events that must be passed before it is used again.
#[derive(Clone, Copy, Debug)]
struct Retired {
    slot: u16,
    taken: u64,
}

/// All configurations.
#[derive(Debug)]
pub struct Configs {
    sources: KeyTable<SourceKey>,
    /// The slot that each source uses.
    current: Vec<Option<u16>>,
    slots: Vec<Slot>,
    /// Slots that were never used stand behind this one.
    used: u16,
    retired: VecDeque<Retired>,
    /// Configurations that found no slot, or none that holds them.
    refused: u64,
}

impl Configs {
    /// With place for `sources` and, at the same time, `slots` configurations (65 535 at most) of `bounds`.
    #[must_use]
    pub fn new(sources: usize, slots: usize, bounds: LayoutBounds) -> Self {
        let slots = slots.min(u16::MAX.into());
        let slot = || Slot {
            layout: Layout::with_capacity(bounds),
            content: Content::default(),
            generation: 0,
            announced: false,
        };
        Self {
            sources: KeyTable::new(sources),
            current: vec![None; sources],
            slots: std::iter::repeat_with(slot).take(slots).collect(),
            used: 0,
            retired: VecDeque::with_capacity(slots),
            refused: 0,
        }
    }

    /// Configurations that were refused.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The number of a source; none where there is no place for one more.
    pub fn source(&mut self, key: &SourceKey) -> Option<SourceId> {
        match self.sources.insert(key) {
            Entry::Known(place) | Entry::New(place) => u32::try_from(place).ok().map(SourceId),
            Entry::Full => None,
        }
    }

    /// The configuration that a source's DATA frames are laid out by, if one is known.
    #[must_use]
    pub fn current(&self, source: SourceId) -> Option<(ConfigId, &Layout)> {
        let slot = (*self.current.get(source.0 as usize)?)?;
        let Slot { layout, generation, .. } = self.slots.get(usize::from(slot))?;
        Some((ConfigId { slot, generation: *generation }, layout))
    }

    /// Takes a CFG-2 of a source. `taken` and `passed` are the outlet's.
    pub fn learn(&mut self, source: SourceId, config: &ConfigView<'_>, taken: u64, passed: u64) -> Learned {
        let content = Content::of(config.frame().bytes());
        if let Some(known) = self.in_use(source, content) {
            return Learned::Known(known);
        }
        // Whatever becomes of the new one: the last one no longer holds.
        self.retire(source, taken);
        let filled =
            self.free(passed).filter(|slot| self.slots[usize::from(*slot)].layout.fill(config).is_ok());
        let Some(slot) = filled else {
            self.refused += 1;
            return Learned::Refused;
        };
        self.occupy(slot);
        let Slot { generation, content: has, announced, .. } = &mut self.slots[usize::from(slot)];
        *generation = generation.checked_add(1).unwrap_or(1);
        *has = content;
        *announced = false;
        let generation = *generation;
        if let Some(current) = self.current.get_mut(source.0 as usize) {
            *current = Some(slot);
        }
        Learned::New(ConfigId { slot, generation })
    }

    /// Whether the other end of the queue was told of this configuration.
    #[must_use]
    pub fn is_announced(&self, config: ConfigId) -> bool {
        self.slots.get(usize::from(config.slot)).is_some_and(|slot| slot.announced)
    }

    /// The other end of the queue was told, or not.
    pub fn set_announced(&mut self, config: ConfigId, announced: bool) {
        if let Some(slot) = self.slots.get_mut(usize::from(config.slot)) {
            slot.announced = announced;
        }
    }

    fn in_use(&self, source: SourceId, content: Content) -> Option<ConfigId> {
        let slot = (*self.current.get(source.0 as usize)?)?;
        let Slot { content: has, generation, .. } = self.slots.get(usize::from(slot))?;
        (*has == content).then_some(ConfigId { slot, generation: *generation })
    }

    fn retire(&mut self, source: SourceId, taken: u64) {
        if let Some(slot) = self.current.get_mut(source.0 as usize).and_then(Option::take) {
            // There is place: a slot stands here at most once.
            self.retired.push_back(Retired { slot, taken });
        }
    }

    /// A slot that nobody refers to: a fresh one, or the one that was retired first.
    fn free(&self, passed: u64) -> Option<u16> {
        if usize::from(self.used) < self.slots.len() {
            return Some(self.used);
        }
        self.retired.front().filter(|retired| passed >= retired.taken).map(|retired| retired.slot)
    }

    /// Takes the slot that [`Configs::free`] named out of the free ones.
    fn occupy(&mut self, slot: u16) {
        if slot == self.used {
            self.used += 1;
        } else {
            self.retired.pop_front();
        }
    }
}
