//! Fan-out: each sink on a thread of its own, behind a bounded channel.
//!
//! A sink that blocks fills its own channel and loses its own events, counted; one that fails ends alone. Nothing
//! here waits for a sink before the end, and there only for a bounded time.

use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use monitor_core::event::{Classes, QueueCounts};

use super::registry::{Item, OwnedItem};
use super::summary::{Summary, Window};
use crate::sink::Sink;

/// Events that may wait for one sink, or 13 s of 12 PMUs at 50 frames/s. The channel itself is an eighth of what they
/// take: events are shared between the sinks, and cost about 200 bytes each, and their own, while they wait.
const CHANNEL_EVENTS: usize = 8_192;

/// How long a sink may take, at the end, over what still waits for it and the summary.
const GRACE: Duration = Duration::from_secs(2);

/// How often the end looks whether the sinks are done.
const GRACE_STEP: Duration = Duration::from_millis(1);

/// What a sink's thread receives.
enum Message {
    Event(Arc<OwnedItem>),
    Window(Arc<Window>),
}

/// Why a sink ended before the run did.
#[derive(Debug)]
pub struct Ended {
    /// The sink.
    pub sink: &'static str,
    /// What its output said; [`is_closed`] tells a reader that went away from a failure.
    pub error: io::Error,
}

/// Called on the sink's thread where it ends early: a closed standard output ends the run quietly, anything else is
/// said.
pub type OnEnd = Arc<dyn Fn(Ended) + Send + Sync>;

/// Whether an output failed because its reader has gone: no error, but the end.
#[must_use]
pub fn is_closed(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// How a sink came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkReport {
    /// The sink.
    pub name: &'static str,
    /// What it was offered.
    pub counts: QueueCounts,
    /// False where it was still busy when its time was over; its thread is left behind.
    pub finished: bool,
}

struct Running {
    name: &'static str,
    wants: Classes,
    sender: SyncSender<Message>,
    counts: QueueCounts,
    thread: JoinHandle<()>,
}

/// All sinks of a run.
pub struct Fanout {
    sinks: Vec<Running>,
    summary: Arc<OnceLock<Arc<Summary>>>,
}

impl Fanout {
    /// Starts a thread for each sink.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(sinks: Vec<Box<dyn Sink>>, on_end: &OnEnd) -> io::Result<Self> {
        Self::with_capacity(sinks, on_end, CHANNEL_EVENTS)
    }

    pub(super) fn with_capacity(
        sinks: Vec<Box<dyn Sink>>,
        on_end: &OnEnd,
        capacity: usize,
    ) -> io::Result<Self> {
        let summary = Arc::new(OnceLock::new());
        let sinks = sinks.into_iter().map(|sink| Running::start(sink, &summary, on_end, capacity));
        Ok(Self { sinks: sinks.collect::<io::Result<_>>()?, summary })
    }

    /// What the sinks want together: for [`super::queue::channel`].
    #[must_use]
    pub fn wants(&self) -> Classes {
        self.sinks.iter().fold(Classes::NONE, |all, sink| all.union(sink.wants))
    }

    /// Offers an event to each sink that wants its class. Its bytes are copied once, where anybody does.
    pub fn offer(&mut self, item: &Item<'_>) {
        let class = item.event.kind.class();
        let mut owned = None;
        for sink in self.sinks.iter_mut().filter(|sink| sink.wants.has(class)) {
            let item = Arc::clone(owned.get_or_insert_with(|| Arc::new(OwnedItem::from(item))));
            let taken = sink.sender.try_send(Message::Event(item)).is_ok();
            sink.counts.count(class, taken);
        }
    }

    /// Shows each sink the table. A sink that has no room misses this one; the next tells all that it told.
    pub fn window(&self, window: &Arc<Window>) {
        for sink in &self.sinks {
            let _ = sink.sender.try_send(Message::Window(Arc::clone(window)));
        }
    }

    /// What each sink was offered so far.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, QueueCounts)> {
        self.sinks.iter().map(|sink| (sink.name, sink.counts))
    }

    /// Ends the run: each sink takes what still waits for it, then the summary. Waits two seconds at most.
    pub fn finish(self, summary: Summary) -> Vec<SinkReport> {
        let Self { sinks, summary: shared } = self;
        // Set before any channel is closed: a thread that sees its channel closed finds the summary there.
        let _ = shared.set(Arc::new(summary));
        let deadline = Instant::now() + GRACE;
        let ending = sinks.into_iter().map(Running::close).collect::<Vec<_>>();
        ending.into_iter().map(|ending| ending.wait_until(deadline)).collect()
    }
}

/// A sink whose channel is closed.
struct Ending {
    report: SinkReport,
    thread: JoinHandle<()>,
}

impl Ending {
    fn wait_until(self, deadline: Instant) -> SinkReport {
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::sleep(GRACE_STEP);
        }
        let finished = self.thread.is_finished() && self.thread.join().is_ok();
        SinkReport { finished, ..self.report }
    }
}

impl Running {
    fn start(
        sink: Box<dyn Sink>,
        summary: &Arc<OnceLock<Arc<Summary>>>,
        on_end: &OnEnd,
        capacity: usize,
    ) -> io::Result<Self> {
        let (name, wants) = (sink.name(), sink.wants());
        let (sender, receiver) = mpsc::sync_channel(capacity);
        let (summary, on_end) = (Arc::clone(summary), Arc::clone(on_end));
        let thread = thread::Builder::new().name(format!("sink-{name}")).spawn(move || {
            if let Err(error) = serve(sink, &receiver, &summary) {
                // Before anything else: what is offered from here on is refused and counted as dropped.
                drop(receiver);
                on_end(Ended { sink: name, error });
            }
        })?;
        Ok(Self { name, wants, sender, counts: QueueCounts::default(), thread })
    }

    fn close(self) -> Ending {
        let Self { name, wants: _, sender, counts, thread } = self;
        drop(sender);
        Ending { report: SinkReport { name, counts, finished: false }, thread }
    }
}

/// A sink's thread: until its channel is closed and empty, or its output fails.
fn serve(
    mut sink: Box<dyn Sink>,
    receiver: &Receiver<Message>,
    summary: &OnceLock<Arc<Summary>>,
) -> io::Result<()> {
    loop {
        let message = match receiver.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Empty) => {
                sink.flush()?;
                receiver.recv().ok()
            }
            Err(TryRecvError::Disconnected) => None,
        };
        match message {
            Some(Message::Event(item)) => sink.take(&item.item())?,
            Some(Message::Window(window)) => sink.window(&window)?,
            // Without a summary the run was given up, and there is nothing to tell.
            None => return summary.get().map_or(Ok(()), |summary| sink.finish(summary)),
        }
    }
}
