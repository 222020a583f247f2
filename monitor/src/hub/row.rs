//! One stream as the table and the summary show it: a row. `docs/streams.md` defines each count.

use std::sync::Arc;

use monitor_core::event::{StreamCounts, StreamReport, StreamTiming};
use monitor_core::protocol::c37118::DataRate;
use monitor_core::stream::{
    Agreement, ClockTimes, CopyCounts, LatenessReport, Leaps, LimitBasis, Pace, Spread, Stalls, StatCounts,
};
use serde::Serialize;

use super::summary::Named;

/// One stream: a row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamRow {
    /// `c37118:192.0.2.1>192.0.2.9:udp:60`.
    pub id: Arc<str>,
    /// The name that the configuration file gives it, else the station's, where it is known.
    pub name: Option<Arc<str>>,
    /// DATA frames that are not copies, since the start.
    pub frames: u64,
    /// Reporting instants for which no frame came.
    pub missing: u32,
    /// The same by what each is blamed on, and those that are `pending`; what is 0 is left out.
    pub blamed: Named<u64>,
    /// Frames that came later than the limit by their time tag, whatever the clocks' error; absent where none could be
    /// judged.
    pub late: Option<u64>,
    /// Frames for an instant that had one.
    pub duplicate: u32,
    /// Frames for an instant before the newest one seen.
    pub out_of_order: u32,
    /// Frames whose time tag is not of this session.
    pub stale: u32,
    /// Packets that had been seen before, on their way here.
    pub copies: u64,
    /// Frames with a wrong check.
    pub crc_errors: u32,
    /// DATA frames without a configuration that fits.
    pub undecoded: u32,
    /// Configurations seen.
    pub configs: u32,
    /// Times that DATA went over to a configuration of another content.
    pub config_changes: u32,
    /// Times that the time tags went on elsewhere: a clock that was set.
    pub discontinuities: u32,
    /// DATA frames per second: of the window, or of the whole run in the summary.
    pub rate_hz: f32,
    /// The rate that the configuration declares.
    pub declared_rate_hz: Option<f64>,
    /// Frames per second by the time tags' usual distance: what the PMU sends, whatever was lost of it.
    pub tag_rate_hz: Option<f64>,
    /// That minus the declared one.
    pub rate_difference_hz: Option<f64>,
    /// Frequency of the first PMU in its last decoded frame.
    pub frequency_hz: Option<f32>,
    /// Its rate of change.
    pub rocof_hz_per_s: Option<f32>,
    /// Time quality of the last frame (the 8 bits of FRACSEC).
    pub time_quality: u8,
    /// STAT of its first PMU.
    pub stat: u16,
    /// How late frames come.
    pub lateness: LatenessRow,
    /// How regularly they come.
    pub jitter: JitterRow,
    /// Copies by kind; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied: Option<CopiesRow>,
    /// How good the PMU said that its clock is, and for how long; absent before the first decoded frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockRow>,
    /// Silences.
    pub stalled: StallsRow,
    /// Leap seconds; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leap_seconds: Option<LeapsRow>,
    /// Frames in which STAT said so, by the bit; bits never set are left out.
    pub stat_frames: Named<u64>,
    /// From `netif_receive_skb` to decoded, since the start; absent for a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ns: Option<StreamLatency>,
}

