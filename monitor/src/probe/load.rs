//! The programs and maps in the kernel, from loading to detaching.

use std::os::fd::{AsFd, BorrowedFd};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Array, HashMap, Map, MapData, PerCpuArray},
};
use monitor_common::{InterfaceKey, InterfaceSettings, Ports, Settings, Stages};

use super::{
    Interface, KernelCounters, ProbeError, attach, btf::KernelTypes, discover, error::chain, log::KernelLog,
    object::object, selftest::SelfTest,
};
use crate::sys::caps::{Capabilities, Capability};

/// What the hooks let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matching {
    /// These UDP and TCP ports, as source or destination.
    Ports(Vec<u16>),
    /// Whatever begins like a C37.118 frame.
    AnyPort,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to match.
    pub matching: Matching,
    /// Bytes of the ring: a power of two, at least a page.
    pub ring_bytes: u32,
}

/// The kernel side, loaded. Dropping it detaches everything.
pub struct Probe {
    ebpf: Ebpf,
    ring_bytes: usize,
    interfaces: Vec<Interface>,
    /// Interfaces whose clsact queueing discipline this program added.
    clsact: Vec<Interface>,
    settings: Settings,
    warnings: Vec<String>,
    log: Option<KernelLog>,
}

/// Members that the programs read, and the symbol that takes each offset.
const MEMBERS: [(&str, &[(&str, &str)]); 7] = [
    ("OFFSET_SKB_DEV", &[("sk_buff", "dev")]),
    ("OFFSET_SKB_LEN", &[("sk_buff", "len")]),
    ("OFFSET_DEV_IFINDEX", &[("net_device", "ifindex")]),
    ("OFFSET_DEV_NET", &[("net_device", "nd_net")]),
    ("OFFSET_XDP_RXQ", &[("xdp_buff", "rxq")]),
    ("OFFSET_RXQ_DEV", &[("xdp_rxq_info", "dev")]),
    ("OFFSET_NET_INUM", &[("net", "ns"), ("ns_common", "inum")]),
];

const NEEDED: [Capability; 3] = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];

impl Probe {
    /// Loads the programs and attaches those on tracepoints; no interface is watched yet.
    ///
    /// # Errors
    /// What this host lacks, by name and with the remedy.
    pub fn load(options: &Options) -> Result<Self, ProbeError> {
        check_capabilities()?;
        let types = KernelTypes::of_running_kernel()?;
        let offsets = offsets(&types)?;
        Self::load_with_offsets(options, &offsets)
    }

    /// As [`Probe::load`], with offsets given: the self-test's own test hands in wrong ones.
    pub(super) fn load_with_offsets(options: &Options, offsets: &[(&str, u32)]) -> Result<Self, ProbeError> {
        let object = object()?;
        let mut loader = EbpfLoader::new();
        for (symbol, offset) in offsets {
            loader.override_global(symbol, offset, true);
        }
        loader.map_max_entries("RING", options.ring_bytes);
        let mut ebpf = loader
            .load(&object.bytes)
            .map_err(|error| ProbeError::Load { object: object.origin.clone(), reason: chain(&error) })?;
        let log = KernelLog::open(&mut ebpf);
        let settings = Settings { any_port: u32::from(options.matching == Matching::AnyPort), discover: 0 };
        let mut probe = Self {
            ebpf,
            ring_bytes: options.ring_bytes as usize,
            interfaces: Vec::new(),
            clsact: Vec::new(),
            settings,
            warnings: Vec::new(),
            log,
        };
        probe.write_matching(&options.matching)?;
        let btf = Btf::from_sys_fs()
            .map_err(|error| ProbeError::Btf { path: "/sys/kernel/btf".to_owned(), reason: chain(&error) })?;
        probe.warnings = attach::stages(&mut probe.ebpf, &btf)?;
        attach::load_hooks(&mut probe.ebpf)?;
        Ok(probe)
    }

