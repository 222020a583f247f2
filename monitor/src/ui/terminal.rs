//! The terminal that a screen draws on: taken, drawn on, and given back however the run ends.
//!
//! Keys and signals stay as they are (no raw mode), so Ctrl-C remains a signal. The alternate screen keeps what was on
//! the terminal before. The cursor stays visible and waits in the last row: a run that is killed outright, where
//! nothing can be restored, leaves a shell that shows what is typed. Each picture is written whole, in one write: what
//! a key or another program has put there is gone with the next one, and nothing flickers.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::cursor::{Hide, MoveTo, Show};
use ratatui::crossterm::queue;
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use ratatui::style::Modifier;

use crate::sys::tty;

/// A picture of 200 columns and 60 rows fits without being written in parts.
const OUTPUT_BYTES: usize = 64 << 10;

/// Whether the terminal behind standard output shows a screen of ours; whoever takes it down does the work.
static SHOWN: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether standard output is a terminal on which a screen can be drawn: it has a size and does what terminals do.
#[must_use]
pub fn is_fit_for_a_screen() -> bool {
    let draws = std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb");
    draws && io::stdout().is_terminal() && tty::size(io::stdout()).is_some()
}

/// Gives the terminal back where a [`super::Screen`] still holds it: for a way out that waits for nobody. Does nothing
/// otherwise, and nothing the second time.
pub fn restore_terminal() {
    let shown = SHOWN.get().is_some_and(|shown| shown.swap(false, Ordering::AcqRel));
    if shown {
        // Whoever calls this has something worse to report than a terminal that is gone.
        let mut out = io::stdout().lock();
        let _ = queue!(out, EndSynchronizedUpdate, LeaveAlternateScreen, Show).and_then(|()| out.flush());
    }
}

/// After a panic, of whatever thread, the message must not be drawn over or vanish with the alternate screen.
fn restore_before_panic_messages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore_terminal();
            next(panic);
        }));
    });
}

/// Gives the size of the screen; `None` where it is unknown, as of a terminal that is gone.
pub(super) type SizeOf = Box<dyn Fn() -> Option<tty::TerminalSize> + Send>;

/// An output that understands a terminal's sequences.
pub(super) struct Terminal<W: Write> {
    out: CrosstermBackend<W>,
    size_of: SizeOf,
    shown: Arc<AtomicBool>,
    taken: bool,
    last: Option<tty::TerminalSize>,
}

impl Terminal<BufWriter<File>> {
    /// The terminal behind standard output.
    ///
    /// # Errors
    /// Where the process has no descriptor left.
    pub(super) fn stdout() -> io::Result<Self> {
        restore_before_panic_messages();
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let shown = SHOWN.get_or_init(Arc::default);
        let size_of = || tty::size(io::stdout());
        let out = BufWriter::with_capacity(OUTPUT_BYTES, out);
        Ok(Self::new(out, Box::new(size_of), Arc::clone(shown)))
    }
}

impl<W: Write> Terminal<W> {
    /// An output of a size that is told; `shown` tells whether its screen is up, and who sets it to false has taken
    /// it down.
    pub(super) fn new(out: W, size_of: SizeOf, shown: Arc<AtomicBool>) -> Self {
        Self { out: CrosstermBackend::new(out), size_of, shown, taken: false, last: None }
    }

    /// Puts a picture of the screen's size on it. Draws nothing on a screen without a size, and none after somebody
    /// else has given the terminal back.
    pub(super) fn show(&mut self, paint: impl FnOnce(tty::TerminalSize) -> Buffer) -> io::Result<()> {
        let Some(size) = (self.size_of)() else { return Ok(()) };
        if !self.take()? {
            return Ok(());
        }
        let picture = paint(size);
        queue!(self.out, BeginSynchronizedUpdate, Hide)?;
        if self.last != Some(size) {
            queue!(self.out, Clear(ClearType::All))?;
            self.last = Some(size);
        }
        draw_whole(&mut self.out, &picture)?;
        queue!(self.out, MoveTo(0, size.rows.saturating_sub(1)), Show, EndSynchronizedUpdate)?;
        Write::flush(&mut self.out)
    }

    /// Whether the screen is ours; takes it the first time.
    fn take(&mut self) -> io::Result<bool> {
        if !self.taken {
            self.taken = true;
            // First, so that a panic between the two gives back what may not have been taken rather than keeps it.
            self.shown.store(true, Ordering::Release);
            queue!(self.out, EnterAlternateScreen)?;
        }
        Ok(self.shown.load(Ordering::Acquire))
    }

    /// Gives the terminal back, once.
    pub(super) fn give_back(&mut self) -> io::Result<()> {
        if self.shown.swap(false, Ordering::AcqRel) {
            queue!(self.out, EndSynchronizedUpdate, LeaveAlternateScreen, Show)?;
        }
        Write::flush(&mut self.out)
    }

    /// Writes text below what was on the terminal before.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        self.give_back()?;
        self.out.write_all(text.as_bytes())?;
        Write::flush(&mut self.out)
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.give_back();
    }
}

/// Writes every cell of a picture, whatever the screen shows now.
pub(super) fn draw_whole<B: Backend>(backend: &mut B, picture: &Buffer) -> Result<(), B::Error> {
    // Equal to no cell of a picture, none of which is everything at once.
    let mut unlike = Cell::new("?");
    unlike.modifier = Modifier::all();
    let before = Buffer::filled(picture.area, unlike);
    backend.draw(before.diff(picture).into_iter())
}
