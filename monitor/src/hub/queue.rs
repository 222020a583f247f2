//! The queue between the real-time thread and the hub: two lanes, each a ring of events beside a ring of bytes.
//!
//! The data lane may overflow; the control lane (new streams, configurations) is a smaller one of its own, which data
//! cannot crowd out. Both rings of a lane are bounded, allocated and touched at the start. The sender never blocks and
//! makes at most one system call a batch, and that only where the hub said that it sleeps.

mod lane;
mod sleep;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monitor_core::event::{Class, Classes, Event, Outlet, QueueCounts};

use lane::{LaneReceiver, LaneSender};
use sleep::Doorbell;

/// How much each lane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneBounds {
    /// Events; each costs 128 bytes.
    pub events: usize,
    /// Bytes that they speak of.
    pub bytes: usize,
}

/// How much the queue holds; all of it is resident from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// Packets, frames, states of streams.
    pub data: LaneBounds,
    /// New streams and configurations.
    pub control: LaneBounds,
}

impl Default for QueueBounds {
    /// 6.5 MiB in all: 128 ms of 32 merging units, or 2.7 s of 120 PMUs at 50 frames/s; a configuration for each of
    /// 256 streams at once.
    fn default() -> Self {
        Self {
            data: LaneBounds { events: 16_384, bytes: 3 << 20 },
            control: LaneBounds { events: 4_096, bytes: 1 << 20 },
        }
    }
}

/// What the two lanes were offered and took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// The data lane.
    pub data: QueueCounts,
    /// The control lane.
    pub control: QueueCounts,
}

impl LaneCounts {
    /// Both lanes together.
    #[must_use]
    pub fn total(&self) -> QueueCounts {
        let mut total = self.data;
        for class in 0..Class::ALL.len() {
            total.offered[class] += self.control.offered[class];
            total.taken[class] += self.control.taken[class];
            total.dropped[class] += self.control.dropped[class];
        }
        total
    }
}

/// Makes the queue. `wants` is what the sinks want together; new streams and configurations are added to it, because
/// names come from them, and what is missing, which the hub blames.
///
/// # Errors
/// Where the process has no descriptor left for the eventfd.
pub fn channel(bounds: &QueueBounds, wants: Classes) -> io::Result<(QueueSender, QueueReceiver)> {
    let wants = wants.with(Class::Opened).with(Class::Config).with(Class::Missing);
    let (data_sender, data_receiver) = lane::lane(bounds.data);
    let (control_sender, control_receiver) = lane::lane(bounds.control);
    let doorbell = Arc::new(Doorbell::new()?);
    let passed = Arc::new(AtomicU64::new(0));
    let sender = QueueSender {
        data: data_sender,
        control: control_sender,
        wants,
        counts: LaneCounts::default(),
        taken: 0,
        fresh: false,
        doorbell: Arc::clone(&doorbell),
        passed: Arc::clone(&passed),
    };
    let receiver = QueueReceiver { data: data_receiver, control: control_receiver, doorbell, passed };
    Ok((sender, receiver))
}

/// The real-time thread's end. Allocates nothing, never blocks.
pub struct QueueSender {
    data: LaneSender,
    control: LaneSender,
    wants: Classes,
    counts: LaneCounts,
    taken: u64,
    /// Whether something was sent since the last flush.
    fresh: bool,
    doorbell: Arc<Doorbell>,
    passed: Arc<AtomicU64>,
}

impl QueueSender {
    /// To be called at the end of each batch: wakes the hub where it sleeps and something was sent. At most one
    /// system call, a write to a non-blocking eventfd; true where it was made.
    pub fn flush(&mut self) -> bool {
        std::mem::take(&mut self.fresh) && self.doorbell.ring_if_asleep()
    }

    /// What was offered, taken and dropped so far.
    #[must_use]
    pub const fn counts(&self) -> LaneCounts {
        self.counts
    }
}

impl Outlet for QueueSender {
    fn wants(&self, class: Class) -> bool {
        self.wants.has(class)
    }

    fn offer(&mut self, event: &Event, bytes: &[u8]) -> bool {
        let taken = self.data.push(event, bytes);
        self.counts.data.count(event.kind.class(), taken);
        self.taken += u64::from(taken);
        self.fresh |= taken;
        taken
    }

    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool {
        let taken = self.control.push(event, bytes);
        self.counts.control.count(event.kind.class(), taken);
        self.fresh |= taken;
        taken
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn passed(&self) -> u64 {
        // Acquire: pairs with the receiver's Release, so that what it did with the event lies before its reuse here.
        self.passed.load(Ordering::Acquire)
    }
}

impl Drop for QueueSender {
    fn drop(&mut self) {
        self.doorbell.close();
    }
}

/// Why [`QueueReceiver::wait`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There is something to receive.
    Ready,
    /// The time ran out.
    TimedOut,
    /// The sender is gone and everything was received.
    Closed,
}

/// The hub's end.
pub struct QueueReceiver {
    data: LaneReceiver,
    control: LaneReceiver,
    doorbell: Arc<Doorbell>,
    passed: Arc<AtomicU64>,
}

impl QueueReceiver {
    /// Hands on all that is there: first the control lane, then the data that was there before it was looked at.
    ///
    /// The data lane is counted before the control lane is drained: an event that was announced before a data event
    /// was offered is then seen before it. Returns how many were handed on.
    pub fn receive(&mut self, mut each: impl FnMut(&Event, &[u8])) -> usize {
        let data = self.data.available();
        let control = self.control.available();
        for _ in 0..control {
            self.control.pop(&mut each);
        }
        for _ in 0..data {
            self.data.pop(&mut each);
            // Release: pairs with the sender's Acquire in `passed`. Only this end writes it.
            self.passed.fetch_add(1, Ordering::Release);
        }
        data + control
    }

    /// Sleeps until something is there, the sender is gone, or the time is over.
    ///
    /// # Errors
    /// As poll(2) on an open eventfd: where the kernel has no memory.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Woken> {
        let Self { data, control, doorbell, passed: _ } = self;
        let empty = || data.available() == 0 && control.available() == 0;
        if doorbell.sleep_while(empty, timeout)? {
            return Ok(Woken::Ready);
        }
        // The sender closes after its last event: closed is looked at before the lanes, or that event would be lost.
        let closed = doorbell.is_closed();
        match (empty(), closed) {
            (false, _) => Ok(Woken::Ready),
            (true, true) => Ok(Woken::Closed),
            (true, false) => Ok(Woken::TimedOut),
        }
    }

    /// A handle that wakes the hub from another thread, to end a run.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.doorbell))
    }
}

/// Wakes a hub that waits; the wait then returns as if its time were over.
#[derive(Clone)]
pub struct Waker(Arc<Doorbell>);

impl Waker {
    /// Wakes it.
    pub fn wake(&self) {
        self.0.ring();
    }
}

#[cfg(test)]
mod tests;
