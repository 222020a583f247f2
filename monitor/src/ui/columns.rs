//! The table of streams: what each column shows, and which of them fit a width.
//!
//! Where the screen is too narrow, what matters least goes first (the order of [`ECONOMIES`]); what tells whether
//! every frame arrived stays to the last.

use std::collections::HashSet;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::hub::{StreamLatency, StreamRow};
use crate::sink::words::{
    ABSENT, Micros, StreamName, is_locked, late, measured, or_absent, rate, time_quality,
};

/// Heading and numbers of something that is wrong.
pub(super) const WRONG: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Something to look at.
pub(super) const SUSPECT: Style = Style::new().fg(Color::Yellow);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Stream,
    Station,
    Rate,
    Frames,
    Missing,
    Late,
    Crc,
    Frequency,
    Rocof,
    Time,
    Median,
    Percentile99,
    Maximum,
}

impl Column {
    const ALL: [Self; 13] = [
        Self::Stream,
        Self::Station,
        Self::Rate,
        Self::Frames,
        Self::Missing,
        Self::Late,
        Self::Crc,
        Self::Frequency,
        Self::Rocof,
        Self::Time,
        Self::Median,
        Self::Percentile99,
        Self::Maximum,
    ];

    const fn heading(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Station => "station",
            Self::Rate => "rate/s",
            Self::Frames => "frames",
            Self::Missing => "missing",
            Self::Late => "late",
            Self::Crc => "CRC",
            Self::Frequency => "Hz",
            Self::Rocof => "Hz/s",
            Self::Time => "time",
            Self::Median => "p50 µs",
            Self::Percentile99 => "p99 µs",
            Self::Maximum => "max µs",
        }
    }

    const fn is_text(self) -> bool {
        matches!(self, Self::Stream | Self::Station | Self::Time)
    }

    fn cell(self, row: &StreamRow, names: &Names) -> String {
        let latency = |pick: fn(&StreamLatency) -> u32| {
            or_absent(row.latency_ns.as_ref().map(|latency| Micros(pick(latency).into())))
        };
        match self {
            Self::Stream => names.of(&row.id),
            Self::Station => row.name.as_deref().unwrap_or(ABSENT).to_owned(),
            Self::Rate => rate(row),
            Self::Frames => row.frames.to_string(),
            Self::Missing => row.missing.to_string(),
            Self::Late => late(row),
            Self::Crc => row.crc_errors.to_string(),
            Self::Frequency => measured(row.frequency_hz, 3),
            Self::Rocof => measured(row.rocof_hz_per_s, 3),
            Self::Time => or_absent(time_quality(row)),
            Self::Median => latency(|latency| latency.p50),
            Self::Percentile99 => latency(|latency| latency.p99),
            Self::Maximum => latency(|latency| latency.max),
        }
    }

    fn style(self, row: &StreamRow) -> Style {
        match self {
            Self::Missing if row.missing > 0 => WRONG,
            Self::Late if row.late.is_some_and(|late| late > 0) => WRONG,
            Self::Crc if row.crc_errors > 0 => WRONG,
            Self::Rate if row.frames > 0 && row.rate_hz <= 0.0 => WRONG,
            Self::Time if row.frames > 0 && !is_locked(row) => SUSPECT,
            _ => Style::new(),
        }
    }
}

/// How much of a stream's identity is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// `60 192.0.2.1 > 192.0.2.9 udp`
    Whole,
    /// `60 192.0.2.1 > 192.0.2.9`
    Addresses,
    /// `60 192.0.2.1`; with the end of the receiver's address and the transport where that names several streams.
    Pmu,
}

/// How the streams of a table are called.
#[derive(Clone, Debug)]
struct Names {
    detail: Detail,
    idcode_width: usize,
    /// IDCODE and PMU address of streams that differ only in what [`Detail::Pmu`] leaves out.
    ambiguous: HashSet<(String, String)>,
}

impl Names {
    fn new(rows: &[StreamRow]) -> Self {
        let (mut seen, mut ambiguous, mut idcode_width) = (HashSet::new(), HashSet::new(), 0);
        for StreamName { idcode, source, .. } in rows.iter().filter_map(|row| StreamName::parse(&row.id)) {
            idcode_width = idcode_width.max(idcode.len());
            if !seen.insert((idcode, source)) {
                ambiguous.insert((idcode.to_owned(), source.to_owned()));
            }
        }
        Self { detail: Detail::Whole, idcode_width, ambiguous }
    }

    fn of(&self, id: &str) -> String {
        let Some(StreamName { idcode, source, destination, transport }) = StreamName::parse(id) else {
            return id.to_owned();
        };
        let pmu = format!("{idcode:>width$} {source}", width = self.idcode_width);
        match self.detail {
            Detail::Whole => format!("{pmu} > {destination} {transport}"),
            Detail::Addresses => format!("{pmu} > {destination}"),
            Detail::Pmu if self.ambiguous.contains(&(idcode.to_owned(), source.to_owned())) => {
                format!("{pmu} > …{} {transport}", last_part(destination))
            }
            Detail::Pmu => pmu,
        }
    }
}

/// The end of an address, by which receivers in one network differ.
fn last_part(address: &str) -> &str {
    address.rfind(['.', ':']).map_or(address, |at| &address[at..])
}

/// A way to save width.
#[derive(Clone, Copy, Debug)]
enum Economy {
    Detail(Detail),
    /// Down to this width, and no more than needed.
    Shorten(Column, usize),
    Drop(Column),
}

