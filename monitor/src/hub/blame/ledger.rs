//! The missing frames of every stream, until each is blamed and as long as it may still come.

use std::collections::{BTreeMap, VecDeque};

use monitor_core::event::{Carriage, Gap, Missing, StreamId, StreamKey};
use monitor_core::packet::InterfaceId;

use super::evidence::{Evidence, Inbox, Lost, Watched};
use super::tally::{Blame, BlameRow, Cause, Certainty, MissingCounters, Tally};
use crate::hub::summary::Named;

/// Gaps of one stream that wait; where there is one more, it is taken together with the last.
const PENDING_MAX: usize = 1_024;
/// Gaps of one stream that are remembered after they were settled, for frames that come late.
const SETTLED_MAX: usize = 128;

/// Some missing frames next to each other.
#[derive(Clone, Debug)]
struct Held {
    gap: Gap,
    /// Index of the last of them.
    last: u64,
    /// Those that have not come late.
    left: u64,
    interface: InterfaceId,
    /// What they are blamed on; none while that is not known.
    blamed: Option<Tally>,
}

impl Held {
    const fn has(&self, index: u64) -> bool {
        self.gap.first <= index && index <= self.last && self.left > 0
    }
}

/// What is known of one stream's missing frames at one moment: `missing` is the sum of the blames and of `pending`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingView {
    missing: u64,
    tally: Tally,
    pending: u64,
}

impl MissingView {
    /// By whom, and those that are `pending`; what is 0 is left out.
    #[must_use]
    pub fn named(&self) -> Named<u64> {
        let blames = Blame::ALL.into_iter().map(Blame::name).zip(self.tally.by_blame());
        let all = blames.chain([("pending", self.pending)]);
        Named(all.filter(|(_, frames)| *frames > 0).collect())
    }

    /// Of several streams.
    #[must_use]
    pub fn sum<'a>(views: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for view in views {
            sum.missing += view.missing;
            sum.pending += view.pending;
            sum.tally.add_all(&view.tally);
        }
        sum
    }

    /// As the counters show it.
    #[must_use]
    pub fn counters(&self) -> MissingCounters {
        MissingCounters::new(self.missing, self.tally.by_blame(), self.pending)
    }

    /// By cause, the most first.
    #[must_use]
    pub fn rows(&self) -> Vec<BlameRow> {
        self.tally.rows()
    }
}

#[derive(Debug, Default)]
struct Account {
    key: Option<StreamKey>,
    /// The oldest first; those that are settled before those that are not.
    settled: VecDeque<Held>,
    waiting: VecDeque<Held>,
    tally: Tally,
    /// Frames that came late and of which it was never told that they are missing.
    overdrawn: u64,
}

impl Account {
    fn open(&mut self, gap: Gap, interface: InterfaceId) {
        let last = gap.first + u64::from(gap.frames.max(1)) - 1;
        let held = Held { gap, last, left: gap.frames.into(), interface, blamed: None };
        let full = self.waiting.len() >= PENDING_MAX;
        match self.waiting.back_mut().filter(|_| full) {
            Some(before) => before.join(&held),
            None => self.waiting.push_back(held),
        }
    }

    /// A frame came late.
    fn fill(&mut self, index: u64) {
        if let Some(held) = self.waiting.iter_mut().rev().find(|held| held.has(index)) {
            held.left -= 1;
            return;
        }
        let known = self.settled.iter_mut().rev().find(|held| held.has(index));
        let cause = known.and_then(|held| {
            held.left -= 1;
            held.blamed.as_mut().and_then(Tally::take_back)
        });
        let taken = cause.is_some_and(|cause| self.tally.remove(&cause)) || self.tally.take_back().is_some();
        self.overdrawn += u64::from(!taken);
    }

    fn pending(&self) -> u64 {
        self.waiting.iter().map(|held| held.left).sum()
    }

    fn keep(&mut self, held: Held) {
        if let Some(blamed) = &held.blamed {
            self.tally.add_all(blamed);
        }
        self.settled.push_back(held);
        if self.settled.len() > SETTLED_MAX {
            self.settled.pop_front();
        }
    }

    /// `untold`: how many more are missing than were told of.
    fn view(&self, missing: u64, untold: i32) -> MissingView {
        let (mut tally, mut pending) = (self.tally.clone(), self.pending());
        let more = i64::from(untold).saturating_sub_unsigned(self.overdrawn);
        if let Ok(more) = u64::try_from(more) {
            tally.add(Cause::new(Blame::Unknown, "untold", Certainty::None), more);
        }
        for _ in more..0 {
            if tally.take_back().is_none() {
                pending = pending.saturating_sub(1);
            }
        }
        MissingView { missing, tally, pending }
    }
}

impl Held {
    /// Takes in the gap behind it: less is known of when each was lost.
    fn join(&mut self, next: &Self) {
        let (mine, its) = (&mut self.gap, &next.gap);
        mine.since = mine.since.zip(its.since).map(|(one, other)| one.min(other));
        mine.until = mine.until.max(its.until);
        mine.first = mine.first.min(its.first);
        mine.damaged = mine.damaged.saturating_add(its.damaged);
        mine.unplaced = mine.unplaced.saturating_add(its.unplaced);
        if mine.carriage != its.carriage {
            mine.carriage = Carriage::Apart;
        }
        self.last = self.last.max(next.last);
        self.left += next.left;
    }

