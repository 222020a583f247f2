//! What is looked at: the reader's CPU and priority, the interfaces, and what serves them.

use std::collections::BTreeSet;

use super::host::{Host, Thread, Unread};
use crate::rt::RequestError;
use crate::served;
use crate::sys::sched::{CpuList, FIFO_PRIORITIES};

const CPUS: &str = "/sys/devices/system/cpu";

/// What the user says of the run that the host should be fit for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Interfaces; none: all that have hardware behind them.
    pub interfaces: Vec<String>,
    /// The reader's CPU; none: the first isolated one, else the last that is online.
    pub cpu: Option<usize>,
    /// The reader's priority under `SCHED_FIFO`.
    pub priority: u8,
}

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// A CPU or a priority that there is not.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An interface that there is not.
    #[error(
        "interface {name} is not in /sys/class/net, which has {present}; choose one of them with --iface, or run in \
         the network namespace that has it, with a /sys of its own"
    )]
    NoSuchInterface {
        /// As asked for.
        name: String,
        /// Those that are there.
        present: String,
    },
    /// The CPUs are not told.
    #[error("{0}; run it where /sys is mounted")]
    Unread(#[from] Unread),
}

/// A network interface.
#[derive(Debug)]
pub(super) struct Nic {
    pub(super) name: String,
    /// Its interrupt lines; none where it has no hardware, or the hardware does not tell.
    pub(super) lines: Vec<Line>,
}

/// An interrupt line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) irq: u32,
    /// The CPUs that its interrupts come to; none where that is not told.
    pub(super) serves: Option<CpuList>,
}

/// A host, seen from a reader of certain interfaces on a certain CPU.
#[derive(Debug)]
pub struct Subject<'a> {
    pub(super) host: &'a Host,
    pub(super) cpu: usize,
    /// Whether the user named it.
    pub(super) cpu_asked: bool,
    pub(super) priority: u8,
    pub(super) online: CpuList,
    pub(super) isolated: CpuList,
    pub(super) nics: Vec<Nic>,
    pub(super) threads: Vec<Thread>,
}

impl<'a> Subject<'a> {
    /// Finds what was asked for.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn of(host: &'a Host, asked: &Asked) -> Result<Self, SubjectError> {
        if !FIFO_PRIORITIES.contains(&asked.priority) {
            return Err(RequestError::Priority(asked.priority).into());
        }
        let online = cpu_list(&host.read(&format!("{CPUS}/online"))?);
        let isolated = cpu_list(&host.read(&format!("{CPUS}/isolated")).unwrap_or_default());
        let cpu = match asked.cpu {
            Some(cpu) => existing(host, cpu, &online)?,
            None => chosen(&online, &isolated),
        };
        let nics = interfaces(host, &asked.interfaces)?.into_iter().map(|name| Nic::of(host, name)).collect();
        let threads = host.kernel_threads();
        let (cpu_asked, priority) = (asked.cpu.is_some(), asked.priority);
        Ok(Self { host, cpu, cpu_asked, priority, online, isolated, nics, threads })
    }

    /// The reader's CPU.
    #[must_use]
    pub fn cpu(&self) -> usize {
        self.cpu
    }

    /// The names of the interfaces.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.nics.iter().map(|nic| nic.name.as_str())
    }

    /// The priority of what must run before the reader; none where nothing can.
    pub(super) fn above(&self) -> Option<u8> {
        self.priority.checked_add(1).filter(|above| FIFO_PRIORITIES.contains(above))
    }

    /// The CPUs that a frame passes through: the reader's and those that serve the interfaces.
    pub(super) fn way(&self) -> Vec<usize> {
        let served = self.nics.iter().flat_map(|nic| &nic.lines).filter_map(|line| line.serves.as_ref());
        let cpus: BTreeSet<usize> = served.flat_map(CpuList::iter).chain([self.cpu]).collect();
        cpus.into_iter().filter(|&cpu| self.online.contains(cpu)).collect()
    }

    /// CPUs for everything that is not the reader: neither its own nor isolated, where there are such. `None` where
    /// the reader's is the only one.
    pub(super) fn others(&self) -> Option<CpuList> {
        let not_ours = || self.online.iter().filter(|&cpu| cpu != self.cpu);
        let some = |cpus: CpuList| (cpus.count() > 0).then_some(cpus);
        some(not_ours().filter(|&cpu| !self.isolated.contains(cpu)).collect())
            .or_else(|| some(not_ours().collect()))
    }
}

fn existing(host: &Host, cpu: usize, online: &CpuList) -> Result<usize, SubjectError> {
    if online.contains(cpu) {
        return Ok(cpu);
    }
    let possible = cpu_list(&host.read(&format!("{CPUS}/possible"))?);
    Err(if possible.contains(cpu) {
        RequestError::OfflineCpu { cpu, online: online.to_string() }
    } else {
        RequestError::NoSuchCpu { cpu, possible: possible.to_string() }
    }
    .into())
}

fn chosen(online: &CpuList, isolated: &CpuList) -> usize {
    isolated.iter().find(|&cpu| online.contains(cpu)).or_else(|| online.iter().last()).unwrap_or(0)
}

fn interfaces(host: &Host, asked: &[String]) -> Result<Vec<String>, SubjectError> {
    const NET: &str = "/sys/class/net";
    // `bonding_masters` is a file among the interfaces.
    let mut present = host.names(NET);
    present.retain(|name| host.has(&format!("{NET}/{name}/ifindex")));
    if asked.is_empty() {
        present.retain(|name| host.has(&format!("{NET}/{name}/device")));
        return Ok(present);
    }
    match asked.iter().find(|name| !present.contains(name)) {
        Some(name) => {
            let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
            Err(SubjectError::NoSuchInterface { name: name.clone(), present })
        }
        None => Ok(asked.to_vec()),
    }
}

impl Nic {
    fn of(host: &Host, name: String) -> Self {
        let irqs = served::lines(host.root(), &name).into_iter();
        let lines = irqs.map(|irq| Line { irq, serves: served::affinity(host.root(), irq) }).collect();
        Self { name, lines }
    }
}

/// A list of CPUs in the kernel's format; empty for anything else, such as the "(null)" of an empty one.
pub(super) fn cpu_list(text: &str) -> CpuList {
    CpuList::parse(text).unwrap_or_else(|| CpuList::from_iter([]))
}
