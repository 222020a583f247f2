//! Alignment in the summary and among the counters.

use std::sync::Arc;

use monitor_core::event::{AlignCounts, StreamAlignment, Wait};
use monitor_core::pipeline::{AlignmentSummary, Pipeline};
use serde::Serialize;

use super::registry::Registry;
use super::summary::StageLatency;

/// What became of the frames that were offered: `offered = aligned + late + joining + duplicate + out_of_step +
/// instants_full + rates_full + unaligned`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlignmentCounters {
    /// Decoded DATA frames, copies left out.
    pub offered: u64,
    /// Put into their instant.
    pub aligned: u64,
    /// Too late for their instant.
    pub late: u64,
    /// For an instant that was over before their stream took part.
    pub joining: u64,
    /// For an instant that has a frame of their stream.
    pub duplicate: u64,
    /// With a time tag too far from the other streams'.
    pub out_of_step: u64,
    /// Beyond the instants that can be open.
    pub instants_full: u64,
    /// Beyond the rates that can be told apart.
    pub rates_full: u64,
    /// Without a rate or an arrival.
    pub unaligned: u64,
    /// Instants that are over: `instants = complete + incomplete + cut`.
    pub instants: u64,
    /// With a frame of every stream that was expected.
    pub complete: u64,
    /// Whose window ended before.
    pub incomplete: u64,
    /// Which ended with the run, or because the clock was set.
    pub cut: u64,
    /// The remainders of the two sums.
    pub unaccounted: u64,
}

impl AlignmentCounters {
    /// None where nothing was offered.
    pub(super) fn new(counts: &AlignCounts) -> Option<Self> {
        let AlignCounts {
            offered,
            aligned,
            late,
            joining,
            duplicate,
            out_of_step,
            instants_full,
            rates_full,
            unaligned,
            instants,
            complete,
            incomplete,
            cut,
            values_full: _,
        } = *counts;
        let unaccounted = counts.unaccounted();
        (offered > 0).then_some(Self {
            offered,
            aligned,
            late,
            joining,
            duplicate,
            out_of_step,
            instants_full,
            rates_full,
            unaligned,
            instants,
            complete,
            incomplete,
            cut,
            unaccounted,
        })
    }
}

/// What alignment amounts to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alignment {
    /// `relative` (from the first arrival) or `absolute` (from the time tag).
    pub wait: &'static str,
    /// The window's length.
    pub wait_ns: u32,
    /// Instants that are over.
    pub instants: u64,
    /// With a frame of every stream that was expected.
    pub complete: u64,
    /// Whose window ended before.
    pub incomplete: u64,
    /// Which ended with the run, or because the clock was set.
    pub cut: u64,
    /// PMUs whose values were not kept, for want of place.
    pub values_refused: u64,
    /// From the first arrival to the last, of the instants to which more than one stream came.
    pub skew_ns: Option<StageLatency>,
    /// Streams in the order in which they were first seen.
    pub streams: Vec<AlignedRow>,
}

/// One stream's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlignedRow {
    /// `c37118:192.0.2.1>192.0.2.9:udp:60`.
    pub id: Arc<str>,
    /// Its name, where it is known.
    pub name: Option<Arc<str>>,
    /// Its frames that were put into their instant.
    pub aligned: u64,
    /// Instants that were over without it, although it was expected.
    pub absent: u32,
    /// Its frames that came too late for their instant.
    pub late: u32,
    /// Its frames with a time tag too far from the other streams'.
    pub out_of_step: u32,
}

impl Alignment {
    /// What the pipeline tells of it; none where it was not asked for.
    pub(super) fn new(pipeline: &Pipeline, registry: &Registry) -> Option<Self> {
        let AlignmentSummary { wait, counts, skew } = pipeline.alignment()?;
        let (kind, wait_ns) = match wait {
            Wait::Relative(ns) => ("relative", ns),
            Wait::Absolute(ns) => ("absolute", ns),
        };
        let row = |stream: monitor_core::pipeline::StreamSummary| {
            let StreamAlignment { aligned, absent, late, out_of_step } = stream.alignment?;
            let info = registry.stream(stream.id);
            let id = info.map_or_else(|| stream.key.to_string().into(), |info| Arc::clone(&info.label));
            let name = info.and_then(|info| info.name.clone());
            Some(AlignedRow { id, name, aligned, absent, late, out_of_step })
        };
        Some(Self {
            wait: kind,
            wait_ns,
            instants: counts.instants,
            complete: counts.complete,
            incomplete: counts.incomplete,
            cut: counts.cut,
            values_refused: counts.values_full,
            skew_ns: skew.map(StageLatency::from),
            streams: pipeline.streams().filter_map(row).collect(),
        })
    }
}
