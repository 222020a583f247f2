//! What the kernel programs cost a packet: nanoseconds above an empty program at the same hook, by
//! `BPF_PROG_TEST_RUN`, and what the tracepoints cost every packet of the host.
//!
//! All in one run and in alternating blocks, so that what else the machine does falls on all sides, and in several
//! rounds, of which the median one is told. Prints a table, or with `--json` one object; with `--check` a figure above
//! its limit is a failure. `--against OBJECT` holds the programs of another object against these, call by call;
//! `--hw-stamps` those that read the network card's own stamps.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to tell but where")]

mod cases;
mod figures;
#[path = "../../tests/support/packets.rs"]
#[expect(dead_code, reason = "tests need more kinds of packet than the bench")]
mod packets;
mod programs;
mod tracepoints;

use std::path::PathBuf;
use std::process::ExitCode;

use monitor::sys::sched;

use cases::Case;
use figures::{Figure, Report, Round};
use programs::{Object, Programs};

/// Rounds, one after the other; each figure is the median of theirs.
const ROUNDS: u32 = 7;
/// Blocks of a round; its figure is their median.
const BLOCKS: u32 = 5;
/// Calls in one block.
const CALLS: u32 = 20;

fn main() -> ExitCode {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let against = std::env::args().skip_while(|argument| argument != "--against").nth(1).map(PathBuf::from);
    sched::set_affinity(sched::current_cpu().unwrap()).unwrap();
    let mut report = Report::new();
    let mut objects = vec![Programs::load(&Object::Own), Programs::load(&Object::WithDrops)];
    objects.extend(against.map(|path| Programs::load(&Object::Other(path))));
    objects.extend(asked("--hw-stamps").then(|| Programs::load(&Object::Stamped)));
    measure(&objects, &cases::all(), &mut report);
    drop(objects);
    tracepoints::measure(&mut report);
    if asked("--json") {
        report.print_json();
    } else {
        report.print_table();
    }
    if asked("--check") && !report.all_hold() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(objects: &[Programs], cases: &[Case], report: &mut Report) {
    let before: Vec<_> = objects.iter().map(Programs::counters).collect();
    let mut rounds: Vec<Vec<Vec<Round>>> = vec![vec![Vec::new(); objects.len()]; cases.len()];
    for _ in 0..ROUNDS {
        for of_case in &mut rounds {
            for of_object in of_case {
                of_object.push(Round::default());
            }
        }
        for _ in 0..BLOCKS {
            for (case, of_case) in cases.iter().zip(&mut rounds) {
                block(objects, case, of_case);
            }
        }
    }
    for (object, before) in objects.iter().zip(&before) {
        object.assert_nothing_refused(before, cases, CALLS * BLOCKS * ROUNDS);
    }
    for (case, of_case) in cases.iter().zip(&rounds) {
        for (place, of_object) in of_case.iter().enumerate() {
            if place == 0 {
                report.push(Figure::of(case.name, of_object, case.limit));
            } else if objects[place].has(case.subject) {
                let name = format!("  {}: {}", objects[place].name(), case.name);
                report.push(Figure::of(&name, of_object, None));
            }
        }
    }
}

/// One block of a case: an empty program and those of all objects in turn.
fn block(objects: &[Programs], case: &Case, rounds: &mut [Vec<Round>]) {
    let mut empty_ns = 0.0;
    let mut own_ns = vec![0.0; objects.len()];
    for _ in 0..CALLS {
        empty_ns += objects[0].time(case.baseline(), case);
        for (object, own_ns) in objects.iter().zip(&mut own_ns) {
            if object.kind().has(case.subject) {
                *own_ns += object.time(case.subject, case);
            }
        }
    }
    for (rounds, own_ns) in rounds.iter_mut().zip(own_ns) {
        let round = rounds.last_mut().unwrap();
        round.push(empty_ns / f64::from(CALLS), own_ns / f64::from(CALLS));
    }
}