impl StreamRow {
    /// From what the pipeline tells of a stream.
    #[must_use]
    pub fn new(
        id: Arc<str>,
        name: Option<Arc<str>>,
        counts: &StreamCounts,
        timing: &StreamTiming,
        report: &StreamReport,
    ) -> Self {
        let StreamReport { pace, lateness, copies, clock, stalls, leaps, stat } = report;
        let declared_rate_hz = declared(pace);
        let tag_rate_hz =
            pace.usual_tag_gap_ns.filter(|gap| *gap > 0).map(|gap| thousandths(1e9 / exact(gap)));
        Self {
            id,
            name,
            frames: counts.frames,
            missing: counts.missing,
            blamed: Named::default(),
            late: (lateness.judged > 0).then_some(lateness.late),
            duplicate: counts.duplicate,
            out_of_order: counts.out_of_order,
            stale: counts.stale,
            copies: copies.mirror + copies.prp + copies.interface,
            crc_errors: counts.crc_errors,
            undecoded: counts.undecoded,
            configs: counts.configs,
            config_changes: counts.config_changes,
            discontinuities: counts.discontinuities,
            rate_hz: timing.rate_hz,
            declared_rate_hz,
            tag_rate_hz,
            rate_difference_hz: declared_rate_hz
                .zip(tag_rate_hz)
                .map(|(declared, sent)| thousandths(sent - declared)),
            frequency_hz: timing.frequency_hz,
            rocof_hz_per_s: timing.rocof_hz_per_s,
            time_quality: timing.time_quality,
            stat: timing.stat,
            lateness: LatenessRow::from(lateness),
            jitter: JitterRow::from(pace),
            copied: CopiesRow::of(copies),
            clock: ClockRow::of(clock),
            stalled: StallsRow::from(stalls),
            leap_seconds: LeapsRow::of(leaps),
            stat_frames: stat_frames(stat),
            latency_ns: timing.latency_ns.map(|[p50, p99, max]| StreamLatency { p50, p99, max }),
        }
    }
}

fn declared(pace: &Pace) -> Option<f64> {
    pace.declared.and_then(DataRate::from_word).map(DataRate::hz)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days, far beyond the distance of two frames")]
const fn exact(ns: i64) -> f64 {
    ns as f64
}

/// Rounded to three decimals: time tags of microseconds give no more.
fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A stream's `receive_to_decoded`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StreamLatency {
    /// Median.
    pub p50: u32,
    /// 99th percentile.
    pub p99: u32,
    /// Largest.
    pub max: u32,
}

/// Some spans of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SpreadRow {
    /// How many.
    pub count: u64,
    /// Smallest.
    pub min: i64,
    /// Mean.
    pub mean: i64,
    /// Largest.
    pub max: i64,
    /// Standard deviation.
    pub deviation: u64,
}

impl SpreadRow {
    /// None where nothing was measured.
    fn of(spread: &Spread) -> Option<Self> {
        let Spread { count, min, mean, max, deviation } = *spread;
        (count > 0).then_some(Self { count, min, mean, max, deviation })
    }
}

/// Arrival minus time tag. It is as good as both clocks: the PMU's, of which `clock` of the row says what it says of
/// itself, and this host's, of which `clock` of the summary does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LatenessRow {
    /// Beyond this a frame is late.
    pub limit_ns: Option<u64>,
    /// `class_m`, `class_p`, `set`, or `svc_class_m` and `svc_class_p` where the stream's CFG-3 declares the class.
    pub limit_from: &'static str,
    /// Whether the time tags and this host's clock agree: `agree`, `offset`; null where it is not known.
    pub clocks: Option<&'static str>,
    /// By how much they differ, about: where they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_ns: Option<i64>,
    /// 36 or 37 where that is, in either direction, what TAI and UTC differ by: one is taken for the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tai_mistake_s: Option<i32>,
    /// The smallest lateness of the last one to two minutes.
    pub smallest_ns: Option<i64>,
    /// How far this host's clock may have been off when the last frame came; null where nobody knows, as in a capture.
    pub host_bound_ns: Option<u64>,
    /// Frames that could be judged.
    pub judged: u64,
    /// Those of them that were judged as if this host's clock were exact: nobody knows how far it may be off.
    pub judged_unbounded: u64,
    /// Frames that could not be judged, by what stood against it; what did not is left out.
    pub not_judged: Named<u64>,
    /// Of the judged frames those so near the limit that the clocks' error does not allow to say; null where none was
    /// judged.
    pub late_unsure: Option<u64>,
    /// Late ones that came in one packet with a later frame that was not late; null where none was judged.
    pub late_coalesced: Option<u64>,
    /// Frames later than the limit against the stream's own smallest lateness, whatever the clocks.
    pub delayed: u64,
    /// Lateness measured so.
    pub variation_ns: Option<SpreadRow>,
}

