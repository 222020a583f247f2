//! One stream at work: its script, its sockets, its counts.

use monitor_core::protocol::c37118::encode::EncodeError;
use monitor_core::protocol::c37118::{Command, CommandView, FrameKind, FrameView, IdCode};

use super::link::{Asker, Failures, Link, Received, judge};
use super::pace::Pace;
use super::report::{Counts, StreamReport};
use crate::simulate::instant::tag_of;
use crate::simulate::script::{Batch, Grid, Outgoing, Script};

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
    counts: Counts,
}

impl Source {
    pub(super) fn new(mut script: Script, link: Link, announced: Vec<FrameKind>) -> Self {
        let idcode = script.frames().description().idcode;
        Self { idcode, script, link, announced, counts: Counts::default() }
    }

    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn due_ns(&self) -> i64 {
        self.script.due_ns()
    }

    /// Makes the frames of the next instant, if anybody is there to get them.
    pub(super) fn step(&mut self, late_ns: i64, grid: &mut Grid, batch: &mut Batch, failures: &mut Failures) {
        let Self { script, link, announced, counts, .. } = self;
        counts.instants += 1;
        counts.late += u64::from(late_ns > LATE_AFTER_NS);
        let (data, others) = (link.wants_data(), !announced.is_empty() && link.wants_announcements());
        counts.withheld += u64::from(!data);
        if !data && !others {
            return script.skip();
        }
        if let Err(error) = script.step(grid, batch) {
            judge(Err(error.to_string()), FrameKind::Data, counts, failures);
        }
        batch.frames.retain(|frame| if frame.kind == FrameKind::Data { data } else { others });
    }

    pub(super) fn send(&mut self, frame: &Outgoing, bytes: &[u8], failures: &mut Failures) {
        self.link.send(frame.kind, bytes, &mut self.counts, failures);
    }

    /// Takes what has been received, obeys it, and greets who has come.
    pub(super) fn receive(&mut self, pace: Pace, failures: &mut Failures) {
        let Self { idcode, link, counts, .. } = self;
        let mut commands = Vec::new();
        let mut refused = 0;
        link.receive(counts, &mut |asker, received| match command(received, *idcode) {
            Some(command) => commands.push((asker, command)),
            None => refused += 1,
        });
        counts.refused += refused;
        for client in self.link.newcomers() {
            for place in 0..self.announced.len() {
                self.answer(Asker::Client(client), self.announced[place], pace, failures);
            }
        }
        for (asker, command) in commands {
            self.counts.commands += 1;
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
            Command::SendConfig3 | Command::Extended | Command::Other(_) => {
                self.counts.unanswered += 1;
                return;
            }
        };
        self.answer(asker, answer, pace, failures);
    }

    fn answer(&mut self, asker: Asker, kind: FrameKind, pace: Pace, failures: &mut Failures) {
        let Self { script, link, counts, .. } = self;
        let frames = script.frames();
        let tag = tag_of(pace.now_ns(), frames.description().time_base);
        let frame: Result<&[u8], EncodeError> = match kind {
            FrameKind::Header => frames.header(tag),
            FrameKind::Config1 => frames.config1(tag),
            _ => frames.config2(tag),
        };
        match frame {
            Ok(bytes) => link.answer(asker, kind, bytes, counts, failures),
            Err(error) => judge(Err(error.to_string()), kind, counts, failures),
        }
    }

    pub(super) fn finish(self) -> StreamReport {
        let Self { idcode, link, counts, .. } = self;
        let address = link.address();
        link.finish();
        StreamReport { idcode, address, counts }
    }
}

/// The command in what was received, if it is one for the stream.
fn command(received: Received<'_>, idcode: IdCode) -> Option<Command> {
    let Received::Frame(bytes) = received else { return None };
    let frame = FrameView::new(bytes).ok().filter(|frame| frame.idcode() == idcode)?;
    CommandView::new(frame).ok().map(|view| view.command())
}
