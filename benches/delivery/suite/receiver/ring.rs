//! The product's own way: the programs at tc, the BPF ring or the perf buffer, the live loop as `run` starts it, with the bench in place of the
//! queue to the outputs.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use monitor::clock::{self, ClockMap};
use monitor::live::{self, Board, Control, Live, LiveOutlet, Loop, Snapshot, Waiting, Waits};
use monitor::probe::{Hook, Interface, Matching, Options, Probe, Sizes, Transport};
use monitor::reader::{Interfaces, Perf, Records, Ring, Source};
use monitor::sys::sleep;
use monitor_core::event::{Class, Event, EventKind, Outlet, QueueCounts, Stage};
use monitor_core::packet::InterfaceId;
use monitor_core::pipeline::{Bounds, Pipeline, Ports};

use super::{Opened, Running, Task, demand};
use crate::suite::block::Taken;
use crate::suite::meter::Meter;
use crate::suite::scene::Scene;
use crate::suite::traffic::PORT;

/// The ring's usual size, more than the frames of a block take.
const RING_BYTES: u32 = 4 << 20;

/// Idle states are left as they are for every receiver: here as for the packet sockets.
const IDLE_ALLOWED: bool = true;

struct Attached {
    probe: Probe,
    interface: Interface,
    waiting: Waiting,
    sizes: Sizes,
}

pub(super) fn open(scene: &Scene, transport: Transport, waiting: Waiting) -> Box<dyn Opened> {
    let matching = Matching::Ports(vec![PORT]);
    let sizes = Sizes::of_ring(RING_BYTES);
    let options = Options { transport, ..Options::new(Hook::Tc, matching, sizes) };
    let mut probe = Probe::load(&options).unwrap_or_else(|error| panic!("{error}"));
    let (netns, name) = scene.monitored();
    let interface = Interface::find(&netns, name, InterfaceId(0)).unwrap_or_else(|error| panic!("{error}"));
    probe.attach(&interface).unwrap_or_else(|error| panic!("{error}"));
    Box::new(Attached { probe, interface, waiting, sizes })
}

impl Opened for Attached {
    fn start(self: Box<Self>, task: &Task) -> Box<dyn Running> {
        let probe = self.probe;
        let events = probe.perf_events().unwrap_or_else(|error| panic!("{error}"));
        let kernel = Arc::clone(probe.kernel());
        let reading = (probe, self.interface, self.waiting);
        if let Some(events) = events {
            let perf = Perf::open(events, self.sizes.perf_bytes as usize, kernel.reader_page()).unwrap();
            return read(perf, reading, task);
        }
        let ring = Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap();
        read(ring, reading, task)
    }
}

/// Starts the live loop over a transport.
fn read<T>(
    transport: T,
    (probe, interface, waiting): (Probe, Interface, Waiting),
    task: &Task,
) -> Box<dyn Running>
where
    T: monitor::reader::Transport + Into<Source> + Send + 'static,
{
    let records = Records::new(Interfaces::new([(interface.key, interface.id)]));
    let pipeline = Pipeline::new(Ports::Set(vec![PORT]), &Bounds::default());
    let measured = clock::measure();
    let clock = Arc::new(ClockMap::new(&measured));
    let outlet = MeterOutlet {
        meter: Meter::new(task.span, task.frames),
        offset: clock.offset_ns(),
        unstamped: 0,
        taken: 0,
    };
    let (control, board) = (Arc::new(Control::new().unwrap()), Arc::new(Board::default()));
    let work = Loop::new(transport, records, pipeline, outlet, clock, control, Arc::clone(&board));
    let waits = Waits { waiting, cap: task.cap, ..Waits::default() };
    let live = live::spawn(work, task.request(), IDLE_ALLOWED, waits).unwrap();
    demand(live.rt());
    assert_eq!(live.waits().refused, None);
    let span = task.span;
    let watch = thread::spawn(move || {
        let read_at = |instant| {
            sleep::until(instant).unwrap();
            board.read()
        };
        [read_at(span.from), read_at(span.until)]
    });
    Box::new(Reading { probe, live, watch })
}

struct Reading {
    probe: Probe,
    live: Live<MeterOutlet>,
    /// What the board showed when the span began and when it was over.
    watch: JoinHandle<[Snapshot; 2]>,
}

impl Running for Reading {
    fn stop(self: Box<Self>) -> Taken {
        let Self { mut probe, live, watch } = *self;
        let [before, after] = watch.join().unwrap();
        probe.detach().unwrap_or_else(|error| panic!("{error}"));
        let outcome = live.join().unwrap();
        assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
        let counts = outcome.pipeline.counts();
        let MeterOutlet { mut meter, unstamped, .. } = outcome.outlet;
        assert_eq!(unstamped, 0, "frames without a receive stamp");
        assert_eq!(counts.frames.found, counts.frames.decoded, "{counts:?}");
        assert_eq!(counts.frames.found, meter.received, "{counts:?}");
        let (cpu, elapsed) = meter.used();
        let kernel = probe.kernel().counters().unwrap_or_else(|error| panic!("{error}"));
        Taken {
            received: meter.received,
            lost: kernel.ring_full + kernel.read_failed,
            met: after.turns.met - before.turns.met,
            of: after.turns.packets - before.turns.packets,
            looked: std::mem::take(&mut meter.looked),
            decoded: std::mem::take(&mut meter.decoded),
            cpu,
            elapsed,
        }
    }
}

/// Stands where the queue to the outputs would.
struct MeterOutlet {
    meter: Meter,
    /// From monotonic time to UTC, as the loop has it: nothing changes it in a block.
    offset: i64,
    unstamped: u64,
    taken: u64,
}

impl MeterOutlet {
    fn note(&mut self, event: &Event) -> bool {
        if let EventKind::Frame(..) = event.kind {
            let stage = |stage| event.stages.get(stage).map(u64::from);
            let looked = stage(Stage::ReceiveToRing)
                .zip(stage(Stage::RingToReader))
                .map(|(to_ring, to_reader)| to_ring + to_reader);
            let received = u64::try_from(event.arrival.0 - self.offset).unwrap_or(0);
            self.unstamped += u64::from(looked.is_none());
            self.meter.saw(received, looked.unwrap_or(0), stage(Stage::ReceiveToDecoded), false);
        }
        self.taken += 1;
        true
    }
}

impl Outlet for MeterOutlet {
    fn wants(&self, class: Class) -> bool {
        matches!(class, Class::Frame | Class::Config)
    }

    fn offer(&mut self, event: &Event, _bytes: &[u8]) -> bool {
        self.note(event)
    }

    fn announce(&mut self, event: &Event, _bytes: &[u8]) -> bool {
        self.note(event)
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn passed(&self) -> u64 {
        self.taken
    }
}

impl LiveOutlet for MeterOutlet {
    fn flush(&mut self) {}

    fn counts(&self) -> [QueueCounts; 2] {
        [QueueCounts::default(); 2]
    }
}
