//! The table of streams and what is known of each.

use hdrhistogram::Histogram;

use super::config::Content;
use super::quality::ClockWatch;
use super::table::{Entry, KeyTable};
use super::{
    Cadence, ClockState, ClockTimes, Reading, Sequence, SourceId, StreamCounts, StreamId, StreamKey,
    StreamReport, StreamTiming,
};
use crate::packet::Transport;
use crate::time::Nanos;

/// Latencies are held from 1 ns to 10 s with one significant digit: 2 KiB for each stream.
const LATENCY_BOUNDS: (u64, u64, u8) = (1, 10_000_000_000, 1);

/// A stream tells of itself once in this time.
const WINDOW_NS: i64 = 1_000_000_000;

/// How long DATA come without a configuration before that is told: longer than a PDC takes to ask for one, shorter
/// than a person waits.
pub const UNCONFIGURED_NS: i64 = 5_000_000_000;

/// A silence longer than this is a stall.
const STALL_NS: i64 = 1_000_000_000;

/// What is known of one stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its counts since the start.
    pub counts: StreamCounts,
    /// Whether the other end of the queue was told of it.
    pub announced: bool,
    source: SourceId,
    sequence: Sequence,
    cadence: Option<Cadence>,
    reading: Reading,
    first: Option<Nanos>,
    last: Option<Nanos>,
    told: Told,
    clock: ClockWatch,
    clock_times: ClockTimes,
    latency: Histogram<u32>,
    /// The configuration that its last DATA frame was laid out by.
    laid_out_by: Option<Content>,
    /// Whether it was told that none is known.
    lack_told: bool,
    /// Whether each fragment of its CFG-3 ends with a CHK of its own, as far as it is known.
    pub checks_fragments: bool,
}

/// Where the stream stood when it last told of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    at: Option<Nanos>,
    frames: u64,
    last: Option<Nanos>,
    rate_hz: f32,
}

impl Stream {
    fn vacant() -> Self {
        let (low, high, digits) = LATENCY_BOUNDS;
        let mut latency =
            Histogram::new_with_bounds(low, high, digits).expect("the bounds are constants in range");
        // Writes every count, so that the real-time thread meets no page that was never touched.
        latency.clear();
        Self {
            counts: StreamCounts::default(),
            announced: false,
            source: SourceId::default(),
            sequence: Sequence::new(),
            cadence: None,
            reading: Reading::default(),
            first: None,
            last: None,
            told: Told::default(),
            clock: ClockWatch::new(),
            clock_times: ClockTimes::default(),
            latency,
            laid_out_by: None,
            lack_told: false,
            checks_fragments: false,
        }
    }

    /// Whose configurations lay it out.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// Counts a DATA frame, and judges its instant where the index and what it was made with are known.
    pub fn take_data(&mut self, arrival: Nanos, instant: Option<(u64, Cadence)>) {
        self.counts.frames += 1;
        self.first.get_or_insert(arrival);
        self.last = Some(arrival);
        let Some((index, cadence)) = instant else { return };
        if self.cadence.replace(cadence).is_some_and(|before| before != cadence) {
            self.sequence.restart();
        }
        self.sequence.take(index, arrival, cadence, &mut self.counts);
    }

    /// Whether DATA came without a configuration for a while by now; true once.
    pub fn lacks_config_since(&mut self, now: Nanos) -> bool {
        let first = self.first.unwrap_or(now);
        let overdue = self.laid_out_by.is_none() && now.since(first) >= UNCONFIGURED_NS;
        overdue && !std::mem::replace(&mut self.lack_told, true)
    }

    /// Notes which configuration lays out a DATA frame; another one than the frame's before is a change, counted.
    pub(crate) fn lay_out_by(&mut self, content: Content) {
        if self.laid_out_by.replace(content).is_some_and(|before| before.differs(content)) {
            self.counts.config_changes = self.counts.config_changes.saturating_add(1);
        }
    }

    /// Keeps what the last decoded frame said.
    pub const fn take_reading(&mut self, reading: Reading) {
        self.reading = reading;
    }

    /// Takes what a decoded frame says of its clock.
    pub fn take_clock(&mut self, state: ClockState, arrival: Nanos) {
        self.clock.take(state, arrival, arrival.0, STALL_NS, &mut self.clock_times);
    }

    /// All else that is known of it.
    #[must_use]
    pub fn report(&self) -> StreamReport {
        StreamReport { clock: self.clock.times(&self.clock_times), ..StreamReport::default() }
    }

    /// Counts a latency from `netif_receive_skb` to decoded, in nanoseconds.
    pub fn take_latency(&mut self, ns: u32) {
        self.latency.saturating_record(ns.into());
    }

