//! The pipeline from outside: packets in, events and counts out.

mod arena;
mod captures;
mod configurations;
mod copies;
mod cutting;
mod fragment_copies;
mod fragments;
#[path = "../support/frames.rs"]
mod frames;
mod hostile;
mod ip_fragments;
mod leaps;
mod missing;
#[path = "../support/outlet.rs"]
mod outlet;
#[path = "../support/packets.rs"]
mod packets;
mod quality;
mod records;
mod rules;
#[path = "../support/segments.rs"]
mod segments;
mod sequences;
mod sources;
mod tcp;
mod telling;

use frames::Pmu;
use monitor_core::event::{Counts, EventKind, Outcome};
use monitor_core::flow::FlowBounds;
use monitor_core::packet::Record;
use monitor_core::pipeline::{Bounds, Pipeline, Ports, StreamSummary};
use monitor_core::time::NoClock;
use outlet::Kept;
use packets::{PDC, PMU, PORT, record, udp};

/// Flows, fragmented packets, and bytes that wait, that tests can reach.
const FLOWS: FlowBounds =
    FlowBounds { flows: 4, fragmented: 2, pool_bytes: 512 << 10, flow_bytes: 128 << 10 };

/// Bounds that tests can reach.
const SMALL: Bounds = Bounds {
    streams: 4,
    configs: 2,
    pmus: 4,
    channels: 16,
    pmus_per_config: 2,
    channels_per_config: 8,
    flows: FLOWS,
    config_series: 2,
    config_series_bytes: 1_024,
    instants: 8,
    pmus_per_instant: 16,
};

/// A pipeline and the other end of its queue.
#[derive(Debug)]
struct Bench {
    pipeline: Pipeline,
    out: Kept,
}

impl Bench {
    fn new(ports: Ports, bounds: &Bounds) -> Self {
        Self { pipeline: Pipeline::new(ports, bounds), out: Kept::default() }
    }

    fn on_port() -> Self {
        Self::new(Ports::Set(vec![PORT]), &SMALL)
    }

    fn push(&mut self, record: &Record<'_>) {
        self.pipeline.push(record, &mut NoClock, &mut self.out);
    }

    /// From the PMU to the PDC.
    fn send(&mut self, payload: &[u8], arrival: i64) {
        self.push(&record(&udp(PMU, PDC, [PORT, 30_000], payload), arrival));
    }

    fn counts(&self) -> Counts {
        assert_adds_up(&self.pipeline.counts());
        self.pipeline.counts()
    }

    /// The bytes of all frames that were decoded or whose values are not known, in order.
    fn sound(&self) -> Vec<Vec<u8>> {
        let all = self.out.data.iter().chain(&self.out.news);
        let sound = all.filter(|(event, _)| {
            matches!(event.kind, EventKind::Frame(_, Outcome::Decoded | Outcome::Undecoded(_)))
        });
        sound.map(|(_, bytes)| bytes.clone()).collect()
    }

    fn only_stream(&self) -> StreamSummary {
        let mut streams = self.pipeline.streams();
        let first = streams.next().expect("a stream");
        assert!(streams.next().is_none(), "there is one stream only");
        first
    }
}

fn assert_adds_up(counts: &Counts) {
    assert_eq!(counts.bytes.unaccounted(), 0, "{counts:?}");
    assert_eq!(counts.frames.unaccounted(), 0, "{counts:?}");
}

/// A PMU at 50 frames/s, IDCODE 7, three phasors.
fn pmu() -> Pmu {
    Pmu::new(7, 50, 3)
}
