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
    /// What was made ready by `cargo xtask test --only vm`, as it is
    #[arg(long, hide = true, conflicts_with = "filter")]
    prepared: bool,
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
    let filter = args.filter.as_deref();
    let guests: Vec<Guest> = if args.prepared {
        kernels.iter().map(|&kernel| Guest::new(project, kernel, args.full, None)).collect()
    } else {
        let mut guests = Vec::new();
        for (kernel, guest) in make(project, kernels, args.full, filter)? {
            guests.push(guest.map_err(|reason| Error::plain(format!("{}: {reason}", kernel.name())))?);
        }
        guests
    };
    run(&guests).map(|()| ExitCode::SUCCESS)
}

/// As a step of `cargo xtask test`: makes all machines ready to be started, which tests then do. Where one cannot be
/// had, the reason lies in its directory.
pub(crate) fn prepare(project: &Project, full: bool) -> Result<()> {
    for (kernel, guest) in make(project, &Kernel::ALL, full, None)? {
        let reason = directory(project, kernel).join("skipped");
        project::remove_file(&reason)?;
        if let Err(why) = guest {
            project::remove_file(&initramfs(project, kernel))?;
            eprintln!("vm {}: {why}", kernel.name());
            project::write(&reason, why.as_bytes())?;
        }
    }
    Ok(())
}

type Made = std::result::Result<Guest, String>;

fn make(
    project: &Project,
    kernels: &[Kernel],
    full: bool,
    filter: Option<&str>,
) -> Result<Vec<(Kernel, Made)>> {
    let missing = missing();
    if !missing.is_empty() {
        return Ok(kernels.iter().map(|&kernel| (kernel, Err(missing.clone()))).collect());
    }
    let programs = programs::build(project)?;
    let guest = |&kernel: &Kernel| Ok((kernel, Guest::make(project, kernel, &programs, full, filter)?));
    kernels.iter().map(guest).collect()
}

/// Side by side: each takes one CPU of the host.
fn run(guests: &[Guest]) -> Result<()> {
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = guests.iter().map(|guest| scope.spawn(|| guest.test())).collect();
        running
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| Err(Error::plain("it panicked"))))
            .collect()
    });
    let mut failures = Vec::new();
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
    if failures.is_empty() {
        Ok(())
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
        "an x86-64 host".to_owned()
    } else if absent.is_empty() {
        String::new()
    } else {
        let packages = absent.join(" ");
        format!("{packages} (as root: apt-get install --no-install-recommends {packages})")
    }
}

/// Where kernels, roots and serial output lie.
pub(crate) fn place(project: &Project) -> PathBuf {
    project.target.join("vm")
}

fn directory(project: &Project, kernel: Kernel) -> PathBuf {
    place(project).join(kernel.name())
}

fn initramfs(project: &Project, kernel: Kernel) -> PathBuf {
    directory(project, kernel).join("initramfs")
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
    fn new(project: &Project, kernel: Kernel, full: bool, filter: Option<&str>) -> Self {
        Self {
            kernel,
            image: kernel::image(&directory(project, kernel)),
            initramfs: initramfs(project, kernel),
            serial: place(project).join(format!("{}.log", kernel.name())),
            tests: guest::chosen(kernel, full, filter),
        }
    }

    /// Where the kernel cannot be had, the reason.
    fn make(
        project: &Project,
        kernel: Kernel,
        programs: &programs::Programs,
        full: bool,
        filter: Option<&str>,
    ) -> Result<Made> {
        let files = match kernel::provide(&place(project), kernel) {
            Ok(files) => files,
            Err(error) => return Ok(Err(format!("its package, which cannot be had: {error}"))),
        };
        let guest = Self::new(project, kernel, full, filter);
        if guest.tests.is_empty() {
            return Ok(Err("a test of that name".to_owned()));
        }
        project::write(&guest.initramfs, &root::make(project, &files, programs, &guest.tests)?)?;
        Ok(Ok(guest))
    }

    /// Boots it and judges what it said. Gives how long it took.
    fn test(&self) -> Result<Duration> {
        let (name, tests, serial) = (self.kernel.name(), self.tests.len(), self.serial.display());
        eprintln!("vm {name}: {tests} tests, serial output in {serial}");
        let begun = Instant::now();
        let ended = qemu::boot(&self.image, &self.initramfs, &self.serial)?;
        let said = String::from_utf8_lossy(&project::read(&self.serial)?).into_owned();
        judge::judge(&said, ended, &self.tests).map_err(Error::plain)?;
        Ok(begun.elapsed())
    }
}
