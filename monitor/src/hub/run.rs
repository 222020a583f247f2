//! The hub's thread: receives, resolves, fans out, and makes the table once a second.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor_core::event::{EventKind, StreamCounts, StreamId, StreamReport, StreamTiming};
use monitor_core::stream::LatenessReport;
use monitor_core::time::Nanos;

use super::blame::{Ledger, MissingView};
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
    ledger: Ledger,
}

impl Hub {
    /// From the queue to the sinks.
    #[must_use]
    pub fn new(receiver: QueueReceiver, registry: Registry, fanout: Fanout) -> Self {
        Self { receiver, registry, fanout, board: Board::default(), ledger: Ledger::default() }
    }

    /// With what is told of losses.
    #[must_use]
    pub fn judging(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
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
    ) -> io::Result<(Registry, Fanout, Ledger)> {
        let mut due = Instant::now() + WINDOW;
        loop {
            let woken = self.receiver.wait(Some(due.saturating_duration_since(Instant::now())))?;
            self.receive();
            if woken == Woken::Closed {
                return Ok((self.registry, self.fanout, self.ledger));
            }
            if Instant::now() >= due {
                self.registry.hear();
                let mut window = self.board.window(now(), &self.registry);
                complete(&mut window);
                if let Some(counters) = &mut window.counters {
                    counters.missing = Some(self.board.missing().counters());
                }
                // Behind the window: its rows were told by the streams before this.
                self.ledger.settle();
                self.fanout.window(&Arc::new(window));
                // Windows that a stall has made impossible are left out, not made up for.
                due = (due + WINDOW).max(Instant::now());
            }
        }
    }

    fn receive(&mut self) {
        let Self { receiver, registry, fanout, board, ledger } = self;
        receiver.receive(|event, bytes| {
            let item = registry.resolve(event, bytes);
            board.note(&item, ledger);
            fanout.offer(&item);
        });
    }
}

/// The last state of each stream.
#[derive(Default)]
struct Board(BTreeMap<StreamId, State>);

#[derive(Default)]
struct State {
    counts: StreamCounts,
    timing: StreamTiming,
    report: StreamReport,
    /// What its missing frames were blamed on when its counts were told.
    missing: MissingView,
    /// What was said of its clock in the last window: 36 or 37 s where TAI is taken for UTC.
    mistake_s: Option<i32>,
}

impl Board {
    fn note(&mut self, item: &Item<'_>, ledger: &mut Ledger) {
        let Some(id) = item.event.stream else { return };
        match item.event.kind {
            EventKind::StreamOpened(..) => {
                self.0.entry(id).or_default();
            }
            EventKind::StreamCounts(counts, untold) => {
                let state = self.0.entry(id).or_default();
                (state.counts, state.missing) = (counts, ledger.view(id, counts.missing, untold));
            }
            EventKind::StreamTiming(timing) => self.0.entry(id).or_default().timing = timing,
            EventKind::StreamReport => {
                if let Some(report) = StreamReport::from_bytes(item.bytes) {
                    self.0.entry(id).or_default().report = report;
                }
            }
            EventKind::Missing(missing) => {
                ledger.note(id, item.stream.map(|stream| &stream.key), item.event.interface, missing);
            }
            EventKind::Packet
            | EventKind::Frame(..)
            | EventKind::Config(_)
            | EventKind::Candidate(_)
            | EventKind::Instant(_)
            | EventKind::Overrun(_) => {}
        }
    }

    fn missing(&self) -> MissingView {
        MissingView::sum(self.0.values().map(|state| &state.missing))
    }

    fn window(&mut self, now: Nanos, registry: &Registry) -> Window {
        let mut window = Window { time_ns: now.0, ..Window::default() };
        for (id, state) in &mut self.0 {
            let Some(info) = registry.stream(*id) else { continue };
            let State { counts, timing, report, missing, mistake_s } = state;
            let before = std::mem::replace(mistake_s, report.lateness.tai_mistake_s);
            window.notices.extend(mistaken(&info.label, before, &report.lateness).map(Arc::from));
            let label = Arc::clone(&info.label);
            let row = StreamRow::new(label, info.name.clone(), counts, timing, report);
            window.streams.push(StreamRow { blamed: missing.named(), ..row });
        }
        window
    }
}

/// What a person should know at once of a stream's clock: it begins to be TAI and UTC apart from this host's, or ceases.
fn mistaken(label: &str, before: Option<i32>, lateness: &LatenessReport) -> Option<String> {
    match (before, lateness.tai_mistake_s) {
        (None, Some(seconds)) => {
            let which = if lateness.smallest_ns.is_some_and(|ns| ns < 0) { "ahead of" } else { "behind" };
            Some(format!(
                "{label}: its clock is {seconds} s {which} this host's, what TAI and UTC differ by: one is taken for the \
                 other, and no frame of it is judged late"
            ))
        }
        (Some(seconds), None) => Some(format!("{label}: its clock is no longer {seconds} s off this host's")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_mistake_is_said_when_it_begins_and_when_it_ends() {
        let of = |tai_mistake_s, smallest| LatenessReport {
            tai_mistake_s,
            smallest_ns: Some(smallest),
            ..LatenessReport::default()
        };
        assert_eq!(mistaken("x", None, &of(None, 0)), None);
        let ahead = mistaken("x", None, &of(Some(37), -36_980_000_000)).unwrap_or_default();
        assert!(ahead.starts_with("x: its clock is 37 s ahead of this host's"), "{ahead}");
        let behind = mistaken("x", None, &of(Some(36), 36_020_000_000)).unwrap_or_default();
        assert!(behind.starts_with("x: its clock is 36 s behind this host's"), "{behind}");
        assert_eq!(mistaken("x", Some(37), &of(Some(37), -36_980_000_000)), None, "once");
        assert!(mistaken("x", Some(37), &of(None, 0)).is_some());
    }
}
