//! The table of bounds: what there is place for, what each costs in memory, and how far it may be changed.

use monitor_common::CONNECTIONS_MAX;
use monitor_core::flow::FlowBounds;
use monitor_core::pipeline::Bounds;
use serde::Deserialize;

use crate::probe::{PERF_BYTES, Sizes};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Key in `[bounds]`.
    pub name: &'static str,
    /// Smallest value.
    pub least: usize,
    /// Value where none is given.
    pub default: usize,
    /// Largest value.
    pub most: usize,
    /// What it is for and what it costs.
    pub meaning: &'static str,
}

/// Bytes of the BPF ring; the mapping counts them twice. The least holds three records of the largest size class: one of
/// the half would take no second such packet before the first is read, one of a quarter none at all.
const RING: Bound = Bound {
    name: "ring-bytes",
    least: 256 << 10,
    default: 4 << 20,
    most: 256 << 20,
    meaning: "bytes of the BPF ring, a power of two; its mapping counts twice in resident memory",
};

/// Bytes of each CPU's perf buffer. The least holds three records of the largest, as the ring's does.
const PERF: Bound = Bound {
    name: "perf-bytes",
    least: 256 << 10,
    default: PERF_BYTES as usize,
    most: 64 << 20,
    meaning: "bytes of each CPU's perf buffer with --transport perf alone, a power of two; resident",
};

const CONNECTIONS: Bound = Bound {
    name: "tcp-connections",
    least: 1_024,
    default: CONNECTIONS_MAX as usize,
    most: 1 << 20,
    meaning: "TCP connections that the kernel's side knows to carry frames, with any port matched; the one that was quiet \
              for longest makes room for a new one; about 100 bytes of the kernel's memory each",
};

const STREAMS: Bound = Bound {
    name: "streams",
    least: 1,
    default: 2_048,
    most: 65_536,
    meaning: "streams told apart; about 6 KiB each for state, the last packets and a histogram",
};

const CONFIGURATIONS: Bound = Bound {
    name: "configurations",
    least: 1,
    default: 4_096,
    most: 65_535,
    meaning: "configurations in use at the same time, and those replaced that an output still reads; about 100 bytes each",
};

const PMUS: Bound = Bound {
    name: "pmus",
    least: 1,
    default: 4_096,
    most: 1 << 20,
    meaning: "PMUs of all configurations in use together; 28 bytes each",
};

const CHANNELS: Bound = Bound {
    name: "channels",
    least: 1,
    default: 16_384,
    most: 1 << 22,
    meaning: "phasors, and as many analogs, of all configurations in use together; 40 bytes for the two",
};

const PMUS_EACH: Bound = Bound {
    name: "pmus-per-configuration",
    least: 1,
    default: 1_024,
    most: 4_096,
    meaning: "PMUs in one configuration, which take their place among those of all",
};

const CHANNELS_EACH: Bound = Bound {
    name: "channels-per-configuration",
    least: 1,
    default: 4_096,
    most: 32_768,
    meaning: "phasors, and as many analogs, in one configuration, which take their place among those of all",
};

const FLOWS: Bound = Bound {
    name: "tcp-flows",
    least: 2,
    default: 4_096,
    most: 65_536,
    meaning: "TCP flows told apart, two for each connection; about 700 bytes each",
};

const FRAGMENTED: Bound = Bound {
    name: "fragmented-packets",
    least: 1,
    default: 64,
    most: 4_096,
    meaning: "IP packets of which fragments are missing; about 300 bytes each",
};

const POOL: Bound = Bound {
    name: "flow-pool-bytes",
    least: 256 << 10,
    default: 4 << 20,
    most: 128 << 20,
    meaning: "bytes that wait for what belongs before or behind them, of all flows and fragments; a tenth more in all",
};

const FLOW_BYTES: Bound = Bound {
    name: "bytes-per-flow",
    least: FlowBounds::LEAST_CAP,
    default: 128 << 10,
    most: 1 << 20,
    meaning: "bytes of one flow from the first that waits to the last; a byte in each flow for each KiB",
};

const INSTANTS: Bound = Bound {
    name: "instants",
    least: 1,
    default: 128,
    most: 16_383,
    meaning: "instants waited for at the same time, with --align alone; 24 bytes each for every stream and every PMU \
              whose values are kept, and 1.5 bytes for every stream; what is not used is not resident",
};

