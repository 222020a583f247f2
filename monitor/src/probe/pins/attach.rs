//! Attaches an instance that outlives this process, or brings one that is attached up to this version's programs.

use std::{collections::HashMap, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, ProgramInfo, SchedClassifier, TcAttachType, Xdp,
        links::{FdLink, LinkError, PinnedLink},
        tc::{SchedClassifierLink, SchedClassifierLinkId},
        xdp::XdpLink,
    },
};
use monitor_common::{ADDED_CLSACT, ATTACHED_CLSACT, INTERFACES_MAX, InstanceInterface, InterfaceSettings};
use monitor_core::packet::InterfaceId;

use super::{
    InterfaceRecord, PinError, Record,
    detach::remove,
    directory::Directory,
    expected,
    lock::ChangeLock,
    open::{self, Pinned},
    record::{self, RecordMap},
};
use crate::probe::{
    Hook, Interface, Kernel, Matching, ProbeError, SelfTest,
    attach::{self as hooks, Attachment, STAGES},
    error::chain,
    kernel::missing,
    load, xdp,
};
use crate::sys::clock::realtime_ns;

/// What to attach.
#[derive(Clone, Debug)]
pub struct AttachOptions {
    /// The instance's name.
    pub name: String,
    /// What to match.
    pub matching: Matching,
    /// Bytes of the ring, for a new instance.
    pub ring_bytes: u32,
    /// Hook for what comes in.
    pub hook: Hook,
    /// Interfaces to watch.
    pub interfaces: Vec<Interface>,
}

/// What attaching did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// The instance was there already; its counters went on.
    pub renewed: bool,
    /// Programs that were replaced by this version's.
    pub replaced: Vec<String>,
    /// Interfaces that were attached to now.
    pub interfaces: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Attaches an instance. One that is there already keeps its maps and what they count; its programs are replaced where
/// this version's differ, one after the other and each at once, and interfaces are added.
///
/// # Errors
/// What this host lacks. Of a new instance nothing is left then.
pub fn attach(options: &AttachOptions) -> Result<Attached, PinError> {
    load::check_capabilities()?;
    let _lock = ChangeLock::take()?;
    let directory = Directory::of(&options.name);
    let there = directory.exists() && Pinned::open(&options.name).is_ok();
    if directory.exists() && !there {
        // What a crash, or somebody's hand, has left: it cannot be brought up to date, only removed.
        remove(&directory)?;
    }
    directory.create()?;
    let attached = if there { renew(options, &directory) } else { begin(options, &directory) };
    if attached.is_err() && !there {
        let _ = remove(&directory);
        super::directory::remove_empty_roots();
    }
    attached
}

fn begin(options: &AttachOptions, directory: &Directory) -> Result<Attached, PinError> {
    let mut work = Work::load(options, directory)?;
    work.record = Record::new(options.hook, realtime_ns());
    work.map.write(&work.record)?;
    work.kernel.set_matching(&options.matching)?;
    let mut attached = Attached::default();
    work.pin_programs(&mut attached)?;
    work.pin_stages(&mut attached)?;
    if let SelfTest::Skipped(reason) = SelfTest::run(&work.kernel)? {
        attached.warnings.push(format!("the self-test of the kernel stamps was skipped: {reason}"));
    }
    for interface in &options.interfaces {
        work.add_interface(interface, &mut attached)?;
    }
    work.record.complete = true;
    work.map.write(&work.record)?;
    Ok(attached)
}

fn renew(options: &AttachOptions, directory: &Directory) -> Result<Attached, PinError> {
    let mut work = Work::load(options, directory)?;
    work.record = work.map.read()?;
    let mut attached = Attached { renewed: true, ..Attached::default() };
    if work.record.hook != options.hook {
        let reason =
            format!("it is attached with the hook {}; detach it first to change that", work.record.hook);
        return Err(PinError::Broken { name: options.name.clone(), reason });
    }
    work.kernel.set_matching(&options.matching)?;
    work.pin_programs(&mut attached)?;
    if !attached.replaced.is_empty() {
        work.pin_stages(&mut attached)?;
        work.replace_on_interfaces()?;
    }
    for interface in &options.interfaces {
        let known = work.record.interfaces.iter().find(|one| one.key == interface.key).cloned();
        match known {
            Some(record) if work.is_linked(&record) => {}
            Some(record) => {
                // The interface has gone and come back under the same index: its links are dead.
                work.drop_interface(&record)?;
                work.add_interface(interface, &mut attached)?;
            }
            None => {
                let lost = work.record.interfaces.iter().find(|one| one.name == interface.name).cloned();
                if let Some(lost) = lost.filter(|lost| !work.is_linked(lost)) {
                    work.drop_interface(&lost)?;
                }
                work.add_interface(interface, &mut attached)?;
            }
        }
    }
    work.map.write(&work.record)?;
    Ok(attached)
}

