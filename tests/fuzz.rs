//! The fuzz targets, each for half a minute from the committed corpus; with `PMU_TEST_FULL=1` for eight. Panics, overflows
//! and counters that do not add up are failures, and the input that led there is named.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, run};
use support::{Need, trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let needs = &[Need::FuzzTargets];
    let trials = vec![
        trial("datagrams", needs, || fuzzed("datagrams")),
        trial("segments", needs, || fuzzed("segments")),
        trial("configurations", needs, || fuzzed("configurations")),
        trial("captures", needs, || fuzzed("captures")),
    ];
    run(&arguments, trials).exit_code()
}

fn fuzzed(target: &str) {
    let seconds = if env::var_os("PMU_TEST_FULL").is_some() { 500 } else { 30 };
    // As `cargo xtask fuzz` has it.
    let longest = match target {
        "datagrams" => 1_024,
        "segments" => 256,
        _ => 4_096,
    };
    let programs = env::var_os("PMU_FUZZ_TARGETS").unwrap();
    let found = tempfile::tempdir().unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    assert!(corpus.read_dir().unwrap().count() > 10, "the corpus of {target} is gone");
    let output = Command::new(Path::new(&programs).join(target))
        .arg(format!("-max_total_time={seconds}"))
        .args(["-print_final_stats=1", &format!("-max_len={longest}")])
        // What a failure leaves is kept: the input, and the batch of inputs before it.
        .arg(format!("-artifact_prefix={}/fuzz-{target}-", env!("CARGO_TARGET_TMPDIR")))
        .args([found.path(), &corpus])
        .current_dir(found.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let tried = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let tried: u64 = tried.unwrap().trim().parse().unwrap();
    assert!(tried > 1_000, "only {tried} inputs: nothing was tested");
    println!("{target}: {tried} inputs");
}
