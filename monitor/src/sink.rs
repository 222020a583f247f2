//! Outputs: one file for each. A sink sees events with their names and bytes, never a ring or a clock.

mod json;
mod table;
mod text;
mod utc;
pub(crate) mod words;

use std::io;

use monitor_core::event::Classes;

use crate::hub::{Item, Summary, Window};

pub use json::{Json, Lines};
pub use table::{Table, summary_table};
pub use text::Text;
pub use utc::Utc;

/// Where events go. A sink runs on a thread of its own and may block: what it cannot take in time is dropped and
/// counted, for it alone.
pub trait Sink: Send {
    /// Its name in counters and messages.
    fn name(&self) -> &'static str;

    /// The classes of events that it wants; asked once, at the start.
    fn wants(&self) -> Classes;

    /// Takes one event of a class that it wants.
    ///
    /// # Errors
    /// Where its output fails: it is not called again.
    fn take(&mut self, item: &Item<'_>) -> io::Result<()>;

    /// Takes what the table shows, once a second.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn window(&mut self, _window: &Window) -> io::Result<()> {
        Ok(())
    }

    /// Nothing more is waiting for it: what it holds back should go out now.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Takes the summary and writes all that it holds back. Its last call.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}
