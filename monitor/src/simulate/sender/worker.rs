//! The thread that sends some of the streams, each at its own instants.
//!
//! Each instant has its deadline on `CLOCK_MONOTONIC`, computed from the frame index, so that nothing adds up to a
//! drift. A sender that was held up sends every instant it missed, at once, and counts them as late: a gap in the
//! frame indices is never this end's doing. Between instants it waits for commands and clients.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::link::Failures;
use super::pace::Pace;
use super::report::StreamReport;
use super::source::Source;
use crate::simulate::script::{Batch, Grid, Outgoing};
use crate::simulate::station::Fleet;
use crate::sys::clock::monotonic_ns;
use crate::sys::pollset::PollSet;

/// How long the end, or a client that has no room, may wait to be noticed.
const LOOK_EVERY_NS: i64 = 20_000_000;
/// With more streams, commands and clients wait as long: the kernel looks at every socket for each poll(2), and between two
/// instants at 240 frames/s that would cost as much as a tenth of what the frames do.
const POLLED_ALWAYS: usize = 64;
/// The most instants of one stream that are made and sent together: what a stream that is 16 behind still makes others wait
/// is tens of microseconds.
const INSTANTS_AT_ONCE: usize = 16;

/// Some of the streams.
#[derive(Debug)]
pub(super) struct Worker {
    sources: Vec<Source>,
    /// Which stream's next instant is when: the earliest first, then in the order of the streams.
    due: BinaryHeap<Reverse<(i64, usize)>>,
    /// Frames that wait for their time.
    held: BinaryHeap<Reverse<Held>>,
    /// How many frames have been held so far: of two with one time, the first goes first.
    order: u64,
    grid: Grid,
    batch: Batch,
    /// Which frames of the batch go now.
    going: Vec<usize>,
    /// Whether what a stream has missed may go together.
    together: bool,
    /// No instant at or after this, simulated.
    end_ns: Option<i64>,
    latest_ns: i64,
    failures: Failures,
}

/// What a worker has done.
pub(super) struct Done {
    pub(super) streams: Vec<StreamReport>,
    pub(super) latest_ns: i64,
    pub(super) first_failure: Option<String>,
}

/// A frame that waits.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    at_ns: i64,
    order: u64,
    source: usize,
    frame: Outgoing,
    bytes: Vec<u8>,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.order).cmp(&(other.at_ns, other.order))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What happens next.
#[derive(Clone, Copy)]
enum Event {
    Instant(usize),
    Held,
}

impl Worker {
    /// `together`: what a stream has missed may go together, before what others have missed.
    pub(super) fn new(sources: Vec<Source>, fleet: Arc<Fleet>, end_ns: Option<i64>, together: bool) -> Self {
        let due = sources.iter().enumerate().map(|(place, source)| Reverse((source.due_ns(), place)));
        Self {
            due: due.collect(),
            sources,
            held: BinaryHeap::new(),
            order: 0,
            grid: Grid::new(fleet),
            batch: Batch::default(),
            going: Vec::new(),
            together,
            end_ns,
            latest_ns: 0,
            failures: Failures::default(),
        }
    }

    /// Sends until there is nothing left to do or `stop` is set, which is noticed within 20 ms.
    pub(super) fn run(mut self, pace: Pace, stop: &AtomicBool) -> Done {
        let mut sockets = PollSet::default();
        let mut look_at = pace.now_ns();
        while !stop.load(Ordering::Relaxed) {
            let Some((at_ns, event)) = self.next() else { break };
            let now = pace.now_ns();
            if look_at <= now {
                self.look(&mut sockets, 0, pace);
                look_at = now + LOOK_EVERY_NS;
            }
            if at_ns <= now {
                self.happen(at_ns, event, now - at_ns, pace);
                continue;
            }
            let wait = (at_ns.min(look_at) - now).max(0).cast_unsigned();
            if self.sources.len() > POLLED_ALWAYS {
                thread::sleep(Duration::from_nanos(wait));
            } else {
                self.look(&mut sockets, wait, pace);
            }
        }
        self.finish()
    }

