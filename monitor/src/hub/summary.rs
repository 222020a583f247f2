//! What a run amounts to: the rows of the table, once a second, and the summary at its end.
//!
//! One set of types for the table that a person sees and for the JSON that programs read; names and units are the
//! contract's. A value that is not known is `None` and shown as absent.

use std::sync::Arc;

use monitor_core::event::{
    ByteCounts, Class, Counts, FrameCounts, InvalidReason, QueueCounts, RecordCounts, Stage, UndecodedReason,
};
use monitor_core::pipeline::{Percentiles, Pipeline};
use serde::{Serialize, Serializer};

use super::alignment::{Alignment, AlignmentCounters};
use super::blame::{BlameRow, Ledger, MissingCounters, MissingView};
use super::drops::{DropLine, DropSummary, DropSums};
use super::hardware::HardwareSummary;
use super::lapses::Lapses;
use super::overruns::{OverrunCounters, OverrunSummary};
use super::registry::Registry;
use super::row::StreamRow;
use crate::capture::CaptureCounts;
use crate::losses::HostLosses;

/// Things by name, in a fixed order: a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T>(pub Vec<(&'static str, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// The thing of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// What the table shows: made once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename = "window")]
pub struct Window {
    /// When it was made: UTC nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Streams in the order in which they were first seen.
    pub streams: Vec<StreamRow>,
    /// The counters so far, where the live loop told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// What happened since the last window, in sentences for a person: an interface vanished, what is on a wire that
    /// shows no frames, warnings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Arc<str>>,
    /// What the host itself counted as lost since the start: `interfaces` and `softnet`; absent before it was first read.
    #[serde(flatten)]
    pub host: Option<HostLosses>,
    /// Packets that the kernel dropped since the last window: lines of their own.
    #[serde(skip)]
    pub drops: Vec<DropLine>,
}

/// Packets in the kernel: `seen = ignored + submitted + ring_full + read_failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PacketCounters {
    /// Packets that the programs looked at.
    pub seen: u64,
    /// That did not match.
    pub ignored: u64,
    /// That went into the ring.
    pub submitted: u64,
    /// For which the ring had no place.
    pub ring_full: u64,
    /// Whose bytes could not be read.
    pub read_failed: u64,
    /// The sum's remainder.
    pub unaccounted: u64,
}

/// Records: `submitted = delivered + discarded + pending` and `delivered = carried + no_payload + malformed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounters {
    /// Put into the ring; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted: Option<u64>,
    /// Handed to the pipeline.
    pub delivered: u64,
    /// Given up by the reader; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded: Option<u64>,
    /// Still in the ring; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<u64>,
    /// With a payload.
    pub carried: u64,
    /// Without one.
    pub no_payload: u64,
    /// No whole packet.
    pub malformed: u64,
    /// The remainders of both sums.
    pub unaccounted: u64,
}

/// Payload bytes: `received = in_frames + skipped + duplicate + buffered + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByteCounters {
    /// Handed in.
    pub received: u64,
    /// In frames that were found.
    pub in_frames: u64,
    /// Passed over.
    pub skipped: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Waiting for the rest of their frame.
    pub buffered: u64,
    /// Given up.
    pub dropped: u64,
    /// The sum's remainder.
    pub unaccounted: u64,
}

/// Frames: `found = decoded + undecoded{reason}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FrameCounters {
    /// Found.
    pub found: u64,
    /// With every value.
    pub decoded: u64,
    /// Without, by reason; reasons that did not occur are left out.
    pub undecoded: Named<u64>,
    /// What began like a frame and was none; not part of `found`.
    pub invalid: u64,
    /// The same by reason; reasons that did not occur are left out.
    pub invalid_by_reason: Named<u64>,
    /// The sum's remainder.
    pub unaccounted: u64,
}

/// Events of one queue or sink: `offered = taken + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventCounters {
    /// Offered.
    pub offered: u64,
    /// Taken.
    pub taken: u64,
    /// For which there was no room.
    pub dropped: u64,
    /// The dropped ones by class; classes without any are left out.
    pub dropped_by_class: Named<u64>,
    /// The sum's remainder.
    pub unaccounted: u64,
}

impl From<&QueueCounts> for EventCounters {
    fn from(counts: &QueueCounts) -> Self {
        let by_class = Class::ALL.into_iter().zip(counts.dropped).filter(|(_, dropped)| *dropped > 0);
        Self {
            offered: counts.offered.iter().sum(),
            taken: counts.taken.iter().sum(),
            dropped: counts.dropped.iter().sum(),
            dropped_by_class: Named(by_class.map(|(class, dropped)| (class.name(), dropped)).collect()),
            unaccounted: counts.unaccounted(),
        }
    }
}