    /// Compares what the programs read of a known frame with what it is.
    ///
    /// # Errors
    /// Where they read something else.
    pub fn self_test(&mut self) -> Result<SelfTest, ProbeError> {
        SelfTest::run(self)
    }

    /// Watches an interface: its packets get stamps, and those that match are copied into the ring.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn attach(&mut self, interface: &Interface) -> Result<(), ProbeError> {
        let number = interface.id.0.into();
        self.watch(interface.key, InterfaceSettings { number, reserved: 0 })?;
        let mut irqs: HashMap<_, u32, [u32; 2]> = self.hash("IRQS")?;
        for irq in &interface.irqs {
            irqs.insert(irq, bytemuck::cast::<_, [u32; 2]>(interface.key), 0)
                .map_err(|error| map_error("IRQS", &error))?;
        }
        if attach::hooks(&mut self.ebpf, interface)?.added_clsact {
            self.clsact.push(interface.clone());
        }
        self.interfaces.push(interface.clone());
        Ok(())
    }

    /// Puts an interface into the table of those whose packets get stamps.
    pub(super) fn watch(&mut self, key: InterfaceKey, settings: InterfaceSettings) -> Result<(), ProbeError> {
        let mut interfaces: HashMap<_, [u32; 2], [u32; 2]> = self.hash("INTERFACES")?;
        interfaces
            .insert(bytemuck::cast::<_, [u32; 2]>(key), bytemuck::cast::<_, [u32; 2]>(settings), 0)
            .map_err(|error| map_error("INTERFACES", &error))
    }

    /// Takes an interface out of it.
    pub(super) fn unwatch(&mut self, key: InterfaceKey) -> Result<(), ProbeError> {
        let mut interfaces: HashMap<_, [u32; 2], [u32; 2]> = self.hash("INTERFACES")?;
        interfaces
            .remove(&bytemuck::cast::<_, [u32; 2]>(key))
            .map_err(|error| map_error("INTERFACES", &error))
    }

    /// Takes the programs off everything; maps and what is in the ring stay until this value is dropped.
    ///
    /// # Errors
    /// Where the kernel does not let go; what vanished with its interface is no error.
    pub fn detach(&mut self) -> Result<(), ProbeError> {
        attach::detach(&mut self.ebpf)?;
        attach::remove_clsact(&std::mem::take(&mut self.clsact));
        Ok(())
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

    /// Bytes of the ring's data area.
    #[must_use]
    pub const fn ring_bytes(&self) -> usize {
        self.ring_bytes
    }

    /// The ring's map.
    ///
    /// # Errors
    /// Where the object has none.
    pub fn ring(&self) -> Result<BorrowedFd<'_>, ProbeError> {
        self.map_fd("RING")
    }

    /// The page shared with the reader.
    ///
    /// # Errors
    /// Where the object has none.
    pub fn reader_page(&self) -> Result<BorrowedFd<'_>, ProbeError> {
        self.map_fd("READER")
    }

    /// The kernel's counters, to be read from any thread from now on. Can be taken once.
    ///
    /// # Errors
    /// Where they have been taken already.
    pub fn kernel_counters(&mut self) -> Result<KernelCounters, ProbeError> {
        let map = self.ebpf.take_map("COUNTERS").ok_or_else(|| missing("COUNTERS"))?;
        KernelCounters::new(map)
    }

    /// An interface is gone, and its programs with it.
    pub fn forget(&mut self, interface: &Interface) {
        self.interfaces.retain(|one| one.id != interface.id);
        self.clsact.retain(|one| one.id != interface.id);
        if let Err(error) = self.unwatch(interface.key) {
            tracing::debug!("{}: {error}", interface.name);
        }
    }

    /// Every CPU's stamps, for the self-test.
    pub(super) fn stages(&self) -> Result<Vec<Stages>, ProbeError> {
        let map: PerCpuArray<_, [u8; size_of::<Stages>()]> = self.per_cpu("STAGES")?;
        let values = map.get(&0, 0).map_err(|error| map_error("STAGES", &error))?;
        Ok(values.iter().map(|bytes| bytemuck::pod_read_unaligned(bytes)).collect())
    }

    /// Turns the counting of what does not match on or off.
    ///
    /// # Errors
    /// Where the switch cannot be written.
    pub fn set_discovery(&mut self, on: bool) -> Result<(), ProbeError> {
        self.settings.discover = u32::from(on);
        self.write_settings()
    }

    /// Packets by ethertype that did not match while discovery was on.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn ethertypes(&self) -> Result<Vec<(u16, u64)>, ProbeError> {
        discover::read(self.map("ETHERTYPES")?)
    }

    fn write_matching(&mut self, matching: &Matching) -> Result<(), ProbeError> {
        self.write_settings()?;
        let Matching::Ports(wanted) = matching else { return Ok(()) };
        let mut ports = Ports::EMPTY;
        for &port in wanted {
            ports.insert(port);
        }
        let mut map: Array<_, [u64; monitor_common::PORT_WORDS]> =
            Array::try_from(self.map_mut("PORTS")?).map_err(|error| map_error("PORTS", &error))?;
        map.set(0, ports.words, 0).map_err(|error| map_error("PORTS", &error))
    }

    fn write_settings(&mut self) -> Result<(), ProbeError> {
        let settings: [u32; 2] = bytemuck::cast(self.settings);
        let mut map: Array<_, [u32; 2]> =
            Array::try_from(self.map_mut("SETTINGS")?).map_err(|error| map_error("SETTINGS", &error))?;
        map.set(0, settings, 0).map_err(|error| map_error("SETTINGS", &error))
    }

    fn map(&self, name: &str) -> Result<&Map, ProbeError> {
        self.ebpf.map(name).ok_or_else(|| missing(name))
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map, ProbeError> {
        self.ebpf.map_mut(name).ok_or_else(|| missing(name))
    }

    fn hash<K: aya::Pod, V: aya::Pod>(
        &mut self,
        name: &str,
    ) -> Result<HashMap<&mut MapData, K, V>, ProbeError> {
        HashMap::try_from(self.map_mut(name)?).map_err(|error| map_error(name, &error))
    }

    fn per_cpu<V: aya::Pod>(&self, name: &str) -> Result<PerCpuArray<&MapData, V>, ProbeError> {
        PerCpuArray::try_from(self.map(name)?).map_err(|error| map_error(name, &error))
    }

    fn map_fd(&self, name: &str) -> Result<BorrowedFd<'_>, ProbeError> {
        match self.map(name)? {
            Map::Array(data) | Map::RingBuf(data) => Ok(data.fd().as_fd()),
            _ => Err(missing(name)),
        }
    }
}

fn check_capabilities() -> Result<(), ProbeError> {
    let missing = Capabilities::effective().map(|held| held.missing(&NEEDED)).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
    Err(ProbeError::Capabilities { missing: names.join(", ") })
}

fn offsets(types: &KernelTypes) -> Result<Vec<(&'static str, u32)>, ProbeError> {
    MEMBERS
        .iter()
        .map(|&(symbol, path)| {
            let offset = path.iter().try_fold(0, |sum, (of, member)| Ok(sum + types.offset(of, member)?))?;
            Ok((symbol, offset))
        })
        .collect()
}

pub(super) fn missing(name: &str) -> ProbeError {
    ProbeError::Map {
        map: name.to_owned(),
        reason: "the eBPF object has no such map of that kind".to_owned(),
    }
}

pub(super) fn map_error(name: &str, error: &aya::maps::MapError) -> ProbeError {
    ProbeError::Map { map: name.to_owned(), reason: chain(error) }
}

#[cfg(test)]
pub(super) fn offsets_of_running_kernel() -> Result<Vec<(&'static str, u32)>, ProbeError> {
    offsets(&KernelTypes::of_running_kernel()?)
}
