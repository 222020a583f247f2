//! One block: one model of arrivals, one receiver, some seconds.

use std::thread;
use std::time::Duration;

use monitor::clock;
use monitor::sys::clock::monotonic_ns;

use super::meter::Span;
use super::model::Model;
use super::options::Length;
use super::receiver::{Receiver, Task};
use super::scene::Scene;
use super::traffic::Traffic;

/// From the receiver being ready to the first packet.
const BEFORE: u64 = 20_000_000;
/// So long it is sent beyond what is measured: the last frames measured are followed by others.
const BEYOND: Duration = Duration::from_millis(100);
/// From the last packet until the receiver is told to stop: the longest way to wait for a frame has ended by then.
const AFTER: Duration = Duration::from_millis(50);

pub(crate) struct Block {
    pub(crate) model: Model,
    pub(crate) receiver: Receiver,
    pub(crate) round: u64,
    pub(crate) seed: u64,
    pub(crate) length: Length,
}

/// What came of a block.
pub(crate) struct Measured {
    pub(crate) model: Model,
    pub(crate) receiver: Receiver,
    pub(crate) round: u64,
    pub(crate) sent: u64,
    pub(crate) taken: Taken,
    /// How much `CLOCK_REALTIME` was moved against the monotonic clock meanwhile, nanoseconds, where it can be told.
    pub(crate) clock_moved: i64,
}

/// What a receiver leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Frames that it received, and those that it or the kernel counted as lost.
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// Frames measured that met an awake reader, of so many.
    pub(crate) met: u64,
    pub(crate) of: u64,
    /// Nanoseconds from the receive stamp, rising.
    pub(crate) looked: Vec<u64>,
    pub(crate) decoded: Vec<u64>,
    /// CPU time of so much time, nanoseconds.
    pub(crate) cpu: u64,
    pub(crate) elapsed: u64,
}

impl Block {
    pub(crate) fn run(&self, scene: &mut Scene) -> Measured {
        let Self { model, receiver, round, seed, length } = *self;
        let traffic = Traffic::new(model, length.learning + length.measured + BEYOND, seed ^ round << 32);
        let sent = traffic.packets();
        let opened = receiver.open(scene, model);
        let (sender, cpus) = (scene.sender(), scene.cpus());
        let clock_before = clock::measure();
        let begin = monotonic_ns() + BEFORE;
        let from = begin + nanoseconds(length.learning);
        let span = Span { from, until: from + nanoseconds(length.measured) };
        let task = Task { span, frames: sent, cpu: cpus.reader, cap: model.cap() };
        let running = opened.start(&task);
        traffic.send(sender, begin, cpus.sender).join().unwrap();
        thread::sleep(AFTER);
        let mut taken = running.stop();
        let clock_moved = clock::measure().stepped_since(&clock_before).unwrap_or(0);
        taken.looked.sort_unstable();
        taken.decoded.sort_unstable();
        Measured { model, receiver, round, sent: sent as u64, taken, clock_moved }
    }
}

fn nanoseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap()
}
