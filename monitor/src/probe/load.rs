//! The programs in the kernel, from loading to detaching.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{Ebpf, EbpfLoader, programs::links::FdLink};
use monitor_common::{CONNECTIONS_MAX, InterfaceSettings};
use monitor_core::packet::InterfaceId;

use super::{
    Hook, Interface, Kernel, ProbeError, Transport,
    attach::{self, Attachment, Held},
    btf::KernelTypes,
    drops::{self, Drops},
    error::chain,
    kernel::missing,
    log::KernelLog,
    object::{Object, object},
    offsets::{self, Offsets},
    reads::{self, Reads},
    selftest::SelfTest,
    transport::PerfMaps,
    xdp,
};

use crate::reader::PerfEvents;
use crate::sys::caps::{Capabilities, Capability};
use crate::sys::namespace::in_initial_user_namespace;

/// What the hooks let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matching {
    /// These UDP and TCP ports, as source or destination.
    Ports(Vec<u16>),
    /// Whatever begins like a C37.118 frame.
    AnyPort,
}

/// Sizes of the maps that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the ring: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Bytes of each CPU's perf buffer, where that is the transport: a power of two, at least a page.
    pub perf_bytes: u32,
    /// TCP connections kept, where any port is matched.
    pub connections: u32,
}

/// Bytes of a perf buffer where nothing else is said: 54 ms of 64 000 small frames a second on one CPU, twice.
pub const PERF_BYTES: u32 = 1 << 20;

impl Sizes {
    /// With a ring of so many bytes, and else as the object has it.
    #[must_use]
    pub const fn of_ring(ring_bytes: u32) -> Self {
        Self { ring_bytes, perf_bytes: PERF_BYTES, connections: CONNECTIONS_MAX }
    }

    fn choose(self, transport: Transport, loader: &mut EbpfLoader<'_>) {
        loader.map_max_entries("CONNECTIONS", self.connections);
        transport.choose(self, loader);
    }
}

/// How to load.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where packets are taken on their way in.
    pub hook: Hook,
    /// What to match.
    pub matching: Matching,
    /// What carries records to the reader.
    pub transport: Transport,
    /// How large the maps are.
    pub sizes: Sizes,
    /// Whether to tell of packets that the kernel drops.
    pub drops: bool,
    /// Whether to read the network card's own stamps, at tc.
    pub hardware_stamps: bool,
    /// Whether to tell who else reads what is watched.
    pub reads: bool,
}

impl Options {
    /// Through the ring, with nothing that is off where nobody asks for it.
    #[must_use]
    pub const fn new(hook: Hook, matching: Matching, sizes: Sizes) -> Self {
        let transport = Transport::Ring;
        Self { hook, matching, transport, sizes, drops: false, hardware_stamps: false, reads: false }
    }
}

/// Takes 1 where the programs are to read the network card's own stamps.
const HARDWARE_STAMPS: &str = "HARDWARE_STAMPS";
/// What is written to it.
static READ_THEM: u32 = 1;

/// The programs of this process. Dropping it detaches them.
pub struct Probe {
    ebpf: Ebpf,
    hook: Hook,
    kernel: Arc<Kernel>,
    interfaces: Vec<Interface>,
    /// Links of the XDP program; dropping one detaches it.
    xdp: Vec<(InterfaceId, FdLink)>,
    /// What is on them at tc.
    held: Vec<Held>,
    warnings: Vec<String>,
    log: Option<KernelLog>,
    drops: Option<Drops>,
    perf: Option<PerfMaps>,
    reads: Option<Reads>,
}

const NEEDED: [Capability; 3] = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];

impl Probe {
    /// Loads the programs and attaches those on tracepoints; no interface is watched yet.
    ///
    /// # Errors
    /// What this host lacks, by name and with the remedy.
    pub fn load(options: &Options) -> Result<Self, ProbeError> {
        check_capabilities()?;
        let types = KernelTypes::of_running_kernel()?;
        Self::load_with_offsets(options, &offsets::lookup(&types)?)
    }

