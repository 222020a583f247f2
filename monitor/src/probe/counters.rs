//! What the kernel side counted, over all CPUs.

use aya::maps::{Map, MapData, PerCpuArray};
use monitor_common::PacketCounters;

use super::{
    ProbeError,
    load::{map_error, missing},
};

/// Words of one CPU's counters.
const WORDS: usize = size_of::<PacketCounters>() / size_of::<u64>();

/// The kernel's counters. They stay readable after the programs are detached.
pub struct KernelCounters(PerCpuArray<MapData, [u64; WORDS]>);

impl KernelCounters {
    pub(super) fn new(map: Map) -> Result<Self, ProbeError> {
        PerCpuArray::try_from(map).map(Self).map_err(|_| missing("COUNTERS"))
    }

    /// The sum over all CPUs.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn read(&self) -> Result<PacketCounters, ProbeError> {
        let cpus = self.0.get(&0, 0).map_err(|error| map_error("COUNTERS", &error))?;
        let mut sum = [0; WORDS];
        for cpu in cpus.iter() {
            sum.iter_mut().zip(cpu).for_each(|(sum, count)| *sum += count);
        }
        Ok(bytemuck::cast(sum))
    }
}
