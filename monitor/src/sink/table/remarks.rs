//! What is out of the ordinary with a stream, in sentences.

use crate::hub::{CopiesRow, LeapsRow, StallsRow, StreamRow};
use crate::sink::words::counted;

/// A PMU sends another rate than it declares where they differ by more than this part: time tags of microseconds are
/// nearer than that at every rate.
const RATE_PART: f64 = 0.01;

/// One sentence for each thing that a person should know and that no column shows.
pub(super) fn remarks(row: &StreamRow) -> Vec<String> {
    [
        offset(row),
        unjudged(row),
        unsure(row),
        delayed(row),
        rate(row),
        copies(row),
        stalls(row),
        unsynchronised(row),
        jumps(row),
        leaps(row),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn offset(row: &StreamRow) -> Option<String> {
    let ns = row.lateness.clock_offset_ns?;
    let (seconds, which) = (Seconds(ns.unsigned_abs()), if ns < 0 { "ahead of" } else { "behind" });
    if let Some(mistake) = row.lateness.tai_mistake_s {
        let whose = if ns < 0 { "it seems to send TAI" } else { "it, or this host, takes one for the other" };
        return Some(format!(
            "its clock is about {seconds} {which} this host's: {mistake} s is what TAI and UTC differ by, and {whose}; \
             none is judged late"
        ));
    }
    Some(format!(
        "its clock is about {seconds} {which} this host's (or all frames come as late): none is judged late"
    ))
}

/// Frames that are not judged for the clocks' error bounds.
fn unjudged(row: &StreamRow) -> Option<String> {
    let lateness = &row.lateness;
    let [sender, host] =
        ["sender_clock", "host_clock"].map(|whose| lateness.not_judged.get(whose).copied().unwrap_or(0));
    let whose = match (sender, host) {
        (0, 0) => return None,
        (_, 0) => "its own clock is",
        (0, _) => "this host's clock is",
        _ => "its own clock, or this host's, is",
    };
    let limit = Seconds(lateness.limit_ns?);
    let frames = counted(sender + host, "frame");
    Some(format!("{frames} not judged late or on time: {whose} not known to be within the limit, {limit}"))
}

fn unsure(row: &StreamRow) -> Option<String> {
    let unsure = row.lateness.late_unsure.filter(|unsure| *unsure > 0)?;
    Some(format!("{} so near the limit that the clocks cannot tell whether late", counted(unsure, "frame")))
}

fn delayed(row: &StreamRow) -> Option<String> {
    let delayed = row.lateness.delayed;
    let limit = Seconds(row.lateness.limit_ns?);
    (delayed > 0 && row.late.is_none())
        .then(|| format!("{} more than {limit} later than its fastest", counted(delayed, "frame")))
}

fn rate(row: &StreamRow) -> Option<String> {
    let (declared, sent) = (row.declared_rate_hz?, row.tag_rate_hz?);
    ((sent - declared).abs() > declared * RATE_PART)
        .then(|| format!("declares {declared:.2} frames/s and sends {sent:.2}"))
}

fn copies(row: &StreamRow) -> Option<String> {
    let CopiesRow { mirror, prp, interface, skew_ns, prp_lan: _ } = row.copied.as_ref()?;
    let kinds = [(*mirror, "by a mirror"), (*prp, "by PRP"), (*interface, "on another interface")];
    let kinds: Vec<_> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    let skew = skew_ns.as_ref()?;
    let us = |ns: i64| {
        let sign = if ns < 0 { "-" } else { "" };
        format!("{sign}{}.{} us", ns.unsigned_abs() / 1_000, ns.unsigned_abs() % 1_000 / 100)
    };
    let skew = format!("{} to {}, {} on average", us(skew.min), us(skew.max), us(skew.mean));
    Some(format!("copies: {}; they came {skew} after the packet that counts", kinds.join(", ")))
}

fn stalls(row: &StreamRow) -> Option<String> {
    let StallsRow { count, total_ns, longest_ns, limit_ns: _, since_ns } = row.stalled;
    let now = since_ns.map_or("", |_| ", the last one until the end");
    let (total, longest) = (Seconds(total_ns), Seconds(longest_ns));
    (count > 0).then(|| format!("stalled {}, {total} in all, {longest} the longest{now}", times(count)))
}

fn unsynchronised(row: &StreamRow) -> Option<String> {
    let clock = row.clock.as_ref()?;
    let lost = *clock.sync_ns.get("lost")?;
    let all = lost + clock.sync_ns.get("in_sync").copied().unwrap_or(0);
    let now = if clock.sync_lost { "not in sync at the end" } else { "in sync at the end" };
    Some(format!("without sync for {} of {}, {now}", Seconds(lost), Seconds(all)))
}

fn jumps(row: &StreamRow) -> Option<String> {
    (row.discontinuities > 0).then(|| format!("its clock was set {}", times(row.discontinuities.into())))
}

fn leaps(row: &StreamRow) -> Option<String> {
    let LeapsRow { inserted, deleted, repeated, skipped } = *row.leap_seconds.as_ref()?;
    let kinds = [
        (inserted, "inserted"),
        (deleted, "deleted"),
        (repeated, "tagged twice without a leap bit"),
        (skipped, "left out without a leap bit"),
    ];
    let told = kinds.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, kind)| format!("{count} {kind}")).collect();
    Some(format!("seconds: {}", told.join(", ")))
}

