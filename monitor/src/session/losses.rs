//! The host's own counters of losses while a run lasts, and those of ring and reader: for the outputs, and for the hub,
//! which blames missing frames by them.

use std::{
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use monitor_common::PacketCounters;
use monitor_core::event::FragmentCounts;

use super::Notices;
use crate::{
    hub::{Blame, Inbox, Loss, News, Watched, losses_between},
    live::{Board, Snapshot},
    losses::{HostLosses, Sampler},
    probe::{Interface, Kernel},
    sys::clock::monotonic_ns,
};

/// How often the host's are read: often enough that an interface which is made anew takes little with it.
const READ_EVERY: Duration = Duration::from_secs(1);

/// What the host's counters said last. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<Option<HostLosses>>>);

impl Shown {
    pub(super) fn get(&self) -> Option<HostLosses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, losses: &HostLosses) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(losses.clone());
    }
}

/// What kernel and real-time thread have counted as lost since the maps were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RingLosses {
    ring_full: u64,
    read_failed: u64,
    /// Records that never became a packet.
    malformed: u64,
    /// Packets whose fragments found no place here.
    fragments: u64,
}

impl RingLosses {
    const fn of(kernel: &PacketCounters, snapshot: &Snapshot) -> Self {
        let PacketCounters { ring_full, read_failed, .. } = *kernel;
        let FragmentCounts { evicted, no_place, .. } = snapshot.counts.flows.fragments;
        Self { ring_full, read_failed, malformed: snapshot.turns.malformed, fragments: evicted + no_place }
    }

    /// What has grown: who, the counter, how much.
    fn since(&self, before: &Self) -> [(Blame, &'static str, u64); 4] {
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        let ring_full = grown(self.ring_full, before.ring_full);
        let read_failed = grown(self.read_failed, before.read_failed);
        // The parts of a packet that was refused in part are counted as malformed, and the packet already.
        let malformed = grown(self.malformed, before.malformed).saturating_sub(ring_full + read_failed);
        [
            (Blame::Ring, "ring_full", ring_full),
            (Blame::Ring, "read_failed", read_failed),
            (Blame::Reader, "malformed", malformed),
            (Blame::Reader, "fragments", grown(self.fragments, before.fragments)),
        ]
    }
}

/// Reads them now and then. Without them a run goes on all the same.
pub(super) struct Losses {
    sampler: Option<Sampler>,
    shown: Shown,
    inbox: Inbox,
    /// What the host's counters said when they were last read, and when that was begun.
    host: (HostLosses, i64),
    ring: (RingLosses, i64),
    due: Instant,
    /// Whether it was said that they cannot be read.
    failure_said: bool,
}

fn now() -> i64 {
    i64::try_from(monotonic_ns()).unwrap_or(i64::MAX)
}

impl Losses {
    /// From now on. What the ring has refused before, without a reader, is told as lost before now.
    pub(super) fn start(interfaces: &[Interface], kernel: &Kernel, notices: &Notices) -> Self {
        let begun = now();
        let mut losses = Self {
            sampler: None,
            shown: Shown::default(),
            inbox: Inbox::default(),
            host: (HostLosses::default(), begun),
            ring: (RingLosses::default(), i64::MIN),
            due: Instant::now() + READ_EVERY,
            failure_said: false,
        };
        losses.read_ring(kernel, &Snapshot::default());
        match Sampler::start(PathBuf::from("/")) {
            Ok(sampler) => losses.sampler = Some(sampler),
            Err(error) => losses.say(&error.to_string(), notices),
        }
        if losses.sampler.is_some() && losses.watch(interfaces, notices) {
            losses.inbox.leave(News::Read { what: Watched::Host, until: now() });
        }
        losses
    }

    /// Where the hub hears of losses.
    pub(super) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// What the host's counters said last.
    pub(super) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// Reads those of ring and reader, and those of the host where it is time to.
    pub(super) fn look(&mut self, present: &[Interface], kernel: &Kernel, board: &Board, notices: &Notices) {
        self.read_ring(kernel, &board.read());
        if Instant::now() >= self.due {
            self.due = Instant::now() + READ_EVERY;
            let watched = self.watch(present, notices);
            self.sample(watched, notices);
        }
    }

    /// Reads them a last time.
    pub(super) fn finish(mut self, kernel: &Kernel, board: &Board, notices: &Notices) -> Option<HostLosses> {
        self.read_ring(kernel, &board.read());
        self.sample(true, notices);
        self.sampler.map(|sampler| sampler.losses())
    }

    fn read_ring(&mut self, kernel: &Kernel, snapshot: &Snapshot) {
        let (what, begun) = (Watched::Ring, now());
        let (before, from) = self.ring;
        let Ok(counters) = kernel.counters() else {
            return self.inbox.leave(News::Unread { what, from, to: now() });
        };
        let losses = RingLosses::of(&counters, snapshot);
        let to = now();
        for (blame, reason, packets) in losses.since(&before) {
            if packets > 0 {
                let reason = reason.into();
                self.inbox.leave(News::Lost(Loss { from, to, interface: None, blame, reason, packets }));
            }
        }
        self.ring = (losses, begun);
        self.inbox.leave(News::Read { what, until: begun });
    }

    /// Whether every interface that is there is read.
    fn watch(&mut self, interfaces: &[Interface], notices: &Notices) -> bool {
        let Some(sampler) = &mut self.sampler else { return false };
        let watched = interfaces.iter().map(|one| sampler.watch(&one.netns, one.key, one.id, &one.name));
        let failed = watched.filter_map(Result::err).last();
        let all = failed.is_none();
        if let Some(error) = failed {
            self.say(&error.to_string(), notices);
        }
        all
    }

    fn sample(&mut self, watched: bool, notices: &Notices) {
        let Some(sampler) = &mut self.sampler else { return };
        let (what, begun) = (Watched::Host, now());
        let read = sampler.sample();
        let losses = sampler.losses();
        let (to, (before, from)) = (now(), &self.host);
        let from = *from;
        for loss in losses_between(before, &losses, from, to) {
            self.inbox.leave(News::Lost(loss));
        }
        let resets = |losses: &HostLosses| losses.interfaces.iter().map(|one| one.resets).sum::<u64>();
        if read.is_err() || !watched || resets(before) < resets(&losses) {
            self.inbox.leave(News::Unread { what, from, to });
        }
        self.inbox.leave(News::Read { what, until: begun });
        self.shown.set(&losses);
        self.host = (losses, begun);
        if let Err(error) = read {
            self.say(&error.to_string(), notices);
        }
    }

    fn say(&mut self, what: &str, notices: &Notices) {
        if !mem::replace(&mut self.failure_said, true) {
            notices.say(format!("the host's counters of losses are not all read: {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_refused_in_part_is_counted_once() {
        let before = RingLosses { ring_full: 5, ..RingLosses::default() };
        let now = RingLosses { ring_full: 8, malformed: 4, fragments: 2, ..RingLosses::default() };
        let grown = now.since(&before).map(|(_, reason, packets)| (reason, packets));
        assert_eq!(grown, [("ring_full", 3), ("read_failed", 0), ("malformed", 1), ("fragments", 2)]);
    }
}
