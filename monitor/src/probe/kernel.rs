//! The maps that user space and the programs share, from whoever loaded them: this process, or another that pinned
//! them and left.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use monitor_common::{
    ConnectionKey, InterfaceKey, InterfaceSettings, Matching as KernelMatching, PacketCounters, Ports,
    Settings, Stages, StreamCounts, StreamKey,
};

use super::{Matching, ProbeError, streams::Streams};

/// Words of one CPU's counters.
const COUNTER_WORDS: usize = size_of::<PacketCounters>() / size_of::<u64>();

/// Two words as aya takes them: interfaces and their settings.
type Pair = [u32; 2];

/// A TCP connection as aya takes it.
type RawConnection = [u32; size_of::<ConnectionKey>() / size_of::<u32>()];

/// Ports and switches as aya takes them.
type RawMatching = [u64; size_of::<KernelMatching>() / size_of::<u64>()];

/// Every map by its meaning. All operations may be called from any thread but the real-time one.
pub struct Kernel {
    ring: MapData,
    reader: MapData,
    counters: PerCpuArray<MapData, [u64; COUNTER_WORDS]>,
    stages: PerCpuArray<MapData, [u8; size_of::<Stages>()]>,
    matching: Mutex<Array<MapData, RawMatching>>,
    interfaces: Mutex<HashMap<MapData, Pair, Pair>>,
    irqs: Mutex<HashMap<MapData, u32, Pair>>,
    ethertypes: HashMap<MapData, u32, u64>,
    streams: Streams,
    connections: HashMap<MapData, RawConnection, u32>,
}

impl Kernel {
    /// Takes the maps by name from wherever they are.
    ///
    /// # Errors
    /// Where one is missing or of another kind.
    pub(super) fn take(mut map: impl FnMut(&str) -> Result<Map, ProbeError>) -> Result<Self, ProbeError> {
        let Map::RingBuf(ring) = map("RING")? else { return Err(missing("RING")) };
        let Map::Array(reader) = map("READER")? else { return Err(missing("READER")) };
        Ok(Self {
            ring,
            reader,
            counters: typed("COUNTERS", &mut map)?,
            stages: typed("STAGES", &mut map)?,
            matching: Mutex::new(typed("MATCHING", &mut map)?),
            interfaces: Mutex::new(typed("INTERFACES", &mut map)?),
            irqs: Mutex::new(typed("IRQS", &mut map)?),
            ethertypes: typed("ETHERTYPES", &mut map)?,
            streams: Streams::new(typed("STREAMS", &mut map)?),
            connections: typed("CONNECTIONS", &mut map)?,
        })
    }