    /// What is next, and when: of two at one time, the instant before what was held back.
    fn next(&self) -> Option<(i64, Event)> {
        let instant = self.due.peek().map(|Reverse((at, place))| (*at, Event::Instant(*place)));
        let instant = instant.filter(|(at, _)| self.end_ns.is_none_or(|end| *at < end));
        let held = self.held.peek().map(|Reverse(held)| (held.at_ns, Event::Held));
        match (instant, held) {
            (Some(instant), Some(held)) => Some(if held.0 < instant.0 { held } else { instant }),
            (instant, held) => instant.or(held),
        }
    }

    fn happen(&mut self, at_ns: i64, event: Event, late_ns: i64, time: Pace) {
        match event {
            Event::Instant(place) => self.step(at_ns, place, late_ns, time),
            Event::Held => self.release(),
        }
    }

    /// Makes and sends what is due of one stream: an instant, or where that was missed and several may go together, all that
    /// are due by now. A stream's memory and its socket are brought into the caches once for all of them, so that
    /// a sender that falls behind sends at a lower cost, and falls behind no further.
    fn step(&mut self, at_ns: i64, place: usize, late_ns: i64, time: Pace) {
        let Self { sources, due, held, order, grid, batch, going, together, end_ns, latest_ns, failures } =
            self;
        let Some(source) = sources.get_mut(place) else { return };
        let most = if *together && source.takes_many() { INSTANTS_AT_ONCE } else { 1 };
        batch.clear();
        going.clear();
        let (mut at_ns, mut late_ns) = (at_ns, late_ns);
        for left in (0..most).rev() {
            *latest_ns = late_ns.max(*latest_ns);
            let first = batch.frames.len();
            source.step(late_ns, grid, batch, failures);
            for (place_in_batch, frame) in batch.frames.iter().enumerate().skip(first) {
                if frame.at_ns <= at_ns {
                    going.push(place_in_batch);
                    continue;
                }
                let (frame, bytes) = (frame.clone(), batch.bytes(frame.bytes.clone()).to_vec());
                held.push(Reverse(Held { at_ns: frame.at_ns, order: *order, source: place, frame, bytes }));
                *order += 1;
            }
            at_ns = source.due_ns();
            late_ns = time.now_ns() - at_ns;
            let ends = end_ns.is_some_and(|end| at_ns >= end);
            // What was held back and is due before the next instant goes before it.
            let waits = held.peek().is_some_and(|Reverse(held)| held.at_ns < at_ns);
            if left == 0 || late_ns < 0 || ends || waits {
                break;
            }
        }
        source.send_all(batch, going, failures);
        if let Some(mut top) = due.peek_mut() {
            // The instants that have just passed began with the earliest.
            *top = Reverse((source.due_ns(), place));
        }
    }

    fn release(&mut self) {
        let Some(Reverse(Held { source, frame, bytes, .. })) = self.held.pop() else { return };
        if let Some(source) = self.sources.get_mut(source) {
            source.send(&frame, &bytes, &mut self.failures);
        }
    }

    /// Waits for commands and clients so long, and takes them.
    fn look(&mut self, sockets: &mut PollSet, wait_ns: u64, pace: Pace) {
        sockets.clear();
        for source in &self.sources {
            source.link().watch(sockets);
        }
        let before = monotonic_ns();
        match sockets.wait(wait_ns) {
            Ok(0) => {}
            Ok(_) => {
                for source in &mut self.sources {
                    source.receive(pace, &mut self.failures);
                }
            }
            // Without the kernel's help: time passes, and commands wait.
            Err(_) => thread::sleep(Duration::from_nanos(wait_ns.saturating_sub(monotonic_ns() - before))),
        }
    }

    /// What is still held back goes now, in its order: nothing that was made is lost.
    fn finish(mut self) -> Done {
        while !self.held.is_empty() {
            self.release();
        }
        Done {
            streams: self.sources.into_iter().map(Source::finish).collect(),
            latest_ns: self.latest_ns,
            first_failure: self.failures.into_first(),
        }
    }
}