    /// As [`Probe::load`], with offsets given: the self-test's own test hands in wrong ones.
    ///
    /// # Errors
    /// As [`Probe::load`]; the verifier refuses an offset at which no member starts.
    pub fn load_with_offsets(options: &Options, offsets: &[(&str, u32)]) -> Result<Self, ProbeError> {
        Self::load_object(&object()?, options, offsets)
    }

    /// As [`Probe::load`], of another object than the one built in: what a bench holds this one's programs against.
    ///
    /// # Errors
    /// As [`Probe::load`]; where the file cannot be read.
    pub fn load_from(path: &Path, options: &Options) -> Result<Self, ProbeError> {
        Self::load_object(&Object::read(path)?, options, &offsets::of_running_kernel()?)
    }

    fn load_object(object: &Object, options: &Options, globals: &[(&str, u32)]) -> Result<Self, ProbeError> {
        let known = options.reads.then(reads::globals).transpose()?;
        let mut ebpf = load(object, options, globals, known.as_ref())?;
        let log = KernelLog::open(&mut ebpf);
        let drops = if options.drops { Some(Drops::take(&mut ebpf)?) } else { None };
        let perf = if options.transport == Transport::Perf { Some(PerfMaps::take(&mut ebpf)?) } else { None };
        let kernel = Kernel::take(|name| ebpf.take_map(name).ok_or_else(|| missing(name)))?;
        kernel.set_matching(&options.matching)?;
        let btf = attach::kernel_btf()?;
        let mut warnings = attach::stages(&mut ebpf, &btf)?;
        if drops.is_some() {
            drops::attach(&mut ebpf, &btf)?;
        }
        let attached = known.map(|known| Reads::attach(&mut ebpf, &btf, &known, &mut warnings));
        let reads = attached.transpose()?;
        attach::load_hooks(&mut ebpf, options.hook)?;
        let kernel = Arc::new(kernel);
        Ok(Self {
            ebpf,
            hook: options.hook,
            kernel,
            interfaces: Vec::new(),
            held: Vec::new(),
            xdp: Vec::new(),
            warnings,
            log,
            drops,
            perf,
            reads,
        })
    }

    /// The maps.
    #[must_use]
    pub const fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    /// The packets that the kernel drops, where they were asked for; for one taker.
    pub const fn take_drops(&mut self) -> Option<Drops> {
        self.drops.take()
    }

    /// The maps of perf events, where these carry the records; for one reader.
    ///
    /// # Errors
    /// Where the process has no descriptor left.
    pub fn perf_events(&self) -> Result<Option<PerfEvents>, ProbeError> {
        let events = self.perf.as_ref().map(PerfMaps::events).transpose();
        events.map_err(|error| ProbeError::Map { map: "PERF".to_owned(), reason: error.to_string() })
    }

    /// Who else reads, where that was asked for; for one taker.
    pub const fn take_reads(&mut self) -> Option<Reads> {
        self.reads.take()
    }

    /// Compares what the programs read of a known frame with what it is.
    ///
    /// # Errors
    /// Where they read something else.
    pub fn self_test(&self) -> Result<SelfTest, ProbeError> {
        SelfTest::run(&self.kernel)
    }