impl From<&LatenessReport> for LatenessRow {
    fn from(report: &LatenessReport) -> Self {
        let LatenessReport {
            limit_ns,
            basis,
            agreement,
            smallest_ns,
            tai_mistake_s,
            host_bound_ns,
            judged,
            late: _, // stands in the row itself
            late_unsure,
            judged_unbounded,
            unjudged_sender,
            unjudged_host,
            unjudged_clocks,
            late_coalesced,
            delayed,
            variation,
        } = *report;
        Self {
            limit_ns,
            limit_from: match basis {
                LimitBasis::ClassM => "class_m",
                LimitBasis::ClassP => "class_p",
                LimitBasis::Set => "set",
                LimitBasis::DeclaredM => "svc_class_m",
                LimitBasis::DeclaredP => "svc_class_p",
            },
            clocks: match agreement {
                Agreement::Unknown => None,
                Agreement::Agree => Some("agree"),
                Agreement::Offset => Some("offset"),
            },
            clock_offset_ns: smallest_ns.filter(|_| agreement == Agreement::Offset),
            tai_mistake_s,
            smallest_ns,
            host_bound_ns,
            judged,
            judged_unbounded,
            not_judged: occurred(
                ["sender_clock", "host_clock", "clocks_differ"],
                [unjudged_sender, unjudged_host, unjudged_clocks],
            ),
            late_unsure: (judged > 0).then_some(late_unsure),
            late_coalesced: (judged > 0).then_some(late_coalesced),
            delayed,
            variation_ns: SpreadRow::of(&variation),
        }
    }
}

/// How regularly frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JitterRow {
    /// Between the first bytes of successive frames.
    pub gap_ns: Option<SpreadRow>,
    /// Between their time tags.
    pub tag_gap_ns: Option<SpreadRow>,
    /// Frames that came in the same packet as the one before.
    pub coalesced: u64,
}

impl From<&Pace> for JitterRow {
    fn from(pace: &Pace) -> Self {
        let Pace { declared: _, gaps, tag_gaps, usual_tag_gap_ns: _, coalesced } = pace;
        Self { gap_ns: SpreadRow::of(gaps), tag_gap_ns: SpreadRow::of(tag_gaps), coalesced: *coalesced }
    }
}

/// Copies by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CopiesRow {
    /// On the same interface.
    pub mirror: u64,
    /// By PRP's other LAN.
    pub prp: u64,
    /// On another interface.
    pub interface: u64,
    /// Arrival of the copy minus that of the packet that counts.
    pub skew_ns: Option<SpreadRow>,
    /// Packets with a PRP trailer of LAN A and LAN B; absent where none had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prp_lan: Option<[u64; 2]>,
}

impl CopiesRow {
    fn of(counts: &CopyCounts) -> Option<Self> {
        let CopyCounts { mirror, prp, interface, skew, lan } = *counts;
        (*counts != CopyCounts::default()).then(|| Self {
            mirror,
            prp,
            interface,
            skew_ns: SpreadRow::of(&skew),
            prp_lan: (lan != [0, 0]).then_some(lan),
        })
    }
}

/// Names of `MSG_TQ`'s codes (IEEE C37.118.2-2011, clause 6.2.2).
const MSG_TQ: [&str; 16] = [
    "locked",
    "within_1ns",
    "within_10ns",
    "within_100ns",
    "within_1us",
    "within_10us",
    "within_100us",
    "within_1ms",
    "within_10ms",
    "within_100ms",
    "within_1s",
    "within_10s",
    "reserved_c",
    "reserved_d",
    "reserved_e",
    "fault",
];

/// Names of `PMU_TQ`'s codes (clause 6.3).
const PMU_TQ: [&str; 8] = [
    "not_used",
    "within_100ns",
    "within_1us",
    "within_10us",
    "within_100us",
    "within_1ms",
    "within_10ms",
    "over_10ms",
];

