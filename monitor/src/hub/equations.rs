//! How the counters add up, each sum spelt out: for whoever shows them to a person.

use std::borrow::Cow;
use std::fmt::{self, Display};

use super::alignment::AlignmentCounters;
use super::blame::MissingCounters;
use super::drops::DropSums;
use super::overruns::OverrunCounters;
use super::summary::{ByteCounters, Counters, EventCounters, FrameCounters, PacketCounters, RecordCounters};

/// A counter with the name that the contract gives it.
type Term = (Cow<'static, str>, u64);

/// One sum: a total and the parts that it must equal. Displayed as `seen 5 = ignored 2 + submitted 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equation {
    /// Group of the counters: `packets`, `records`, `bytes`, `frames`, `alignment`, `overruns`, `drops`, `missing` or `events`.
    pub group: &'static str,
    /// The queue or sink, for events.
    pub of: Option<&'static str>,
    /// What came in.
    pub total: Term,
    /// What became of it.
    pub parts: Vec<Term>,
}

impl Equation {
    /// The remainder: anything but 0 is a bug.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        self.total.1.abs_diff(self.parts.iter().map(|(_, count)| count).sum())
    }

    /// As text of at most `columns` characters where leaving out parts that are 0, from the right, gets it there; it
    /// still adds up then.
    #[must_use]
    pub fn within(&self, columns: usize) -> String {
        let mut shown = self.clone();
        let mut text = shown.to_string();
        while text.chars().count() > columns {
            let Some(zero) = shown.parts.iter().rposition(|(_, count)| *count == 0) else { break };
            shown.parts.remove(zero);
            text = shown.to_string();
        }
        text
    }
}

impl Display for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, total) = &self.total;
        write!(f, "{name} {total} =")?;
        if self.parts.is_empty() {
            return write!(f, " 0");
        }
        for (index, (name, count)) in self.parts.iter().enumerate() {
            write!(f, "{} {name} {count}", if index > 0 { " +" } else { "" })?;
        }
        Ok(())
    }
}

impl Counters {
    /// Every sum, in the order of the way; those that do not exist for a capture are left out.
    #[must_use]
    pub fn equations(&self) -> Vec<Equation> {
        let Self {
            packets: kernel,
            records,
            bytes: payload,
            frames: found,
            alignment,
            overruns,
            drops,
            missing: absent,
            events: lanes,
        } = self;
        let mut all: Vec<_> = kernel.iter().map(packets).collect();
        all.extend(submitted(records));
        all.extend([delivered(records), bytes(payload), frames(found)]);
        all.extend(alignment.iter().flat_map(|counters| [aligned(counters), instants(counters)]));
        all.extend(overruns.iter().flat_map(|counters| [causes(counters), told(counters)]));
        all.extend(drops.iter().flat_map(dropped));
        all.extend(absent.iter().map(missing));
        all.extend(lanes.0.iter().map(|(name, counters)| events(name, counters)));
        all
    }
}

fn packets(counters: &PacketCounters) -> Equation {
    let PacketCounters { seen, ignored, submitted, ring_full, read_failed, unaccounted: _ } = *counters;
    let parts = [
        ("ignored", ignored),
        ("submitted", submitted),
        ("ring_full", ring_full),
        ("read_failed", read_failed),
    ];
    equation("packets", ("seen", seen), &parts)
}

fn submitted(counters: &RecordCounters) -> Option<Equation> {
    let RecordCounters { submitted, delivered, discarded, pending, .. } = *counters;
    let parts =
        [("delivered", delivered), ("discarded", discarded.unwrap_or(0)), ("pending", pending.unwrap_or(0))];
    Some(equation("records", ("submitted", submitted?), &parts))
}

fn delivered(counters: &RecordCounters) -> Equation {
    let RecordCounters { delivered, carried, no_payload, malformed, .. } = *counters;
    let parts = [("carried", carried), ("no_payload", no_payload), ("malformed", malformed)];
    equation("records", ("delivered", delivered), &parts)
}

