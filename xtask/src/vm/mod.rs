//! `cargo xtask vm`: the integration tests on Debian's PREEMPT_RT kernels, in a virtual machine that QEMU translates: it
//! takes no rights and no KVM, and changes nothing of the host.
//!
//! The guest's root is made here (`root`): the test programs with the libraries that they need, under the very paths
//! that they have on the host; modules of the kernel's package; a script that runs the chosen tests (`guest`) while both
//! CPUs are contended for, and ends the machine with a status. What the kernel said is judged afterwards (`judge`).

mod archive;
mod guest;
mod judge;
mod kernel;
mod modules;
mod programs;
mod qemu;
mod root;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};
use kernel::Kernel;

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// On which kernel
    #[arg(value_enum, default_value_t = Which::All)]
    which: Which,
    /// Also the tests that take long
    #[arg(long)]
    full: bool,
    /// Only the tests whose name holds this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
}

/// As it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Debian 12's PREEMPT_RT kernel
    #[value(name = "6.1-rt")]
    Rt61,
    /// Debian 13's PREEMPT_RT kernel, as Debian 12 has it
    #[value(name = "6.12-rt")]
    Rt612,
    All,
}

/// Programs of the host, each with the package that has it.
const NEEDED: [(&str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("strip", "binutils"),
];

/// Runs what is asked for. A machine on which it cannot run is an error here, since it was asked for by name.
pub(crate) fn perform(project: &Project, args: &Args) -> Result<ExitCode> {
    let kernels: &[Kernel] = match args.which {
        Which::Rt61 => &[Kernel::Rt61],
        Which::Rt612 => &[Kernel::Rt612],
        Which::All => &Kernel::ALL,
    };
    let skipped = run(project, kernels, args.full, args.filter.as_deref())?;
    if skipped.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Error::plain("nothing was tested")) }
}

/// As a step of `cargo xtask test`: all kernels. Gives what was skipped, with the reason.
pub(crate) fn step(project: &Project, full: bool) -> Result<Vec<String>> {
    run(project, &Kernel::ALL, full, None)
}

fn run(project: &Project, kernels: &[Kernel], full: bool, filter: Option<&str>) -> Result<Vec<String>> {
    let mut skipped = Vec::new();
    let mut failures = Vec::new();
    let programs = if missing().is_empty() { Some(programs::build(project)?) } else { None };
    let mut guests = Vec::new();
    for &kernel in kernels {
        match &programs {
            None => skipped.push(format!("vm {}: skipped: {}", kernel.name(), missing())),
            Some(programs) => match Guest::make(project, kernel, programs, full, filter)? {
                Ok(guest) => guests.push(guest),
                Err(reason) => skipped.push(format!("vm {}: skipped: {reason}", kernel.name())),
            },
        }
    }
    // Side by side: each takes one CPU of the host.
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = guests.iter().map(|guest| scope.spawn(|| guest.test())).collect();
        running
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| Err(Error::plain("it panicked"))))
            .collect()
    });
    for (guest, outcome) in guests.iter().zip(outcomes) {
        let (name, tests) = (guest.kernel.name(), guest.tests.len());
        match outcome {
            Ok(took) => eprintln!("vm {name}: {tests} tests run: {tests} passed, in {} s", took.as_secs()),
            Err(error) => {
                eprintln!("vm {name}: {error}");
                failures.push(name);
            }
        }
    }
    for line in &skipped {
        eprintln!("{line}");
    }
    if failures.is_empty() {
        Ok(skipped)
    } else {
        Err(Error::plain(format!("tests failed on {}", failures.join(" and "))))
    }
}

/// What this host lacks, with the remedy; empty where nothing.
fn missing() -> String {
    let absent: Vec<&str> = NEEDED
        .into_iter()
        .filter(|(program, _)| process::find(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if cfg!(not(target_arch = "x86_64")) {
        "the kernels are x86-64's".to_owned()
    } else if absent.is_empty() {
        String::new()
    } else {
        let packages = absent.join(" ");
        format!("needs {packages} (as root: apt-get install --no-install-recommends {packages})")
    }
}

/// Where kernels, roots and serial output lie.
fn place(project: &Project) -> PathBuf {
    project.target.join("vm")
}

/// A machine that is ready to be started.
struct Guest {
    kernel: Kernel,
    image: PathBuf,
    initramfs: PathBuf,
    serial: PathBuf,
    tests: Vec<&'static guest::Test>,
}

impl Guest {
    /// Where the kernel cannot be had, the reason.
    fn make(
        project: &Project,
        kernel: Kernel,
        programs: &programs::Programs,
        full: bool,
        filter: Option<&str>,
    ) -> Result<std::result::Result<Self, String>> {
        let files = match kernel::provide(&place(project), kernel) {
            Ok(files) => files,
            Err(error) => return Ok(Err(format!("its package cannot be had: {error}"))),
        };
        let tests = guest::chosen(kernel, full, filter);
        let initramfs = files.directory.join("initramfs");
        project::write(&initramfs, &root::make(project, &files, programs, &tests)?)?;
        let serial = place(project).join(format!("{}.log", kernel.name()));
        eprintln!("vm {}: {} tests, serial output in {}", kernel.name(), tests.len(), serial.display());
        Ok(Ok(Self { kernel, image: files.image, initramfs, serial, tests }))
    }

    /// Boots it and judges what it said. Gives how long it took.
    fn test(&self) -> Result<Duration> {
        let begun = Instant::now();
        let ended = qemu::boot(&self.image, &self.initramfs, &self.serial)?;
        let said = String::from_utf8_lossy(&project::read(&self.serial)?).into_owned();
        judge::judge(&said, ended, &self.tests).map_err(Error::plain)?;
        Ok(begun.elapsed())
    }
}
