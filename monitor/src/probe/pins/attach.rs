//! Attaches an instance that outlives this process, or brings one that is attached up to this version's programs.

use std::{collections::HashMap, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, SchedClassifier, Xdp,
        links::{FdLink, PinnedLink},
        tc::SchedClassifierLink,
        xdp::XdpLink,
    },
};

use super::{
    InterfaceRecord, PinError, Record,
    changes::{Changes, pin_link},
    clsact,
    detach::remove,
    directory::Directory,
    expected,
    lock::ChangeLock,
    open::{self, Pinned},
    programs::Programs,
    record::{self, RecordMap},
    upkeep,
};
use crate::probe::{
    Hook, Interface, Kernel, Matching, SelfTest, Sizes,
    attach::{self as hooks, STAGES},
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
    /// Whether an instance that is there already is to match that too, rather than go on with what it matches.
    pub rematch: bool,
    /// How large the maps are, for a new instance.
    pub sizes: Sizes,
    /// Hook for what comes in.
    pub hook: Hook,
    /// Whether the programs of a new instance are to read the network card's own stamps.
    pub hardware_stamps: bool,
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
    /// All interfaces of the instance, where its programs read the network cards' own stamps: the cards are to be asked.
    pub stamped: Vec<InterfaceRecord>,
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
    let mut warnings = Vec::new();
    if directory.exists() {
        match Pinned::open(&options.name) {
            Ok(pinned) => return renew(options, pinned.record().hardware_stamps, &directory),
            // What a crash, or somebody's hand, has left: it cannot be brought up to date, only removed.
            Err(PinError::Broken { name, reason }) => {
                warnings
                    .push(format!("instance {name} was not whole, so a new one takes its place: {reason}"));
                remove(&directory)?;
            }
            Err(error) => return Err(error),
        }
    }
    directory.create()?;
    match begin(options, &directory) {
        Ok(attached) => Ok(Attached { warnings: [warnings, attached.warnings].concat(), ..attached }),
        Err(error) => {
            let _ = remove(&directory);
            super::directory::remove_empty_roots();
            Err(error)
        }
    }
}

fn begin(options: &AttachOptions, directory: &Directory) -> Result<Attached, PinError> {
    let mut work = Work::load(options, options.hardware_stamps, directory)?;
    work.record = Record::new(options.hook, options.hardware_stamps, realtime_ns());
    work.map.write(&work.record)?;
    work.kernel.set_matching(&options.matching)?;
    let mut attached = Attached::default();
    work.pin_programs()?;
    work.pin_stages(&[], &mut attached)?;
    if let SelfTest::Skipped(reason) = SelfTest::run(&work.kernel)? {
        attached.warnings.push(format!("the self-test of the kernel stamps was skipped: {reason}"));
    }
    let (mut changes, mut programs) = work.interfaces()?;
    for interface in &options.interfaces {
        changes.add(&mut programs, interface, &mut attached)?;
    }
    work.record.complete = true;
    work.map.write(&work.record)?;
    Ok(Attached { stamped: work.record.stamped(), ..attached })
}

