//! What the packet sockets' receivers share: a thread, and how a frame of theirs is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use monitor::rt;
use monitor::sys::clock::{monotonic_ns, realtime_ns};

use super::{Opened, Running, Task, demand};
use crate::suite::block::Taken;
use crate::suite::meter::Meter;
use crate::suite::traffic;

/// Longest wait: how late a thread notices that it is to end.
pub(super) const LONGEST_NS: u64 = 20_000_000;

/// Something to receive from.
pub(super) trait Source: Send + 'static {
    /// Once on the thread itself, before anything comes.
    fn begin(&mut self, _task: &Task) {}

    /// Takes what is there, or waits for it; gives whether there was anything.
    fn turn(&mut self, frames: &mut Looks) -> bool;

    /// Packets that there was no room for.
    fn lost(&self) -> u64;
}

/// Notes frames.
pub(super) struct Looks {
    meter: Meter,
    /// When the thread last woke up.
    pub(super) awake_since: u64,
}

/// A DATA frame that was looked at: what arrivals are learned from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Its stream's number.
    pub(super) stream: usize,
    /// When it was received, nanoseconds of the monotonic clock.
    pub(super) received: u64,
}

impl Looks {
    /// Looks at a packet: its way from the stamp is told on the stamp's own clock, so that no offset between clocks
    /// is part of it.
    pub(super) fn look(&mut self, packet: &[u8], stamp: i64) -> Option<Look> {
        let (real, now) = (realtime_ns(), monotonic_ns());
        let (stream, is_data) = traffic::stream_of(packet)?;
        // A clock that is set back between the two would tell of a look before the packet came.
        let way = u64::try_from(real - stamp).unwrap_or(0);
        let received = now.saturating_sub(way);
        self.meter.saw(received, way, None, received >= self.awake_since);
        is_data.then_some(Look { stream, received })
    }
}

pub(super) struct Socket<S>(pub(super) S);

impl<S: Source> Opened for Socket<S> {
    fn start(self: Box<Self>, task: &Task) -> Box<dyn Running> {
        let (task, Self(mut source)) = (*task, *self);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let (ready, started) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || {
            demand(&rt::apply_to_current_thread(&task.request()).unwrap());
            let meter = Meter::new(task.span, task.frames);
            let mut frames = Looks { meter, awake_since: monotonic_ns() };
            source.begin(&task);
            ready.send(()).unwrap();
            // Acquire: pairs with the Release in `stop`. What was sent before is received before.
            while source.turn(&mut frames) || !stopping.load(Ordering::Acquire) {}
            let lost = source.lost();
            let Meter { received, met, .. } = frames.meter;
            let (cpu, elapsed) = frames.meter.used();
            let of = frames.meter.looked.len() as u64;
            Taken { received, lost, met, of, looked: frames.meter.looked, decoded: Vec::new(), cpu, elapsed }
        });
        started.recv().unwrap();
        Box::new(Reading { stop, thread })
    }
}

struct Reading {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Taken>,
}

impl Running for Reading {
    fn stop(self: Box<Self>) -> Taken {
        // Release: pairs with the Acquire in the thread's loop.
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}
