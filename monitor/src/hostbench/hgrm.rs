//! Percentile files (.hgrm) as `HdrHistogram`'s own `outputPercentileDistribution` writes them, which its plotters read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::spread::Spread;

/// Steps for each halving of the distance to 100 %, as `HdrHistogram` has them where nothing else is said.
const TICKS: u32 = 5;
/// Values stand in microseconds.
const NANOS_PER_UNIT: f64 = 1000.0;
/// Counts of a bucket for three digits: the power of two from 2 * 10^3 up.
const SUB_BUCKETS: u32 = 2048;

/// Writes one file.
///
/// # Errors
/// What the file system says.
pub(super) fn write_file(path: &Path, spread: &Spread) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    write(&mut out, spread)?;
    out.flush()
}

#[expect(clippy::cast_precision_loss, reason = "values up to 10 s, and counts below 2^32")]
fn write(out: &mut impl Write, spread: &Spread) -> io::Result<()> {
    let histogram = spread.percentiles();
    writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / NANOS_PER_UNIT;
        let percentile = step.quantile_iterated_to();
        write!(out, "{value:12.3} {percentile:14.12} {total:10}")?;
        // The last one's would be infinite.
        if percentile < 1.0 {
            write!(out, " {:14.2}", 1.0 / (1.0 - percentile))?;
        }
        writeln!(out)?;
    }
    let mean = histogram.mean() / NANOS_PER_UNIT;
    let deviation = histogram.stdev() / NANOS_PER_UNIT;
    writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]")?;
    let max = histogram.max() as f64 / NANOS_PER_UNIT;
    writeln!(out, "#[Max     = {max:12.3}, Total count    = {:12}]", histogram.len())?;
    writeln!(out, "#[Buckets = {:12}, SubBuckets     = {SUB_BUCKETS:12}]", histogram.buckets())
}

#[cfg(test)]
mod tests {
    use super::super::spread::spread_of;
    use super::*;

    #[test]
    fn a_distribution_reads_as_hdrhistograms_own() {
        let mut out = Vec::new();
        write(&mut out, &spread_of(&[1000, 1000, 2000, 4000])).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[2], "       1.000 0.000000000000          2           1.00");
        let last = lines.iter().rfind(|line| !line.starts_with('#')).unwrap();
        assert_eq!(*last, "       4.001 1.000000000000          4");
        assert!(text.contains("#[Max     =        4.001, Total count    =            4]"), "{text}");
    }

    #[test]
    fn an_empty_one_has_no_steps() {
        let mut out = Vec::new();
        write(&mut out, &spread_of(&[])).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().skip(2).all(|line| line.starts_with("#[")) && !text.contains("NaN"), "{text}");
    }
}