/// All counters, in the groups of the design; each in a unit of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// In the kernel; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<PacketCounters>,
    /// From the ring or the capture.
    pub records: RecordCounters,
    /// Payload.
    pub bytes: ByteCounters,
    /// Frames.
    pub frames: FrameCounters,
    /// Frames in alignment; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<AlignmentCounters>,
    /// Turns of the real-time thread beyond their budget; absent where they are not watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overruns: Option<OverrunCounters>,
    /// Packets that the kernel dropped; absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<DropSums>,
    /// Missing frames; absent where nobody keeps account of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<MissingCounters>,
    /// By queue (`data`, `control`) and by sink.
    pub events: Named<EventCounters>,
}

impl Counters {
    /// Those of the pipeline.
    #[must_use]
    pub fn new(counts: &Counts) -> Self {
        let mut counters = Self {
            records: records(&counts.records),
            bytes: bytes(&counts.bytes),
            frames: frames(&counts.frames),
            alignment: AlignmentCounters::new(&counts.alignment),
            ..Self::default()
        };
        counters.settle();
        counters
    }

    /// Computes the remainders again after counters were filled in.
    pub fn settle(&mut self) {
        let Self {
            packets,
            records,
            bytes: _,
            frames: _,
            alignment: _,
            overruns: _,
            drops: _,
            missing: _,
            events: _,
        } = self;
        if let Some(packets) = packets {
            let sum = packets.ignored + packets.submitted + packets.ring_full + packets.read_failed;
            packets.unaccounted = packets.seen.abs_diff(sum);
        }
        let delivered = records.delivered.abs_diff(records.carried + records.no_payload + records.malformed);
        let submitted = records.submitted.map_or(0, |submitted| {
            let (discarded, pending) = (records.discarded.unwrap_or(0), records.pending.unwrap_or(0));
            submitted.abs_diff(records.delivered + discarded + pending)
        });
        records.unaccounted = delivered + submitted;
    }

    /// The sum of all remainders; anything but 0 is a bug.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        let Self { packets, records, bytes, frames, alignment, overruns, drops, missing, events } = self;
        packets.map_or(0, |packets| packets.unaccounted)
            + records.unaccounted
            + bytes.unaccounted
            + frames.unaccounted
            + alignment.map_or(0, |alignment| alignment.unaccounted)
            + overruns.as_ref().map_or(0, |overruns| overruns.unaccounted)
            + drops.map_or(0, |drops| drops.unaccounted)
            + missing.as_ref().map_or(0, |missing| missing.unaccounted)
            + events.0.iter().map(|(_, counters)| counters.unaccounted).sum::<u64>()
    }
}

fn records(counts: &RecordCounts) -> RecordCounters {
    let RecordCounts { carried, no_payload, malformed } = *counts;
    // Until the reader says how many it delivered, they are what the pipeline saw.
    let delivered = carried + no_payload + malformed;
    RecordCounters { delivered, carried, no_payload, malformed, ..RecordCounters::default() }
}

fn bytes(counts: &ByteCounts) -> ByteCounters {
    let ByteCounts { received, in_frames, skipped, duplicate, buffered, dropped } = *counts;
    let unaccounted = counts.unaccounted();
    ByteCounters { received, in_frames, skipped, duplicate, buffered, dropped, unaccounted }
}

fn frames(counts: &FrameCounts) -> FrameCounters {
    let reasons = UndecodedReason::ALL.into_iter().zip(counts.undecoded).filter(|(_, count)| *count > 0);
    let invalid =
        InvalidReason::ALL.into_iter().zip(counts.invalid_by_reason).filter(|(_, count)| *count > 0);
    FrameCounters {
        found: counts.found,
        decoded: counts.decoded,
        undecoded: Named(reasons.map(|(reason, count)| (reason.name(), count)).collect()),
        invalid: counts.invalid,
        invalid_by_reason: Named(invalid.map(|(reason, count)| (reason.name(), count)).collect()),
        unaccounted: counts.unaccounted(),
    }
}

/// Latency of one stage in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StageLatency {
    /// Frames measured.
    pub count: u64,
    /// Smallest.
    pub min: u64,
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

impl From<Percentiles> for StageLatency {
    fn from(percentiles: Percentiles) -> Self {
        let Percentiles { count, min, p50, p99, p999, max } = percentiles;
        Self { count, min, p50, p99, p999, max }
    }
}