/// What is given up where the width does not suffice, in this order. Stream and missing frames stay.
const ECONOMIES: [Economy; 17] = [
    Economy::Detail(Detail::Addresses),
    Economy::Detail(Detail::Pmu),
    Economy::Drop(Column::Late),
    Economy::Drop(Column::Rocof),
    Economy::Drop(Column::Median),
    Economy::Shorten(Column::Station, 8),
    Economy::Drop(Column::Maximum),
    Economy::Drop(Column::Rate),
    Economy::Shorten(Column::Stream, 24),
    Economy::Drop(Column::Time),
    Economy::Drop(Column::Frequency),
    Economy::Drop(Column::Station),
    Economy::Shorten(Column::Stream, 12),
    Economy::Drop(Column::Percentile99),
    Economy::Drop(Column::Crc),
    Economy::Shorten(Column::Stream, 5),
    Economy::Drop(Column::Frames),
];

/// Which columns are shown, and how wide.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    shown: Vec<(Column, usize)>,
    names: Names,
    gap: usize,
}

impl Columns {
    /// For these rows within a width.
    pub(super) fn fit(rows: &[StreamRow], width: usize) -> Self {
        let mut columns = Self { shown: Vec::new(), names: Names::new(rows), gap: 1 };
        columns.shown = Column::ALL.map(|column| (column, columns.natural(column, rows))).to_vec();
        for economy in ECONOMIES {
            let excess = columns.width().saturating_sub(width);
            if excess == 0 {
                break;
            }
            columns.save(economy, rows, excess);
        }
        // Where there is room, columns stand apart.
        if columns.width() + columns.shown.len() <= width + 1 {
            columns.gap = 2;
        }
        columns
    }

    fn width(&self) -> usize {
        let cells: usize = self.shown.iter().map(|(_, width)| width).sum();
        cells + self.gap * self.shown.len().saturating_sub(1)
    }

    fn natural(&self, column: Column, rows: &[StreamRow]) -> usize {
        let cells = rows.iter().map(|row| width_of(&column.cell(row, &self.names)));
        cells.max().unwrap_or(0).max(width_of(column.heading()))
    }

    fn save(&mut self, economy: Economy, rows: &[StreamRow], excess: usize) {
        match economy {
            Economy::Detail(detail) => {
                self.names.detail = detail;
                let width = self.natural(Column::Stream, rows);
                self.set_width(Column::Stream, |_| width);
            }
            Economy::Shorten(column, least) => {
                self.set_width(column, |width| width.saturating_sub(excess).max(least.min(width)));
            }
            Economy::Drop(column) => self.shown.retain(|(shown, _)| *shown != column),
        }
    }

    fn set_width(&mut self, column: Column, change: impl FnOnce(usize) -> usize) {
        if let Some((_, width)) = self.shown.iter_mut().find(|(shown, _)| *shown == column) {
            *width = change(*width);
        }
    }

    /// The line above the rows.
    pub(super) fn heading(&self) -> Line<'static> {
        let cells = self.shown.iter().map(|&(column, width)| Span::raw(pad(column, column.heading(), width)));
        self.line(cells).style(Style::new().add_modifier(Modifier::UNDERLINED))
    }

    /// One stream.
    pub(super) fn row(&self, row: &StreamRow) -> Line<'static> {
        self.line(self.shown.iter().map(|&(column, width)| {
            let cell = column.cell(row, &self.names);
            Span::styled(pad(column, &cell, width), column.style(row))
        }))
    }

    fn line(&self, cells: impl Iterator<Item = Span<'static>>) -> Line<'static> {
        let mut spans = Vec::with_capacity(2 * self.shown.len());
        for cell in cells {
            if !spans.is_empty() {
                spans.push(Span::raw(" ".repeat(self.gap)));
            }
            spans.push(cell);
        }
        Line::from(spans)
    }
}

/// Whether something of a row should not be missed.
pub(super) fn is_faulty(row: &StreamRow) -> bool {
    row.missing > 0 || row.crc_errors > 0 || row.late.is_some_and(|late| late > 0)
}

/// Terminal columns that a text takes.
pub(super) fn width_of(text: &str) -> usize {
    Span::raw(text).width()
}

fn pad(column: Column, text: &str, width: usize) -> String {
    let text = match column {
        // The end of an address tells more than its middle.
        Column::Stream => cut_middle(text, width),
        _ => cut(text, width),
    };
    let blanks = " ".repeat(width.saturating_sub(width_of(&text)));
    if column.is_text() { text + &blanks } else { blanks + &text }
}

/// A text without its end, and a mark where it was, where it is too wide.
pub(super) fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    head(text, width.saturating_sub(1)) + if width > 0 { "…" } else { "" }
}

/// The same without its middle.
fn cut_middle(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    // The longer half behind the mark.
    let before = width.saturating_sub(1) * 2 / 5;
    let behind = width.saturating_sub(1) - before;
    let reversed: String = text.chars().rev().collect();
    let tail: String = head(&reversed, behind).chars().rev().collect();
    head(text, before) + "…" + &tail
}

/// As many characters as fit.
fn head(text: &str, width: usize) -> String {
    let mut left = width;
    let fits = |character: &char| {
        let rest = left.checked_sub(width_of(character.encode_utf8(&mut [0; 4])));
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    text.chars().take_while(fits).collect()
}
