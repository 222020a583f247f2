//! `cargo xtask bench`: how fast it is, in ratios of one run; a figure beyond its limit is a failure.

use std::process::ExitCode;

use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure
    #[arg(value_enum)]
    name: Name,
    /// Handed to the bench as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Every bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// What the kernel programs cost a packet (takes root)
    Probe,
    /// How soon a reader sees a frame, against packet sockets (takes root and two CPUs)
    Delivery,
    /// What a frame costs its reader, drained alone and through the live loop, by the ring and by the perf buffer (takes
    /// root and two CPUs)
    Drain,
    /// What decoding a DATA frame costs, against its CRC by the `crc` crate
    Codec,
    /// What a frame costs with 12 streams and with 1200, aligned and not
    Pipeline,
    /// `decode` of a capture against tshark, as whole processes (takes tshark)
    Decode,
}

/// How one is run.
struct Bench {
    /// The package that it is a [[bench]] of.
    package: &'static str,
    /// Its name there.
    target: &'static str,
    /// It loads programs into the kernel.
    as_root: bool,
    /// What makes it fail where a figure is beyond its limit.
    checking: &'static [&'static str],
}

impl Name {
    const fn bench(self) -> Bench {
        match self {
            Self::Probe => {
                Bench { package: "monitor", target: "probe", as_root: true, checking: &["--check"] }
            }
            Self::Delivery => {
                Bench { package: "monitor", target: "delivery", as_root: true, checking: &["--check"] }
            }
            Self::Drain => {
                Bench { package: "monitor", target: "drain", as_root: true, checking: &["--check"] }
            }
            Self::Codec => {
                Bench { package: "monitor-core", target: "codec", as_root: false, checking: &["--check"] }
            }
            Self::Pipeline => {
                Bench { package: "monitor-core", target: "pipeline", as_root: false, checking: &["--check"] }
            }
            Self::Decode => {
                Bench { package: "monitor", target: "decode", as_root: false, checking: &["--check"] }
            }
        }
    }
}

/// Builds the bench with optimization and runs it.
pub(crate) fn perform(project: &Project, args: &Args) -> Result<ExitCode> {
    let Bench { package, target, as_root, checking } = args.name.bench();
    let mut command = project::cargo();
    command.current_dir(&project.root).env_remove("CARGO_BUILD_TARGET");
    if as_root && !process::is_root() {
        if process::find("sudo").is_none() {
            return Err(Error::plain("this bench takes root, and sudo is not installed; run it as root"));
        }
        eprintln!("loading programs into the kernel takes root: running the bench through sudo");
        // Only what was built runs as root, not cargo: its files stay the user's.
        command
            .args(["--config", "target.'cfg(all())'.runner=['sudo', '--preserve-env=PMU_MONITOR_OBJECT']"]);
    }
    command.args(["bench", "--quiet", "--package", package, "--bench", target, "--"]);
    process::run(command.args(checking).args(&args.args))?;
    Ok(ExitCode::SUCCESS)
}
