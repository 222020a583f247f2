//! `cargo xtask fuzz`: builds the fuzz targets with libFuzzer's instrumentation, lets them run, says how many inputs
//! were tried, and with `--grow` keeps what was found as the corpus.
//!
//! The instrumentation is the compiler's own, switched on by flags that stable has: no other toolchain is needed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};

/// Every target.
pub(crate) const TARGETS: [&str; 4] = ["datagrams", "segments", "configurations", "captures"];

/// Edge counters and a table of the code's places, for libFuzzer to steer by.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table";

/// The operands of comparisons too. They take half of the time, and teach little where the corpus holds the constants that
/// are compared with and what proves a frame is put right by the targets.
const COMPARES: &str = " -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Longest input of each target, in bytes. A datagram's or a segment's few bytes make packets of their own, each a way
/// through the pipeline: long inputs are many short ones in a row, at the price of as many. The corpus is shorter.
const LONGEST: [(&str, u32); 2] = [("datagrams", 1_024), ("segments", 256)];
const LONGEST_OF_OTHERS: u32 = 4_096;

/// Named, so that build scripts and macros, which run in the compiler's own world, are not instrumented.
const TRIPLE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these targets
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Also steer by the operands of comparisons: for constants that the corpus does not hold yet, at half the speed
    #[arg(long)]
    compares: bool,
    /// Keep the smallest set of inputs that reaches everything reached so far as the committed corpus
    #[arg(long)]
    grow: bool,
}

/// Where the targets are built, and where what they find lies.
pub(crate) fn place(project: &Project) -> PathBuf {
    project.target.join("fuzz")
}

/// Where a target's program lies once it is built.
fn program(project: &Project, target: &str) -> PathBuf {
    place(project).join(TRIPLE).join("release").join(target)
}

/// The directory of the programs, for the tests.
pub(crate) fn programs(project: &Project) -> PathBuf {
    place(project).join(TRIPLE).join("release")
}

/// Builds all targets.
pub(crate) fn build(project: &Project, compares: bool) -> Result<()> {
    let flags = if compares { FLAGS.to_owned() + COMPARES } else { FLAGS.to_owned() };
    let mut command = project::cargo();
    command
        .current_dir(project.root.join("fuzz"))
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .args(["build", "--quiet", "--release", "--locked", "--target", TRIPLE, "--target-dir"])
        .arg(place(project))
        .args(TARGETS.into_iter().flat_map(|target| ["--bin", target]));
    process::run(&mut command)
}

/// Writes what fuzzing begins with where there is no corpus yet.
fn write_seeds(project: &Project) -> Result<()> {
    let mut command = project::cargo();
    command
        .current_dir(project.root.join("fuzz"))
        .args(["run", "--quiet", "--locked", "--no-default-features", "--bin", "seeds", "--target-dir"])
        .arg(place(project))
        .arg("--")
        .arg(place(project).join("seeds"));
    process::run(&mut command)
}

pub(crate) fn perform(project: &Project, args: &Args) -> Result<ExitCode> {
    let targets: Vec<&str> = if args.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        args.targets.iter().map(|name| known(name)).collect::<Result<_>>()?
    };
    build(project, args.compares)?;
    write_seeds(project)?;
    let mut total = 0;
    // Two at a time: such machines as this is made for have two CPUs at least.
    for pair in targets.chunks(2) {
        let running = pair.iter().map(|target| start(project, target, args));
        let running = running.collect::<Result<Vec<_>>>()?;
        for (target, child) in pair.iter().zip(running) {
            total += finish(project, target, child)?;
        }
    }
    eprintln!("{total} inputs tried in all");
    if args.grow {
        targets.iter().try_for_each(|target| grow(project, target))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn known(name: &str) -> Result<&'static str> {
    TARGETS.into_iter().find(|target| *target == name).ok_or_else(|| {
        Error::plain(format!("no fuzz target is called {name}; there are {}", TARGETS.join(", ")))
    })
}

fn corpora(project: &Project, target: &str) -> [PathBuf; 3] {
    [place(project).join("found"), project.root.join("fuzz/corpus"), place(project).join("seeds")]
        .map(|directory| directory.join(target))
}

fn start(project: &Project, target: &str, args: &Args) -> Result<std::process::Child> {
    let longest =
        LONGEST.iter().find(|(name, _)| *name == target).map_or(LONGEST_OF_OTHERS, |(_, most)| *most);
    let artifacts = place(project).join("artifacts");
    project::create_dir(&artifacts)?;
    let mut command = Command::new(program(project, target));
    command
        .arg(format!("-max_total_time={}", args.seconds))
        .arg(format!("-max_len={longest}"))
        .arg(format!("-use_value_profile={}", u8::from(args.compares)))
        .args(["-print_final_stats=1", "-len_control=20"])
        .arg(format!("-artifact_prefix={}/{target}-", artifacts.display()));
    for directory in corpora(project, target) {
        project::create_dir(&directory)?;
        command.arg(directory);
    }
    command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
    command.spawn().map_err(|source| Error::Start { program: target.to_owned(), source })
}

/// Waits for a target; gives how many inputs it tried.
fn finish(project: &Project, target: &str, child: std::process::Child) -> Result<u64> {
    let output =
        child.wait_with_output().map_err(|source| Error::Start { program: target.to_owned(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let last: Vec<&str> = said.lines().rev().take(40).collect();
        let mut text = format!("fuzz target {target} failed ({}):\n", output.status);
        for line in last.into_iter().rev() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
        }
        let program = program(project, target);
        let _ = write!(
            text,
            "To repeat it: {0} FILE, or, where it takes the inputs before it, PMU_FUZZ_BATCH=BATCH {0}, with the files named above",
            program.display()
        );
        return Err(Error::plain(text));
    }
    let tried =
        tried(&said).ok_or_else(|| Error::plain(format!("fuzz target {target} gave no statistics")))?;
    eprintln!("{target:16} {tried} inputs tried");
    Ok(tried)
}

/// From the statistics that libFuzzer prints at its end.
fn tried(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
}

/// Makes the committed corpus anew: of all that is there the smallest set that reaches as much.
fn grow(project: &Project, target: &str) -> Result<()> {
    let merged = place(project).join("merged").join(target);
    project::remove_dir(&merged)?;
    project::create_dir(&merged)?;
    let mut command = Command::new(program(project, target));
    command.arg("-merge=1").arg(&merged).args(corpora(project, target));
    process::output(&mut command)?;
    let corpus = project.root.join("fuzz/corpus").join(target);
    project::remove_dir(&corpus)?;
    copy(&merged, &corpus)?;
    eprintln!("{target:16} {} inputs kept", project::entries(&corpus)?.len());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    project::copy_tree(from, to, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_inputs_is_read_from_the_statistics() {
        let said =
            "Done 12 runs in 3 second(s)\nstat::number_of_executed_units: 4711\nstat::peak_rss_mb: 70\n";
        assert_eq!(tried(said), Some(4_711));
        assert_eq!(tried("Done"), None);
    }

    #[test]
    fn a_target_is_known_by_name() {
        assert!(known("segments").is_ok());
        assert!(known("segment").is_err_and(|error| error.to_string().contains("segments")));
    }
}
