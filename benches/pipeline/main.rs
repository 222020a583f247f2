//! What a frame costs the real-time thread, from packet to queue: with 12 streams and with 1200, with alignment and
//! without, and the ratios between them in one run.
//!
//! The same number of packets goes through each pipeline in a block, each the next frame of its stream; the blocks
//! alternate, and the fastest of each is told: what else the machine does makes a block slower, never faster. With
//! `--check` a ratio beyond its limit is a failure; `--ratios` leaves criterion out.

mod outlet;
mod traffic;

use std::process::ExitCode;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};

use traffic::{Case, PACKETS, STREAMS};

/// The same as a divisor.
const FRAMES: f64 = 4_800.0;
const _: () = assert!(PACKETS == 4_800);

/// A frame of 1200 streams may cost so much more than one of 12.
const LIMIT: f64 = 1.5;

/// Blocks of each case.
const BLOCKS: usize = 400;

fn main() -> ExitCode {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if !asked("--ratios") {
        let mut criterion = Criterion::default().sample_size(20);
        measure(&mut criterion);
        criterion.final_summary();
    }
    let within = compare();
    if within || !asked("--check") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn name(aligned: bool) -> &'static str {
    if aligned { "aligned" } else { "not aligned" }
}

fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame through the pipeline");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for aligned in [false, true] {
        for streams in STREAMS {
            let mut case = Case::new(streams, aligned);
            group.bench_function(BenchmarkId::new(name(aligned), streams), |b| {
                b.iter_custom(|blocks| (0..blocks).map(|_| case.block()).sum());
            });
        }
    }
    group.finish();
}

/// The table; whether all that has a limit is within it.
fn compare() -> bool {
    let mut cases: Vec<_> = [false, true]
        .into_iter()
        .map(|aligned| (aligned, STREAMS.map(|streams| (Case::new(streams, aligned), Duration::MAX))))
        .collect();
    for _ in 0..BLOCKS {
        for (case, fastest) in cases.iter_mut().flat_map(|(_, cases)| cases) {
            *fastest = case.block().min(*fastest);
        }
    }
    let [few, many] = STREAMS;
    println!(
        "{:<14} {:>12} {:>14} {:>7} {:>6}",
        "frame",
        format!("{few} streams"),
        format!("{many} streams"),
        "ratio",
        "limit"
    );
    let mut within = true;
    for (aligned, cases) in &cases {
        let [of_few, of_many] = [0, 1].map(|place: usize| cases[place].1.as_secs_f64() * 1e9 / FRAMES);
        let ratio = of_many / of_few;
        within &= ratio <= LIMIT;
        println!(
            "{:<14} {of_few:>9.1} ns {of_many:>11.1} ns {ratio:>7.2} {LIMIT:>6.2}{}",
            name(*aligned),
            if ratio <= LIMIT { "" } else { "   beyond its limit" },
        );
        for (case, _) in cases {
            case.assert_whole();
        }
    }
    within
}
