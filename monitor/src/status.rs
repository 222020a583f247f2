//! What is attached, and how it does: read from pins, without taking a record.

mod connections;
mod interface;
mod stream;
mod text;

use std::time::Duration;

use serde::Serialize;

use crate::hub::{PacketCounters, RecordCounters};
use crate::probe::pins::{self, PinError, Pinned, ProgramState};
use crate::reader::RingState;

pub use crate::probe::pins::InterfaceState;
pub use connections::ConnectionStatus;
pub use interface::InterfaceStatus;
pub use stream::StreamStatus;

/// Everything that is attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename = "status")]
pub struct Status {
    /// Instances of this version.
    pub instances: Vec<InstanceStatus>,
    /// Instances of other versions of this program, by the name of their directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_versions: Vec<OtherVersion>,
}

/// Instances that another version made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherVersion {
    /// `v2`.
    pub version: String,
    /// Their names.
    pub instances: Vec<String>,
}

/// One instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstanceStatus {
    /// Its name.
    pub name: String,
    /// What is wrong with it as a whole; nothing else is known of it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Hook for what comes in: `tc` or `xdp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// When it was attached: nanoseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_ns: Option<i64>,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceStatus>,
    /// Its programs.
    pub programs: Vec<ProgramStatus>,
    /// Programs that somebody has taken off their tracepoints: the stamps they give are absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_stages: Vec<&'static str>,
    /// Streams as the kernel's side counts them, in the order of their identifiers.
    pub streams: Vec<StreamStatus>,
    /// TCP connections that are known to carry frames; absent unless any port is matched, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<ConnectionStatus>,
    /// Packets and records since it was attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<InstanceCounters>,
    /// What the programs could not find out, or had no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortfalls: Option<Shortfalls>,
    /// How full its ring is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring: Option<RingStatus>,
    /// Who reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<ReaderStatus>,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramStatus {
    /// Its name.
    pub name: String,
    /// The kernel's number for it.
    pub id: u32,
    /// Hash of its instructions, as bpftool prints it.
    pub tag: String,
    /// How often it ran while `kernel.bpf_stats_enabled` was 1; absent where it never did.
    pub run_count: Option<u64>,
    /// How long a run took on average.
    pub mean_run_time_ns: Option<u64>,
}

/// Counters that add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InstanceCounters {
    /// In the kernel.
    pub packets: PacketCounters,
    /// In the ring and at its readers.
    pub records: RecordCounters,
}

/// What the programs could not find out of packets that matched, or had no room for; the packets are counted all the
/// same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shortfalls {
    /// Packets at tc without a receive stamp of their own.
    pub unattributed: u64,
    /// Packets whose interface, read by the offsets of the kernel's types, was not the one that the hook saw: their
    /// stamps were not believed.
    pub offset_mismatch: u64,
    /// Frames of streams for which the table of streams had no room.
    pub streams_full: u64,
}

/// A ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RingStatus {
    /// Its size.
    pub bytes: u64,
    /// Bytes that no reader has taken.
    pub used_bytes: u64,
}

/// A reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReaderStatus {
    /// Whether there is one now.
    pub reading: bool,
    /// Its process, or that of the last one; absent where there was none.
    pub pid: Option<u64>,
    /// Whether it sleeps.
    pub sleeping: bool,
}

impl Status {
    /// Reads all instances, or one.
    ///
    /// # Errors
    /// Where there is no BPF file system, or no such instance.
    pub fn read(only: Option<&str>) -> Result<Self, PinError> {
        let found = pins::instances()?;
        if let Some(name) = only.filter(|&name| !found.own.iter().any(|own| own == name)) {
            return Err(pins::not_attached(name));
        }
        let wanted = found.own.iter().filter(|name| only.is_none_or(|only| only == name.as_str()));
        let others = found.others.iter().filter(|_| only.is_none());
        Ok(Self {
            instances: wanted.map(|name| InstanceStatus::read(name)).collect(),
            other_versions: others
                .map(|other| OtherVersion {
                    version: other.version.clone(),
                    instances: other.instances.clone(),
                })
                .collect(),
        })
    }

