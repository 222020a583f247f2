//! Two things measured side by side: in short alternating blocks, of which the fastest are told. What else the machine
//! does makes blocks slower, never faster, and hits one side as much as the other.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Blocks of each.
const BLOCKS: usize = 500;

/// How long a block is to take: long against the clock's steps, short against a turn of the scheduler.
const BLOCK: Duration = Duration::from_micros(100);

/// Nanoseconds of one run of each.
pub(crate) fn side_by_side<A, B>(mut one: impl FnMut() -> A, mut other: impl FnMut() -> B) -> [f64; 2] {
    let (runs_of_one, runs_of_other) = (runs_of_block(&mut one), runs_of_block(&mut other));
    let mut fastest = [f64::INFINITY; 2];
    for _ in 0..BLOCKS {
        fastest[0] = fastest[0].min(block(&mut one, runs_of_one));
        fastest[1] = fastest[1].min(block(&mut other, runs_of_other));
    }
    fastest
}

fn block<T>(what: &mut impl FnMut() -> T, runs: u32) -> f64 {
    let begun = Instant::now();
    for _ in 0..runs {
        black_box(what());
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
}

fn runs_of_block<T>(what: &mut impl FnMut() -> T) -> u32 {
    let mut runs = 16;
    while block(what, runs) * f64::from(runs) < BLOCK.as_secs_f64() * 1e9 {
        runs *= 2;
    }
    runs
}
