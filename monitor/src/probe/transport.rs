//! What carries records from the programs to the reader.

use std::os::fd::AsFd as _;
use std::str::FromStr;
use std::{fmt, io};

use aya::maps::{Map, MapData};
use aya::{Ebpf, EbpfLoader};
use monitor_common::TRANSPORT_PERF;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ProbeError, Sizes, kernel::missing};
use crate::reader::PerfEvents;
use crate::sys::memory::page_size;

/// The maps of perf events: those that records go to, and those that wake.
const EVENTS: [&str; 2] = ["PERF", "PERF_WAKE"];
/// The programs' static that says which transport it is.
const SYMBOL: &str = "TRANSPORT";

/// A transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The BPF ring: one for all CPUs, which stays where programs and maps are pinned.
    #[default]
    Ring,
    /// Perf buffers, one for each CPU, which go with the process that reads them.
    Perf,
}

impl Transport {
    /// What is written into an object before it is loaded, where it is not as it is built.
    pub(super) const fn global(self) -> Option<(&'static str, u32)> {
        match self {
            Self::Ring => None,
            Self::Perf => Some((SYMBOL, TRANSPORT_PERF)),
        }
    }

    /// Sizes the maps of both: of that which carries nothing, as small as it can be.
    pub(super) fn choose(self, sizes: Sizes, loader: &mut EbpfLoader<'_>) {
        const FEWEST: u32 = 1;
        let ring = match self {
            Self::Ring => sizes.ring_bytes,
            Self::Perf => u32::try_from(page_size()).unwrap_or(4096),
        };
        loader.map_max_entries("RING", ring);
        // Without being told, aya makes a map of perf events as long as there may be CPUs, and never longer.
        if self == Self::Ring {
            for name in EVENTS {
                loader.map_max_entries(name, FEWEST);
            }
        }
    }
}

/// The maps of perf events of loaded programs. Those that are loaded later name them by these very descriptors.
pub(super) struct PerfMaps([MapData; 2]);

impl PerfMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, ProbeError> {
        let mut take = |name: &str| match ebpf.take_map(name) {
            Some(Map::PerfEventArray(events)) => Ok(events),
            _ => Err(missing(name)),
        };
        let [records, wakes] = EVENTS;
        Ok(Self([take(records)?, take(wakes)?]))
    }

    /// For the reader: they hold the events until the last descriptor of each is closed.
    pub(super) fn events(&self) -> io::Result<PerfEvents> {
        let [records, wakes] = &self.0;
        let own = |map: &MapData| map.fd().as_fd().try_clone_to_owned();
        Ok(PerfEvents { records: own(records)?, wakes: own(wakes)? })
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ring" => Ok(Self::Ring),
            "perf" => Ok(Self::Perf),
            _ => Err(format!("'{text}' is no transport; there are ring and perf")),
        }
    }
}

impl<'de> Deserialize<'de> for Transport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "ring",
            Self::Perf => "perf",
        })
    }
}
