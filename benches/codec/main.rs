//! What the C37.118 codec costs: criterion's measurements, and behind them a table of ratios against the CRC of the
//! same frame by the `crc` crate's default table.
//!
//! A full decode proves the frame (size, type, check word) and reads every value as it was sent, which is what the
//! real-time thread does; magnitude and angle of what was sent as real and imaginary part are computed where a sink
//! asks, and shown for comparison. With `--check` a ratio beyond its limit is a failure; `--ratios` leaves criterion
//! out.

mod frames;
mod ratios;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use crc::{CRC_16_IBM_3740, Crc};
use criterion::{BenchmarkId, Criterion, Throughput};
use monitor_core::protocol::c37118::{DataView, FrameView, Layout, PmuView, crc as own};

use frames::{Subject, subjects};

/// A full decode may take as long as the check word alone by the crate's default table.
const LIMIT: f64 = 1.0;

/// The same CRC under the name that the crate's catalogue has for it.
const DEFAULT_TABLE: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

fn main() -> ExitCode {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let subjects = subjects();
    for Subject { frame, .. } in &subjects {
        assert_eq!(DEFAULT_TABLE.checksum(&frame[..frame.len() - 2]).to_be_bytes(), frame[frame.len() - 2..]);
    }
    if !asked("--ratios") {
        // Forty measurements: with criterion's own times they would take five minutes.
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        measure(&mut criterion, &subjects);
        criterion.final_summary();
    }
    let within = compare(&subjects);
    if within || !asked("--check") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each step of a decode by itself.
fn measure(criterion: &mut Criterion, subjects: &[Subject]) {
    for Subject { name, frame, layout } in subjects {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(frame.len() as u64));
        let checked = &frame[..frame.len() - 2];
        let size = frame.len();
        group.bench_function(BenchmarkId::new("crc crate, default table", size), |b| {
            b.iter(|| DEFAULT_TABLE.checksum(black_box(checked)));
        });
        group.bench_function(BenchmarkId::new("check word", size), |b| {
            b.iter(|| own::checksum(black_box(checked)));
        });
        group.bench_function(BenchmarkId::new("proof", size), |b| b.iter(|| proof(black_box(frame))));
        group.bench_function(BenchmarkId::new("full decode", size), |b| {
            b.iter(|| decode(black_box(frame), layout, as_sent));
        });
        group.bench_function(BenchmarkId::new("full decode, magnitude and angle", size), |b| {
            b.iter(|| decode(black_box(frame), layout, polar));
        });
        group.finish();
    }
}

/// The table; whether all that has a limit is within it.
fn compare(subjects: &[Subject]) -> bool {
    println!(
        "{:<30} {:>6} {:>10} {:>10} {:>7} {:>6}   {:>7} {:>7}",
        "DATA frame", "bytes", "decode", "crc crate", "ratio", "limit", "(proof", "polar)"
    );
    let mut within = true;
    for Subject { name, frame, layout } in subjects {
        let checked = &frame[..frame.len() - 2];
        let reference = || DEFAULT_TABLE.checksum(black_box(checked));
        let [decoding, crc] = ratios::side_by_side(|| decode(black_box(frame), layout, as_sent), reference);
        let [in_polar, crc_again] =
            ratios::side_by_side(|| decode(black_box(frame), layout, polar), reference);
        let [proving, crc_once_more] = ratios::side_by_side(|| proof(black_box(frame)), reference);
        let ratio = decoding / crc;
        within &= ratio <= LIMIT;
        println!(
            "{name:<30} {:>6} {decoding:>7.1} ns {crc:>7.1} ns {ratio:>7.2} {LIMIT:>6.2}   {:>7.2} {:>7.2}{}",
            frame.len(),
            proving / crc_once_more,
            in_polar / crc_again,
            if ratio <= LIMIT { "" } else { "   beyond its limit" },
        );
    }
    within
}

fn proof(frame: &[u8]) -> u16 {
    FrameView::new(frame).map_or(0, |frame| frame.header().framesize)
}

/// Proves the frame and adds up every value, so that all of them are read.
#[inline]
fn decode(frame: &[u8], layout: &Layout, phasors: impl Fn(&PmuView<'_>) -> f64) -> f64 {
    let Ok(frame) = FrameView::new(frame) else { return f64::NAN };
    let Ok(view) = DataView::new(frame.bytes(), layout) else { return f64::NAN };
    let mut sum = 0.0;
    for pmu in view.pmus() {
        sum += f64::from(pmu.stat().word());
        sum += phasors(&pmu);
        sum += pmu.frequency_hz().unwrap_or(0.0) + pmu.rocof_hz_per_s().unwrap_or(0.0);
        sum += pmu.analogs().flatten().sum::<f64>();
        sum += pmu.digitals().map(f64::from).sum::<f64>();
    }
    sum
}

fn as_sent(pmu: &PmuView<'_>) -> f64 {
    use monitor_core::protocol::c37118::Coordinates::{Polar, Rectangular};
    let sum_of = |phasor| match phasor {
        Rectangular { re, im } => re + im,
        Polar { magnitude, angle_rad } => magnitude + angle_rad,
    };
    pmu.coordinates().flatten().map(sum_of).sum()
}

fn polar(pmu: &PmuView<'_>) -> f64 {
    pmu.phasors().flatten().map(|phasor| phasor.magnitude + phasor.angle_rad).sum()
}
