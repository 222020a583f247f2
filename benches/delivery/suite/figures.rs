//! What the rounds of one receiver under one model come to.

use serde_json::{Value, json};

use super::block::Measured;
use super::model::Model;
use super::receiver::Receiver;

/// The percentiles that are told, in thousandths, and their names.
const PERCENTILES: [(u64, &str); 5] =
    [(500, "p50"), (900, "p90"), (990, "p99"), (999, "p99.9"), (1000, "max")];

/// Latencies, nanoseconds, at [`PERCENTILES`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency([u64; PERCENTILES.len()]);

impl Latency {
    /// Of values that rise; none where there are none.
    fn of(rising: &[u64]) -> Option<Self> {
        let last = rising.len().checked_sub(1)?;
        let at = |permille: u64| usize::try_from((last as u64 * permille).div_ceil(1000)).ok();
        Some(Self(PERCENTILES.map(|(permille, _)| at(permille).map_or(0, |place| rising[place]))))
    }

    pub(crate) const fn all(&self) -> [u64; PERCENTILES.len()] {
        self.0
    }

    pub(crate) const fn p50(&self) -> u64 {
        self.0[0]
    }

    pub(crate) const fn p99(&self) -> u64 {
        self.0[2]
    }

    fn json(&self) -> Value {
        PERCENTILES.iter().zip(self.0).map(|((_, name), ns)| ((*name).to_owned(), json!(ns))).collect()
    }
}

/// One line of the table.
pub(crate) struct Figures {
    pub(crate) model: Model,
    pub(crate) receiver: Receiver,
    /// All rounds' frames together: from the receive stamp to the first look, and until decoded.
    pub(crate) looked: Option<Latency>,
    pub(crate) decoded: Option<Latency>,
    /// To the first look, of each round, in their order.
    pub(crate) rounds: Vec<Latency>,
    /// Shares, in percent.
    pub(crate) cpu: f64,
    pub(crate) met: f64,
    /// Frames measured; frames sent, received and counted as lost, those of the learning time included.
    pub(crate) frames: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// Rounds in which the clock of the packet sockets' stamps was set: their figures cannot be trusted.
    pub(crate) clock_steps: u64,
}

impl Figures {
    pub(crate) fn of(model: Model, receiver: Receiver, measured: &[Measured]) -> Self {
        let mut blocks: Vec<&Measured> =
            measured.iter().filter(|one| (one.model, one.receiver) == (model, receiver)).collect();
        blocks.sort_by_key(|block| block.round);
        let all = |which: fn(&Measured) -> &Vec<u64>| {
            let mut all: Vec<u64> = blocks.iter().copied().flat_map(which).copied().collect();
            all.sort_unstable();
            all
        };
        let sum = |which: fn(&Measured) -> u64| blocks.iter().copied().map(which).sum::<u64>();
        let looked = all(|block| &block.taken.looked);
        Self {
            model,
            receiver,
            looked: Latency::of(&looked),
            decoded: Latency::of(&all(|block| &block.taken.decoded)),
            rounds: blocks.iter().filter_map(|block| Latency::of(&block.taken.looked)).collect(),
            cpu: percent(sum(|block| block.taken.cpu), sum(|block| block.taken.elapsed)),
            met: percent(sum(|block| block.taken.met), sum(|block| block.taken.of)),
            frames: looked.len() as u64,
            sent: sum(|block| block.sent),
            received: sum(|block| block.taken.received),
            lost: sum(|block| block.taken.lost),
            clock_steps: sum(|block| u64::from(block.clock_moved.unsigned_abs() > MOVED_NS)),
        }
    }

    /// The least and the most p50 of a round.
    pub(crate) fn spread(&self) -> Option<(u64, u64)> {
        let p50 = || self.rounds.iter().map(Latency::p50);
        Some((p50().min()?, p50().max()?))
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "model": self.model.name(), "receiver": self.receiver.name(), "unit": "ns",
            "receive_to_look": self.looked.as_ref().map(Latency::json),
            "receive_to_decoded": self.decoded.as_ref().map(Latency::json),
            "rounds": self.rounds.iter().map(Latency::json).collect::<Vec<_>>(),
            "p50_of_rounds": self.spread().map(|(least, most)| [least, most]),
            "cpu_percent": self.cpu, "met_awake_percent": self.met,
            "frames_measured": self.frames, "frames_sent": self.sent,
            "frames_received": self.received, "frames_lost": self.lost,
            "clock_steps": self.clock_steps,
        })
    }
}

/// More than a clock is slewed in a block: it was set.
const MOVED_NS: u64 = 5_000_000;

/// A share; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share for a person to read")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
