//! What is known of one stream, frame by frame.

use hdrhistogram::Histogram;

use super::config::Content;
use super::copies::{CopyTally, CopyWatch};
use super::gaps::{GapWatch, Missing};
use super::lateness::{LatenessWatch, Sample};
use super::pace::PaceWatch;
use super::quality::ClockWatch;
use super::reading::StatFlags;
use super::stalls::StallWatch;
use super::{
    Cadence, ClockTimes, CopyKind, LateLimit, Leaps, PacketIdentity, PerformanceClass, Place, Placed,
    Reading, RuleId, Sequence, SourceId, StatCounts, StreamCounts, StreamReport, StreamSettings,
    StreamTiming,
};
use crate::flow::{Continuity, Seen};
use crate::packet::Lan;
use crate::protocol::c37118::TimeTag;
use crate::time::Nanos;

/// Latencies are held from 1 ns to 10 s with one significant digit: 2 KiB for each stream.
const LATENCY_BOUNDS: (u64, u64, u8) = (1, 10_000_000_000, 1);

/// A stream tells of itself once in this time.
const WINDOW_NS: i64 = 1_000_000_000;

/// How long DATA come without a configuration before that is told: longer than a PDC takes to ask for one, shorter
/// than a person waits.
pub const UNCONFIGURED_NS: i64 = 5_000_000_000;

/// What is known of one stream. What each frame touches stands together, apart from what is large or rarely changes.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its counts since the start.
    pub counts: StreamCounts,
    /// Whether the other end of the queue was told of it.
    pub announced: bool,
    source: SourceId,
    cadence: Option<Cadence>,
    first: Option<Nanos>,
    last: Option<Nanos>,
    told: Told,
    reading: Reading,
    watches: Watches,
    sequence: Sequence,
    gaps: GapWatch,
    copies: CopyWatch,
    rare: Rare,
    latency: Histogram<u32>,
    /// The configuration that its last DATA frame was laid out by.
    laid_out_by: Option<Content>,
    /// Whether it was told that none is known.
    lack_told: bool,
    /// Whether each fragment of its CFG-3 ends with a CHK of its own, as far as it is known.
    pub checks_fragments: bool,
}

/// What is followed from frame to frame.
#[derive(Clone, Copy, Debug)]
struct Watches {
    stalls: StallWatch,
    clock: ClockWatch,
    pace: PaceWatch,
    lateness: LatenessWatch,
}

/// What changes rarely.
#[derive(Clone, Copy, Debug)]
struct Rare {
    settings: StreamSettings,
    /// Which rule set them.
    rule: Option<RuleId>,
    /// The ports on which it was first seen.
    ports: [u16; 2],
    /// The class that its configuration declares.
    class: Option<PerformanceClass>,
    clock_times: ClockTimes,
    leaps: Leaps,
    stat: StatCounts,
    copies: CopyTally,
}