/// Names of the unlocked time's codes (clause 6.3).
const UNLOCKED: [&str; 4] = ["under_10s", "from_10s", "from_100s", "from_1000s"];

/// What the PMU said of its clock; durations in nanoseconds, by name, those that never were left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockRow {
    /// `MSG_TQ` of the last frame.
    pub msg_tq: &'static str,
    /// `PMU_TQ`, the worst of its PMUs.
    pub pmu_tq: &'static str,
    /// Whether a PMU of it has lost its time source (STAT bit 13).
    pub sync_lost: bool,
    /// For how long, by STAT bits 5-4.
    pub unlocked: &'static str,
    /// Arrival of the first frame since which all of this has been so.
    pub since_ns: Option<i64>,
    /// Times that any of it changed.
    pub changes: u64,
    /// Time by `MSG_TQ`.
    pub msg_tq_ns: Named<u64>,
    /// Time by `PMU_TQ`.
    pub pmu_tq_ns: Named<u64>,
    /// Time in sync, and with sync lost.
    pub sync_ns: Named<u64>,
    /// Time by the unlocked time.
    pub unlocked_ns: Named<u64>,
}

impl ClockRow {
    fn of(times: &ClockTimes) -> Option<Self> {
        let ClockTimes { msg_tq, pmu_tq, unlocked, sync, changes, state, since_ns } = times;
        since_ns.map(|since| Self {
            msg_tq: MSG_TQ[usize::from(state.msg_tq())],
            pmu_tq: PMU_TQ[usize::from(state.pmu_tq())],
            sync_lost: state.sync_lost(),
            unlocked: UNLOCKED[usize::from(state.unlocked_time())],
            since_ns: Some(since),
            changes: *changes,
            msg_tq_ns: occurred(MSG_TQ, *msg_tq),
            pmu_tq_ns: occurred(PMU_TQ, *pmu_tq),
            sync_ns: occurred(["in_sync", "lost"], *sync),
            unlocked_ns: occurred(UNLOCKED, *unlocked),
        })
    }
}

/// Those that are not 0, by name.
fn occurred<const N: usize>(names: [&'static str; N], values: [u64; N]) -> Named<u64> {
    Named(names.into_iter().zip(values).filter(|(_, value)| *value > 0).collect())
}

/// Silences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StallsRow {
    /// How many, the present one among them.
    pub count: u64,
    /// How long in all.
    pub total_ns: u64,
    /// The longest.
    pub longest_ns: u64,
    /// A silence longer than this is one.
    pub limit_ns: u64,
    /// Arrival of the last frame, where the stream is stalled now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ns: Option<i64>,
}

impl From<&Stalls> for StallsRow {
    fn from(stalls: &Stalls) -> Self {
        let Stalls { limit_ns, count, total_ns, longest_ns, since_ns } = *stalls;
        Self { count, total_ns, longest_ns, limit_ns, since_ns }
    }
}

/// Leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeapsRow {
    /// Inserted, by the leap bits.
    pub inserted: u64,
    /// Deleted, by the leap bits.
    pub deleted: u64,
    /// Seconds tagged twice without a leap bit.
    pub repeated: u64,
    /// Seconds left out without a leap bit.
    pub skipped: u64,
}

impl LeapsRow {
    fn of(leaps: &Leaps) -> Option<Self> {
        let Leaps { inserted, deleted, repeated, skipped } = *leaps;
        (*leaps != Leaps::default()).then_some(Self { inserted, deleted, repeated, skipped })
    }
}

fn stat_frames(stat: &StatCounts) -> Named<u64> {
    let StatCounts {
        data_error,
        test_or_absent,
        sync_lost,
        sorted_by_arrival,
        trigger,
        config_change,
        modified,
    } = *stat;
    occurred(
        [
            "data_error",
            "test_or_absent",
            "sync_lost",
            "sorted_by_arrival",
            "trigger",
            "config_change",
            "modified",
        ],
        [data_error, test_or_absent, sync_lost, sorted_by_arrival, trigger, config_change, modified],
    )
}