/// What is known of the host's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClockSummary {
    /// Where UTC comes from.
    pub source: String,
    /// Whom that follows: an address, a reference clock, or the grandmaster's identity.
    pub reference: Option<String>,
    /// How far it may be off; absent where nobody knows.
    pub error_bound_ns: Option<u64>,
    /// TAI minus UTC in seconds, where known.
    pub tai_offset_s: Option<i32>,
    /// The PTP grandmaster, where known.
    pub grandmaster: Option<String>,
    /// 36 or 37 where the host's clock is that many seconds off the PTP clock which it follows: TAI was taken for UTC.
    pub tai_mistake_s: Option<i32>,
    /// Times that the host's clock was stepped during the run.
    pub steps: u64,
    /// The last step, nanoseconds.
    pub last_step_ns: Option<i64>,
    /// The rate at which the host's oscillator was being corrected, parts in 10^9.
    pub drift_ppb: Option<i64>,
}

/// What the real-time thread ran under.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RtSummary {
    /// `SCHED_FIFO`, or `SCHED_OTHER` where the host refused.
    pub policy: String,
    /// Its priority; absent where it is not real-time.
    pub priority: Option<u8>,
    /// The CPU it is bound to; none where it has lost it.
    pub cpu: Option<u32>,
    /// Being off the CPU that it was bound to, since that went offline or somebody moved the thread; none where it was bound
    /// to none.
    pub off_cpu: Option<Lapses>,
    /// Whether memory is locked.
    pub memory_locked: bool,
    /// Whether `/dev/cpu_dma_latency` is held at 0, so that no CPU dozes: `held`, `refused` or `left_alone`.
    pub cpu_dma_latency: &'static str,
    /// What the host refused of what was asked for, each a sentence with its remedy; empty where it was all granted.
    pub refused: Vec<String>,
    /// `block`, `predict` or `spin`.
    pub wait: String,
    /// Why it is `block` where another was asked for; none where it is as asked.
    pub wait_refused: Option<String>,
    /// Having fallen back to `block`, since its CPU served an interface, or there was no other; none where `block` was asked
    /// for, and where another is refused for good.
    pub fallen_back: Option<Lapses>,
    /// Its share of one CPU.
    pub cpu_percent: Option<f64>,
    /// How often it went to sleep.
    pub sleeps: Option<u64>,
    /// Packets that it took.
    pub packets: Option<u64>,
    /// Of them, those that were received while it was awake: for them it need not be woken.
    pub met_awake: Option<u64>,
    /// Streams that wake it in spite of prediction; none where nothing is predicted.
    pub left_to_block: Option<LeftToBlock>,
    /// How long a turn may take, nanoseconds; none where turns are not watched.
    pub budget_ns: Option<u64>,
    /// Turns that were watched.
    pub turns: Option<u64>,
    /// Of them, those beyond the budget.
    pub overruns: Option<OverrunSummary>,
}

/// What wakes the real-time thread in spite of prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftToBlock {
    /// Streams whose frames come too irregularly.
    pub irregular: usize,
    /// Streams given up at the end for what waiting awake for them cost.
    pub given_up: usize,
    /// Frames of streams beyond the bound.
    pub not_followed: u64,
}

/// What a capture held and what of it was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CaptureSummary {
    /// Packets read.
    pub packets: u64,
    /// Bytes of the packet that the file ends inside.
    pub cut_short_bytes: u64,
    /// Blocks that contradict themselves.
    pub damaged_blocks: u64,
    /// Packets of a link type that is not read.
    pub foreign_link: u64,
    /// Packets without a time.
    pub untimed: u64,
}

impl From<CaptureCounts> for CaptureSummary {
    fn from(counts: CaptureCounts) -> Self {
        let CaptureCounts {
            packets,
            foreign_link,
            foreign_link_type: _,
            damaged_blocks,
            untimed,
            cut_short_bytes,
        } = counts;
        Self { packets, cut_short_bytes, damaged_blocks, foreign_link, untimed }
    }
}

/// What a run, or a capture, amounts to. What does not exist for a capture is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename = "summary")]
pub struct Summary {
    /// How long the run was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// Frames by the `kind` of their NDJSON line; kinds that did not occur are left out.
    pub frames: Named<u64>,
    /// Frames with a wrong check.
    pub crc_errors: u64,
    /// Payload bytes passed over to find the next frame.
    pub skipped_bytes: u64,
    /// Frames without their values, whatever the reason.
    pub undecoded: u64,
    /// Packets that are not of the ports and protocols asked for.
    pub packets_ignored: u64,
    /// All counters.
    pub counters: Counters,
    /// What came of TCP flows (`tcp`) and IP fragments (`fragments`).
    pub flows: Named<Named<u64>>,
    /// The sum of all remainders; anything but 0 is a bug.
    pub unaccounted: u64,
    /// Streams in the order in which they were first seen.
    pub streams: Vec<StreamRow>,
    /// What missing frames are blamed on, the most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blame: Vec<BlameRow>,
    /// Streams that found no place in the table.
    pub streams_refused: u64,
    /// `[[stream]]` tables of the configuration file that no stream fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
    /// Packets that were copies of one seen before: their payload is in `bytes.duplicate`.
    pub copies: u64,
    /// Configurations that found no slot.
    pub configs_refused: u64,
    /// CFG-3 in fragments that did not become whole.
    pub config_series_lost: u64,
    /// Configurations that state no rate (DATA_RATE 0).
    pub configs_without_rate: u64,
    /// Alignment; absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
    /// Latency by stage; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ns: Option<Named<StageLatency>>,
    /// The host's clock; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockSummary>,
    /// The real-time thread; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rt: Option<RtSummary>,
    /// What the host itself counted as lost since the start: `interfaces` and `softnet`; absent for a capture, and where
    /// the host does not tell.
    #[serde(flatten)]
    pub host: Option<HostLosses>,
    /// Packets of watched flows that the kernel dropped; absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<DropSummary>,
    /// The network cards' own stamps; absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_stamps: Option<HardwareSummary>,
    /// Those since the last window: lines of their own.
    #[serde(skip)]
    pub last_drops: Vec<DropLine>,
    /// The capture; absent when live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureSummary>,
}