const PMUS_PER_INSTANT: Bound = Bound {
    name: "pmus-per-instant",
    least: 1,
    default: 4_096,
    most: 1 << 20,
    meaning: "PMUs whose values are kept for one instant, with --align alone; 24 bytes each for every instant",
};

const SERIES: Bound = Bound {
    name: "config-series",
    least: 0,
    default: 4,
    most: 256,
    meaning: "CFG-3 that may be on their way in fragments at the same time",
};

const SERIES_BYTES: Bound = Bound {
    name: "config-series-bytes",
    least: 1_024,
    default: 128 << 10,
    most: 4 << 20,
    meaning: "bytes of a CFG-3 that is put together from fragments; each of those on their way costs as many",
};

/// Every bound.
pub const BOUNDS: [Bound; 17] = [
    RING,
    PERF,
    CONNECTIONS,
    STREAMS,
    CONFIGURATIONS,
    PMUS,
    CHANNELS,
    PMUS_EACH,
    CHANNELS_EACH,
    FLOWS,
    FRAGMENTED,
    POOL,
    FLOW_BYTES,
    SERIES,
    SERIES_BYTES,
    INSTANTS,
    PMUS_PER_INSTANT,
];

/// `[bounds]` of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BoundsTable {
    ring_bytes: Option<usize>,
    perf_bytes: Option<usize>,
    tcp_connections: Option<usize>,
    streams: Option<usize>,
    configurations: Option<usize>,
    pmus: Option<usize>,
    channels: Option<usize>,
    pmus_per_configuration: Option<usize>,
    channels_per_configuration: Option<usize>,
    tcp_flows: Option<usize>,
    fragmented_packets: Option<usize>,
    flow_pool_bytes: Option<usize>,
    bytes_per_flow: Option<usize>,
    config_series: Option<usize>,
    config_series_bytes: Option<usize>,
    instants: Option<usize>,
    pmus_per_instant: Option<usize>,
}

impl BoundsTable {
    /// What was given, in the order of [`BOUNDS`].
    #[must_use]
    pub fn values(&self) -> [Option<usize>; BOUNDS.len()] {
        let Self {
            ring_bytes,
            perf_bytes,
            tcp_connections,
            streams,
            configurations,
            pmus,
            channels,
            pmus_per_configuration,
            channels_per_configuration,
            tcp_flows,
            fragmented_packets,
            flow_pool_bytes,
            bytes_per_flow,
            config_series,
            config_series_bytes,
            instants,
            pmus_per_instant,
        } = *self;
        [
            ring_bytes,
            perf_bytes,
            tcp_connections,
            streams,
            configurations,
            pmus,
            channels,
            pmus_per_configuration,
            channels_per_configuration,
            tcp_flows,
            fragmented_packets,
            flow_pool_bytes,
            bytes_per_flow,
            config_series,
            config_series_bytes,
            instants,
            pmus_per_instant,
        ]
    }

    /// These, with the default in the place of each that was not given.
    #[must_use]
    pub fn effective(&self) -> Self {
        let or_default = |bound: Bound, value: Option<usize>| Some(value.unwrap_or(bound.default));
        Self {
            ring_bytes: or_default(RING, self.ring_bytes),
            perf_bytes: or_default(PERF, self.perf_bytes),
            tcp_connections: or_default(CONNECTIONS, self.tcp_connections),
            streams: or_default(STREAMS, self.streams),
            configurations: or_default(CONFIGURATIONS, self.configurations),
            pmus: or_default(PMUS, self.pmus),
            channels: or_default(CHANNELS, self.channels),
            pmus_per_configuration: or_default(PMUS_EACH, self.pmus_per_configuration),
            channels_per_configuration: or_default(CHANNELS_EACH, self.channels_per_configuration),
            tcp_flows: or_default(FLOWS, self.tcp_flows),
            fragmented_packets: or_default(FRAGMENTED, self.fragmented_packets),
            flow_pool_bytes: or_default(POOL, self.flow_pool_bytes),
            bytes_per_flow: or_default(FLOW_BYTES, self.bytes_per_flow),
            config_series: or_default(SERIES, self.config_series),
            config_series_bytes: or_default(SERIES_BYTES, self.config_series_bytes),
            instants: or_default(INSTANTS, self.instants),
            pmus_per_instant: or_default(PMUS_PER_INSTANT, self.pmus_per_instant),
        }
    }

