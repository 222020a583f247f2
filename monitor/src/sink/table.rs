//! The summary as a person reads it.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};

use monitor_core::event::Classes;

use super::Sink;
use crate::hub::{Item, StreamRow, Summary};

/// Writes the summary, and nothing before it.
pub struct Table<W> {
    out: W,
}

impl<W: Write> Table<W> {
    /// To that output.
    pub const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Sink for Table<W> {
    fn name(&self) -> &'static str {
        "table"
    }

    fn wants(&self) -> Classes {
        Classes::NONE
    }

    fn take(&mut self, _item: &Item<'_>) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.out.write_all(summary_table(summary).as_bytes())?;
        self.out.flush()
    }
}

/// The summary in lines: frames by kind, what was not decoded, the streams, and whether the sums are right.
#[must_use]
pub fn summary_table(summary: &Summary) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_summary(&mut out, summary);
    out
}

fn write_summary(out: &mut String, summary: &Summary) -> fmt::Result {
    write!(out, "frames     ")?;
    if summary.frames.0.is_empty() {
        write!(out, "  none of C37.118")?;
    }
    for (kind, count) in &summary.frames.0 {
        write!(out, "  {count} {}", kind.trim_start_matches("c37118."))?;
    }
    writeln!(out)?;
    write!(out, "undecoded    {}", summary.undecoded)?;
    for (reason, count) in &summary.counters.frames.undecoded.0 {
        write!(out, "  ({count} {reason})")?;
    }
    writeln!(out)?;
    writeln!(out, "wrong check  {}", summary.crc_errors)?;
    writeln!(out, "skipped      {} bytes", summary.skipped_bytes)?;
    writeln!(out, "unaccounted  {}", summary.unaccounted)?;
    if summary.packets_ignored > 0 {
        let ignored = summary.packets_ignored;
        writeln!(
            out,
            "other        {ignored} packets of other ports and protocols ('--port any' looks into all)"
        )?;
    }
    if summary.streams.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    streams(out, &summary.streams)
}

const HEADINGS: [&str; 11] =
    ["stream", "station", "frames", "missing", "dup", "order", "crc", "undec", "rate/s", "Hz", "Hz/s"];
/// Columns of text stand to the left, those of numbers to the right.
const TEXT_COLUMNS: usize = 2;

fn streams(out: &mut String, rows: &[StreamRow]) -> fmt::Result {
    let cells: Vec<[String; HEADINGS.len()]> = rows.iter().map(row).collect();
    let width = |column: usize| {
        let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(HEADINGS[column].len())
    };
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
    line(out, &HEADINGS, &widths)?;
    cells.iter().try_for_each(|row| line(out, row, &widths))
}

fn row(row: &StreamRow) -> [String; HEADINGS.len()] {
    let value = |value: Option<f32>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    [
        row.id.to_string(),
        row.name.as_deref().unwrap_or("-").to_owned(),
        row.frames.to_string(),
        row.missing.to_string(),
        row.duplicate.to_string(),
        row.out_of_order.to_string(),
        row.crc_errors.to_string(),
        row.undecoded.to_string(),
        format!("{:.2}", row.rate_hz),
        value(row.frequency_hz),
        value(row.rocof_hz_per_s),
    ]
}

fn line(out: &mut String, cells: &[impl Display], widths: &[usize]) -> fmt::Result {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if column > 0 {
            write!(out, "  ")?;
        }
        if column < TEXT_COLUMNS { write!(out, "{cell:<width$}")? } else { write!(out, "{cell:>width$}")? }
    }
    writeln!(out)
}