/// What the programs are made for when they are loaded stays: the kernel's hash of a program, by which it is known whether
/// one is to be replaced, does not show it.
fn renew(
    options: &AttachOptions,
    hardware_stamps: bool,
    directory: &Directory,
) -> Result<Attached, PinError> {
    if options.hardware_stamps && !hardware_stamps {
        let reason = "it is attached without hardware stamps; detach it first to change that".to_owned();
        return Err(PinError::Broken { name: options.name.clone(), reason });
    }
    let mut work = Work::load(options, hardware_stamps, directory)?;
    work.record = work.map.read()?;
    let mut attached = Attached { renewed: true, ..Attached::default() };
    if work.record.hook != options.hook {
        let reason =
            format!("it is attached with the hook {}; detach it first to change that", work.record.hook);
        return Err(PinError::Broken { name: options.name.clone(), reason });
    }
    if options.rematch {
        work.kernel.set_matching(&options.matching)?;
    }
    upkeep::tidy(directory, &work.record.interfaces, work.record.hook)?;
    attached.replaced = work.pin_programs()?;
    work.pin_stages(&attached.replaced.clone(), &mut attached)?;
    work.replace_on_interfaces(&attached.replaced)?;
    let (mut changes, mut programs) = work.interfaces()?;
    for interface in &options.interfaces {
        changes.renew(&mut programs, interface, &mut attached)?;
    }
    work.map.write(&work.record)?;
    Ok(Attached { stamped: work.record.stamped(), ..attached })
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
    fn load(
        options: &AttachOptions,
        hardware_stamps: bool,
        directory: &'a Directory,
    ) -> Result<Self, PinError> {
        let pins: HashMap<_, _> =
            expected::MAPS.iter().map(|map| (map.name, directory.map(map.name))).collect();
        let mut ebpf = load::load_pinned(options.sizes, hardware_stamps, &pins)?;
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
        let record = Record::new(options.hook, hardware_stamps, 0);
        Ok(Self { directory, ebpf, btf, kernel, map, record })
    }

    /// Pins every program that is loaded, but where the same is pinned and in use already. Gives the names of those that
    /// were not: their links are to have them too.
    fn pin_programs(&mut self) -> Result<Vec<String>, PinError> {
        let mut pinned = Vec::new();
        for (name, program) in self.ebpf.programs_mut() {
            let Ok(info) = program.info() else { continue };
            if upkeep::is_current(self.directory, &self.record.interfaces, name, info.tag()) {
                continue;
            }
            if self.record.interfaces.iter().any(clsact::is_used) {
                upkeep::keep_replaced(self.directory, name)?;
            }
            pin_program(self.directory, name, |next| program.pin(next))?;
            pinned.push(name.to_owned());
        }
        Ok(pinned)
    }

    /// Attaches the programs on tracepoints that are replaced, or not attached; a link that is there goes once the new
    /// one is.
    fn pin_stages(&mut self, replaced: &[String], attached: &mut Attached) -> Result<(), PinError> {
        for (name, tracepoint, optional) in STAGES {
            if self.directory.stage_link(name).exists() && !replaced.iter().any(|one| one == name) {
                continue;
            }
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
        // Where the link was missing and the program was not, the one that is pinned runs nowhere: this one does. The
        // pinned one cannot be attached without CAP_SYS_ADMIN, which opening its types by their number takes.
        pin_program(self.directory, name, |next| program.pin(next))?;
        pin_link(link, &self.directory.stage_link(name), name)
    }

    /// The instance's interfaces, to be changed, with the programs that go onto them.
    fn interfaces(&mut self) -> Result<(Changes<'_>, Programs), PinError> {
        let Self { directory, kernel, map, record, .. } = self;
        let programs = Programs::open(directory, record.hook)?;
        Ok((Changes { directory, kernel, map, record }, programs))
    }

    /// Puts the new programs onto the interfaces in the place of the old ones, each at once: no packet passes unseen.
    fn replace_on_interfaces(&mut self, replaced: &[String]) -> Result<(), PinError> {
        let names = open::programs_on_interfaces(self.record.hook);
        for name in names.filter(|name| replaced.iter().any(|one| one == name)) {
            for record in self.record.interfaces.clone() {
                self.replace_on(&record, name)?;
            }
        }
        upkeep::forget_replaced(self.directory)
    }

    fn replace_on(&mut self, record: &InterfaceRecord, name: &str) -> Result<(), PinError> {
        if let (true, Some(way)) = (clsact::is_used(record), open::way_of(name)) {
            let program = hooks::program(&mut self.ebpf, name)?;
            return clsact::replace(program, self.directory, record, (name, way));
        }
        let pin = self.directory.hook_link(record.id, name);
        match name {
            _ if !open::is_alive(&pin) => Ok(()),
            xdp::PROGRAM => replace_xdp(&mut self.ebpf, &pin, &record.name),
            _ => replace(hooks::program(&mut self.ebpf, name)?, &pin, name, &record.name),
        }
    }
}

/// Pins a program, in the place of another of its name at once.
fn pin_program(
    directory: &Directory,
    name: &str,
    pin: impl FnOnce(&Path) -> Result<(), aya::pin::PinError>,
) -> Result<(), PinError> {
    let programs = directory.programs();
    let (next, place) = (programs.join(format!("{name}-next")), programs.join(name));
    let _ = fs::remove_file(&next);
    pin(&next).map_err(|error| not_pinnable(name, &error))?;
    fs::rename(&next, &place).map_err(PinError::path(&place, "pin a program there"))
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

pub(super) fn not_pinnable(what: &str, error: &(dyn std::error::Error + 'static)) -> PinError {
    PinError::NotPinnable { what: what.to_owned(), reason: chain(error) }
}