    /// Watches an interface: its packets get stamps, and those that match are copied into the ring.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn attach(&mut self, interface: &Interface) -> Result<(), ProbeError> {
        self.attach_by(Attachment::Best, interface)
    }

    /// As [`Probe::attach`], by a way of the caller's choice.
    ///
    /// # Errors
    /// As [`Probe::attach`].
    pub fn attach_by(&mut self, attachment: Attachment, interface: &Interface) -> Result<(), ProbeError> {
        let number = interface.id.0.into();
        self.kernel.watch(interface.key, InterfaceSettings { number, reserved: 0 })?;
        for &irq in &interface.irqs {
            self.kernel.own_irq(irq, interface.key)?;
        }
        if self.hook == Hook::Xdp {
            let attached = xdp::attach(&mut self.ebpf, interface)?;
            self.warnings.extend(attached.warning);
            self.xdp.push((interface.id, attached.link));
        }
        self.held.push(attach::hooks(&mut self.ebpf, interface, self.hook, attachment)?);
        self.interfaces.push(interface.clone());
        Ok(())
    }

    /// An interface is gone, and its programs with it.
    pub fn forget(&mut self, interface: &Interface) {
        self.interfaces.retain(|one| one.id != interface.id);
        self.xdp.retain(|(id, _)| *id != interface.id);
        self.held.retain(|one| one.interface.id != interface.id);
        if let Err(error) = self.kernel.unwatch(interface.key) {
            tracing::debug!("{}: {error}", interface.name);
        }
    }

    /// Takes the programs off everything; maps and what is in the ring stay.
    ///
    /// # Errors
    /// Where the kernel does not let go; what vanished with its interface is no error.
    pub fn detach(&mut self) -> Result<(), ProbeError> {
        self.xdp.clear();
        let released = self.held.iter_mut().map(Held::release).collect::<Result<Vec<()>, _>>();
        attach::leave_stages(&mut self.ebpf)?;
        released.map(drop)
    }

    /// The programs, for who hands them packets.
    pub(super) const fn ebpf(&self) -> &Ebpf {
        &self.ebpf
    }

    /// Detaches the program behind a link together with the others.
    pub(super) fn keep_link(&mut self, interface: InterfaceId, link: FdLink) {
        self.xdp.push((interface, link));
    }

    pub(super) const fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Hands what the programs said of themselves to tracing, where the object was built to say anything.
    pub fn flush_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    /// The interfaces attached to.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// What this kernel did not grant; the run goes on without.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Loads maps and programs with the maps pinned; a map that is pinned already is used.
pub(super) fn load_pinned(
    sizes: Sizes,
    hardware_stamps: bool,
    pins: &HashMap<&'static str, PathBuf>,
) -> Result<Ebpf, ProbeError> {
    let object = object()?;
    let mut loader = EbpfLoader::new();
    let offsets = offsets::of_running_kernel()?;
    for (symbol, offset) in &offsets {
        loader.override_global(symbol, offset, true);
    }
    sizes.choose(Transport::Ring, &mut loader);
    if hardware_stamps {
        loader.override_global(HARDWARE_STAMPS, &READ_THEM, true);
    }
    drops::leave_out(&mut loader);
    reads::leave_out(&mut loader);
    for (name, path) in pins {
        loader.map_pin_path(name, path);
    }
    loader.load(&object.bytes).map_err(|error| not_loaded(&object, &error))
}

fn load(
    object: &Object,
    options: &Options,
    offsets: &[(&str, u32)],
    reads: Option<&Offsets>,
) -> Result<Ebpf, ProbeError> {
    let mut loader = EbpfLoader::new();
    for (symbol, offset) in offsets {
        loader.override_global(symbol, offset, true);
    }
    options.sizes.choose(options.transport, &mut loader);
    let asked = options.transport.global();
    if let Some((symbol, value)) = &asked {
        loader.override_global(symbol, value, true);
    }
    if options.hardware_stamps {
        loader.override_global(HARDWARE_STAMPS, &READ_THEM, true);
    }
    let asked = if options.drops { drops::globals(options.hook)? } else { Vec::new() };
    for (symbol, value) in &asked {
        loader.override_global(symbol, value, true);
    }
    if !options.drops {
        drops::leave_out(&mut loader);
    }
    match reads {
        Some(known) => known.iter().for_each(|(symbol, value)| {
            loader.override_global(symbol, value, true);
        }),
        None => reads::leave_out(&mut loader),
    }
    loader.load(&object.bytes).map_err(|error| not_loaded(object, &error))
}

pub(super) fn not_loaded(object: &Object, error: &aya::EbpfError) -> ProbeError {
    let mut reason = chain(error);
    if !in_initial_user_namespace() {
        reason.push_str(
            "; this is a user namespace (a container's), whose capabilities the kernel does not take for eBPF: run \
             in the host's own",
        );
    }
    ProbeError::Load { object: object.origin.clone(), reason }
}

pub(super) fn check_capabilities() -> Result<(), ProbeError> {
    let missing = Capabilities::effective().map(|held| held.missing(&NEEDED)).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
    Err(ProbeError::Capabilities { missing: names.join(", ") })
}