/// The programs and maps while an instance is being changed.
struct Work<'a> {
    directory: &'a Directory,
    ebpf: Ebpf,
    btf: Btf,
    kernel: Kernel,
    map: RecordMap,
    record: Record,
}

impl<'a> Work<'a> {
    fn load(options: &AttachOptions, directory: &'a Directory) -> Result<Self, PinError> {
        let pins: HashMap<_, _> =
            expected::MAPS.iter().map(|map| (map.name, directory.map(map.name))).collect();
        let mut ebpf = load::load_pinned(options.ring_bytes, &pins)?;
        let map = RecordMap::new(ebpf.take_map(record::MAP).ok_or_else(|| missing(record::MAP))?)?;
        let kernel = Kernel::take(|name| ebpf.take_map(name).ok_or_else(|| missing(name)))?;
        let btf = hooks::kernel_btf()?;
        for (name, tracepoint, _) in STAGES {
            let program: &mut BtfTracePoint = hooks::program(&mut ebpf, name)?;
            if let Err(error) = program.load(tracepoint, &btf) {
                tracing::debug!("{}", hooks::refused(name, &error));
            }
        }
        hooks::load_hooks(&mut ebpf, options.hook)?;
        let record = Record::new(options.hook, 0);
        Ok(Self { directory, ebpf, btf, kernel, map, record })
    }

    /// Pins every program that is loaded; where another of that name is pinned, takes its place.
    fn pin_programs(&mut self, attached: &mut Attached) -> Result<(), PinError> {
        let programs = self.directory.programs();
        for (name, program) in self.ebpf.programs_mut() {
            let Ok(info) = program.info() else { continue };
            let pin = programs.join(name);
            match ProgramInfo::from_pin(&pin) {
                Ok(pinned) if pinned.tag() == info.tag() => continue,
                Ok(_) => attached.replaced.push(name.to_owned()),
                Err(_) => {}
            }
            let next = programs.join(format!("{name}-next"));
            let _ = fs::remove_file(&next);
            program.pin(&next).map_err(|error| not_pinnable(name, &error))?;
            fs::rename(&next, &pin).map_err(PinError::path(&pin, "pin a program there"))?;
        }
        Ok(())
    }

    /// Attaches the programs on tracepoints; a link that is there goes once the new one is.
    fn pin_stages(&mut self, attached: &mut Attached) -> Result<(), PinError> {
        for (name, tracepoint, optional) in STAGES {
            match (self.pin_stage(name, tracepoint), optional) {
                (Ok(()), _) => {}
                (Err(error), Some(stage)) => {
                    attached.warnings.push(format!("{error}; stamps of the {stage} stage will be absent"));
                }
                (Err(error), None) => return Err(error),
            }
        }
        Ok(())
    }

    fn pin_stage(&mut self, name: &str, tracepoint: &str) -> Result<(), PinError> {
        let program: &mut BtfTracePoint = hooks::program(&mut self.ebpf, name)?;
        if program.fd().is_err() {
            // It was refused before; once more, for the reason.
            program.load(tracepoint, &self.btf).map_err(|error| hooks::refused(name, &error))?;
        }
        let failed = |error| hooks::attach_error(name, tracepoint, &error);
        let id = program.attach().map_err(failed)?;
        let link = FdLink::from(program.take_link(id).map_err(failed)?);
        self.pin_link(link, &format!("stage-{name}"))
    }

    fn pin_link(&self, link: FdLink, name: &str) -> Result<(), PinError> {
        let links = self.directory.links();
        let (next, pin) = (links.join(format!("{name}-next")), links.join(name));
        let _ = fs::remove_file(&next);
        link.pin(&next).map_err(|error| not_pinnable(name, &error))?;
        fs::rename(&next, &pin).map_err(PinError::path(&pin, "pin a link there"))
    }

