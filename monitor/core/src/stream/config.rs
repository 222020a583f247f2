//! Configurations in preallocated slots: which layout reads whose DATA frames.
//!
//! A configuration belongs to a source, the PMU's (or PDC's) address and IDCODE, whatever transport and receiver it
//! went to: a PMU may be commanded over TCP and send over UDP. The last CFG-2 or CFG-3 of a source lays out its DATA
//! frames, exactly from where it stands between them; a CFG-1 says what it could send and lays out nothing.
//!
//! # Which one is used
//! The wire's wins. Until a source was configured on the wire, the first of these that predicts FRAMESIZE exactly is
//! taken up when DATA come: the PMU's answer to a request, a file that the user named, what an earlier run saw. One of
//! an earlier run that does not fit is dropped. Where DATA have outgrown the wire's configuration, the answer to a
//! request that was made since is taken.
//!
//! # The life of a slot
//! A configuration whose content or origin is new takes a free slot, and the slot that the source had before is
//! retired: events that name it may still be on their way. It is used again, with its generation one up, only when the
//! other end of the queue has passed every event that was taken while it was in use ([`Outlet::passed`],
//! [`Outlet::taken`]). Its layout is read on this side alone and is free at once. A repeated configuration (PMUs send
//! one every minute) changes nothing.
//!
//! A frame that is no possible configuration leaves the source's last one in use. One that is possible and finds no
//! slot or room ends the use of the last one: what that says is known to be out of date.
//!
//! [`Outlet::passed`]: crate::event::Outlet::passed
//! [`Outlet::taken`]: crate::event::Outlet::taken

mod content;
mod preload;

use std::collections::VecDeque;

pub(crate) use content::Content;
pub use preload::{Preload, PreloadError};

use super::declared::Declared;
use super::rules::Stations;
use super::table::{Entry, KeyTable};
use super::{ConfigId, ConfigSource};
use crate::protocol::c37118::{ArenaBounds, ConfigView, LayoutArena, LayoutRef, StreamLayout};
use preload::{PreloadAt, Preloads};

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

/// A configuration that did not come over the wire and is in use from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its number.
    pub config: ConfigId,
    /// Where it came from.
    pub from: ConfigSource,
}

/// A configuration that does not predict FRAMESIZE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where it came from.
    pub from: ConfigSource,
    /// FRAMESIZE by it.
    pub predicted: u16,
    /// FRAMESIZE of the DATA frame.
    pub framesize: u16,
}

/// What is known of a source.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    /// The slot that it uses.
    current: Option<u16>,
    /// Whether a configuration of it was seen on the wire.
    wire: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    content: Option<Content>,
    declared: Declared,
    from: ConfigSource,
    /// Which preload it is of, where it is of one.
    preload: Option<PreloadAt>,
    /// Counts up with each use, from 1.
    generation: u16,
    /// Whether the other end of the queue was told of this use.
    announced: bool,
    /// Whether it was told that DATA do not fit it.
    misfit_told: bool,
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
    states: Vec<Source>,
    slots: Vec<Slot>,
    layouts: LayoutArena,
    preloads: Preloads,
    /// Slots that were never used stand behind this one.
    used: u16,
    retired: VecDeque<Retired>,
    /// Configurations that found no slot, or no room.
    refused: u64,
    /// Those that rules name.
    stations: Stations,
}