fn bytes(counters: &ByteCounters) -> Equation {
    let ByteCounters { received, in_frames, skipped, duplicate, buffered, dropped, unaccounted: _ } =
        *counters;
    let parts = [
        ("in_frames", in_frames),
        ("skipped", skipped),
        ("duplicate", duplicate),
        ("buffered", buffered),
        ("dropped", dropped),
    ];
    equation("bytes", ("received", received), &parts)
}

fn frames(counters: &FrameCounters) -> Equation {
    let FrameCounters { found, decoded, undecoded, invalid: _, invalid_by_reason: _, unaccounted: _ } =
        counters;
    let mut sum = equation("frames", ("found", *found), &[("decoded", *decoded)]);
    if undecoded.0.is_empty() {
        sum.parts.push(("undecoded".into(), 0));
    }
    sum.parts
        .extend(undecoded.0.iter().map(|(reason, count)| (format!("undecoded({reason})").into(), *count)));
    sum
}

fn aligned(counters: &AlignmentCounters) -> Equation {
    let AlignmentCounters {
        offered,
        aligned,
        late,
        joining,
        duplicate,
        out_of_step,
        instants_full,
        rates_full,
        unaligned,
        ..
    } = *counters;
    let parts = [
        ("aligned", aligned),
        ("late", late),
        ("joining", joining),
        ("duplicate", duplicate),
        ("out_of_step", out_of_step),
        ("instants_full", instants_full),
        ("rates_full", rates_full),
        ("unaligned", unaligned),
    ];
    equation("alignment", ("offered", offered), &parts)
}

fn instants(counters: &AlignmentCounters) -> Equation {
    let AlignmentCounters { instants, complete, incomplete, cut, .. } = *counters;
    let parts = [("complete", complete), ("incomplete", incomplete), ("cut", cut)];
    equation("alignment", ("instants", instants), &parts)
}

fn causes(counters: &OverrunCounters) -> Equation {
    equation("overruns", ("overruns", counters.overruns), &counters.by_cause.0)
}

fn told(counters: &OverrunCounters) -> Equation {
    let parts = [("told", counters.told), ("untold", counters.untold)];
    equation("overruns", ("overruns", counters.overruns), &parts)
}

fn dropped(sums: &DropSums) -> [Equation; 4] {
    let DropSums { seen, ignored, matched, submitted, ring_full, told, untold, .. } = *sums;
    let DropSums { lost_before_hook, lost_after_hook, not_loss, unknown, .. } = *sums;
    let classes = [
        ("lost_before_hook", lost_before_hook),
        ("lost_after_hook", lost_after_hook),
        ("not_loss", not_loss),
        ("unknown", unknown),
    ];
    [
        equation("drops", ("seen", seen), &[("ignored", ignored), ("matched", matched)]),
        equation("drops", ("matched", matched), &[("submitted", submitted), ("ring_full", ring_full)]),
        equation("drops", ("submitted", submitted), &[("told", told), ("untold", untold)]),
        equation("drops", ("submitted", submitted), &classes),
    ]
}

fn missing(counters: &MissingCounters) -> Equation {
    let MissingCounters { missing, blamed, pending, unaccounted: _ } = counters;
    let mut sum = equation("missing", ("missing", *missing), &blamed.0);
    sum.parts.push(("pending".into(), *pending));
    sum
}

fn events(name: &'static str, counters: &EventCounters) -> Equation {
    let EventCounters { offered, taken, dropped, dropped_by_class: _, unaccounted: _ } = counters;
    let parts = [("taken", *taken), ("dropped", *dropped)];
    Equation { of: Some(name), ..equation("events", ("offered", *offered), &parts) }
}

