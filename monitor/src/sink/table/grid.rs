//! Cells in columns: text stands to the left, numbers to the right.

use std::fmt::{self, Display};

/// A heading and rows of as many cells.
pub(super) struct Grid {
    /// How many columns, from the left, hold text.
    text_columns: usize,
    /// The heading first.
    lines: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(text_columns: usize, heading: impl IntoIterator<Item = &'static str>) -> Self {
        Self { text_columns, lines: vec![heading.into_iter().map(str::to_owned).collect()] }
    }

    pub(super) fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(cells.into_iter().collect());
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.lines[0].len()).map(width).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let cell = |(column, (cell, &width)): (usize, (&String, &usize))| {
            if column < self.text_columns { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let line = cells.iter().zip(widths).enumerate().map(cell).collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    }
}

impl Display for Grid {
    /// Without a line break after the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let lines: Vec<_> = self.lines.iter().map(|cells| self.line(cells, &widths)).collect();
        write!(f, "{}", lines.join("\n"))
    }
}
