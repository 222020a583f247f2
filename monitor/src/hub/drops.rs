//! Packets of watched flows that the kernel dropped, as the outputs show them.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

/// Where a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropPlace {
    /// Before the hook had it: it is lost to the monitor.
    BeforeHook,
    /// After the hook had it: it is lost to whoever else on this host was to have it.
    AfterHook,
    /// Nothing shows where.
    Unknown,
}

impl DropPlace {
    /// As in the JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeHook => "before_hook",
            Self::AfterHook => "after_hook",
            Self::Unknown => "unknown",
        }
    }
}

/// One packet: an NDJSON line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename = "drop")]
pub struct DropLine {
    /// When: UTC nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// The interface; absent where it is no longer known.
    pub iface: Option<Arc<str>>,
    /// Sender; port 0 where the packet is a fragment.
    pub src: SocketAddr,
    /// Receiver, likewise.
    pub dst: SocketAddr,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// The kernel's reason, without `SKB_DROP_REASON_`.
    pub reason: Arc<str>,
    /// Where.
    #[serde(rename = "where")]
    pub place: DropPlace,
    /// Whether somebody on this host was to have it.
    pub loss: bool,
    /// Bytes of the IP packet.
    pub length: u32,
}

/// Packets of one reason and place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DropReason {
    /// The kernel's reason, without `SKB_DROP_REASON_`.
    pub reason: Arc<str>,
    /// Where.
    #[serde(rename = "where")]
    pub place: DropPlace,
    /// Whether somebody on this host was to have them.
    pub loss: bool,
    /// How many.
    pub packets: u64,
}

/// Packets that the kernel dropped while the run lasted: `seen = ignored + matched`,
/// `matched = submitted + ring_full`, and `submitted` is `told + untold`, the sum of the four classes, and that of
/// `by_reason`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DropSummary {
    /// All on this host.
    pub seen: u64,
    /// Of no watched interface or flow.
    pub ignored: u64,
    /// Of watched flows.
    pub matched: u64,
    /// Of which there is a record.
    pub submitted: u64,
    /// With a line of their own.
    pub told: u64,
    /// Counted here alone: more than are told in a second.
    pub untold: u64,
    /// Of which nothing but their number is known: their ring was full.
    pub ring_full: u64,
    /// Lost to the monitor.
    pub lost_before_hook: u64,
    /// Lost to whoever else on this host was to have them.
    pub lost_after_hook: u64,
    /// For another host, for no socket, or of a protocol that nobody takes.
    pub not_loss: u64,
    /// Lost, and nothing shows where.
    pub unknown: u64,
    /// By reason and place, the most first.
    pub by_reason: Vec<DropReason>,
    /// The sums' remainders.
    pub unaccounted: u64,
}

impl DropSummary {
    /// Computes the classes and the remainders.
    pub fn settle(&mut self) {
        let sum = |of: &dyn Fn(&DropReason) -> bool| {
            self.by_reason.iter().filter(|one| of(one)).map(|one| one.packets).sum()
        };
        let at = |place| sum(&|one| one.loss && one.place == place);
        let (before, after, unknown) =
            (at(DropPlace::BeforeHook), at(DropPlace::AfterHook), at(DropPlace::Unknown));
        let not_loss = sum(&|one| !one.loss);
        (self.lost_before_hook, self.lost_after_hook) = (before, after);
        (self.not_loss, self.unknown) = (not_loss, unknown);
        self.unaccounted = DropSums::from(&*self).unaccounted;
    }
}

/// The same among the counters: `seen = ignored + matched`, `matched = submitted + ring_full`, `submitted = told + untold`,
/// `submitted = lost_before_hook + lost_after_hook + not_loss + unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DropSums {
    /// As [`DropSummary::seen`].
    pub seen: u64,
    /// As [`DropSummary::ignored`].
    pub ignored: u64,
    /// As [`DropSummary::matched`].
    pub matched: u64,
    /// As [`DropSummary::submitted`].
    pub submitted: u64,
    /// As [`DropSummary::ring_full`].
    pub ring_full: u64,
    /// As [`DropSummary::told`].
    pub told: u64,
    /// As [`DropSummary::untold`].
    pub untold: u64,
    /// As [`DropSummary::lost_before_hook`].
    pub lost_before_hook: u64,
    /// As [`DropSummary::lost_after_hook`].
    pub lost_after_hook: u64,
    /// As [`DropSummary::not_loss`].
    pub not_loss: u64,
    /// As [`DropSummary::unknown`].
    pub unknown: u64,
    /// The remainders of the four sums.
    pub unaccounted: u64,
}

impl From<&DropSummary> for DropSums {
    fn from(summary: &DropSummary) -> Self {
        let DropSummary { seen, ignored, matched, submitted, told, untold, ring_full, .. } = *summary;
        let DropSummary { lost_before_hook, lost_after_hook, not_loss, unknown, .. } = *summary;
        let unaccounted = seen.abs_diff(ignored + matched)
            + matched.abs_diff(submitted + ring_full)
            + submitted.abs_diff(told + untold)
            + submitted.abs_diff(lost_before_hook + lost_after_hook + not_loss + unknown);
        Self {
            seen,
            ignored,
            matched,
            submitted,
            ring_full,
            told,
            untold,
            lost_before_hook,
            lost_after_hook,
            not_loss,
            unknown,
            unaccounted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reason: &str, place: DropPlace, loss: bool, packets: u64) -> DropReason {
        DropReason { reason: reason.into(), place, loss, packets }
    }

    #[test]
    fn every_packet_is_in_one_class_and_what_is_missing_is_told() {
        let mut summary = DropSummary {
            seen: 20,
            ignored: 8,
            matched: 12,
            submitted: 10,
            told: 7,
            untold: 3,
            ring_full: 2,
            by_reason: vec![
                of("SOCKET_RCVBUFF", DropPlace::AfterHook, true, 4),
                of("NO_SOCKET", DropPlace::AfterHook, false, 3),
                of("TC_INGRESS", DropPlace::BeforeHook, true, 2),
                of("CPU_BACKLOG", DropPlace::Unknown, true, 1),
            ],
            ..DropSummary::default()
        };
        summary.settle();
        let DropSummary { lost_before_hook, lost_after_hook, not_loss, unknown, unaccounted, .. } = summary;
        assert_eq!((lost_before_hook, lost_after_hook, not_loss, unknown, unaccounted), (2, 4, 3, 1, 0));
        summary.untold += 1;
        summary.settle();
        assert_eq!(summary.unaccounted, 1, "one too many taken");
        summary.by_reason[0].packets += 2;
        summary.settle();
        assert_eq!(summary.unaccounted, 3, "and two too many in a class");
    }
}
