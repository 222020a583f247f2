//! `cargo xtask run`: from a fresh checkout to the running monitor.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::error::{Error, Result};
use crate::project::{self, Project};
use crate::{ebpf, process};

/// What sudo would otherwise keep from the monitor: how much it logs, and which object it loads.
const KEPT_BY_SUDO: [&str; 2] = ["RUST_LOG", "PMU_MONITOR_OBJECT"];

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Handed to `pmu-monitor run` as they are; with none it monitors twelve simulated PMUs
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds what is not built, then becomes the monitor: signals and exit status are its own. Comes back only where
/// it could not be started.
pub(crate) fn perform(project: &Project, args: &Args) -> Result<ExitCode> {
    ebpf::ensure(project)?;
    let mut build = project::cargo();
    build.current_dir(&project.root).args(["build", "--release", "--package=monitor"]);
    process::run(build.env_remove("CARGO_BUILD_TARGET"))?;
    let mut monitor = as_root(&project.target.join("release/pmu-monitor"))?;
    monitor.arg("run").args(&args.args);
    let program = process::line(&monitor);
    Err(Error::Start { program, source: monitor.exec() })
}

/// Attaching to the kernel takes root's capabilities; building does not, so only this goes through sudo.
fn as_root(monitor: &Path) -> Result<Command> {
    if process::is_root() {
        return Ok(Command::new(monitor));
    }
    if process::find("sudo").is_none() {
        return Err(Error::plain(format!(
            "attaching to the kernel takes root, and sudo is not installed; as root, start `{} run`",
            monitor.display()
        )));
    }
    eprintln!("attaching to the kernel takes root: going through sudo");
    let mut sudo = Command::new("sudo");
    let kept: Vec<&str> = KEPT_BY_SUDO.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    if !kept.is_empty() {
        sudo.arg(format!("--preserve-env={}", kept.join(",")));
    }
    sudo.arg("--").arg(monitor);
    Ok(sudo)
}
