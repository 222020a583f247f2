//! The table that a person watches, once a second on a terminal.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use monitor_core::event::{Class, Classes};

use super::info::{RunInfo, SharedRunInfo, ending};
use super::picture::{Scene, clock, paint};
use super::terminal::Terminal;
use crate::hub::{Item, Summary, Window};
use crate::sink::Sink;

/// Notices kept: the newest are shown, and all of them are told once more at the end.
const NOTICES: usize = 64;

/// A sink that draws on the terminal behind standard output, and prints the summary when it has given it back.
pub struct Screen<W: Write = BufWriter<File>> {
    terminal: Terminal<W>,
    run: SharedRunInfo,
    notices: Notices,
}

impl Screen {
    /// On the terminal behind standard output, which is taken when the first window comes; see
    /// [`super::is_fit_for_a_screen`].
    ///
    /// # Errors
    /// Where the process has no descriptor left.
    pub fn new(run: SharedRunInfo) -> io::Result<Self> {
        Ok(Self { terminal: Terminal::stdout()?, run, notices: Notices::default() })
    }
}

#[cfg(test)]
impl<W: Write> Screen<W> {
    /// On another output.
    pub(super) fn on(terminal: Terminal<W>, run: SharedRunInfo) -> Self {
        Self { terminal, run, notices: Notices::default() }
    }
}

impl<W: Write + Send> Sink for Screen<W> {
    fn name(&self) -> &'static str {
        "screen"
    }

    fn wants(&self) -> Classes {
        // The hub makes the table from them; the screen itself takes no part in it.
        Classes::NONE.with(Class::StreamState)
    }

    fn take(&mut self, _item: &Item<'_>) -> io::Result<()> {
        Ok(())
    }

    fn window(&mut self, window: &Window) -> io::Result<()> {
        let Self { terminal, run, notices } = self;
        let run = run.get();
        notices.note(run, window);
        let scene = Scene { run, window, notices: &notices.kept };
        terminal.show(|size| paint(scene, size.columns, size.rows))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let run = self.run.get();
        self.notices.begin(run, "");
        let text = self.notices.told() + &ending(run, summary);
        self.terminal.print(&text)
    }
}

/// The newest notices, each with the time of day of its window.
#[derive(Default)]
struct Notices {
    /// Oldest first.
    kept: Vec<String>,
    forgotten: usize,
    begun: bool,
}

impl Notices {
    fn note(&mut self, run: Option<&RunInfo>, window: &Window) {
        let time = format!("{}Z ", clock(window.time_ns));
        self.begin(run, &time);
        for notice in &window.notices {
            self.push(format!("{time}{notice}"));
        }
    }

    /// What the run was started with comes first, once it is known.
    fn begin(&mut self, run: Option<&RunInfo>, time: &str) {
        if let Some(run) = run
            && !self.begun
        {
            self.begun = true;
            run.notices().for_each(|notice| self.push(format!("{time}{notice}")));
        }
    }

    fn push(&mut self, notice: String) {
        if self.kept.len() == NOTICES {
            self.kept.remove(0);
            self.forgotten += 1;
        }
        self.kept.push(notice);
    }

    /// All of them as lines, and an empty one where there are any.
    fn told(&self) -> String {
        if self.kept.is_empty() {
            return String::new();
        }
        let earlier = match self.forgotten {
            0 => String::new(),
            count => format!("({count} earlier notices)\n"),
        };
        earlier + &self.kept.join("\n") + "\n\n"
    }
}