    /// The sum of all remainders; anything but 0 is a bug.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        let counters = self.instances.iter().filter_map(|instance| instance.counters);
        counters.map(|counters| counters.packets.unaccounted + counters.records.unaccounted).sum()
    }
}

impl InstanceStatus {
    fn read(name: &str) -> Self {
        let broken = |error: PinError| Self {
            name: name.to_owned(),
            broken: Some(error.to_string()),
            ..Self::default()
        };
        match Pinned::open(name) {
            Ok(pinned) => Self::of(name, &pinned).unwrap_or_else(broken),
            Err(error) => broken(error),
        }
    }

    fn of(name: &str, pinned: &Pinned) -> Result<Self, PinError> {
        let record = pinned.record();
        let (kernel, counters, state) = counters(pinned)?;
        let reader = pinned.reader()?;
        let bytes = pinned.kernel().ring_bytes()? as u64;
        Ok(Self {
            name: name.to_owned(),
            broken: None,
            hook: Some(record.hook.to_string()),
            attached_ns: Some(record.attached_ns),
            interfaces: record.interfaces.iter().map(|one| InterfaceStatus::of(pinned, one)).collect(),
            programs: pinned.programs()?.into_iter().map(program).collect(),
            missing_stages: pinned.missing_stages(),
            streams: stream::read(pinned)?,
            connections: ConnectionStatus::read(pinned, &kernel)?,
            counters: Some(counters),
            shortfalls: Some(Shortfalls {
                unattributed: kernel.unattributed,
                offset_mismatch: kernel.offset_mismatch,
                streams_full: kernel.streams_full,
            }),
            ring: Some(RingStatus { bytes, used_bytes: state.used_bytes }),
            reader: Some(ReaderStatus {
                reading: reader.is_some(),
                pid: reader.map(u64::from).or(Some(state.reader_pid)).filter(|&pid| pid != 0),
                sleeping: state.sleeping,
            }),
        })
    }
}

fn program(state: ProgramState) -> ProgramStatus {
    let ProgramState { name, id, tag, run_count, run_time } = state;
    let counted = (run_count > 0).then_some(run_count);
    let mean =
        |runs: u64| u64::try_from(Duration::as_nanos(&run_time) / u128::from(runs)).unwrap_or(u64::MAX);
    let tag = format!("{tag:016x}");
    ProgramStatus { name, id, tag, run_count: counted, mean_run_time_ns: counted.map(mean) }
}

/// Programs and a reader count while they are read: what does not add up yet is read again.
const READS: usize = 5;

type Read = (monitor_common::PacketCounters, InstanceCounters, RingState);

fn counters(pinned: &Pinned) -> Result<Read, PinError> {
    let mut last = Default::default();
    for _ in 0..READS {
        let state = pinned.ring_state()?;
        let kernel = pinned.kernel().counters()?;
        let counters = add_up(&kernel, &state);
        let settled = counters.packets.unaccounted + counters.records.unaccounted == 0;
        last = (kernel, counters, state);
        if settled {
            break;
        }
    }
    Ok(last)
}

fn add_up(kernel: &monitor_common::PacketCounters, state: &RingState) -> InstanceCounters {
    let sum = kernel.ignored + kernel.submitted + kernel.ring_full + kernel.read_failed;
    let packets = PacketCounters {
        seen: kernel.seen,
        ignored: kernel.ignored,
        submitted: kernel.submitted,
        ring_full: kernel.ring_full,
        read_failed: kernel.read_failed,
        unaccounted: kernel.seen.abs_diff(sum),
    };
    let taken = &state.taken;
    // What no reader has taken is in the ring: nobody walks it here, since a reader may be at work.
    let pending = kernel.records.saturating_sub(taken.delivered + taken.discarded);
    let records = RecordCounters {
        submitted: Some(kernel.records),
        delivered: taken.delivered,
        discarded: Some(taken.discarded),
        pending: Some(pending),
        carried: taken.carried,
        no_payload: taken.no_payload,
        malformed: taken.malformed,
        unaccounted: taken.delivered.abs_diff(taken.carried + taken.no_payload + taken.malformed),
    };
    InstanceCounters { packets, records }
}
