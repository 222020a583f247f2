//! What the kernel programs and user space agree on: records, stages, counters, settings, and nothing else.
//!
//! Everything here crosses the border between `monitor-ebpf` and `monitor` as bytes: `repr(C)`, no padding, no
//! `bool`, sizes asserted at compile time. Any change that moves a byte raises [`ABI_VERSION`], which is part of the
//! path under which maps are pinned.
#![no_std]

mod connection;
mod counters;
mod drops;
mod instance;
mod interface;
mod matching;
mod perf;
mod record;
mod stages;
mod streams;

pub use connection::{CONNECTIONS_MAX, Connection, ConnectionKey};
pub use counters::{PacketCounters, ReaderPage, Taken};
pub use drops::{
    DROPS_OFF, DROPS_TC, DROPS_XDP, DropCounters, DropRecord, HANDED_MAX, Handed, PLACE_AFTER_HOOK,
    PLACE_BEFORE_HOOK, PLACE_UNKNOWN,
};
pub use instance::{
    ADDED_CLSACT, ATTACHED_CLSACT, INTERFACES_MAX, Instance, InstanceInterface, NAME_BYTES,
    READS_HARDWARE_STAMPS, STATE_ATTACHED, STATE_BEGUN,
};
pub use interface::{InterfaceKey, InterfaceSettings};
pub use matching::{Matching, PORT_WORDS, Ports, Settings};
pub use perf::{PERF_FIRST_MAX, PERF_PART_BYTES, TRANSPORT_PERF, TRANSPORT_RING};
pub use record::{
    FLAG_VLAN, HOOK_TC_EGRESS, HOOK_TC_INGRESS, HOOK_XDP, KIND_CANDIDATE, KIND_PACKET, RecordHeader,
    SIZE_CLASSES,
};
pub use stages::Stages;
pub use streams::{
    SLOT_BEGUN, SLOT_FREE, SLOT_TAKEN, STREAM_TRIES, STREAMS_MAX, StreamCounts, StreamKey, StreamSlot,
};

/// Version of every layout in this crate; pins stand under `v<ABI_VERSION>`.
pub const ABI_VERSION: u32 = 4;
