//! The hub's thread: receives, resolves, fans out, and makes the table once a second.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor_core::event::{EventKind, StreamCounts, StreamId, StreamReport, StreamTiming};
use monitor_core::time::Nanos;

use super::fanout::Fanout;
use super::queue::{QueueReceiver, Woken};
use super::registry::{Item, Registry};
use super::row::StreamRow;
use super::summary::Window;

/// How often the table is made.
const WINDOW: Duration = Duration::from_secs(1);

/// The queue's consumer.
pub struct Hub {
    receiver: QueueReceiver,
    registry: Registry,
    fanout: Fanout,
    board: Board,
}

impl Hub {
    /// From the queue to the sinks.
    #[must_use]
    pub fn new(receiver: QueueReceiver, registry: Registry, fanout: Fanout) -> Self {
        Self { receiver, registry, fanout, board: Board::default() }
    }

    /// Runs until the sender is gone and all was received. `now` is the time that a window is stamped with; `complete`
    /// adds to a window what the hub does not know (counters). Gives back what the summary takes.
    ///
    /// # Errors
    /// As waiting on an eventfd: where the kernel has no memory.
    pub fn run(
        mut self,
        mut now: impl FnMut() -> Nanos,
        mut complete: impl FnMut(&mut Window),
    ) -> io::Result<(Registry, Fanout)> {
        let mut due = Instant::now() + WINDOW;
        loop {
            let woken = self.receiver.wait(Some(due.saturating_duration_since(Instant::now())))?;
            self.receive();
            if woken == Woken::Closed {
                return Ok((self.registry, self.fanout));
            }
            if Instant::now() >= due {
                self.registry.hear();
                let mut window = self.board.window(now(), &self.registry);
                complete(&mut window);
                self.fanout.window(&Arc::new(window));
                // Windows that a stall has made impossible are left out, not made up for.
                due = (due + WINDOW).max(Instant::now());
            }
        }
    }

    fn receive(&mut self) {
        let Self { receiver, registry, fanout, board } = self;
        receiver.receive(|event, bytes| {
            let item = registry.resolve(event, bytes);
            board.note(&item);
            fanout.offer(&item);
        });
    }
}

/// The last state of each stream.
#[derive(Default)]
struct Board(BTreeMap<StreamId, (StreamCounts, StreamTiming, StreamReport)>);

impl Board {
    fn note(&mut self, item: &Item<'_>) {
        let Some(id) = item.event.stream else { return };
        match item.event.kind {
            EventKind::StreamOpened(_) => {
                self.0.entry(id).or_default();
            }
            EventKind::StreamCounts(counts) => self.0.entry(id).or_default().0 = counts,
            EventKind::StreamTiming(timing) => self.0.entry(id).or_default().1 = timing,
            EventKind::StreamReport => {
                if let Some(report) = StreamReport::from_bytes(item.bytes) {
                    self.0.entry(id).or_default().2 = report;
                }
            }
            EventKind::Packet
            | EventKind::Frame(..)
            | EventKind::Config(_)
            | EventKind::Candidate(_)
            | EventKind::Instant(_) => {}
        }
    }

    fn window(&self, now: Nanos, registry: &Registry) -> Window {
        let row =
            |(id, (counts, timing, report)): (&StreamId, &(StreamCounts, StreamTiming, StreamReport))| {
                let info = registry.stream(*id)?;
                Some(StreamRow::new(Arc::clone(&info.label), info.name.clone(), counts, timing, report))
            };
        Window { time_ns: now.0, streams: self.0.iter().filter_map(row).collect(), ..Window::default() }
    }
}
