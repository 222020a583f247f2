//! What must hold of a pipeline, whatever it was given: every byte and every frame is in one counter.

use monitor_core::event::{Class, Event, Outlet};
use monitor_core::flow::FlowBounds;
use monitor_core::packet::Record;
use monitor_core::pipeline::{Bounds, Pipeline, Ports};
use monitor_core::time::{Nanos, NoClock};

/// Events that a slot's use may be behind by: the other end has always passed all but the last few.
const BEHIND: u64 = 3;

/// Takes everything and keeps nothing; reads every byte that it is given, so that a wrong length shows.
#[derive(Default)]
pub struct Sink {
    taken: u64,
    sum: u64,
}

impl Sink {
    fn take(&mut self, event: &Event, bytes: &[u8]) {
        self.sum = bytes.iter().fold(self.sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
        assert!(event.first_arrival <= event.arrival || event.arrival.0 == 0, "it began after it ended");
    }
}

impl Outlet for Sink {
    fn wants(&self, _class: Class) -> bool {
        true
    }

    fn offer(&mut self, event: &Event, bytes: &[u8]) -> bool {
        self.take(event, bytes);
        self.taken += 1;
        true
    }

    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool {
        self.take(event, bytes);
        // Now and then there is no room.
        self.sum % 5 != 0
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn passed(&self) -> u64 {
        self.taken.saturating_sub(BEHIND)
    }
}

/// A pipeline with little room, so that inputs of a few hundred bytes reach its bounds. It is kept over the inputs of a
/// [batch](crate::batch): making one costs more than most inputs do.
pub struct Judged {
    pipeline: Pipeline,
    sink: Sink,
    records: u64,
    now: i64,
}

impl Judged {
    /// Watching two ports, or any.
    #[must_use]
    pub fn new(any: bool) -> Self {
        let ports = if any { Ports::Any } else { Ports::Set(vec![4712, 4713]) };
        Self {
            pipeline: Pipeline::new(ports, &bounds()),
            sink: Sink::default(),
            records: 0,
            now: 1_700_000_000_000_000_000,
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, ns: i64) {
        self.now += ns;
        self.pipeline.tick(Nanos(self.now), &mut self.sink);
    }

    /// Pushes a packet, and judges.
    pub fn push(&mut self, record: Record<'_>) {
        self.records += u64::from(record.records);
        let record = Record { arrival: Nanos(self.now), ..record };
        self.pipeline.push(&record, &mut NoClock, &mut self.sink);
        self.judge();
    }

    /// The sums of the pipeline's own counters.
    pub fn judge(&self) {
        let counts = self.pipeline.counts();
        assert_eq!(counts.bytes.unaccounted(), 0, "bytes: {:?}", counts.bytes);
        assert_eq!(counts.frames.unaccounted(), 0, "frames: {:?}", counts.frames);
        let records = counts.records;
        assert_eq!(self.records, records.carried + records.no_payload + records.malformed, "{records:?}");
    }
}

fn bounds() -> Bounds {
    Bounds {
        streams: 8,
        configs: 6,
        pmus: 12,
        channels: 48,
        pmus_per_config: 4,
        channels_per_config: 16,
        flows: FlowBounds {
            flows: 4,
            fragmented: 4,
            pool_bytes: 160 << 10,
            flow_bytes: FlowBounds::LEAST_CAP,
        },
        config_series: 2,
        config_series_bytes: 1_024,
        instants: 8,
        pmus_per_instant: 16,
    }
}