impl Configs {
    /// With place for `sources` and, at the same time, as many configurations (65 535 at most) as the bounds say.
    #[must_use]
    pub fn new(sources: usize, bounds: ArenaBounds, stations: Stations) -> Self {
        let slots = bounds.layouts.min(u16::MAX.into());
        let vacant = Slot {
            content: None,
            declared: Declared::default(),
            from: ConfigSource::Wire,
            preload: None,
            generation: 0,
            announced: false,
            misfit_told: false,
        };
        // Written to once, so that the first use meets no page that was never touched.
        let mut retired = VecDeque::from(vec![Retired { slot: 0, taken: 0 }; slots]);
        std::hint::black_box(&mut retired).clear();
        Self {
            sources: KeyTable::new(sources, SourceKey { address: [0; 16], idcode: 0 }),
            states: vec![Source::default(); sources],
            slots: vec![vacant; slots],
            layouts: LayoutArena::new(ArenaBounds { layouts: slots, ..bounds }),
            preloads: Preloads::default(),
            used: 0,
            retired,
            refused: 0,
            stations,
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

    /// Adds a configuration that may be taken up. Allocates: to be called before the first packet.
    pub fn preload(&mut self, preload: Preload) {
        self.preloads.add(preload);
    }

    /// Keeps places for so many answers to requests. Allocates.
    pub fn expect_requested(&mut self, answers: usize) {
        self.preloads.reserve(answers);
    }

    /// Adds the answer to a request, for which a place was kept.
    ///
    /// # Errors
    /// The answer, where no place is left.
    pub fn take_requested(&mut self, answer: Preload) -> Result<(), Preload> {
        self.preloads.add_kept(answer)
    }

    /// The configuration that a source's DATA frames are laid out by, if one is known.
    #[must_use]
    #[inline]
    pub fn current(&self, source: SourceId) -> Option<(ConfigId, LayoutRef<'_>)> {
        let (slot, at) = self.in_use(source)?;
        Some((ConfigId { slot, generation: at.generation }, self.layouts.get(slot)))
    }

    /// Its number alone.
    #[inline]
    pub(crate) fn current_id(&self, source: SourceId) -> Option<ConfigId> {
        let (slot, at) = self.in_use(source)?;
        Some(ConfigId { slot, generation: at.generation })
    }

    /// What the configuration in a slot says.
    #[inline]
    pub(crate) fn content(&self, config: ConfigId) -> Option<Content> {
        self.slots.get(usize::from(config.slot))?.content
    }

    /// What it declares beside that.
    pub(crate) fn declared(&self, config: ConfigId) -> Declared {
        self.slots.get(usize::from(config.slot)).map(|slot| slot.declared).unwrap_or_default()
    }

    /// Whether the configuration that a source uses predicts this FRAMESIZE.
    #[must_use]
    #[inline]
    pub fn fits(&self, source: SourceId, framesize: u16) -> bool {
        self.in_use(source).is_some_and(|(_, slot)| slot.predicts(framesize))
    }

    /// Whether that is so, and the other end of the queue was told of it: nothing is left to be done.
    #[inline]
    pub(crate) fn is_settled(&self, source: SourceId, framesize: u16) -> bool {
        self.in_use(source).is_some_and(|(_, slot)| slot.announced && slot.predicts(framesize))
    }

    /// Takes a CFG-2 or CFG-3 of a source, seen on the wire. `taken` and `passed` are the outlet's.
    pub fn learn(&mut self, source: SourceId, config: &ConfigView<'_>, taken: u64, passed: u64) -> Learned {
        let Ok(StreamLayout { data_framesize, .. }) = StreamLayout::of(config) else {
            return self.refuse(source, taken);
        };
        let content = Content::of(config.frame(), data_framesize);
        if let Some((slot, at)) = self.in_use(source)
            && at.content == Some(content)
            && at.from == ConfigSource::Wire
        {
            return Learned::Known(ConfigId { slot, generation: at.generation });
        }
        if let Some(state) = self.states.get_mut(source.0 as usize) {
            state.wire = true;
        }
        if let Some(key) = self.sources.keys().get(source.0 as usize) {
            // What was answered before says nothing that is newer.
            self.preloads.drop_of(key, ConfigSource::Requested);
        }
        // Whatever becomes of the new one: the last one no longer holds.
        self.retire(source, taken);
        match self.place(source, config, content, ConfigSource::Wire, None, passed) {
            Some(config) => Learned::New(config),
            None => self.refuse(source, taken),
        }
    }

    /// Takes up the best configuration that did not come over the wire and predicts this FRAMESIZE, where that of the
    /// wire allows it. To be called where the one in use, if any, does not fit.
    pub fn adopt(&mut self, source: SourceId, framesize: u16, taken: u64, passed: u64) -> Option<Adopted> {
        let key = self.sources.keys().get(source.0 as usize)?;
        let wire = self.states.get(source.0 as usize)?.wire;
        let at = self.preloads.fitting(key, framesize, |from| may_be_used(from, wire))?;
        // Where none is free just now, the next DATA frame asks again.
        self.free(passed)?;
        self.retire(source, taken);
        // Taken out for as long as it is read, since all of this is changed meanwhile.
        let preloads = std::mem::take(&mut self.preloads);
        let adopted = preloads.get(at).and_then(|preload| {
            let view = preload.view()?;
            let content = Content::of(view.frame(), preload.data_framesize());
            let config = self.place(source, &view, content, preload.from(), Some(at), passed)?;
            Some(Adopted { config, from: preload.from() })
        });
        self.preloads = preloads;
        if adopted.is_none() {
            self.refused += 1;
            self.preloads.drop_at(at);
        }
        adopted
    }

    /// The configuration in use, where it does not predict this FRAMESIZE and was not told of yet. One of an earlier
    /// run is not used again.
    pub fn outgrown(&mut self, source: SourceId, framesize: u16, taken: u64) -> Option<Misfit> {
        let (slot, at) = self.in_use(source).filter(|(_, slot)| !slot.predicts(framesize))?;
        let Slot { from, preload, content, .. } = *at;
        if from == ConfigSource::Cached {
            self.retire(source, taken);
        }
        if let Some(preload) = preload {
            self.preloads.tell(preload);
        }
        let told = std::mem::replace(&mut self.slots.get_mut(usize::from(slot))?.misfit_told, true);
        let predicted = content?.data_framesize();
        (!told).then_some(Misfit { from, predicted, framesize })
    }

    /// A configuration that waits, may be used, does not predict this FRAMESIZE, and was not told of yet; to be called
    /// where none could be adopted. One of an earlier run is not looked at again.
    pub fn misfit(&mut self, source: SourceId, framesize: u16) -> Option<Misfit> {
        let key = self.sources.keys().get(source.0 as usize)?;
        let wire = self.states.get(source.0 as usize)?.wire;
        let (from, predicted) = self.preloads.misfit(key, framesize, |from| may_be_used(from, wire))?;
        Some(Misfit { from, predicted, framesize })
    }

    /// The frame of a configuration that did not come over the wire.
    #[must_use]
    pub fn preloaded_bytes(&self, config: ConfigId) -> Option<&[u8]> {
        let at = self.slots.get(usize::from(config.slot))?.preload?;
        self.preloads.get(at).map(Preload::bytes)
    }

    /// Where a configuration came from.
    #[must_use]
    pub fn source_of(&self, config: ConfigId) -> Option<ConfigSource> {
        self.slots.get(usize::from(config.slot)).map(|slot| slot.from)
    }

    /// Whether the other end of the queue was told of this configuration.
    #[must_use]
    #[inline]
    pub fn is_announced(&self, config: ConfigId) -> bool {
        self.slots.get(usize::from(config.slot)).is_some_and(|slot| slot.announced)
    }

    /// The other end of the queue was told, or not.
    pub fn set_announced(&mut self, config: ConfigId, announced: bool) {
        if let Some(slot) = self.slots.get_mut(usize::from(config.slot)) {
            slot.announced = announced;
        }
    }

    #[inline]
    fn in_use(&self, source: SourceId) -> Option<(u16, &Slot)> {
        let slot = self.states.get(source.0 as usize)?.current?;
        Some((slot, self.slots.get(usize::from(slot))?))
    }

    /// Puts a configuration into a free slot and makes it the source's.
    fn place(
        &mut self,
        source: SourceId,
        config: &ConfigView<'_>,
        content: Content,
        from: ConfigSource,
        preload: Option<PreloadAt>,
        passed: u64,
    ) -> Option<ConfigId> {
        let slot = self.free(passed)?;
        self.layouts.fill(slot, config).ok()?;
        self.occupy(slot);
        let declared = Declared::of(config, &self.stations);
        let at = self.slots.get_mut(usize::from(slot))?;
        let generation = at.generation.checked_add(1).unwrap_or(1);
        *at = Slot {
            content: Some(content),
            declared,
            from,
            preload,
            generation,
            announced: false,
            misfit_told: false,
        };
        self.states.get_mut(source.0 as usize)?.current = Some(slot);
        Some(ConfigId { slot, generation })
    }

    fn refuse(&mut self, source: SourceId, taken: u64) -> Learned {
        self.retire(source, taken);
        self.refused += 1;
        Learned::Refused
    }

    fn retire(&mut self, source: SourceId, taken: u64) {
        let current = self.states.get_mut(source.0 as usize).and_then(|source| source.current.take());
        if let Some(slot) = current {
            self.layouts.clear(slot);
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

impl Slot {
    fn predicts(&self, framesize: u16) -> bool {
        self.content.is_some_and(|content| content.data_framesize() == framesize)
    }
}

/// What of other origin may be used beside a configuration of the wire: an answer that came after it.
const fn may_be_used(from: ConfigSource, wire: bool) -> bool {
    !wire || matches!(from, ConfigSource::Requested)
}
