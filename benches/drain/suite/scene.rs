//! Where it is measured: a private veth pair with the programs on its end, the sender's CPU and the reader's.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use monitor::clock::{self, ClockMap};
use monitor::hub::queue::QueueSender;
use monitor::live::{Board, Control, Loop};
use monitor::netns::{Pair, private_pair};
use monitor::probe::{Hook, Interface, Matching, Options, PERF_BYTES, Probe, Sizes, Transport};
use monitor::reader::{self, Interfaces, Perf, Records, Ring, Source};
use monitor::sys::packet::FrameSender;
use monitor::sys::sched;
use monitor_common::PacketCounters;
use monitor_core::packet::InterfaceId;
use monitor_core::pipeline::{Bounds, Pipeline, Ports};

use super::case::{Case, Way};
use super::shared::{Reader, Shared};
use super::traffic::PORT;

const RING_BYTES: u32 = 4 << 20;
/// Between two looks at whether all of a block is with the reader.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// The veth's receiving side runs in the sender's softirq, on the sender's CPU: records come from another CPU's cache, as
/// from a card's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    pub(crate) sender: usize,
    pub(crate) reader: usize,
}

pub(crate) struct Scene {
    pub(crate) transport: Transport,
    probe: Probe,
    pub(crate) interface: Interface,
    pair: Pair,
    cpus: Cpus,
    /// None once the live loop has it.
    reader: Option<Reader>,
}

impl Scene {
    pub(crate) fn new(transport: Transport) -> Self {
        let online = sched::CpuList::online().unwrap();
        let cpus = Cpus { sender: online.iter().next().unwrap(), reader: online.iter().last().unwrap() };
        assert_ne!(cpus.sender, cpus.reader, "this bench takes two CPUs: one to send on, one to read on");
        let pair = private_pair("stations0", "eth1").unwrap_or_else(|error| panic!("{error}"));
        let probe = load(transport);
        let (probe, interface) = attach(probe, &pair);
        let reader = match open(&probe) {
            Source::Ring(ring) => Reader::Ring(Shared::new(ring)),
            Source::Perf(perf) => Reader::Perf(Shared::new(perf)),
        };
        Self { transport, probe, interface, pair, cpus, reader: Some(reader) }
    }

    pub(crate) const fn cpus(&self) -> Cpus {
        self.cpus
    }

    pub(crate) fn counters(&self) -> PacketCounters {
        self.probe.kernel().counters().unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn sender(&mut self) -> FrameSender {
        let index = self.pair.stations.interface().unwrap_or_else(|error| panic!("{error}")).index;
        self.pair.stations.run(|| FrameSender::open(index)).unwrap().unwrap()
    }

    pub(crate) fn case(&mut self, way: Way) -> Case {
        match self.reader.clone() {
            Some(Reader::Ring(ring)) => Case::new(ring, self, way),
            Some(Reader::Perf(perf)) => Case::new(perf, self, way),
            None => panic!("the live loop has the reader"),
        }
    }

    /// The reader, once no case is left.
    pub(crate) fn take_reader(&mut self) -> Source {
        let reader = match self.reader.take() {
            Some(Reader::Ring(ring)) => ring.alone().map(Source::from),
            Some(Reader::Perf(perf)) => perf.alone().map(Source::from),
            None => None,
        };
        reader.expect("nobody else has it")
    }

    /// Sends packets on the sender's CPU, and returns when all of them are with the reader.
    pub(crate) fn fill(&mut self, packets: &[Vec<u8>]) {
        let (sender, cpu) = (self.sender(), self.cpus.sender);
        let before = self.counters();
        thread::scope(|scope| {
            scope.spawn(|| {
                sched::set_affinity(cpu).unwrap();
                for packet in packets {
                    sender.send(packet).unwrap();
                }
            });
        });
        let wanted = before.submitted + packets.len() as u64;
        let mut now = self.counters();
        while now.submitted + now.ring_full < wanted {
            thread::sleep(LOOK_EVERY);
            now = self.counters();
        }
        assert_eq!(
            (now.submitted, now.ring_full),
            (wanted, before.ring_full),
            "there was no room for a block"
        );
    }
}

/// Loads the programs for a transport.
fn load(transport: Transport) -> Probe {
    let matching = Matching::Ports(vec![PORT]);
    let sizes = Sizes::of_ring(RING_BYTES);
    let options = Options { transport, ..Options::new(Hook::Tc, matching, sizes) };
    Probe::load(&options).unwrap_or_else(|error| panic!("{error}"))
}

fn attach(mut probe: Probe, pair: &Pair) -> (Probe, Interface) {
    let netns = pair.monitor.shared_netns();
    let interface = Interface::find(&netns, pair.monitor.name(), InterfaceId(0))
        .unwrap_or_else(|error| panic!("{error}"));
    probe.attach(&interface).unwrap_or_else(|error| panic!("{error}"));
    (probe, interface)
}

/// Becomes the reader of what a probe's programs write to.
fn open(probe: &Probe) -> Source {
    let kernel = probe.kernel();
    match probe.perf_events().unwrap_or_else(|error| panic!("{error}")) {
        Some(events) => Perf::open(events, PERF_BYTES as usize, kernel.reader_page()).unwrap().into(),
        None => Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap().into(),
    }
}

/// The live loop over a reader, as a run makes it.
pub(super) fn live_loop<T: reader::Transport>(
    reader: T,
    interface: &Interface,
    outlet: QueueSender,
    board: &Arc<Board>,
) -> Loop<QueueSender, T> {
    Loop::new(
        reader,
        Records::new(Interfaces::new([(interface.key, interface.id)])),
        Pipeline::new(Ports::Set(vec![PORT]), &Bounds::default()),
        outlet,
        Arc::new(ClockMap::new(&clock::measure())),
        Arc::new(Control::new().unwrap()),
        Arc::clone(board),
    )
}
