//! The table of streams, with what is set for some of them.

use super::config::Content;
use super::declared::Declared;
use super::rules::{Rules, StationSet};
use super::table::{Entry, KeyTable};
use super::{SourceId, Stream, StreamId, StreamKey, StreamRule};
use crate::packet::Transport;

/// All streams, in the order in which they were first seen.
#[derive(Debug)]
pub struct Streams {
    keys: KeyTable<StreamKey>,
    /// The place of the one found last: a packet is asked about twice, and its frames are often of one stream.
    last: usize,
    states: Vec<Stream>,
    /// Streams that found no place; those beyond as many again are not told apart any more.
    refused: KeyTable<StreamKey>,
    rules: Rules,
}

impl Streams {
    /// With place for `capacity` streams, and what is set for some of them.
    #[must_use]
    pub fn new(capacity: usize, rules: Vec<StreamRule>) -> Self {
        let blank = StreamKey { source: [0; 16], destination: [0; 16], transport: Transport::Udp, idcode: 0 };
        Self {
            keys: KeyTable::new(capacity, blank),
            last: 0,
            states: std::iter::repeat_with(Stream::vacant).take(capacity).collect(),
            refused: KeyTable::new(capacity, blank),
            rules: Rules::new(rules),
        }
    }

    /// A stream that was seen before.
    #[must_use]
    pub fn find(&self, key: &StreamKey) -> Option<StreamId> {
        self.keys.find(key).and_then(id)
    }

    /// The same, to be changed.
    #[inline]
    pub fn find_mut(&mut self, key: &StreamKey) -> Option<(StreamId, &mut Stream)> {
        if !self.is_last(key) {
            self.last = self.keys.find(key)?;
        }
        Some((id(self.last)?, self.states.get_mut(self.last)?))
    }

    #[inline]
    fn is_last(&self, key: &StreamKey) -> bool {
        self.keys.keys().get(self.last) == Some(key)
    }

    /// A stream, new or seen before; none where the table is full. `source` names the source of a new one, which is seen
    /// on these ports.
    #[inline]
    pub fn open(
        &mut self,
        key: &StreamKey,
        ports: [u16; 2],
        source: impl FnOnce() -> Option<SourceId>,
    ) -> Option<(StreamId, &mut Stream)> {
        if self.is_last(key) {
            return Some((id(self.last)?, self.states.get_mut(self.last)?));
        }
        let (place, new) = match self.keys.insert(key) {
            Entry::Known(place) => (place, false),
            Entry::New(place) => (place, true),
            Entry::Full => {
                self.refused.insert(key);
                return None;
            }
        };
        self.last = place;
        let stream = self.states.get_mut(place)?;
        if new {
            // There is place: a source has at least one stream.
            let (rule, settings) = self.rules.settings(key, ports, StationSet::default(), None);
            stream.open(source()?, ports, rule, settings);
        }
        Some((id(place)?, stream))
    }

    /// Notes which configuration lays out a DATA frame of a stream. Where it is another one than before, what it declares
    /// is asked for, and what is set for the stream may be another.
    #[inline]
    pub(crate) fn lay_out(
        &mut self,
        id: StreamId,
        content: Content,
        declared: impl FnOnce() -> Declared,
    ) -> Option<&mut Stream> {
        let place = id.0.get() as usize - 1;
        let stream = self.states.get_mut(place)?;
        if let Some(changed) = stream.lay_out_by(content) {
            let key = self.keys.keys().get(place)?;
            let declared = declared();
            let (rule, settings) = self.rules.settings(key, stream.ports(), declared.stations, stream.rule());
            stream.settle(rule, settings, declared.class, changed);
        }
        Some(stream)
    }

    /// Streams that found no place; at most as many as there are places.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.keys().len() as u64
    }

    /// How many streams each rule was for, at one time or another, in the order of the rules.
    #[must_use]
    pub fn matched(&self) -> &[u64] {
        self.rules.matched()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.keys().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<(&StreamKey, &Stream)> {
        let place = id.0.get() as usize - 1;
        Some((self.keys.keys().get(place)?, self.states.get(place)?))
    }

    /// One of them, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: StreamId) -> Option<(&StreamKey, &mut Stream)> {
        let place = id.0.get() as usize - 1;
        Some((self.keys.keys().get(place)?, self.states.get_mut(place)?))
    }

    /// The one at a place in the order in which they were first seen.
    #[must_use]
    pub fn id_at(&self, place: usize) -> Option<StreamId> {
        (place < self.len()).then_some(place).and_then(id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &StreamKey, &Stream)> {
        self.keys
            .keys()
            .iter()
            .zip(&self.states)
            .enumerate()
            .filter_map(|(place, (key, stream))| Some((id(place)?, key, stream)))
    }
}

/// The number of the stream at a place: they count from 1.
#[inline]
fn id(place: usize) -> Option<StreamId> {
    std::num::NonZeroU32::new(u32::try_from(place + 1).ok()?).map(StreamId)
}