/// `once`, `3 times`.
fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Nanoseconds in seconds; in milliseconds where they are few, in days where they are many.
struct Seconds(u64);

const DAY_NS: u64 = 86_400_000_000_000;

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(ns) = *self;
        match ns {
            DAY_NS.. => write!(f, "{}.{} days", ns / DAY_NS, ns % DAY_NS * 10 / DAY_NS),
            0..1_000_000_000 => write!(f, "{}.{:01} ms", ns / 1_000_000, ns % 1_000_000 / 100_000),
            _ => write!(f, "{}.{:03} s", ns / 1_000_000_000, ns % 1_000_000_000 / 1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use monitor_core::event::StreamReport;
    use monitor_core::stream::{Agreement, CopyCounts, Leaps, Spread, Stalls};

    use super::*;

    fn told(change: impl FnOnce(&mut StreamReport)) -> Vec<String> {
        let (counts, timing) = Default::default();
        let mut report = StreamReport::default();
        change(&mut report);
        remarks(&StreamRow::new("x".into(), None, &counts, &timing, &report))
    }

    #[test]
    fn nothing_out_of_the_ordinary_is_nothing() {
        assert_eq!(told(|_| {}), [""; 0]);
        let equal = told(|report| {
            (report.pace.declared, report.pace.usual_tag_gap_ns) = (Some(60), Some(16_666_700));
        });
        assert_eq!(equal, [""; 0]);
    }

    #[test]
    fn each_thing_has_its_sentence() {
        let offset = told(|report| {
            report.lateness.agreement = Agreement::Offset;
            report.lateness.smallest_ns = Some(-19_400_000_000);
            (report.lateness.limit_ns, report.lateness.delayed) = (Some(140_000_000), 3);
        });
        assert_eq!(
            offset,
            [
                "its clock is about 19.400 s ahead of this host's (or all frames come as late): none is judged late",
                "3 frames more than 140.0 ms later than its fastest"
            ]
        );
        let taken = |ns, seconds| {
            told(|report| {
                report.lateness.agreement = Agreement::Offset;
                (report.lateness.smallest_ns, report.lateness.tai_mistake_s) = (Some(ns), Some(seconds));
            })
        };
        assert_eq!(
            taken(-36_980_000_000, 37),
            [
                "its clock is about 36.980 s ahead of this host's: 37 s is what TAI and UTC differ by, and it seems to send \
              TAI; none is judged late"
            ]
        );
        assert_eq!(
            taken(36_020_000_000, 36),
            [
                "its clock is about 36.020 s behind this host's: 36 s is what TAI and UTC differ by, and it, or this host, \
              takes one for the other; none is judged late"
            ]
        );
        let unjudged = told(|report| {
            report.lateness.limit_ns = Some(40_000_000);
            (report.lateness.unjudged_sender, report.lateness.unjudged_host) = (1, 2);
            (report.lateness.judged, report.lateness.late_unsure) = (9, 1);
        });
        assert_eq!(
            unjudged,
            [
                "3 frames not judged late or on time: its own clock, or this host's, is not known to be within the \
                 limit, 40.0 ms",
                "1 frame so near the limit that the clocks cannot tell whether late"
            ]
        );
        assert_eq!(Seconds(416_087_049_213_000).to_string(), "4.8 days");
        let rate = told(|report| {
            (report.pace.declared, report.pace.usual_tag_gap_ns) = (Some(50), Some(40_000_000));
        });
        assert_eq!(rate, ["declares 50.00 frames/s and sends 25.00"]);
        let copies = told(|report| {
            let skew = Spread { count: 5, min: -200, mean: 20_000, max: 31_000, deviation: 1 };
            report.copies = CopyCounts { mirror: 2, interface: 3, skew, ..CopyCounts::default() };
        });
        assert_eq!(
            copies,
            [
                "copies: 2 by a mirror, 3 on another interface; they came -0.2 us to 31.0 us, 20.0 us on average after the \
              packet that counts"
            ]
        );
        let stalls = told(|report| {
            report.stalls = Stalls {
                limit_ns: 1,
                count: 2,
                total_ns: 3_500_000_000,
                longest_ns: 2_000_000_000,
                since_ns: Some(1),
            };
        });
        assert_eq!(
            stalls,
            ["stalled 2 times, 3.500 s in all, 2.000 s the longest, the last one until the end"]
        );
        let sync = told(|report| {
            (report.clock.sync, report.clock.since_ns) = ([3_000_000_000, 1_000_000_000], Some(5));
        });
        assert_eq!(sync, ["without sync for 1.000 s of 4.000 s, in sync at the end"]);
        let leaps = told(|report| report.leaps = Leaps { inserted: 1, repeated: 2, ..Leaps::default() });
        assert_eq!(leaps, ["seconds: 1 inserted, 2 tagged twice without a leap bit"]);
    }
}
