//! `cargo xtask test`: everything that says whether the project is sound, in one command, tests last.

mod prerequisites;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::ebpf::{self, prove};
use crate::error::{Error, Result};
use crate::fuzz;
use crate::process;
use crate::project::{self, Project};
use crate::vm;

/// Every package but the one that compiles for BPF alone.
pub(crate) const HOST_WORLD: [&str; 3] = ["--workspace", "--exclude", "monitor-ebpf"];

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also what takes minutes: the tests that ask for it, and the proof that the eBPF object depends on no place
    #[arg(long)]
    full: bool,
    /// Only this step
    #[arg(long, value_name = "STEP", conflicts_with = "filter")]
    only: Option<Step>,
    /// Only the tests whose name holds this, and none of the other steps
    #[arg(value_name = "NAME-FILTER")]
    filter: Option<String>,
}

/// What is checked, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// The programs that tests use, installed where that can be done
    Prerequisites,
    Format,
    /// Lints of all that runs in user space
    Clippy,
    /// Lints of what runs in the kernel
    ClippyBpf,
    /// The committed eBPF object, built anew
    Object,
    /// The same object from two places (with --full)
    Prove,
    Doctests,
    /// The documentation, its warnings as errors
    Docs,
    /// The fuzz targets, built; they run as tests
    FuzzTargets,
    /// Virtual machines with PREEMPT_RT kernels, made ready; they run as tests
    Vm,
    Tests,
}

impl Step {
    const ALL: [Self; 11] = [
        Self::Prerequisites,
        Self::Format,
        Self::Clippy,
        Self::ClippyBpf,
        Self::Object,
        Self::Prove,
        Self::Doctests,
        Self::Docs,
        Self::FuzzTargets,
        Self::Vm,
        Self::Tests,
    ];

    /// As it is written after `--only`.
    fn name(self) -> &'static str {
        match self {
            Self::Prerequisites => "prerequisites",
            Self::Format => "format",
            Self::Clippy => "clippy",
            Self::ClippyBpf => "clippy-bpf",
            Self::Object => "object",
            Self::Prove => "prove",
            Self::Doctests => "doctests",
            Self::Docs => "docs",
            Self::FuzzTargets => "fuzz-targets",
            Self::Vm => "vm",
            Self::Tests => "tests",
        }
    }

    fn perform(self, project: &Project, args: &Args) -> Result<()> {
        match self {
            Self::Prerequisites => {
                prerequisites::install(project);
                Ok(())
            }
            Self::Format => process::run(cargo(project).args(["fmt", "--all", "--", "--check"])),
            Self::Clippy => process::run(&mut clippy(project)),
            Self::ClippyBpf => ebpf::clippy(project),
            Self::Object => ebpf::check(project),
            Self::Prove => prove::prove(project),
            Self::Doctests => {
                process::run(cargo(project).args(["test", "--quiet", "--doc"]).args(HOST_WORLD))
            }
            Self::Docs => process::run(&mut docs(project)),
            Self::FuzzTargets => {
                // libFuzzer is C++. Without a compiler for it the tests that run it are shown as skipped.
                if process::find("c++").is_some() { fuzz::build(project, false) } else { Ok(()) }
            }
            Self::Vm => vm::prepare(project, args.full),
            Self::Tests => process::run(&mut tests(project, args)?),
        }
    }
}

/// Runs the steps asked for; the first that fails ends it, named with the command that repeats it.
pub(crate) fn perform(project: &Project, args: &Args) -> Result<ExitCode> {
    let begun = Instant::now();
    for step in steps(args) {
        eprintln!("\n== {} ==  {} s after the first began", step.name(), begun.elapsed().as_secs());
        step.perform(project, args).map_err(|error| failed(step, args, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn steps(args: &Args) -> Vec<Step> {
    match (args.only, &args.filter) {
        (Some(step), _) => vec![step],
        (None, Some(_)) => vec![Step::Tests],
        (None, None) => Step::ALL.into_iter().filter(|step| args.full || *step != Step::Prove).collect(),
    }
}

fn failed(step: Step, args: &Args, error: &Error) -> Error {
    let full = if args.full { " --full" } else { "" };
    let what = args
        .filter
        .as_ref()
        .map_or_else(|| format!("--only {}", step.name()), |filter| format!("'{filter}'"));
    Error::plain(format!(
        "step {} failed: {error}\nTo repeat it alone: cargo xtask test{full} {what}",
        step.name()
    ))
}

fn cargo(project: &Project) -> Command {
    let mut command = project::cargo();
    command.current_dir(&project.root);
    command
}

fn clippy(project: &Project) -> Command {
    let mut command = cargo(project);
    command.args(["clippy", "--quiet"]).args(HOST_WORLD).args(["--all-targets", "--", "-D", "warnings"]);
    command
}

fn docs(project: &Project) -> Command {
    let mut command = cargo(project);
    command.env("RUSTDOCFLAGS", "-D warnings");
    // Those of private items too: whoever changes a room reads it there. The public ones are among them.
    command.args(["doc", "--quiet", "--no-deps", "--document-private-items"]).args(HOST_WORLD);
    command
}

/// The tests themselves: by nextest where it is installed, by cargo where not.
fn tests(project: &Project, args: &Args) -> Result<Command> {
    let mut command = cargo(project);
    let has_nextest = process::output(cargo(project).args(["nextest", "--version"])).is_ok();
    if has_nextest {
        command.args(["nextest", "run", "--no-fail-fast"]).args(HOST_WORLD);
        if args.filter.is_some() {
            // What the filter leaves out is not skipped: only what was asked for is listed.
            command.args(["--status-level=pass", "--final-status-level=slow"]);
        }
    } else {
        // The steps before have run the doctests.
        command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]).args(HOST_WORLD);
    }
    command.env("PMU_FUZZ_TARGETS", fuzz::programs(project));
    let this = env::current_exe().map_err(Error::file("find", Path::new("xtask")))?;
    command.env("PMU_XTASK", this).env("PMU_VM", vm::place(project));
    // Monitors keep configurations for the next run, in this host's state directory: not those of tests, which would also
    // find one another's there.
    command.env("STATE_DIRECTORY", "");
    command.args(&args.filter).env("PATH", process::path_with(prerequisites::directories(project)));
    if args.full {
        command.env("PMU_TEST_FULL", "1");
    }
    Ok(command)
}
