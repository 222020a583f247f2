//! NDJSON: one object a line, names and units as the contract fixes them.
//!
//! A line is written from the frame's own bytes, through the views that the real-time thread used; no tree of values
//! stands between.

mod c37118;
mod instant;
mod overrun;
mod text;

use std::io::{self, Write};

use monitor_core::event::{Class, Classes, EventKind};
use serde::Serialize;

use super::Sink;
use crate::hub::{Item, Summary, Window};
use text::Text;

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of line, asked for or not")]
pub struct Lines {
    /// One for each frame.
    pub frames: bool,
    /// One for each aligned instant.
    pub instants: bool,
    /// One for each overrun that is told.
    pub overruns: bool,
    /// The table, once a second.
    pub windows: bool,
    /// The summary, last.
    pub summary: bool,
}

/// Writes lines to an output, which should be buffered.
pub struct Json<W> {
    out: W,
    lines: Lines,
    text: Text,
}

impl<W: Write> Json<W> {
    /// To that output.
    pub fn new(out: W, lines: Lines) -> Self {
        Self { out, lines, text: Text::default() }
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }
}

impl<W: Write + Send> Sink for Json<W> {
    fn name(&self) -> &'static str {
        "json"
    }

    fn wants(&self) -> Classes {
        let frames = Classes::NONE.with(Class::Frame).with(Class::Config);
        let wants = if self.lines.frames { frames } else { Classes::NONE };
        let wants = if self.lines.instants { wants.with(Class::Instant) } else { wants };
        let wants = if self.lines.overruns { wants.with(Class::Overrun) } else { wants };
        // The hub makes the table from them; the sink itself takes no part in it.
        if self.lines.windows { wants.with(Class::StreamState) } else { wants }
    }

    fn take(&mut self, item: &Item<'_>) -> io::Result<()> {
        match item.event.kind {
            EventKind::Frame(frame, outcome) if self.lines.frames => {
                let Some(line) = c37118::Line::new(item, frame, outcome) else { return Ok(()) };
                self.text.clear();
                line.write(&mut self.text)?;
                self.text.write_to(&mut self.out)
            }
            EventKind::Instant(instant) if self.lines.instants => {
                self.line(&instant::Line::new(item, &instant))
            }
            EventKind::Overrun(overrun) if self.lines.overruns => {
                self.line(&overrun::Line::new(item.event, &overrun))
            }
            _ => Ok(()),
        }
    }

    fn window(&mut self, window: &Window) -> io::Result<()> {
        if self.lines.windows { self.line(window) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        if self.lines.summary {
            self.line(summary)?;
        }
        self.out.flush()
    }
}
