//! What is known of losses: when, where, how many. Times are nanoseconds on a clock that is not set.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use monitor_core::event::{StreamKey, Transport};
use monitor_core::packet::InterfaceId;

use super::tally::{Blame, Cause, Certainty};

/// Pieces of news that wait for the hub, which takes them once a second.
const INBOX_MAX: usize = 65_536;
/// Losses, and dropped packets, that are remembered: the oldest are forgotten first.
const LOSSES_MAX: usize = 4_096;
const DROPPED_MAX: usize = 65_536;
/// Stretches of time that are remembered in which something was not read.
const UNREAD_MAX: usize = 256;
/// Drivers that copy the card's counters into the host's do so every two seconds (ixgbe, i40e: their service task), so
/// that a loss may show so much later.
const LAZY_NS: i64 = 2_000_000_000;

/// What tells of losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Watched {
    /// The counters of the ring and of the reader.
    Ring,
    /// The counters of the interfaces and of the softirqs.
    Host,
    /// The kernel's drops, one by one (`--drops`).
    Drops,
}

const WATCHED: usize = 3;

/// Packets, whosever they were, that were lost between two readings of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Not before this.
    pub from: i64,
    /// Nor after this.
    pub to: i64,
    /// On this interface; none where that is not known.
    pub interface: Option<InterfaceId>,
    /// Who.
    pub blame: Blame,
    /// Name of the counter.
    pub reason: Arc<str>,
    /// How many.
    pub packets: u64,
}

/// A packet of a watched flow that the kernel dropped, and that the hook has not had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedPacket {
    /// When.
    pub at: i64,
    /// Sender's IPv6 address, or IPv4-mapped one.
    pub source: [u8; 16],
    /// Receiver's.
    pub destination: [u8; 16],
    /// Over what.
    pub transport: Transport,
    /// The kernel's reason.
    pub reason: Arc<str>,
    /// [`Certainty::Window`] where it is not known that it was before the hook.
    pub evidence: Certainty,
}

/// Something that the hub is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something was lost.
    Lost(Loss),
    /// A packet was dropped.
    Dropped(DroppedPacket),
    /// All that was lost until then has been told.
    Read {
        /// By whom.
        what: Watched,
        /// Until when.
        until: i64,
    },
    /// It could not be told what was lost in that time.
    Unread {
        /// By whom.
        what: Watched,
        /// From then.
        from: i64,
        /// Until then.
        to: i64,
    },
}

/// Where news are left for the hub. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    news: Vec<News>,
    /// When the first and the last packet was dropped of which there was no place to tell.
    refused: Option<(i64, i64)>,
}

impl Inbox {
    /// Leaves something.
    pub fn leave(&self, news: News) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &news {
            News::Dropped(DroppedPacket { at, .. }) if waiting.news.len() >= INBOX_MAX => {
                let (first, last) = waiting.refused.unwrap_or((*at, *at));
                waiting.refused = Some((first.min(*at), last.max(*at)));
            }
            _ => waiting.news.push(news),
        }
    }

    fn take(&self) -> Vec<News> {
        let Waiting { mut news, refused } =
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        news.extend(refused.map(|(from, to)| News::Unread { what: Watched::Drops, from, to }));
        news
    }
}

/// The time in which frames were lost, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost<'a> {
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) interface: InterfaceId,
    pub(super) key: Option<&'a StreamKey>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    losses: VecDeque<Loss>,
    dropped: VecDeque<DroppedPacket>,
    /// For each that is watched from when, and until when it was read.
    read: [Option<(i64, i64)>; WATCHED],
    unread: Vec<(Watched, i64, i64)>,
}