/// One DATA frame, as its stream sees it.
#[derive(Clone, Copy, Debug)]
pub struct DataFrame<'a> {
    /// When its bytes came.
    pub seen: &'a Seen,
    /// Its time tag.
    pub time: TimeTag,
    /// Where its TCP flow stands; none of a datagram.
    pub continuity: Option<Continuity>,
    /// What turns the time tag into an index, where a configuration says.
    pub cadence: Option<Cadence>,
    /// What it said, where it was decoded.
    pub reading: Option<Reading>,
    /// How far the clock of its arrival may be off from UTC, in nanoseconds; none where nobody knows.
    pub host_bound_ns: Option<u64>,
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
    pub(super) fn vacant() -> Self {
        let (low, high, digits) = LATENCY_BOUNDS;
        let mut latency =
            Histogram::new_with_bounds(low, high, digits).expect("the bounds are constants in range");
        // Writes every count, so that the real-time thread meets no page that was never touched.
        latency.clear();
        Self {
            counts: StreamCounts::default(),
            announced: false,
            source: SourceId::default(),
            cadence: None,
            first: None,
            last: None,
            told: Told::default(),
            reading: Reading::default(),
            watches: Watches {
                stalls: StallWatch::new(),
                clock: ClockWatch::new(),
                pace: PaceWatch::new(),
                lateness: LatenessWatch::new(),
            },
            sequence: Sequence::new(),
            gaps: GapWatch::default(),
            copies: CopyWatch::new(),
            rare: Rare {
                settings: StreamSettings::default(),
                rule: None,
                ports: [0; 2],
                class: None,
                clock_times: ClockTimes::default(),
                leaps: Leaps::default(),
                stat: StatCounts::default(),
                copies: CopyTally::new(),
            },
            latency,
            laid_out_by: None,
            lack_told: false,
            checks_fragments: false,
        }
    }

    /// Begins: with its source, its ports, and what is set for it by which rule.
    pub(super) fn open(
        &mut self,
        source: SourceId,
        ports: [u16; 2],
        rule: Option<RuleId>,
        settings: StreamSettings,
    ) {
        self.source = source;
        (self.rare.ports, self.rare.rule, self.rare.settings) = (ports, rule, settings);
        self.watches.stalls.set_limit(settings.stall_ns, 0);
    }

    /// A configuration lays it out that did not before: what is set for it by now, and the class that is declared. One
    /// that is a mere repetition in another form (a CFG-2 beside a CFG-3) takes back no class. Where another rule holds,
    /// the other end of the queue has to be told.
    #[cold]
    pub(super) fn settle(
        &mut self,
        rule: Option<RuleId>,
        settings: StreamSettings,
        class: Option<PerformanceClass>,
        changed: bool,
    ) {
        if self.rare.rule != rule {
            self.announced = false;
        }
        (self.rare.rule, self.rare.settings) = (rule, settings);
        if class.is_some() || changed {
            self.rare.class = class;
        }
        self.set_limits();
    }

    /// The rule that holds for it.
    #[must_use]
    pub const fn rule(&self) -> Option<RuleId> {
        self.rare.rule
    }

    /// The ports on which it was first seen: the sender's, the receiver's.
    pub(super) const fn ports(&self) -> [u16; 2] {
        self.rare.ports
    }

    /// What its frames are late by: what is set, else the declared class, else the default; and whether it is the
    /// declared one.
    fn late(&self) -> (LateLimit, bool) {
        let Rare { settings, class, .. } = &self.rare;
        match (settings.late, class) {
            (Some(late), _) => (late, false),
            (None, Some(class)) => (LateLimit::Class(*class), true),
            (None, None) => (LateLimit::default(), false),
        }
    }

    fn set_limits(&mut self) {
        let (late, _) = self.late();
        let Watches { stalls, lateness, .. } = &mut self.watches;
        let period_ns = self.cadence.map_or(0, |cadence| cadence.rate.period_ns());
        stalls.set_limit(self.rare.settings.stall_ns, period_ns);
        if let Some(cadence) = self.cadence {
            lateness.set_limit(late.at(cadence.rate));
        }
    }

    /// Whose configurations lay it out.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// Takes a DATA frame that is no copy: counts it, and judges its instant, its arrival and what it says. Where it
    /// stands among the others is given back, where that is known, and what it changes about what is missing.
    pub fn take_data(&mut self, frame: &DataFrame<'_>) -> (Option<Placed>, Option<Missing>) {
        let placed = self.place_data(frame);
        let [_, last] = frame.seen.steady();
        (placed, self.gaps.take(placed.as_ref(), last, frame.continuity))
    }

    /// A frame came damaged: one will be missing for it.
    pub fn take_damaged(&mut self) {
        self.gaps.damage();
    }

    /// Nobody was told of what [`Stream::take_data`] gave.
    pub fn leave_untold(&mut self, missing: &Missing) {
        self.gaps.leave_untold(missing);
    }

    /// Missing frames that nobody was told of, less those that came late and nobody was told of.
    #[must_use]
    pub const fn untold(&self) -> i32 {
        self.gaps.untold()
    }

    fn place_data(&mut self, frame: &DataFrame<'_>) -> Option<Placed> {
        let Seen { arrival, .. } = *frame.seen;
        self.counts.frames += 1;
        self.first.get_or_insert(arrival);
        self.last = Some(arrival);
        if let Some(cadence) = frame.cadence
            && self.cadence != Some(cadence)
        {
            self.change_cadence(cadence);
        }
        let timed = arrival != Nanos::UNKNOWN;
        let steady = frame.seen.steady();
        let together = timed && self.take_arrival(arrival, steady);
        let [_, last] = steady;
        let placed = frame.cadence.map(|cadence| {
            let leaps = &mut self.rare.leaps;
            self.sequence.take(frame.time, last, cadence, &mut self.counts, leaps)
        });
        if placed.is_some_and(|placed| placed.place == Place::Stale) {
            return placed;
        }
        if let Some(reading) = frame.reading {
            self.take_reading(reading, arrival, last);
        }
        if let (Some(placed), Some(cadence)) = (placed, frame.cadence) {
            self.take_instant(frame, placed, cadence, timed.then_some(together));
        }
        placed
    }

    /// Judges the arrival. True where it came in the same packet as the frame before.
    fn take_arrival(&mut self, arrival: Nanos, steady: [i64; 2]) -> bool {
        let Watches { stalls, pace, .. } = &mut self.watches;
        let [_, last] = steady;
        stalls.take(arrival, last);
        pace.arrive(steady, stalls.limit_ns())
    }

    fn take_reading(&mut self, reading: Reading, arrival: Nanos, steady: i64) {
        self.reading = reading;
        if reading.flags != StatFlags::default() {
            reading.flags.count(&mut self.rare.stat);
        }
        let stall_ns = self.watches.stalls.limit_ns();
        let times = &mut self.rare.clock_times;
        self.watches.clock.take(reading.clock, arrival, steady, stall_ns, times);
    }

    /// Judges the time tag against the one before and against the arrival, where that is known; `together` where it
    /// came in the same packet as the frame before.
    fn take_instant(
        &mut self,
        frame: &DataFrame<'_>,
        placed: Placed,
        cadence: Cadence,
        together: Option<bool>,
    ) {
        let Watches { pace, lateness, .. } = &mut self.watches;
        let tag = frame.time.unix_ns(cadence.time_base);
        if placed.broken {
            pace.break_tags();
            lateness.restart();
        }
        if placed.place == Place::Newest {
            pace.advance(tag);
        }
        let judged = !placed.unsettled && placed.place != Place::Duplicate;
        if let (Some(reading), Some(together), true) = (frame.reading, together, judged) {
            let [_, steady] = frame.seen.steady();
            lateness.take(Sample {
                ns: frame.seen.arrival.0.saturating_sub(tag),
                steady,
                sender_bound_ns: reading.clock.bound_ns(),
                host_bound_ns: frame.host_bound_ns,
                together,
            });
        }
    }

    #[cold]
    fn change_cadence(&mut self, cadence: Cadence) {
        if self.cadence.is_some() {
            self.sequence.restart();
        }
        self.cadence = Some(cadence);
        self.set_limits();
        self.watches.pace.forget_usual();
    }

    /// Whether DATA came without a configuration for a while by now; true once.
    pub fn lacks_config_since(&mut self, now: Nanos) -> bool {
        let first = self.first.unwrap_or(now);
        let overdue = self.laid_out_by.is_none() && now.since(first) >= UNCONFIGURED_NS;
        overdue && !std::mem::replace(&mut self.lack_told, true)
    }

    /// Notes which configuration lays out a DATA frame; another one than the frame's before is a change, counted. None
    /// where it is the same one; else whether it differs from the one before, which the first one does.
    #[inline]
    pub(super) fn lay_out_by(&mut self, content: Content) -> Option<bool> {
        if self.laid_out_by == Some(content) {
            return None;
        }
        let before = self.laid_out_by.replace(content);
        let changed = before.is_some_and(|before| before.differs(content));
        self.counts.config_changes = self.counts.config_changes.saturating_add(changed.into());
        Some(changed || before.is_none())
    }

    /// Whether a packet is a copy of one that was seen: then it is counted, and is no more to be looked at.
    pub fn take_packet(&mut self, packet: &PacketIdentity, arrival: Nanos) -> bool {
        self.count_lan(packet.rct.map(|rct| rct.lan));
        let copy = self.copies.take(packet, arrival.0, self.rare.settings.mirrored);
        if let Some((kind, skew_ns)) = copy {
            self.take_copy(kind, skew_ns);
        }
        copy.is_some()
    }

    /// Remembers the packet that made the stream known, which [`Stream::take_packet`] was not asked about.
    #[inline]
    pub fn remember(&mut self, packet: &PacketIdentity, arrival: Nanos) {
        if self.copies.is_empty() {
            self.take_packet(packet, arrival);
        }
    }

    /// Counts a packet that came by one of PRP's networks.
    #[inline]
    pub fn count_lan(&mut self, lan: Option<Lan>) {
        if let Some(lan) = lan {
            self.rare.copies.count_lan(lan);
        }
    }

    /// Counts a copy that was found elsewhere (a TCP segment or an IP fragment seen twice), and how much later it came.
    pub fn take_copy(&mut self, kind: CopyKind, skew_ns: i64) {
        self.rare.copies.add(kind, skew_ns);
    }

    /// All else that is known of it. `now` is on the clock of the arrivals.
    #[must_use]
    pub fn report(&self, now: Nanos) -> StreamReport {
        let Watches { stalls, clock, pace, lateness } = &self.watches;
        let Rare { clock_times, leaps, stat, copies, .. } = &self.rare;
        let (late, declared) = self.late();
        StreamReport {
            pace: pace.pace(self.cadence.map(|cadence| cadence.rate.word())),
            lateness: lateness.report(late.basis(declared)),
            copies: copies.counts(),
            clock: clock.times(clock_times),
            stalls: stalls.stalls(now),
            leaps: *leaps,
            stat: *stat,
        }
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
        let Reading { frequency_hz, rocof_hz_per_s, stat, time_quality, .. } = self.reading;
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