    fn add_interface(&mut self, interface: &Interface, attached: &mut Attached) -> Result<(), PinError> {
        let taken: Vec<_> = self.record.interfaces.iter().map(|one| one.id.0).collect();
        let free = (0..INTERFACES_MAX).zip(0..).map(|(_, id)| id).find(|id| !taken.contains(id));
        let id = free.map(InterfaceId).ok_or_else(|| PinError::NotPinnable {
            what: interface.name.clone(),
            reason: format!("the instance has {INTERFACES_MAX} interfaces, which is all that it can have"),
        })?;
        self.kernel.watch(interface.key, InterfaceSettings { number: id.0.into(), reserved: 0 })?;
        for &irq in &interface.irqs {
            self.kernel.own_irq(irq, interface.key)?;
        }
        let raw = InstanceInterface {
            netns: interface.key.netns,
            ifindex: interface.key.ifindex,
            ..Default::default()
        };
        let mut record = InterfaceRecord { id, name: interface.name.clone(), key: interface.key, raw };
        if self.record.hook == Hook::Xdp {
            let early = xdp::attach(&mut self.ebpf, interface)?;
            attached.warnings.extend(early.warning);
            self.pin_link(early.link, &format!("{}-{}", id.0, xdp::PROGRAM))?;
        }
        for &(name, way) in hooks::at_tc(self.record.hook) {
            let place = usize::from(way == TcAttachType::Egress);
            let program: &mut SchedClassifier = hooks::program(&mut self.ebpf, name)?;
            let hooked = hooks::hook_in(program, interface, name, way, Attachment::Best)?;
            record.raw.flags |= if hooked.added_clsact { ADDED_CLSACT } else { 0 };
            let link = take(program, hooked.link, name, &interface.name)?;
            if let Some(filter) = clsact_filter(&link, way) {
                record.raw.flags |= ATTACHED_CLSACT;
                (record.raw.priorities[place], record.raw.handles[place]) = filter;
                // Dropping it would remove the filter, which nothing but the record keeps from now on.
                std::mem::forget(link);
            } else {
                let link = FdLink::try_from(link).map_err(|error: LinkError| not_pinnable(name, &error))?;
                self.pin_link(link, &format!("{}-{name}", id.0))?;
            }
        }
        self.record.interfaces.push(record);
        self.map.write(&self.record)?;
        attached.interfaces.push(interface.name.clone());
        Ok(())
    }

    fn drop_interface(&mut self, record: &InterfaceRecord) -> Result<(), PinError> {
        for name in open::programs_on_interfaces(self.record.hook) {
            let pin = self.directory.links().join(format!("{}-{name}", record.id.0));
            let _ = fs::remove_file(pin);
        }
        self.record.interfaces.retain(|one| one.id != record.id);
        Ok(self.map.write(&self.record)?)
    }

    /// Whether an interface's links are there and still attached to it.
    fn is_linked(&self, record: &InterfaceRecord) -> bool {
        record.raw.flags & ATTACHED_CLSACT != 0
            || open::programs_on_interfaces(self.record.hook).all(|name| {
                let pin = self.directory.links().join(format!("{}-{name}", record.id.0));
                open::is_alive(&pin, record.key.ifindex)
            })
    }

    /// Puts the new programs onto the links that are there, each at once: no packet passes unseen.
    fn replace_on_interfaces(&mut self) -> Result<(), PinError> {
        for record in self.record.interfaces.clone() {
            for name in open::programs_on_interfaces(self.record.hook) {
                let pin = self.directory.links().join(format!("{}-{name}", record.id.0));
                if !open::is_alive(&pin, record.key.ifindex) {
                    continue;
                }
                if name == xdp::PROGRAM {
                    replace_xdp(&mut self.ebpf, &pin, &record.name)?;
                } else {
                    replace(hooks::program(&mut self.ebpf, name)?, &pin, name, &record.name)?;
                }
            }
        }
        Ok(())
    }
}

fn take(
    program: &mut SchedClassifier,
    id: SchedClassifierLinkId,
    name: &str,
    interface: &str,
) -> Result<SchedClassifierLink, ProbeError> {
    program.take_link(id).map_err(|error| hooks::attach_error(name, interface, &error))
}

fn replace(program: &mut SchedClassifier, pin: &Path, name: &str, interface: &str) -> Result<(), PinError> {
    let link = PinnedLink::from_pin(pin).map_err(|error| not_pinnable(name, &error))?;
    let link =
        SchedClassifierLink::try_from(FdLink::from(link)).map_err(|error| not_pinnable(name, &error))?;
    program.attach_to_link(link).map_err(|error| hooks::attach_error(name, interface, &error))?;
    Ok(())
}

fn replace_xdp(ebpf: &mut Ebpf, pin: &Path, interface: &str) -> Result<(), PinError> {
    let program: &mut Xdp = hooks::program(ebpf, xdp::PROGRAM)?;
    let link = PinnedLink::from_pin(pin).map_err(|error| not_pinnable(xdp::PROGRAM, &error))?;
    let link = XdpLink::try_from(FdLink::from(link)).map_err(|error| not_pinnable(xdp::PROGRAM, &error))?;
    let attached = program.attach_to_link(link);
    attached.map_err(|error| hooks::attach_error(xdp::PROGRAM, interface, &error))?;
    Ok(())
}

/// Priority and handle, where it is a filter of the older kind rather than a link.
fn clsact_filter(link: &SchedClassifierLink, _way: TcAttachType) -> Option<(u16, u32)> {
    Some((link.priority().ok()?, link.handle().ok()?.into()))
}

fn not_pinnable(what: &str, error: &(dyn std::error::Error + 'static)) -> PinError {
    PinError::NotPinnable { what: what.to_owned(), reason: chain(error) }
}