    fn width(&self) -> i64 {
        self.gap.until.saturating_sub(self.gap.since.unwrap_or(i64::MIN))
    }
}

/// Of all streams.
#[derive(Debug, Default)]
pub struct Ledger {
    inbox: Inbox,
    evidence: Evidence,
    accounts: BTreeMap<StreamId, Account>,
}

impl Ledger {
    /// With a place where news are left. Nothing is watched until the first of them says so.
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        Self { inbox, ..Self::default() }
    }

    /// What is missing of a stream has changed.
    pub fn note(
        &mut self,
        stream: StreamId,
        key: Option<&StreamKey>,
        interface: InterfaceId,
        missing: Missing,
    ) {
        let account = self.accounts.entry(stream).or_default();
        account.key = account.key.or(key.copied());
        match missing {
            Missing::Opened(gap) => account.open(gap, interface),
            Missing::Filled { index } => account.fill(index),
        }
    }

    /// Blames what can be blamed by now.
    pub fn settle(&mut self) {
        self.evidence.hear(&self.inbox);
        let horizon = self.evidence.horizon();
        self.settle_until(horizon);
    }

    /// Blames everything: nothing more will be known.
    pub fn finish(&mut self) {
        self.evidence.hear(&self.inbox);
        self.settle_until(i64::MAX);
    }

    /// What is known of a stream by which so many frames are missing, `untold` more than were told of.
    #[must_use]
    pub fn view(&self, stream: StreamId, missing: u32, untold: i32) -> MissingView {
        let missing = u64::from(missing);
        self.accounts
            .get(&stream)
            .map_or_else(|| Account::default().view(missing, untold), |account| account.view(missing, untold))
    }

    fn settle_until(&mut self, horizon: i64) {
        let Self { evidence, accounts, .. } = self;
        let mut due = Vec::new();
        for (id, account) in accounts.iter_mut() {
            let (ready, waiting): (Vec<_>, Vec<_>) =
                account.waiting.drain(..).partition(|held| held.gap.until <= horizon);
            account.waiting = waiting.into();
            due.extend(ready.into_iter().map(|held| (*id, held)));
        }
        // The earliest to end takes the earliest losses, and of those that end together the shortest chooses first: what a
        // later gap may need is left to it.
        let mut order: Vec<usize> = (0..due.len()).collect();
        order.sort_by_key(|place| (due[*place].1.gap.until, due[*place].1.width()));
        for place in order {
            let (id, held) = &mut due[place];
            let key = accounts.get(id).and_then(|account| account.key);
            held.blamed = Some(judge(evidence, held, key.as_ref()));
        }
        for (id, held) in due {
            accounts.entry(id).or_default().keep(held);
        }
    }
}

/// What each of some frames is blamed on.
fn judge(evidence: &mut Evidence, held: &Held, key: Option<&StreamKey>) -> Tally {
    let Held { gap, left, interface, .. } = held;
    let lost = Lost { since: gap.since.unwrap_or(i64::MIN), until: gap.until, interface: *interface, key };
    let (mut tally, mut left) = (Tally::default(), *left);
    let mut seen = |tally: &mut Tally, blame, reason, frames: u64| {
        let frames = frames.min(left);
        tally.add(Cause::new(blame, reason, Certainty::Exact), frames);
        left -= frames;
    };
    seen(&mut tally, Blame::Wire, "damaged", gap.damaged.into());
    seen(&mut tally, Blame::Reader, "no_configuration", gap.unplaced.into());
    match gap.carriage {
        Carriage::Whole => seen(&mut tally, Blame::Pmu, "not_sent", u64::MAX),
        Carriage::GivenUp => seen(&mut tally, Blame::Reader, "given_up", u64::MAX),
        Carriage::Torn | Carriage::Apart => {}
    }
    left = evidence.blame_dropped(lost, left, |cause, frames| tally.add(cause, frames));
    for blame in [Blame::Ring, Blame::Reader, Blame::Nic, Blame::Wire, Blame::Kernel] {
        left = evidence.blame_counted(blame, lost, left, |cause, frames| tally.add(cause, frames));
    }
    let counted = evidence.has_read(Watched::Ring, lost) && evidence.has_read(Watched::Host, lost);
    let sure =
        if counted && evidence.has_read(Watched::Drops, lost) { Certainty::Window } else { Certainty::None };
    if gap.carriage == Carriage::Torn {
        tally.add(Cause::new(Blame::Wire, "tcp_gap", sure), left);
        return tally;
    }
    left = evidence.blame_counted(Blame::Unknown, lost, left, |cause, frames| tally.add(cause, frames));
    let rest = if counted {
        Cause::new(Blame::Pmu, "no_loss_seen", sure)
    } else {
        Cause::new(Blame::Unknown, "not_read", Certainty::None)
    };
    tally.add(rest, left);
    tally
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
