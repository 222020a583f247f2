//! Packets that the kernel dropped: the program that tells of them, their ring, and the names of its reasons.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Map, MapData, MapError, PerCpuArray, RingBuf},
    programs::BtfTracePoint,
};
use monitor_common::{DROPS_TC, DROPS_XDP, DropCounters, DropRecord};

use super::{
    Hook, ProbeError, attach,
    btf::KernelTypes,
    kernel::{map_error, missing},
    offsets::Offsets,
};
use crate::sys::memory::page_size;

/// The program and its tracepoint.
const PROGRAM: &str = "dropped";
const TRACEPOINT: &str = "kfree_skb";
/// The kernel's enumeration of its reasons, and what each name in it begins with.
const REASONS: &str = "skb_drop_reason";
const PREFIX: &str = "SKB_DROP_REASON_";
/// The upper bits of a reason number the subsystem that it belongs to (`SKB_DROP_REASON_SUBSYS_SHIFT`).
const SUBSYSTEM_SHIFT: u32 = 16;
/// Members whose offsets the program reads.
const MEMBERS: [(&str, &str); 4] = [
    ("OFFSET_SKB_IIF", "skb_iif"),
    ("OFFSET_SKB_HEAD", "head"),
    ("OFFSET_SKB_TAIL", "tail"),
    ("OFFSET_SKB_MAC_HEADER", "mac_header"),
];
/// Words of one CPU's counters.
const COUNTER_WORDS: usize = size_of::<DropCounters>() / size_of::<u64>();

/// The reasons for which this kernel drops packets, by name.
#[derive(Clone, Debug, Default)]
pub struct Reasons(BTreeMap<u32, String>);

impl Reasons {
    /// Those of the running kernel, as its BTF has them.
    ///
    /// # Errors
    /// Where it publishes none, or gives no reasons (before 5.17).
    pub fn of_running_kernel() -> Result<Self, ProbeError> {
        let names = KernelTypes::of_running_kernel()?.enumerators(REASONS);
        if names.is_empty() {
            return Err(ProbeError::NoDropReasons);
        }
        let short = |name: String| name.strip_prefix(PREFIX).map_or(name.clone(), str::to_owned);
        Ok(Self(names.into_iter().map(|(value, name)| (value, short(name))).collect()))
    }

    /// The name of a reason; one that the kernel has not named by its number, as `SUBSYSTEM_1_5`.
    #[must_use]
    pub fn name(&self, reason: u32) -> String {
        let (subsystem, number) = (reason >> SUBSYSTEM_SHIFT, reason & ((1 << SUBSYSTEM_SHIFT) - 1));
        match self.0.get(&reason) {
            Some(name) if subsystem == 0 => name.clone(),
            _ if subsystem == 0 => format!("REASON_{number}"),
            _ => format!("SUBSYSTEM_{subsystem}_{number}"),
        }
    }
}

/// What the program writes.
pub struct Drops {
    ring: RingBuf<MapData>,
    counters: PerCpuArray<MapData, [u64; COUNTER_WORDS]>,
    reasons: Reasons,
}

impl Drops {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, ProbeError> {
        let reasons = Reasons::of_running_kernel()?;
        Ok(Self { ring: taken(ebpf, "DROPS")?, counters: taken(ebpf, "DROP_COUNTERS")?, reasons })
    }

    /// The names of this kernel's reasons.
    #[must_use]
    pub const fn reasons(&self) -> &Reasons {
        &self.reasons
    }

    /// Readable where there are records.
    #[must_use]
    pub fn ring(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    /// The next record.
    pub fn next_record(&mut self) -> Option<DropRecord> {
        let item = self.ring.next()?;
        item.get(..size_of::<DropRecord>()).map(bytemuck::pod_read_unaligned)
    }

    /// What the program counted, over all CPUs. Stays readable after it is detached.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn counters(&self) -> Result<DropCounters, ProbeError> {
        let cpus = self.counters.get(&0, 0).map_err(|error| map_error("DROP_COUNTERS", &error))?;
        let mut sum = [0; COUNTER_WORDS];
        for cpu in cpus.iter() {
            sum.iter_mut().zip(cpu).for_each(|(sum, count)| *sum += count);
        }
        Ok(bytemuck::cast(sum))
    }
}

fn taken<T>(ebpf: &mut Ebpf, name: &str) -> Result<T, ProbeError>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or_else(|| missing(name))?;
    T::try_from(map).map_err(|error| map_error(name, &error))
}

/// Symbols and what is written to them before an object is loaded that is to tell of drops.
pub(super) fn globals(hook: Hook) -> Result<Offsets, ProbeError> {
    let types = KernelTypes::of_running_kernel()?;
    let members = MEMBERS.iter().map(|&(symbol, member)| Ok((symbol, types.offset("sk_buff", member)?)));
    let asked = match hook {
        Hook::Tc => DROPS_TC,
        Hook::Xdp => DROPS_XDP,
    };
    members.chain([Ok(("DROPS_ASKED", asked))]).collect()
}

/// Makes the maps as small as they can be: nothing will be in them.
pub(super) fn leave_out(loader: &mut EbpfLoader<'_>) {
    const FEWEST: u32 = 1;
    loader
        .map_max_entries("HANDED", FEWEST)
        .map_max_entries("DROPS", u32::try_from(page_size()).unwrap_or(4096));
}

/// Loads the program and attaches it.
pub(super) fn attach(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
    let program: &mut BtfTracePoint = attach::program(ebpf, PROGRAM)?;
    program.load(TRACEPOINT, btf).map_err(|error| attach::refused(PROGRAM, &error))?;
    program.attach().map_err(|error| attach::attach_error(PROGRAM, TRACEPOINT, &error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_its_name_or_its_number() {
        let reasons = Reasons(BTreeMap::from([(6, "SOCKET_RCVBUFF".to_owned())]));
        assert_eq!(reasons.name(6), "SOCKET_RCVBUFF");
        assert_eq!(reasons.name(900), "REASON_900");
        assert_eq!(reasons.name(2 << 16 | 5), "SUBSYSTEM_2_5");
    }
}
