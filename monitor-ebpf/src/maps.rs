//! The maps that user space and the programs share. All are BTF-typed, so that `bpftool map dump` prints field names.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, PerfEventByteArray, RingBuf},
    macros::btf_map,
};
use monitor_common::{
    CONNECTIONS_MAX, Connection, ConnectionKey, DropCounters, HANDED_MAX, Handed, INTERFACES_MAX, Instance,
    InterfaceKey, InterfaceSettings, Matching, PacketCounters, READ_PORTS_MAX, ReadCounters, ReaderPage,
    STREAMS_MAX, Stages, StreamSlot,
};

use crate::perf::Part;

/// Bytes of the ring unless user space sets another size at load: 54 ms of 128 000 small frames a second, twice.
const RING_BYTES: usize = 4 << 20;
/// Bytes of the ring of drops: some 800 of them.
const DROPS_BYTES: usize = 64 << 10;
/// Bytes of the ring of packets and reads: some 9000 of them. It is emptied twenty times a second.
const READS_BYTES: usize = 1 << 20;
/// Numbers of system calls, of which there are fewer on every architecture.
const SYSTEM_CALLS_MAX: usize = 1024;
/// Interrupt lines of all of them.
const IRQS_MAX: usize = 1024;
/// Ethertypes told apart while discovering.
const ETHERTYPES_MAX: usize = 256;
/// The reader maps this map's only page.
const MMAPABLE: usize = BPF_F_MMAPABLE as usize;

/// Records on their way to the reader. Untyped: libbpf 1.1 refuses a ring with a value type.
#[btf_map]
pub static RING: RingBuf<(), RING_BYTES> = RingBuf::new();

/// Perf events in the ring's place, one for each CPU: see `perf`. As many as there may be CPUs, if user space says nothing
/// else.
#[btf_map]
pub static PERF: PerfEventByteArray = PerfEventByteArray::new();

/// And those that wake the reader.
#[btf_map]
pub static PERF_WAKE: PerfEventByteArray = PerfEventByteArray::new();

/// Where each CPU puts together the parts of a packet that one perf record does not hold.
#[btf_map]
pub static PERF_PART: PerCpuArray<Part, 1> = PerCpuArray::new();

/// What each CPU did with packets.
#[btf_map]
pub static COUNTERS: PerCpuArray<PacketCounters, 1> = PerCpuArray::new();

/// Stamps of what each CPU is working on.
#[btf_map]
pub static STAGES: PerCpuArray<Stages, 1> = PerCpuArray::new();

/// The sleep protocol, and what the reader took.
#[btf_map]
pub static READER: Array<ReaderPage, 1, MMAPABLE> = Array::new();

/// Ports to match, and switches of the matching.
#[btf_map]
pub static MATCHING: Array<Matching, 1> = Array::new();

/// What the instance is attached to; for user space alone.
#[btf_map]
pub static INSTANCE: Array<Instance, 1> = Array::new();

/// The interfaces whose packets get stamps.
#[btf_map]
pub static INTERFACES: HashMap<InterfaceKey, InterfaceSettings, INTERFACES_MAX> = HashMap::new();

/// Interrupt lines of these interfaces.
#[btf_map]
pub static IRQS: HashMap<u32, InterfaceKey, IRQS_MAX> = HashMap::new();

/// Packets that did not match, by ethertype, while discovering.
#[btf_map]
pub static ETHERTYPES: HashMap<u32, u64, ETHERTYPES_MAX> = HashMap::new();

/// What was seen of each stream. Never emptied, and an entry that is there is never given up for a new one: who floods
/// the wire with invented streams hides no real one, and `streams_full` tells of it.
#[btf_map]
pub static STREAMS: Array<StreamSlot, STREAMS_MAX> = Array::new();

/// TCP connections that carried a frame, where any port is matched.
#[btf_map]
pub static CONNECTIONS: LruHashMap<ConnectionKey, Connection, { CONNECTIONS_MAX as usize }> =
    LruHashMap::new();

/// Packets that were dropped, on their way to who tells of them. Untyped, as the other ring.
#[btf_map]
pub static DROPS: RingBuf<(), DROPS_BYTES> = RingBuf::new();

/// What each CPU did with packets that were dropped.
#[btf_map]
pub static DROP_COUNTERS: PerCpuArray<DropCounters, 1> = PerCpuArray::new();

/// Packets that the hook handed on, by their address.
#[btf_map]
pub static HANDED: LruHashMap<u64, Handed, HANDED_MAX> = LruHashMap::new();

/// Watched packets, and reads of the sockets that they go to, in the order in which they happened.
#[btf_map]
pub static READS: RingBuf<(), READS_BYTES> = RingBuf::new();

/// What each CPU did with them.
#[btf_map]
pub static READ_COUNTERS: PerCpuArray<ReadCounters, 1> = PerCpuArray::new();

/// How many of them all CPUs together have lost for want of room.
#[btf_map]
pub static READS_LOST: Array<u64, 1> = Array::new();

/// Local ports that watched packets have come to, with their transport and network namespace: whose sockets are looked
/// at. Of UDP without the namespace too. The value says nothing.
#[btf_map]
pub static READ_PORTS: LruHashMap<u64, u32, READ_PORTS_MAX> = LruHashMap::new();

/// System calls by their number, for the test that counts those of a thread.
#[btf_map]
pub static SYSTEM_CALLS: Array<u64, SYSTEM_CALLS_MAX> = Array::new();
