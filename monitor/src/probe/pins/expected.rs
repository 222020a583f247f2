//! What each pinned map must be: the kernel compares nothing when a pin is opened.

use aya::maps::{MapData, MapInfo, MapType};
use monitor_common::{
    Connection, ConnectionKey, INTERFACES_MAX, Instance, InterfaceKey, InterfaceSettings, Matching,
    PacketCounters, ReaderPage, STREAMS_MAX, Stages, StreamSlot,
};

use super::record;

/// A map's kind and sizes.
pub(super) struct Expected {
    pub(super) name: &'static str,
    kind: MapType,
    key: usize,
    value: usize,
    /// None: whoever made it chose.
    entries: Option<usize>,
}

const fn array(name: &'static str, value: usize) -> Expected {
    Expected { name, kind: MapType::Array, key: 4, value, entries: Some(1) }
}

const fn per_cpu(name: &'static str, value: usize) -> Expected {
    Expected { name, kind: MapType::PerCpuArray, key: 4, value, entries: Some(1) }
}

const fn hash(name: &'static str, key: usize, value: usize, entries: usize) -> Expected {
    Expected { name, kind: MapType::Hash, key, value, entries: Some(entries) }
}

/// Every map of an instance.
pub(super) const MAPS: [Expected; 11] = [
    Expected { name: "RING", kind: MapType::RingBuf, key: 0, value: 0, entries: None },
    per_cpu("COUNTERS", size_of::<PacketCounters>()),
    per_cpu("STAGES", size_of::<Stages>()),
    array("READER", size_of::<ReaderPage>()),
    array("MATCHING", size_of::<Matching>()),
    array(record::MAP, size_of::<Instance>()),
    hash("INTERFACES", size_of::<InterfaceKey>(), size_of::<InterfaceSettings>(), INTERFACES_MAX),
    hash("IRQS", 4, size_of::<InterfaceKey>(), 1024),
    hash("ETHERTYPES", 4, 8, 256),
    Expected { entries: Some(STREAMS_MAX), ..array("STREAMS", size_of::<StreamSlot>()) },
    Expected {
        name: "CONNECTIONS",
        kind: MapType::LruHash,
        key: size_of::<ConnectionKey>(),
        value: size_of::<Connection>(),
        entries: None,
    },
];

impl Expected {
    /// What is different, in words.
    pub(super) fn differs(&self, data: &MapData) -> Option<String> {
        let info = match data.info() {
            Ok(info) => info,
            Err(error) => return Some(format!("map {} tells nothing of itself: {error}", self.name)),
        };
        let found = of(&info);
        let entries = self.entries.unwrap_or(found.3);
        let wanted = (Some(self.kind), self.key, self.value, entries);
        (found != wanted)
            .then(|| format!("map {} is {}, this version makes {}", self.name, words(found), words(wanted)))
    }
}

type Shape = (Option<MapType>, usize, usize, usize);

fn of(info: &MapInfo) -> Shape {
    let kind = info.map_type().ok();
    (kind, info.key_size() as usize, info.value_size() as usize, info.max_entries() as usize)
}

fn words((kind, key, value, entries): Shape) -> String {
    let kind = kind.map_or_else(|| "of an unknown kind".to_owned(), |kind| format!("{kind:?}"));
    format!("{kind} with keys of {key} bytes, values of {value}, {entries} entries")
}
