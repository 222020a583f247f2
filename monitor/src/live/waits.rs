//! What the real-time thread does while there is nothing in the ring: it sleeps, looks, or sleeps until it must look.

use std::{fmt, hint, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Control, Share};
use crate::{
    reader::{LeftToBlock, Plan, Predictor, ReaderError, Sleep, Transport},
    rt,
    sys::{
        clock::monotonic_ns,
        sched::{self, CpuList},
    },
};

/// The longest wait: how late a stream's state may be told when nothing arrives.
const LONGEST_NS: u64 = 100_000_000;

/// How to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// Sleep; a record in the ring wakes.
    Block,
    /// Sleep until just before the next frame is due, then look without sleeping, within a share of a CPU.
    #[default]
    Predict,
    /// Look without sleeping: a whole CPU.
    Spin,
}

impl FromStr for Waiting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "block" => Ok(Self::Block),
            "predict" => Ok(Self::Predict),
            "spin" => Ok(Self::Spin),
            _ => Err(format!("'{text}' is no way to wait; there are block, predict and spin")),
        }
    }
}

impl<'de> Deserialize<'de> for Waiting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "block",
            Self::Predict => "predict",
            Self::Spin => "spin",
        })
    }
}

/// How a thread waits, where, and why not otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How.
    pub waiting: Waiting,
    /// What `predict` may take of a CPU.
    pub cap: Share,
    /// The CPUs that the thread is to stay on, where it is not bound to one.
    pub keep_to: Option<CpuList>,
    /// Why it does not wait as was asked for, if so: a sentence.
    pub refused: Option<String>,
    /// How it would wait instead of [`Waits::waiting`] once what refuses it is gone; none where nothing refuses it, or what
    /// does will not go.
    pub once_granted: Option<Waiting>,
}

impl Waits {
    /// Sleeps instead, for this reason and as long as it holds.
    pub fn refuse(&mut self, reason: &str) {
        self.refused = Some(format!("wait {} is not used, but block: {reason}", self.most()));
        self.once_granted = Some(self.most());
        (self.waiting, self.keep_to) = (Waiting::Block, None);
    }

    /// What the thread must be ready to do.
    fn most(&self) -> Waiting {
        self.once_granted.unwrap_or(self.waiting)
    }

    /// Keeps the calling thread where it may look without sleeping, with what it was granted.
    pub(super) fn settle_here(&mut self, granted: &rt::Outcome) {
        if self.most() == Waiting::Predict && !granted.is_real_time() {
            // Whatever else runs would keep it from being awake in time, and it would wait for nothing at others' cost.
            self.refuse("the thread has no real-time policy, and would not be awake in time");
            self.once_granted = None;
        }
        let Some(cpus) = self.keep_to.take() else { return };
        if let Err(error) = sched::keep_to(&cpus) {
            self.refuse(&format!(
                "the thread cannot be kept on CPUs {cpus}, off those that serve the card ({error})"
            ));
        }
    }
}

/// The waits of a thread, and what came of them.
pub(super) struct Waiter {
    waiting: Waiting,
    predictor: Option<Predictor>,
    /// When the thread last woke up, in nanoseconds of the monotonic clock.
    awake_since: u64,
    /// Sleeps that a record ended.
    pub(super) woken: u64,
    /// Packets that were taken.
    pub(super) packets: u64,
    /// Of them, those that were received while the thread was awake.
    pub(super) met: u64,
}

impl Waiter {
    /// All that it needs is allocated here.
    pub(super) fn new(waits: &Waits) -> Self {
        let (now, waiting) = (monotonic_ns(), waits.most());
        let predictor = (waiting == Waiting::Predict).then(|| Predictor::new(now, waits.cap.permille()));
        Self { waiting, predictor, awake_since: now, woken: 0, packets: 0, met: 0 }
    }

    /// A packet was taken: when it was received, by the monotonic clock, and the stream whose DATA it brought.
    pub(super) fn took(&mut self, received: u64, stream: Option<usize>) {
        self.packets += 1;
        self.met += u64::from(received >= self.awake_since);
        if let (Some(predictor), Some(stream)) = (&mut self.predictor, stream) {
            predictor.arrived(stream, received);
        }
    }

    /// What wakes a sleeping thread in spite of prediction; none where nothing is predicted.
    pub(super) fn left_to_block(&self) -> Option<LeftToBlock> {
        self.predictor.as_ref().map(Predictor::left_to_block)
    }

    /// Waits until there may be something in the ring, or something else to do.
    ///
    /// # Errors
    /// What ppoll says.
    pub(super) fn wait(&mut self, ring: &mut impl Transport, control: &Control) -> Result<(), ReaderError> {
        let now = monotonic_ns();
        let longest = now + LONGEST_NS;
        let plan = match (self.waiting, &mut self.predictor) {
            _ if !control.may_look() => Plan::Block,
            (Waiting::Spin, _) => Plan::Look { until: longest },
            (_, Some(predictor)) => predictor.plan(now),
            (_, None) => Plan::Block,
        };
        match plan {
            Plan::Look { until } => look(ring, control, until.min(longest)),
            Plan::Sleep { until } if until < longest => self.sleep(ring, control, now, until, Some(until))?,
            Plan::Sleep { .. } | Plan::Block => self.sleep(ring, control, now, longest, None)?,
        }
        Ok(())
    }

    fn sleep(
        &mut self,
        ring: &mut impl Transport,
        control: &Control,
        now: u64,
        until: u64,
        planned: Option<u64>,
    ) -> Result<(), ReaderError> {
        let ended = ring.sleep(&[control.fd()], until.saturating_sub(now))?;
        if ended == Sleep::NotNeeded {
            return Ok(());
        }
        self.woken += u64::from(ended == Sleep::Ring);
        self.awake_since = monotonic_ns();
        if let Some(predictor) = &mut self.predictor {
            predictor.slept(now, self.awake_since, planned.filter(|_| ended == Sleep::TimedOut));
        }
        Ok(())
    }
}

/// Looks without sleeping until there is a record, the time is over, or the thread is to end or to sleep.
fn look(ring: &mut impl Transport, control: &Control, until: u64) {
    while !ring.sight() && !control.stopping() && control.may_look() && monotonic_ns() < until {
        hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_written_as_it_is_read() {
        for waiting in [Waiting::Block, Waiting::Predict, Waiting::Spin] {
            assert_eq!(waiting.to_string().parse(), Ok(waiting));
        }
        assert!(
            "doze".parse::<Waiting>().is_err_and(|wrong| wrong.contains("'doze'") && wrong.contains("spin"))
        );
    }
}
