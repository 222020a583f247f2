//! Plain lines for a log or a pipe: what is monitored, one line a second, what changes, the summary.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

use monitor_core::event::{Class, Classes};
use monitor_core::time::Nanos;

use super::info::{RunInfo, SharedRunInfo, ending};
use super::picture::waiting;
use super::totals::Totals;
use crate::hub::{Counters, DropLine, Item, StreamRow, Summary, Window};
use crate::sink::words::{self, counted};
use crate::sink::{Sink, Utc};

/// How often it is said that there still are no frames: once in so many windows, that is, seconds.
const WAITING_EVERY: u32 = 10;

/// A sink that writes lines to an output, which should be buffered. No line depends on a terminal.
pub struct Plain<W> {
    out: W,
    run: SharedRunInfo,
    summary_only: bool,
    begun: bool,
    /// Windows without any stream so far.
    waited: u32,
    streams: HashMap<Arc<str>, Told>,
}

/// What was last said of a stream.
#[derive(Clone, Debug, Default)]
struct Told {
    name: Option<Arc<str>>,
    missing: u32,
    crc_errors: u32,
}

impl<W: Write> Plain<W> {
    /// Everything.
    pub fn new(out: W, run: SharedRunInfo) -> Self {
        Self { out, run, summary_only: false, begun: false, waited: 0, streams: HashMap::new() }
    }

    /// Nothing but the summary at the end (`--quiet`).
    pub fn summary_only(out: W, run: SharedRunInfo) -> Self {
        Self { summary_only: true, ..Self::new(out, run) }
    }

    /// The first lines, once the run is known.
    fn begin(&mut self, time: Option<&Time>) -> io::Result<()> {
        let Self { out, run, begun, .. } = self;
        let Some(run) = run.get().filter(|_| !*begun) else { return Ok(()) };
        *begun = true;
        let time = time.map_or_else(String::new, |time| format!("{time}  "));
        let RunInfo { what, hook, wait, .. } = run;
        writeln!(out, "{time}monitoring {what} (hook {hook}, wait {wait}); {}", run.real_time_state())?;
        run.notices().try_for_each(|notice| writeln!(out, "{time}{notice}"))
    }

    /// New streams, names that became known, and what went wrong since the last window.
    fn changes(&mut self, time: &Time, row: &StreamRow) -> io::Result<()> {
        let known = self.streams.get(&row.id).cloned();
        let stream = words::stream(row);
        let news = match &known {
            None if row.name.is_none() => Some(format!("new stream {stream}, station not yet known")),
            None => Some(format!("new stream {stream}")),
            Some(told) => (told.name != row.name).then(|| format!("stream is {stream}")),
        };
        news.iter().try_for_each(|news| writeln!(self.out, "{time}  {news}"))?;
        let told = known.unwrap_or_default();
        for (what, before, now) in
            [("missing frame", told.missing, row.missing), ("CRC error", told.crc_errors, row.crc_errors)]
        {
            if now > before {
                let more = counted((now - before).into(), what);
                writeln!(self.out, "{time}  stream {stream}: {more}, {now} in all")?;
            }
        }
        let now = Told { name: row.name.clone(), missing: row.missing, crc_errors: row.crc_errors };
        self.streams.insert(Arc::clone(&row.id), now);
        Ok(())
    }

    fn state(&mut self, time: &Time, window: &Window) -> io::Result<()> {
        if window.streams.is_empty() {
            return self.still_waiting(time, window);
        }
        let totals = Totals::of(window);
        let mut parts =
            vec![totals.streams(), totals.rate(), format!("{} missing", totals.missing), totals.crc_errors()];
        parts.extend((totals.undecoded > 0).then(|| format!("{} undecoded", totals.undecoded)));
        parts.extend(totals.latency());
        let alignment = window.counters.as_ref().and_then(|counters| counters.alignment);
        parts.extend(
            alignment
                .map(|one| format!("{}, {} incomplete", counted(one.instants, "instant"), one.incomplete)),
        );
        let unaccounted = words::or_absent(window.counters.as_ref().map(Counters::unaccounted));
        parts.push(format!("unaccounted {unaccounted}"));
        let real_time = self.run.get().is_none_or(|run| run.real_time);
        parts.extend((!real_time).then(|| "NOT REAL-TIME".to_owned()));
        writeln!(self.out, "{time}  {}", parts.join(", "))
    }

    fn dropped(&mut self, drop: &DropLine) -> io::Result<()> {
        let DropLine { time_ns, src, dst, transport, reason, place, loss, length, iface: _ } = drop;
        let what = if *loss { "" } else { ", no loss" };
        let (time, place) = (Time(*time_ns), place.name());
        writeln!(
            self.out,
            "{time}  dropped {transport} {src} > {dst}, {length} bytes: {reason} ({place}{what})"
        )
    }

    fn still_waiting(&mut self, time: &Time, window: &Window) -> io::Result<()> {
        let due = self.waited.is_multiple_of(WAITING_EVERY);
        self.waited = self.waited.wrapping_add(1);
        match self.run.get() {
            Some(run) if due => writeln!(self.out, "{time}  {}", waiting(run, window)),
            _ => Ok(()),
        }
    }
}

impl<W: Write + Send> Sink for Plain<W> {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn wants(&self) -> Classes {
        // The hub makes the table from them; the lines themselves take no part in it.
        if self.summary_only { Classes::NONE } else { Classes::NONE.with(Class::StreamState) }
    }

    fn take(&mut self, _item: &Item<'_>) -> io::Result<()> {
        Ok(())
    }

    fn window(&mut self, window: &Window) -> io::Result<()> {
        if self.summary_only {
            return Ok(());
        }
        let time = Time(window.time_ns);
        self.begin(Some(&time))?;
        window.notices.iter().try_for_each(|notice| writeln!(self.out, "{time}  {notice}"))?;
        window.drops.iter().try_for_each(|drop| self.dropped(drop))?;
        window.streams.iter().try_for_each(|row| self.changes(&time, row))?;
        self.state(&time, window)?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let run = self.run.get().cloned();
        if !self.summary_only {
            self.begin(None)?;
            writeln!(self.out)?;
        }
        self.out.write_all(ending(run.as_ref(), summary).as_bytes())?;
        self.out.flush()
    }
}

/// Date and time to the second, UTC.
struct Time(i64);

impl Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = Utc(Nanos(self.0)).to_string();
        write!(f, "{}Z", text.split_once('.').map_or("", |(seconds, _)| seconds))
    }
}