fn equation(group: &'static str, total: (&'static str, u64), parts: &[(&'static str, u64)]) -> Equation {
    let term = |(name, count): (&'static str, u64)| (Cow::Borrowed(name), count);
    Equation { group, of: None, total: term(total), parts: parts.iter().copied().map(term).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Named;

    fn counters() -> Counters {
        Counters {
            packets: Some(PacketCounters {
                seen: 10,
                ignored: 3,
                submitted: 6,
                ring_full: 1,
                ..Default::default()
            }),
            records: RecordCounters {
                submitted: Some(6),
                delivered: 5,
                discarded: Some(0),
                pending: Some(1),
                carried: 4,
                no_payload: 1,
                ..Default::default()
            },
            bytes: ByteCounters { received: 400, in_frames: 390, skipped: 10, ..Default::default() },
            frames: FrameCounters {
                found: 4,
                decoded: 3,
                undecoded: Named(vec![("no_configuration", 1)]),
                ..Default::default()
            },
            alignment: Some(AlignmentCounters { offered: 3, aligned: 2, late: 1, ..Default::default() }),
            overruns: Some(OverrunCounters {
                overruns: 5,
                by_cause: Named(vec![("preempted", 2), ("page_fault", 0), ("unknown", 3)]),
                told: 1,
                untold: 4,
                unaccounted: 0,
            }),
            drops: Some(DropSums {
                seen: 9,
                ignored: 4,
                matched: 5,
                submitted: 4,
                ring_full: 1,
                told: 3,
                untold: 1,
                not_loss: 4,
                ..Default::default()
            }),
            missing: Some(MissingCounters {
                missing: 4,
                blamed: Named(vec![("pmu", 1), ("ring", 2)]),
                pending: 1,
                unaccounted: 0,
            }),
            events: Named(vec![(
                "data",
                EventCounters { offered: 9, taken: 8, dropped: 1, ..Default::default() },
            )]),
        }
    }

    #[test]
    fn every_group_is_spelt_out_and_adds_up() {
        let all = counters().equations();
        let shown: Vec<_> = all.iter().map(|one| format!("{} {one}", one.group)).collect();
        assert_eq!(
            shown,
            [
                "packets seen 10 = ignored 3 + submitted 6 + ring_full 1 + read_failed 0",
                "records submitted 6 = delivered 5 + discarded 0 + pending 1",
                "records delivered 5 = carried 4 + no_payload 1 + malformed 0",
                "bytes received 400 = in_frames 390 + skipped 10 + duplicate 0 + buffered 0 + dropped 0",
                "frames found 4 = decoded 3 + undecoded(no_configuration) 1",
                "alignment offered 3 = aligned 2 + late 1 + joining 0 + duplicate 0 + out_of_step 0 + instants_full 0 + \
                 rates_full 0 + unaligned 0",
                "alignment instants 0 = complete 0 + incomplete 0 + cut 0",
                "overruns overruns 5 = preempted 2 + page_fault 0 + unknown 3",
                "overruns overruns 5 = told 1 + untold 4",
                "drops seen 9 = ignored 4 + matched 5",
                "drops matched 5 = submitted 4 + ring_full 1",
                "drops submitted 4 = told 3 + untold 1",
                "drops submitted 4 = lost_before_hook 0 + lost_after_hook 0 + not_loss 4 + unknown 0",
                "missing missing 4 = pmu 1 + ring 2 + pending 1",
                "events offered 9 = taken 8 + dropped 1",
            ]
        );
        assert!(all.iter().all(|one| one.unaccounted() == 0));
        assert_eq!(all.last().and_then(|one| one.of), Some("data"));
    }

    #[test]
    fn a_capture_has_neither_packets_nor_a_ring() {
        let groups: Vec<_> = Counters::default().equations().iter().map(|one| one.group).collect();
        assert_eq!(groups, ["records", "bytes", "frames"]);
    }

    #[test]
    fn only_parts_that_are_zero_are_left_out_for_room() {
        let bytes = &counters().equations()[3];
        assert_eq!(bytes.within(200), bytes.to_string());
        assert_eq!(bytes.within(60), "received 400 = in_frames 390 + skipped 10 + duplicate 0");
        assert_eq!(bytes.within(10), "received 400 = in_frames 390 + skipped 10");
        let nothing = &Counters::default().equations()[1];
        assert_eq!(nothing.within(5), "received 0 = 0");
    }

    #[test]
    fn a_remainder_shows_whichever_side_is_larger() {
        let mut counters = counters();
        counters.bytes.received = 403;
        counters.frames.decoded = 5;
        let off: Vec<_> = counters.equations().iter().map(Equation::unaccounted).collect();
        assert_eq!(off, [0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