    /// The ring's map.
    #[must_use]
    pub fn ring(&self) -> BorrowedFd<'_> {
        self.ring.fd().as_fd()
    }

    /// Bytes of the ring's data area.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn ring_bytes(&self) -> Result<usize, ProbeError> {
        let info = self.ring.info().map_err(|error| map_error("RING", &error))?;
        Ok(info.max_entries() as usize)
    }

    /// The page shared with the reader.
    #[must_use]
    pub fn reader_page(&self) -> BorrowedFd<'_> {
        self.reader.fd().as_fd()
    }

    /// What the programs counted, over all CPUs. Stays readable after they are detached.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn counters(&self) -> Result<PacketCounters, ProbeError> {
        let cpus = self.counters.get(&0, 0).map_err(|error| map_error("COUNTERS", &error))?;
        let mut sum = [0; COUNTER_WORDS];
        for cpu in cpus.iter() {
            sum.iter_mut().zip(cpu).for_each(|(sum, count)| *sum += count);
        }
        Ok(bytemuck::cast(sum))
    }

    /// Every CPU's stamps, for the self-test.
    pub(super) fn stages(&self) -> Result<Vec<Stages>, ProbeError> {
        let cpus = self.stages.get(&0, 0).map_err(|error| map_error("STAGES", &error))?;
        Ok(cpus.iter().map(|bytes| bytemuck::pod_read_unaligned(bytes)).collect())
    }

    /// Says what the hooks let through.
    pub(super) fn set_matching(&self, matching: &Matching) -> Result<(), ProbeError> {
        let mut ports = Ports::EMPTY;
        if let Matching::Ports(wanted) = matching {
            for &port in wanted {
                ports.insert(port);
            }
        }
        let any_port = u32::from(*matching == Matching::AnyPort);
        self.change_matching(|kernel| KernelMatching {
            settings: Settings { any_port, discover: 0, seed: seed(kernel.settings), ..kernel.settings },
            ports,
        })
    }

    /// What the hooks let through.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn matching(&self) -> Result<Matching, ProbeError> {
        let KernelMatching { settings, ports } = read_matching(&lock(&self.matching))?;
        if settings.any_port != 0 {
            return Ok(Matching::AnyPort);
        }
        Ok(Matching::Ports((1..=u16::MAX).filter(|&port| ports.contains(port)).collect()))
    }

    /// Turns the counting of what does not match on or off.
    ///
    /// # Errors
    /// Where the switch cannot be written.
    pub fn set_discovery(&self, on: bool) -> Result<(), ProbeError> {
        self.change_settings(|settings| Settings { discover: u32::from(on), ..settings })
    }

    fn change_settings(&self, change: impl FnOnce(Settings) -> Settings) -> Result<(), ProbeError> {
        self.change_matching(|kernel| KernelMatching { settings: change(kernel.settings), ..kernel })
    }

    /// Held from the reading to the writing: no change is lost to another.
    fn change_matching(
        &self,
        change: impl FnOnce(KernelMatching) -> KernelMatching,
    ) -> Result<(), ProbeError> {
        let mut map = lock(&self.matching);
        let changed = change(read_matching(&map)?);
        let mut raw: RawMatching = [0; _];
        bytemuck::cast_slice_mut(&mut raw).copy_from_slice(bytemuck::bytes_of(&changed));
        map.set(0, raw, 0).map_err(|error| map_error("MATCHING", &error))
    }

    /// Packets by ethertype (0: shorter than an Ethernet header) that did not match while discovery was on.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn ethertypes(&self) -> Result<Vec<(u16, u64)>, ProbeError> {
        self.ethertypes
            .iter()
            .map(|entry| {
                let (ethertype, packets) = entry.map_err(|error| map_error("ETHERTYPES", &error))?;
                Ok((u16::try_from(ethertype).unwrap_or(0), packets))
            })
            .collect()
    }

    /// What was seen of each stream since the maps were made, in no order.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn streams(&self) -> Result<Vec<(StreamKey, StreamCounts)>, ProbeError> {
        self.streams.read()
    }

    /// TCP connections that are known to carry frames, where any port is matched.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn connections(&self) -> Result<u64, ProbeError> {
        self.connections
            .keys()
            .try_fold(0, |sum, key| key.map(|_| sum + 1).map_err(|error| map_error("CONNECTIONS", &error)))
    }

    /// Puts an interface into the table of those whose packets get stamps.
    pub(super) fn watch(&self, key: InterfaceKey, settings: InterfaceSettings) -> Result<(), ProbeError> {
        let (key, settings): (Pair, Pair) = (bytemuck::cast(key), bytemuck::cast(settings));
        lock(&self.interfaces).insert(key, settings, 0).map_err(|error| map_error("INTERFACES", &error))?;
        self.tell_netns()
    }

    /// Takes an interface out of it.
    pub(super) fn unwatch(&self, key: InterfaceKey) -> Result<(), ProbeError> {
        let key: Pair = bytemuck::cast(key);
        lock(&self.interfaces).remove(&key).map_err(|error| map_error("INTERFACES", &error))?;
        self.tell_netns()
    }

    /// The interfaces in that table with their numbers: those that are watched, and those that were and may have
    /// records in the ring.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn watched(&self) -> Result<Vec<(InterfaceKey, u32)>, ProbeError> {
        let entries: Result<Vec<(Pair, Pair)>, _> = lock(&self.interfaces).iter().collect();
        let entries = entries.map_err(|error| map_error("INTERFACES", &error))?;
        let number = |settings| bytemuck::cast::<Pair, InterfaceSettings>(settings).number;
        Ok(entries.into_iter().map(|(key, settings)| (bytemuck::cast(key), number(settings))).collect())
    }

    /// Tells the programs the namespace of all interfaces, where it is one.
    fn tell_netns(&self) -> Result<(), ProbeError> {
        let keys: Result<Vec<Pair>, _> = lock(&self.interfaces).keys().collect();
        let keys = keys.map_err(|error| map_error("INTERFACES", &error))?;
        let mut spaces = keys.into_iter().map(|key| bytemuck::cast::<_, InterfaceKey>(key).netns);
        let first = spaces.next().unwrap_or(0);
        let netns = if spaces.all(|other| other == first) { first } else { 0 };
        self.change_settings(|settings| Settings { netns, ..settings })
    }

    /// Says which interface an interrupt line belongs to.
    pub(super) fn own_irq(&self, irq: u32, key: InterfaceKey) -> Result<(), ProbeError> {
        let key: Pair = bytemuck::cast(key);
        lock(&self.irqs).insert(irq, key, 0).map_err(|error| map_error("IRQS", &error))
    }
}

/// The seed of the table of streams: chosen once in a map's life.
fn seed(settings: Settings) -> u32 {
    // What the standard library's maps are seeded with is the one source of random numbers that it shows.
    let random = || (RandomState::new().build_hasher().finish() >> 32) as u32 | 1;
    if settings.seed == 0 { random() } else { settings.seed }
}

fn read_matching(map: &Array<MapData, RawMatching>) -> Result<KernelMatching, ProbeError> {
    let raw = map.get(&0, 0).map_err(|error| map_error("MATCHING", &error))?;
    Ok(bytemuck::pod_read_unaligned(bytemuck::cast_slice(&raw)))
}

/// A map of the kind and sizes that its meaning asks for.
fn typed<T>(name: &str, map: &mut impl FnMut(&str) -> Result<Map, ProbeError>) -> Result<T, ProbeError>
where
    T: TryFrom<Map, Error = MapError>,
{
    T::try_from(map(name)?).map_err(|error| map_error(name, &error))
}

/// The maps' own operations cannot leave a lock half done: a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn missing(name: &str) -> ProbeError {
    ProbeError::Map {
        map: name.to_owned(),
        reason: "the eBPF object has no such map of that kind".to_owned(),
    }
}

pub(super) fn map_error(name: &str, error: &MapError) -> ProbeError {
    ProbeError::from_map(name, error)
}
