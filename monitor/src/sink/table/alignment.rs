//! Alignment in the summary.

use std::fmt::Write as _;
use std::time;

use super::grid::Grid;
use crate::config::Duration;
use crate::hub::{AlignedRow, Alignment, StageLatency};
use crate::sink::words::{ABSENT, Micros};

/// The totals, and the streams that were not always there.
pub(super) fn described(alignment: &Alignment) -> String {
    let Alignment { wait, wait_ns, instants, complete, incomplete, cut, values_refused, skew_ns, streams } =
        alignment;
    let span = Duration(time::Duration::from_nanos((*wait_ns).into()));
    let mut text = format!(
        "instants     {instants}: {complete} complete, {incomplete} incomplete, {cut} cut short; waited for {span}, \
         {wait}\n"
    );
    // Writing to a String does not fail.
    if let Some(StageLatency { p50, p99, max, .. }) = skew_ns {
        let [p50, p99, max] = [p50, p99, max].map(|ns| Micros(*ns));
        let _ =
            writeln!(text, "skew         first to last arrival: p50 {p50} us, p99 {p99} us, max {max} us");
    }
    if *values_refused > 0 {
        let _ = writeln!(text, "refused      values of {values_refused} PMUs: more than pmus-per-instant");
    }
    if let Some(grid) = gaps(streams) {
        let _ = writeln!(text, "{grid}");
    }
    text
}

/// None where every stream was always there.
fn gaps(rows: &[AlignedRow]) -> Option<Grid> {
    let mut grid = Grid::new(2, ["stream", "station", "aligned", "absent", "late", "out of step"]);
    let mut any = false;
    for AlignedRow { id, name, aligned, absent, late, out_of_step } in rows {
        if (*absent, *late, *out_of_step) != (0, 0, 0) {
            any = true;
            let name = name.as_deref().unwrap_or(ABSENT).to_owned();
            let counts = [aligned.to_string(), absent.to_string(), late.to_string(), out_of_step.to_string()];
            grid.push([id.to_string(), name].into_iter().chain(counts));
        }
    }
    any.then_some(grid)
}