    /// Those of the pipeline.
    ///
    /// # Errors
    /// A sentence that names the bound that is out of its range.
    pub fn pipeline(&self) -> Result<Bounds, String> {
        Ok(Bounds {
            streams: within(STREAMS, self.streams)?,
            configs: within(CONFIGURATIONS, self.configurations)?,
            pmus: within(PMUS, self.pmus)?,
            channels: within(CHANNELS, self.channels)?,
            pmus_per_config: within(PMUS_EACH, self.pmus_per_configuration)?,
            channels_per_config: within(CHANNELS_EACH, self.channels_per_configuration)?,
            flows: FlowBounds {
                flows: within(FLOWS, self.tcp_flows)?,
                fragmented: within(FRAGMENTED, self.fragmented_packets)?,
                pool_bytes: within(POOL, self.flow_pool_bytes)?,
                flow_bytes: within(FLOW_BYTES, self.bytes_per_flow)?,
            },
            config_series: within(SERIES, self.config_series)?,
            config_series_bytes: within(SERIES_BYTES, self.config_series_bytes)?,
            instants: within(INSTANTS, self.instants)?,
            pmus_per_instant: within(PMUS_PER_INSTANT, self.pmus_per_instant)?,
        })
    }

    /// Those of the kernel's maps.
    ///
    /// # Errors
    /// As [`BoundsTable::pipeline`], and where the ring's or the perf buffer's is no power of two.
    pub fn of_kernel(&self) -> Result<Sizes, String> {
        let connections = within(CONNECTIONS, self.tcp_connections)?;
        let connections = u32::try_from(connections)
            .map_err(|_| format!("bounds.tcp-connections = {connections}: too many for the kernel"))?;
        Ok(Sizes { ring_bytes: self.ring_bytes()?, perf_bytes: self.perf_bytes()?, connections })
    }

    fn ring_bytes(&self) -> Result<u32, String> {
        power_of_two(RING, self.ring_bytes, "the kernel's ring")
    }

    fn perf_bytes(&self) -> Result<u32, String> {
        power_of_two(PERF, self.perf_bytes, "a perf buffer")
    }
}

fn power_of_two(bound: Bound, value: Option<usize>, what: &str) -> Result<u32, String> {
    let (bytes, name) = (within(bound, value)?, bound.name);
    if !bytes.is_power_of_two() {
        let next = bytes.next_power_of_two();
        return Err(format!("bounds.{name} = {bytes}: {what} is a power of two; the next is {next}"));
    }
    u32::try_from(bytes).map_err(|_| format!("bounds.{name} = {bytes}: too large for the kernel"))
}

fn within(bound: Bound, value: Option<usize>) -> Result<usize, String> {
    let value = value.unwrap_or(bound.default);
    if (bound.least..=bound.most).contains(&value) {
        return Ok(value);
    }
    let Bound { name, least, most, meaning, .. } = bound;
    Err(format!("bounds.{name} = {value} is not within {least} to {most} ({meaning})"))
}

#[cfg(test)]
mod tests {
    use monitor_common::{RecordHeader, SIZE_CLASSES};

    use super::*;

    #[test]
    fn defaults_are_within_their_ranges_and_those_of_the_pipeline() {
        let table = BoundsTable::default();
        assert_eq!(table.pipeline(), Ok(Bounds::default()));
        assert_eq!(table.ring_bytes(), Ok(4 << 20));
    }

    #[test]
    fn a_bound_out_of_range_is_named() {
        let table = BoundsTable { streams: Some(0), ring_bytes: Some(300_000), ..BoundsTable::default() };
        let error = table.pipeline().expect_err("0 streams");
        assert!(error.contains("bounds.streams = 0") && error.contains("1 to 65536"), "{error}");
        let error = table.ring_bytes().expect_err("no power of two");
        assert!(error.contains("524288"), "{error}");
        let table = BoundsTable { perf_bytes: Some(300_000), ..BoundsTable::default() };
        let error = table.of_kernel().expect_err("no power of two");
        assert!(error.contains("bounds.perf-bytes") && error.contains("524288"), "{error}");
    }

    #[test]
    fn the_least_ring_holds_a_record_of_the_largest_class() {
        let record = 8 + size_of::<RecordHeader>() + SIZE_CLASSES[SIZE_CLASSES.len() - 1];
        assert!(RING.least >= 3 * record && RING.least / 4 < record);
        let table = BoundsTable { ring_bytes: Some(128 << 10), ..BoundsTable::default() };
        let error = table.ring_bytes().expect_err("below the least");
        assert!(error.contains("262144"), "{error}");
    }
}