    /// How it ran since it last told, where that is a second ago; the first call begins the first window.
    pub fn tell(&mut self, now: Nanos) -> Option<StreamTiming> {
        let told_at = match self.told.at {
            // Also where the host's clock was set back.
            Some(at) if (0..WINDOW_NS).contains(&now.since(at)) => return None,
            Some(at) if now >= at => at,
            _ => {
                self.told = Told { at: Some(now), frames: self.counts.frames, last: self.last, rate_hz: 0.0 };
                return None;
            }
        };
        let rate_hz = self.rate_since_told(told_at, now);
        self.told = Told { at: Some(now), frames: self.counts.frames, last: self.last, rate_hz };
        Some(self.timing(rate_hz))
    }

    /// How it ran since the start.
    #[must_use]
    pub fn timing_of_run(&self) -> StreamTiming {
        self.timing(match (self.first, self.last) {
            (Some(first), Some(last)) => rate(self.counts.frames.saturating_sub(1), last.since(first)),
            _ => 0.0,
        })
    }

    /// Frames a second from the last arrival of the window before to the last one of this: whole periods, so that it
    /// does not flicker by one frame.
    fn rate_since_told(&self, told_at: Nanos, now: Nanos) -> f32 {
        let frames = self.counts.frames - self.told.frames;
        let (Some(last), true) = (self.last, frames > 0) else {
            let slow = self.cadence.map_or(0, |cadence| 2 * cadence.rate.period_ns());
            let silent = self.last.map_or(i64::MAX, |last| now.since(last));
            return if u64::try_from(silent).is_ok_and(|ns| ns < slow) { self.told.rate_hz } else { 0.0 };
        };
        match self.told.last {
            Some(before) if last > before => rate(frames, last.since(before)),
            _ => rate(frames, now.since(told_at)),
        }
    }

    fn timing(&self, rate_hz: f32) -> StreamTiming {
        let Reading { frequency_hz, rocof_hz_per_s, stat, time_quality } = self.reading;
        let held = |ns: u64| u32::try_from(ns).unwrap_or(u32::MAX);
        let latency_ns = (!self.latency.is_empty()).then(|| {
            let at = |quantile| held(self.latency.value_at_quantile(quantile));
            [at(0.5), at(0.99), held(self.latency.max())]
        });
        let (frequency_hz, rocof_hz_per_s) = (frequency_hz.map(narrow), rocof_hz_per_s.map(narrow));
        StreamTiming { rate_hz, frequency_hz, rocof_hz_per_s, latency_ns, time_quality, stat }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 ns are 104 days, and a rate is exact to far less than that"
)]
fn rate(frames: u64, ns: i64) -> f32 {
    if ns <= 0 { 0.0 } else { narrow(frames as f64 * 1e9 / ns as f64) }
}

#[expect(clippy::cast_possible_truncation, reason = "shown to people, who read fewer digits than an f32 has")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

/// All streams, in the order in which they were first seen.
#[derive(Debug)]
pub struct Streams {
    keys: KeyTable<StreamKey>,
    states: Vec<Stream>,
    /// Streams that found no place; those beyond as many again are not told apart any more.
    refused: KeyTable<StreamKey>,
}

impl Streams {
    /// With place for `capacity` streams.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let blank = StreamKey { source: [0; 16], destination: [0; 16], transport: Transport::Udp, idcode: 0 };
        Self {
            keys: KeyTable::new(capacity, blank),
            states: std::iter::repeat_with(Stream::vacant).take(capacity).collect(),
            refused: KeyTable::new(capacity, blank),
        }
    }

    /// A stream that was seen before.
    #[must_use]
    pub fn find(&self, key: &StreamKey) -> Option<StreamId> {
        self.keys.find(key).and_then(id)
    }

    /// A stream, new or seen before; none where the table is full. `source` names the source of a new one.
    pub fn open(
        &mut self,
        key: &StreamKey,
        source: impl FnOnce() -> Option<SourceId>,
    ) -> Option<(StreamId, &mut Stream)> {
        let (place, new) = match self.keys.insert(key) {
            Entry::Known(place) => (place, false),
            Entry::New(place) => (place, true),
            Entry::Full => {
                self.refused.insert(key);
                return None;
            }
        };
        let stream = self.states.get_mut(place)?;
        if new {
            // There is place: a source has at least one stream.
            stream.source = source()?;
        }
        Some((id(place)?, stream))
    }

    /// Streams that found no place; at most as many as there are places.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.keys().len() as u64
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
fn id(place: usize) -> Option<StreamId> {
    std::num::NonZeroU32::new(u32::try_from(place + 1).ok()?).map(StreamId)
}
