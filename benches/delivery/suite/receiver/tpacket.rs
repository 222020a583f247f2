//! A packet socket's mapped ring: waiting by poll, or by the same timed wait as the BPF ring's reader.

use std::hint;
use std::os::fd::AsFd as _;

use monitor::reader::{Plan, Predictor};
use monitor::sys::clock::monotonic_ns;
use monitor::sys::poll::{self, Wake};
use monitor::sys::tpacket::{PacketRing, Version};

use super::socket::{LONGEST_NS, Looks, Socket, Source};
use super::{Opened, Task};
use crate::suite::scene::Scene;

struct Tpacket {
    ring: PacketRing,
    timed: bool,
    predictor: Option<Predictor>,
}

pub(super) fn open(scene: &mut Scene, version: Version, timed: bool) -> Box<dyn Opened> {
    let ring = scene.open(|index| PacketRing::open(index, version));
    Box::new(Socket(Tpacket { ring, timed, predictor: None }))
}

impl Source for Tpacket {
    fn begin(&mut self, task: &Task) {
        self.predictor = self.timed.then(|| Predictor::new(monotonic_ns(), task.cap.permille()));
    }

    fn turn(&mut self, frames: &mut Looks) -> bool {
        let Self { ring, predictor, .. } = self;
        let taken = ring.drain(|frame| {
            let look = frames.look(frame.bytes, frame.stamp_ns);
            if let (Some(predictor), Some(look)) = (predictor.as_mut(), look) {
                predictor.arrived(look.stream, look.received);
            }
        });
        if taken == 0 {
            self.wait(frames);
        }
        taken > 0
    }

    fn lost(&self) -> u64 {
        self.ring.dropped().unwrap()
    }
}

impl Tpacket {
    /// As the live loop waits.
    fn wait(&mut self, frames: &mut Looks) {
        let now = monotonic_ns();
        let longest = now + LONGEST_NS;
        match self.predictor.as_mut().map_or(Plan::Block, |predictor| predictor.plan(now)) {
            Plan::Look { until } => {
                while !self.ring.has_frames() && monotonic_ns() < until.min(longest) {
                    hint::spin_loop();
                }
            }
            Plan::Sleep { until } if until < longest => self.sleep(frames, now, until, Some(until)),
            Plan::Sleep { .. } | Plan::Block => self.sleep(frames, now, longest, None),
        }
    }

    fn sleep(&mut self, frames: &mut Looks, now: u64, until: u64, planned: Option<u64>) {
        if self.ring.has_frames() {
            return;
        }
        let woke = poll::poll(&[self.ring.as_fd()], Some(until.saturating_sub(now))).unwrap();
        frames.awake_since = monotonic_ns();
        if let Some(predictor) = &mut self.predictor {
            predictor.slept(now, frames.awake_since, planned.filter(|_| woke == Wake::TimedOut));
        }
    }
}