impl Evidence {
    /// Takes in what was left.
    pub(super) fn hear(&mut self, inbox: &Inbox) {
        for news in inbox.take() {
            match news {
                News::Lost(loss) => self.losses.push_back(loss),
                News::Dropped(packet) => self.dropped.push_back(packet),
                News::Read { what, until } => {
                    let (_, read) = self.read[what as usize].get_or_insert((until, until));
                    *read = until.max(*read);
                }
                News::Unread { what, from, to } => self.unread.push((what, from, to)),
            }
        }
        self.losses.retain(|loss| loss.packets > 0);
        while self.losses.len() > LOSSES_MAX {
            let forgotten = self.losses.pop_front();
            let of =
                |loss: Loss| (if loss.blame == Blame::Ring { Watched::Ring } else { Watched::Host }, loss);
            self.unread.extend(forgotten.map(of).map(|(what, loss)| (what, loss.from, loss.to)));
        }
        while self.dropped.len() > DROPPED_MAX {
            let forgotten = self.dropped.pop_front();
            self.unread.extend(forgotten.map(|packet| (Watched::Drops, packet.at, packet.at)));
        }
        self.join_unread();
    }

    /// Where there are too many stretches, those of one kind are taken together: less is known then, never more.
    fn join_unread(&mut self) {
        if self.unread.len() <= UNREAD_MAX {
            return;
        }
        let mut joined: Vec<(Watched, i64, i64)> = Vec::new();
        for (what, from, to) in self.unread.drain(..) {
            match joined.iter_mut().find(|(of, ..)| *of == what) {
                Some((_, first, last)) => (*first, *last) = (from.min(*first), to.max(*last)),
                None => joined.push((what, from, to)),
            }
        }
        self.unread = joined;
    }

    /// Until when everything that is watched has been read; a loss of before then is known.
    pub(super) fn horizon(&self) -> i64 {
        let lazy = [0, LAZY_NS, 0];
        let read = self.read.iter().zip(lazy).filter_map(|(read, lazy)| Some(read.as_ref()?.1 - lazy));
        read.min().unwrap_or(i64::MIN)
    }

    /// Whether all of that time was read.
    pub(super) fn has_read(&self, what: Watched, lost: Lost<'_>) -> bool {
        let is_read = self.read[what as usize].is_some_and(|(from, _)| lost.since >= from);
        let overlaps =
            |&(of, from, to): &(Watched, i64, i64)| of == what && from <= lost.until && to >= lost.since;
        is_read && !self.unread.iter().any(overlaps)
    }

    /// Blames up to `frames` on packets of the flow that were dropped in that time; each is blamed once. Gives what is
    /// left of them.
    pub(super) fn blame_dropped(
        &mut self,
        lost: Lost<'_>,
        mut frames: u64,
        mut each: impl FnMut(Cause, u64),
    ) -> u64 {
        let Some(key) = lost.key else { return frames };
        let is_it = |packet: &DroppedPacket| {
            (packet.source, packet.destination, packet.transport)
                == (key.source, key.destination, key.transport)
                && (lost.since..=lost.until).contains(&packet.at)
        };
        while let Some(place) = self.dropped.iter().position(is_it).filter(|_| frames > 0) {
            let Some(DroppedPacket { reason, evidence, .. }) = self.dropped.remove(place) else { break };
            each(Cause { blame: Blame::Kernel, reason, evidence }, 1);
            frames -= 1;
        }
        frames
    }

    /// Blames up to `frames` on what counters of one kind have counted in that time; what they counted is blamed once.
    /// Gives what is left of them.
    pub(super) fn blame_counted(
        &mut self,
        blame: Blame,
        lost: Lost<'_>,
        mut frames: u64,
        mut each: impl FnMut(Cause, u64),
    ) -> u64 {
        // They stand in the order in which they were read, some readers' a little behind others'.
        let first = self.losses.partition_point(|loss| loss.to < lost.since.saturating_sub(LAZY_NS));
        for loss in self.losses.range_mut(first..) {
            let late = if loss.interface.is_some() { LAZY_NS } else { 0 };
            let within = loss.from.saturating_sub(late) <= lost.until && loss.to >= lost.since;
            let there = loss.interface.is_none_or(|interface| interface == lost.interface);
            if frames == 0 {
                break;
            }
            if !within || !there || loss.blame != blame {
                continue;
            }
            let blamed = frames.min(loss.packets);
            (loss.packets, frames) = (loss.packets - blamed, frames - blamed);
            each(Cause { blame, reason: Arc::clone(&loss.reason), evidence: Certainty::Window }, blamed);
        }
        frames
    }
}
