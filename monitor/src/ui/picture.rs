//! The whole picture: heading, table, counters, notices, for any size of screen.
//!
//! A picture is made anew for each window, as lines first and then as cells; it depends on nothing but what it is
//! given, so that a test sees what a person sees.

use monitor_core::time::Nanos;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::columns::{Columns, SUSPECT, WRONG, cut, is_faulty, width_of};
use super::info::RunInfo;
use super::totals::Totals;
use crate::hub::{Counters, Equation, StreamRow, Window};
use crate::sink::Utc;
use crate::sink::words::counted;

const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
/// Not to be overlooked, in colour or without.
const WARNING: Style = Style::new().fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD);
const ALARM: Style = Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD);

/// Rows of the table that are shown before any counter or notice is: its heading and four streams.
const TABLE_FIRST: usize = 5;
/// The newest notices, of which as many are shown as there is room for.
const NOTICES: usize = 12;
/// Screens lower than this have room for nothing that can be left out.
const LOW: usize = 16;
/// Screens this high have room for long sentences.
const HIGH: usize = 30;

/// What a picture is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// None until it is told.
    pub(super) run: Option<&'a RunInfo>,
    pub(super) window: &'a Window,
    /// Oldest first.
    pub(super) notices: &'a [String],
}

/// The picture as plain text, lines without blanks at their ends: for documents and tests.
#[must_use]
pub fn render_text(run: &RunInfo, window: &Window, notices: &[String], columns: u16, rows: u16) -> String {
    let scene = Scene { run: Some(run), window, notices };
    text_of(&paint(scene, columns, rows))
}

/// The picture as cells; every one of them is to be written.
pub(super) fn paint(scene: Scene<'_>, columns: u16, rows: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    let lines = compose(scene, columns.into(), rows.into());
    for (row, line) in (0..rows).zip(&lines) {
        buffer.set_style(Rect::new(0, row, columns, 1), Style::new());
        buffer.set_line(0, row, line, columns);
    }
    buffer
}

/// What stands in the cells.
pub(super) fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.area.rows() {
        // The cell behind a wide character holds a blank that is not there.
        let mut covered = 0;
        let start = text.len();
        for position in row.positions() {
            if covered == 0 {
                let symbol = buffer[position].symbol();
                text.push_str(symbol);
                covered = width_of(symbol);
            }
            covered = covered.saturating_sub(1);
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

fn compose(scene: Scene<'_>, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let Scene { run, window, notices } = scene;
    let head = head(run, window, columns, rows);
    let counters = window.counters.as_ref().map(|counters| sums(counters, columns)).unwrap_or_default();
    let most = if rows < LOW { 1 } else { 3 };
    let notices: Vec<_> =
        notices.iter().rev().take(NOTICES).map(|notice| wrap(notice, columns, most)).collect();
    let verdict = verdict(window);
    let plan = Plan::new(rows, head.len() + 1, window.streams.len(), counters.len(), &notices);

    let mut lines = head;
    lines.extend(plan.blank(0));
    lines.extend(table(&window.streams, columns, plan.table));
    lines.extend(plan.blank(1));
    lines.extend(counters.into_iter().take(plan.counters));
    lines.push(verdict);
    lines.extend(plan.blank(2));
    let shown = notices.into_iter().take(plan.notices).rev().flatten();
    lines.extend(shown.map(|line| Line::styled(line, SUSPECT)));
    lines
}

/// How many rows each part gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    /// The table's, with its heading.
    table: usize,
    counters: usize,
    /// Notices, not their rows.
    notices: usize,
    blanks: usize,
}

impl Plan {
    fn new(rows: usize, fixed: usize, streams: usize, counters: usize, notices: &[Vec<String>]) -> Self {
        let mut left = rows.saturating_sub(fixed);
        let wanted = if streams == 0 { 0 } else { streams + 1 };
        let mut take = |wanted: usize, least: usize| {
            let taken = wanted.min(left);
            if taken < least {
                return 0;
            }
            left -= taken;
            taken
        };
        // The newest notice is shown if it can be, even where the table then is not whole.
        let mut table = take(wanted.min(TABLE_FIRST), 0);
        let newest = notices.first().map_or(0, Vec::len);
        let mut told = usize::from(newest > 0 && take(newest, newest) > 0);
        let counters = take(counters, counters);
        table += take(wanted - table, 0);
        while told < notices.len() && told > 0 && take(notices[told].len(), notices[told].len()) > 0 {
            told += 1;
        }
        let blanks = take(3, 0);
        Self { table, counters, notices: told, blanks }
    }

    /// An empty line, where there is room for that many and more.
    fn blank(&self, index: usize) -> Option<Line<'static>> {
        (index < self.blanks).then(Line::default)
    }
}

