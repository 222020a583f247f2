//! `cargo xtask build-ebpf`: makes the object that the kernel loads.

use std::process::ExitCode;

use crate::ebpf::{self, prove};
use crate::error::Result;
use crate::project::Project;

/// What the verb takes.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").multiple(false))]
pub(crate) struct Args {
    /// Build one that logs to user space, under target/ebpf/log/; it is never committed
    #[arg(long, group = "what")]
    log: bool,
    /// Build anew and fail where the committed object differs
    #[arg(long, group = "what")]
    check: bool,
    /// Build at two places and fail where the objects differ
    #[arg(long, group = "what")]
    prove: bool,
}

/// Builds; exit status 0 unless something failed.
pub(crate) fn perform(project: &Project, args: &Args) -> Result<ExitCode> {
    if args.log {
        ebpf::build_log(project)?;
    } else if args.check {
        ebpf::check(project)?;
    } else if args.prove {
        prove::prove(project)?;
    } else {
        ebpf::ensure(project)?;
    }
    Ok(ExitCode::SUCCESS)
}
