//! One stream at work: its script, its sockets, its counts.

use monitor_core::protocol::c37118::{Command, CommandView, FrameKind, FrameView, IdCode};

use super::books::{Books, Letter};
use super::link::{Asker, Failures, Link, Received};
use super::pace::Pace;
use super::report::StreamReport;
use crate::simulate::fault::FaultKind;
use crate::simulate::script::{Batch, Grid, Note, Outgoing, Script};

/// An instant whose sending begins later than this counts as late: a twentieth of what a P class PMU may take at
/// 50 frames/s (2/Fs, IEEE C37.118.1), and well above what an ordinary thread's wake-up takes on an idle host.
const LATE_AFTER_NS: i64 = 2_000_000;

/// A stream with its sockets.
#[derive(Debug)]
pub(super) struct Source {
    idcode: IdCode,
    script: Script,
    link: Link,
    /// Configurations that are sent without being asked for.
    announced: Vec<FrameKind>,
    /// Connections were closed, and nobody is let in.
    shut: bool,
    disconnected: u64,
    books: Books,
}

impl Source {
    pub(super) fn new(script: Script, link: Link, announced: Vec<FrameKind>) -> Self {
        let description = script.description();
        let (idcode, books) = (description.idcode, Books::new(description.rate));
        Self { idcode, script, link, announced, shut: false, disconnected: 0, books }
    }

    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    pub(super) const fn due_ns(&self) -> i64 {
        self.script.due_ns()
    }

    /// Adds the frames of the next instant, if anybody is there to get them.
    pub(super) fn step(&mut self, late_ns: i64, grid: &mut Grid, batch: &mut Batch, failures: &mut Failures) {
        self.connections();
        let Self { script, link, books, .. } = self;
        books.counts.instants += 1;
        books.counts.late += u64::from(late_ns > LATE_AFTER_NS);
        let (data, others) = (link.wants_data(), link.wants_announcements());
        books.counts.withheld += u64::from(!data);
        let made = if data || others { script.step(data, grid, batch) } else { script.skip() };
        if let Err(error) = made {
            books.failed(FrameKind::Data);
            failures.note(error.to_string());
        }
        batch.frames.retain(|frame| others || frame.kind == FrameKind::Data);
    }

    /// Closes and opens the door, and cuts segments, as the faults ask for.
    fn connections(&mut self) {
        let Self { script, link, shut, disconnected, .. } = self;
        let at_ns = script.due_ns();
        link.segment(script.segmenting(at_ns));
        let closed = script.lasts(at_ns, |kind| matches!(kind, FaultKind::Disconnect));
        if closed && !*shut {
            *disconnected += link.disconnect();
        } else if *shut && !closed {
            link.admit();
        }
        *shut = closed;
    }

    /// Whether frames of several instants may go in one call to the kernel.
    pub(super) const fn takes_many(&self) -> bool {
        self.link.takes_many()
    }

    /// Sends those frames of a batch that stand at `places`, in that order.
    pub(super) fn send_all(&mut self, batch: &Batch, places: &[usize], failures: &mut Failures) {
        let Self { link, books, .. } = self;
        let letter = |place: &usize| {
            let frame = batch.frames.get(*place)?;
            Some(Letter::of(frame, batch.bytes(frame.bytes.clone())))
        };
        if let [one] = places {
            // What a sender in time does asks for no memory.
            if let Some(letter) = letter(one) {
                link.send(&letter, books, failures);
            }
        } else {
            let letters: Vec<Letter<'_>> = places.iter().filter_map(letter).collect();
            link.send_all(&letters, books, failures);
        }
    }

    pub(super) fn send(&mut self, frame: &Outgoing, bytes: &[u8], failures: &mut Failures) {
        self.link.send(&Letter::of(frame, bytes), &mut self.books, failures);
    }

    /// Takes what has been received, obeys it, and greets who has come.
    pub(super) fn receive(&mut self, pace: Pace, failures: &mut Failures) {
        let Self { idcode, link, books, .. } = self;
        let mut commands = Vec::new();
        let mut refused = 0;
        link.receive(&mut books.counts, &mut |asker, received| match command(received, *idcode) {
            Some(command) => commands.push((asker, command)),
            None => refused += 1,
        });
        books.counts.refused += refused;
        for client in self.link.newcomers() {
            for place in 0..self.announced.len() {
                self.answer(Asker::Client(client), self.announced[place], pace, failures);
            }
        }
        for (asker, command) in commands {
            self.books.counts.commands += 1;
            self.obey(asker, command, pace, failures);
        }
    }

    fn obey(&mut self, asker: Asker, command: Command, pace: Pace, failures: &mut Failures) {
        let answer = match command {
            Command::TurnOff => return self.link.turn(asker, false),
            Command::TurnOn => return self.link.turn(asker, true),
            Command::SendHeader => FrameKind::Header,
            Command::SendConfig1 => FrameKind::Config1,
            Command::SendConfig2 => FrameKind::Config2,
            Command::SendConfig3 => FrameKind::Config3,
            Command::Extended | Command::Other(_) => {
                self.books.counts.unanswered += 1;
                return;
            }
        };
        self.answer(asker, answer, pace, failures);
    }

    fn answer(&mut self, asker: Asker, kind: FrameKind, pace: Pace, failures: &mut Failures) {
        let Self { script, link, books, .. } = self;
        let at_ns = pace.now_ns();
        let tag = script.tag_of(at_ns);
        let written = script.write(kind, tag, &mut |bytes| {
            link.answer(asker, &Letter { kind, bytes, note: Note::Other, at_ns }, books, failures);
        });
        if let Err(error) = written {
            books.failed(kind);
            failures.note(error.to_string());
        }
    }

    pub(super) fn finish(self) -> StreamReport {
        let Self { idcode, script, link, disconnected, books, .. } = self;
        let address = link.address();
        link.finish();
        let injected = crate::simulate::Injected { disconnected, ..script.injected() };
        StreamReport { idcode, address, counts: books.counts, injected, receivers: books.receivers() }
    }
}

/// The command in what was received, if it is one for the stream.
fn command(received: Received<'_>, idcode: IdCode) -> Option<Command> {
    let Received::Frame(bytes) = received else { return None };
    let frame = FrameView::new(bytes).ok().filter(|frame| frame.idcode() == idcode)?;
    CommandView::new(frame).ok().map(|view| view.command())
}