fn head(run: Option<&RunInfo>, window: &Window, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let Some(run) = run else { return vec![Line::styled("pmu-monitor: starting", STRONG)] };
    let mut lines = vec![Line::styled(title(run, window, columns), STRONG)];
    let style = if run.real_time { GOOD } else { WARNING };
    let most = match rows {
        // What was granted may be cut off; the remedy should not be.
        ..LOW if run.real_time => 1,
        ..HIGH => 2,
        HIGH.. => 4,
    };
    lines.extend(
        wrap(&run.real_time_state(), columns, most).into_iter().map(|line| Line::styled(line, style)),
    );
    if window.streams.is_empty() {
        lines.extend(wrap(&waiting(run, window), columns, most).into_iter().map(Line::raw));
    } else {
        lines.push(totals(&Totals::of(window)));
    }
    lines
}

fn title(run: &RunInfo, window: &Window, columns: usize) -> String {
    let RunInfo { what, hook, wait, .. } = run;
    let left = format!("{what}  hook {hook}  wait {wait}");
    let time = format!("{}Z", clock(window.time_ns));
    let (wide, narrow) = (width_of(&left), width_of(what));
    let blanks = |width: usize| columns.checked_sub(width + time.len()).filter(|blanks| *blanks >= 2);
    match (blanks(wide), wide <= columns, blanks(narrow)) {
        (Some(blanks), ..) => left + &" ".repeat(blanks) + &time,
        (None, true, _) => left,
        (None, false, Some(blanks)) => format!("{what}{}{time}", " ".repeat(blanks)),
        (None, false, None) => cut(what, columns),
    }
}

/// Time of the day.
pub(super) fn clock(time_ns: i64) -> String {
    let utc = Utc(Nanos(time_ns)).to_string();
    // `2008-08-06 11:52:58.251598000`
    utc.split_once(' ')
        .and_then(|(_, time)| time.split_once('.'))
        .map_or_else(String::new, |(time, _)| time.to_owned())
}

/// Why there is no table, with what is known of what did come.
pub(super) fn waiting(run: &RunInfo, window: &Window) -> String {
    let counters = window.counters.as_ref();
    match counters.map_or(0, |counters| counters.frames.found) {
        0 => match counters.and_then(|counters| counters.packets) {
            Some(packets) => format!("{} ({} seen)", run.waiting(), counted(packets.seen, "packet")),
            None => run.waiting(),
        },
        found => {
            format!("no stream yet on {}: {}, none of them DATA or CFG", run.what, counted(found, "frame"))
        }
    }
}

fn totals(totals: &Totals) -> Line<'static> {
    let gap = || Span::raw("  ");
    let bad = |count: u64, style| if count > 0 { style } else { Style::new() };
    let mut spans = vec![
        Span::raw(totals.streams()),
        gap(),
        Span::raw(totals.rate()),
        gap(),
        Span::styled(format!("{} missing", totals.missing), bad(totals.missing, WRONG)),
        gap(),
        Span::styled(totals.crc_errors(), bad(totals.crc_errors, WRONG)),
    ];
    if totals.undecoded > 0 {
        spans.extend([gap(), Span::styled(format!("{} undecoded", totals.undecoded), SUSPECT)]);
    }
    spans.extend([gap(), Span::raw(counted(totals.frames, "frame"))]);
    Line::from(spans)
}