impl Summary {
    /// What the pipeline and the registry know. The caller fills in what it knows itself (duration, packets, ring,
    /// queues, clock, real-time state) and calls [`Summary::settle`].
    #[must_use]
    pub fn new(pipeline: &Pipeline, registry: &Registry) -> Self {
        let counts = pipeline.counts();
        let mut summary = Self {
            frames: kinds(&counts.frames),
            crc_errors: counts.frames.crc_errors,
            skipped_bytes: counts.bytes.skipped,
            undecoded: counts.frames.undecoded_total(),
            packets_ignored: counts.packets_ignored,
            counters: Counters::new(&counts),
            flows: super::flows::named(&counts.flows),
            streams: streams(pipeline, registry),
            streams_refused: counts.streams_refused,
            unmatched: unmatched(pipeline, registry),
            copies: counts.copies,
            configs_refused: counts.configs_refused,
            config_series_lost: counts.config_series_lost,
            configs_without_rate: counts.configs_without_rate,
            alignment: Alignment::new(pipeline, registry),
            ..Self::default()
        };
        summary.settle();
        summary
    }

    /// Adds what missing frames are blamed on, which must all have been settled.
    #[must_use]
    pub fn with_blame(mut self, pipeline: &Pipeline, ledger: &Ledger) -> Self {
        let view = |stream: monitor_core::pipeline::StreamSummary| {
            ledger.view(stream.id, stream.counts.missing, stream.untold)
        };
        let views: Vec<_> = pipeline.streams().map(view).collect();
        for (row, view) in self.streams.iter_mut().zip(&views) {
            row.blamed = view.named();
        }
        let sum = MissingView::sum(&views);
        (self.blame, self.counters.missing) = (sum.rows(), Some(sum.counters()));
        self.settle();
        self
    }

    /// Adds the latency of each stage that happened: for a live run.
    #[must_use]
    pub fn with_latency(mut self, pipeline: &Pipeline) -> Self {
        let of = |stage: Stage| Some((stage.name(), pipeline.stages().percentiles(stage)?.into()));
        self.latency_ns = Some(Named(Stage::ALL.into_iter().filter_map(of).collect()));
        self
    }

    /// Computes all remainders again.
    pub fn settle(&mut self) {
        self.counters.settle();
        self.unaccounted = self.counters.unaccounted()
            + self.hardware_stamps.as_ref().map_or(0, |stamps| stamps.unaccounted);
    }
}

/// Frames by the contract's kinds, which are coarser than the type bits: three types are configurations.
fn kinds(counts: &FrameCounts) -> Named<u64> {
    let [data, header, cfg1, cfg2, command, cfg3] = counts.c37118;
    let all = [
        ("c37118.data", data),
        ("c37118.config", cfg1 + cfg2 + cfg3),
        ("c37118.header", header),
        ("c37118.command", command),
        ("c37118.invalid", counts.invalid),
    ];
    Named(all.into_iter().filter(|(_, count)| *count > 0).collect())
}

fn unmatched(pipeline: &Pipeline, registry: &Registry) -> Vec<String> {
    let tables = registry.names().iter().zip(pipeline.rules_matched());
    tables.filter(|(_, streams)| **streams == 0).map(|(table, _)| table.shown.clone()).collect()
}

fn streams(pipeline: &Pipeline, registry: &Registry) -> Vec<StreamRow> {
    let row = |stream: monitor_core::pipeline::StreamSummary| {
        let info = registry.stream(stream.id);
        let label = info.map_or_else(|| stream.key.to_string().into(), |info| Arc::clone(&info.label));
        StreamRow::new(
            label,
            info.and_then(|info| info.name.clone()),
            &stream.counts,
            &stream.timing,
            &stream.report,
        )
    };
    pipeline.streams().map(row).collect()
}
