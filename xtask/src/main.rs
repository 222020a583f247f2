//! `cargo xtask`: builds, runs, tests and measures `pmu-monitor`. It stands beside a frame's way, not in it: it makes the
//! object that the kernel loads and starts what reads the kernel's records.
//!
//! One file for each verb; `ebpf/` is what it takes to compile for the BPF target.

mod bench;
mod build_ebpf;
mod ebpf;
mod error;
mod fuzz;
mod packages;
mod process;
mod project;
mod run;
mod test;
mod vm;

use std::process::ExitCode;

use clap::Parser;

use crate::error::Result;
use crate::project::Project;

/// Builds, runs, tests and measures pmu-monitor.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
enum Verb {
    /// Builds the object that the kernel loads, where its sources changed.
    BuildEbpf(build_ebpf::Args),
    /// Measures in ratios of one run, and fails where a figure is beyond its limit.
    Bench(bench::Args),
    /// Feeds the decoders with inputs made to break them, and says how many were tried.
    Fuzz(fuzz::Args),
    /// Builds what is needed and starts `pmu-monitor run`, through sudo where not root.
    Run(run::Args),
    /// Checks format, lints, object and documentation, then runs every test that can run here.
    Test(test::Args),
    /// Runs integration tests on Debian's PREEMPT_RT kernels, in a virtual machine.
    Vm(vm::Args),
}

fn main() -> ExitCode {
    match perform(Verb::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(verb: Verb) -> Result<ExitCode> {
    let project = Project::find()?;
    match verb {
        Verb::BuildEbpf(args) => build_ebpf::perform(&project, &args),
        Verb::Bench(args) => bench::perform(&project, &args),
        Verb::Fuzz(args) => fuzz::perform(&project, &args),
        Verb::Run(args) => run::perform(&project, &args),
        Verb::Test(args) => test::perform(&project, &args),
        Verb::Vm(args) => vm::perform(&project, &args),
    }
}