/// Heading and streams in so many rows; where they do not suffice the last row says what is not shown.
fn table(streams: &[StreamRow], columns: usize, rows: usize) -> Vec<Line<'static>> {
    if rows == 0 {
        return Vec::new();
    }
    let room = rows - 1;
    let shown = if streams.len() <= room { streams.len() } else { room.saturating_sub(1) };
    // Widths by all streams: the table does not jump when it is scrolled or grows.
    let layout = Columns::fit(streams, columns);
    let mut lines = vec![layout.heading()];
    lines.extend(streams[..shown].iter().map(|row| layout.row(row)));
    if shown < streams.len() && room > 0 {
        lines.push(more(&streams[shown..]));
    }
    lines
}

fn more(hidden: &[StreamRow]) -> Line<'static> {
    let text = format!("… {} more", hidden.len());
    match hidden.iter().filter(|row| is_faulty(row)).count() {
        0 => Line::raw(text),
        faulty => Line::styled(format!("{text}, {faulty} of them with missing frames or CRC errors"), WRONG),
    }
}

/// One line for each sum; the queues' and sinks' are one sum of sums, or those that lost something.
fn sums(counters: &Counters, columns: usize) -> Vec<Line<'static>> {
    let (events, mut others): (Vec<_>, Vec<_>) =
        counters.equations().into_iter().partition(|sum| sum.group == "events");
    others.extend(together(&events));
    others.iter().map(|sum| sum_line(sum, columns)).collect()
}

fn together(lanes: &[Equation]) -> Option<Equation> {
    let mut all = lanes.first()?.clone();
    for lane in &lanes[1..] {
        all.total.1 += lane.total.1;
        for (sum, part) in all.parts.iter_mut().zip(&lane.parts) {
            sum.1 += part.1;
        }
    }
    let lost: Vec<_> =
        lanes.iter().filter(|lane| lane.parts.iter().any(|(name, n)| name == "dropped" && *n > 0)).collect();
    if let Some((name, _)) =
        all.parts.iter_mut().find(|(name, _)| name == "dropped").filter(|_| !lost.is_empty())
    {
        let lanes: Vec<_> = lost.iter().filter_map(|lane| lane.of).collect();
        *name = format!("dropped({})", lanes.join(", ")).into();
    }
    Some(all)
}

fn sum_line(sum: &Equation, columns: usize) -> Line<'static> {
    const LABEL: usize = 9;
    let label = Span::raw(format!("{:<LABEL$}", sum.group));
    let off = sum.unaccounted();
    if off == 0 {
        let room = columns.saturating_sub(LABEL);
        return Line::from(vec![label, Span::raw(cut(&sum.within(room), room))]);
    }
    let mark = format!("  off by {off}");
    let room = columns.saturating_sub(LABEL + width_of(&mark));
    Line::from(vec![label, Span::raw(cut(&sum.within(room), room)), Span::styled(mark, ALARM)])
}

fn verdict(window: &Window) -> Line<'static> {
    match window.counters.as_ref().map(Counters::unaccounted) {
        None => Line::raw("unaccounted -"),
        Some(0) => Line::styled("unaccounted 0", GOOD),
        Some(off) => {
            Line::styled(format!("unaccounted {off}  this is a bug of pmu-monitor: please report it"), ALARM)
        }
    }
}

/// Breaks a text between words; what does not fit so many rows is cut off at a mark.
fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && columns > 0 {
        if lines.len() + 1 == most {
            lines.push(cut(rest, columns));
            break;
        }
        let end = line_end(rest, columns);
        lines.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    lines
}

/// Where the first line ends: behind the last blank that it has room for, or within a word wider than it.
fn line_end(text: &str, columns: usize) -> usize {
    let (mut width, mut blank) = (0, None);
    for (at, character) in text.char_indices() {
        if character == ' ' && at > 0 {
            blank = Some(at);
        }
        width += width_of(character.encode_utf8(&mut [0; 4]));
        if width > columns {
            // At least one character, or there would be no end.
            return blank.unwrap_or_else(|| at.max(character.len_utf8()));
        }
    }
    text.len()
}
